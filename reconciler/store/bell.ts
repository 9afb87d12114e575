/** Wakes those who wait for something to change. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, when the signal aborts, or after so many milliseconds. */
  next(signal: AbortSignal, ms?: number): Promise<void>;
}

/** A bell that nobody waits for yet. */
export function createBell(): Bell {
  let waiting = new Set<() => void>();
  return {
    ring: () => {
      const woken = waiting;
      waiting = new Set();
      for (const wake of woken) wake();
    },
    next: (signal, ms) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const wake = (): void => {
          clearTimeout(timer);
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = ms === undefined ? undefined : setTimeout(wake, ms);
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      }),
  };
}

/** Whether the signal has aborted. Asked anew each time: the compiler takes a property for constant between two awaits. */
export function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
