/** A bell for one who waits and works by turns. */
export interface Doorbell {
  ring(): void;
  /** Until the bell rings, the time is up or the signal aborts; gives whether it rang. Rings that came before count; those that come together count once. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

/** A bell that has not rung. */
export function createDoorbell(): Doorbell {
  let rung = false;
  let open: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      open?.();
    },
    async wait(ms, signal) {
      if (!rung && !signal.aborted)
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            open = undefined;
            resolve();
          };
          const timer = setTimeout(done, ms);
          signal.addEventListener('abort', done, { once: true });
          open = done;
        });
      const answer = rung;
      rung = false;
      return answer;
    },
  };
}
