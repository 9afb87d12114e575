import { setImmediate as turn } from 'node:timers/promises';

/** Time that stands still while anything works, and then leaps to the next timer: an hour of pauses costs nothing. */
export interface VirtualTime {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Real work, such as of the disk: time stands still until it has ended. */
  work<T>(promise: Promise<T>): Promise<T>;
  sleep(ms: number): Promise<void>;
  /** Lets that much time go by, or less if the condition comes true; gives whether it did. */
  pass(ms: number, until?: () => boolean): Promise<boolean>;
  /** Until nothing works and all that follows has followed. No time goes by. */
  still(): Promise<void>;
  /** Forgets all timers, as when their process dies. */
  forget(): void;
  /** Gives the real timers back. */
  end(): void;
}

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

/** So many turns of the event loop without work mean that nothing more follows by itself. */
const TURNS = 4;
const BEGIN: number = Date.UTC(2030, 0, 1);

/** Takes the place of `setTimeout`, `AbortSignal.timeout` and `performance.now` of this process until its end. */
export function virtualTime(): VirtualTime {
  const real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout };
  const realTimeout = Object.getOwnPropertyDescriptor(AbortSignal, 'timeout');
  const timers = new Map<number, Timer>();
  let now = BEGIN;
  let ids = 0;
  let working = 0;

  const set = (call: () => void, ms = 0): number => {
    timers.set((ids += 1), { at: now + Math.max(ms, 1), call });
    return ids;
  };
  const clear = (id: number | undefined): void => {
    if (id !== undefined) timers.delete(id);
  };
  const timeout = (ms: number): AbortSignal => {
    const controller = new AbortController();
    set(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
    return controller.signal;
  };
  globalThis.setTimeout = set as unknown as typeof setTimeout;
  globalThis.clearTimeout = clear as unknown as typeof clearTimeout;
  Object.defineProperty(AbortSignal, 'timeout', { value: timeout, configurable: true });
  Object.defineProperty(performance, 'now', { value: () => now - BEGIN, configurable: true });

  const still = async (): Promise<void> => {
    for (let turns = 0; turns < TURNS; turns += 1) {
      await turn();
      if (working > 0) turns = -1;
    }
  };
  const next = (): [number, Timer] | undefined => {
    let first: [number, Timer] | undefined;
    for (const entry of timers) if (!first || entry[1].at < first[1].at) first = entry;
    return first;
  };

  return {
    now: () => now,
    work: (promise) => {
      working += 1;
      return promise.finally(() => (working -= 1));
    },
    sleep: (ms) => new Promise((resolve) => set(resolve, ms)),
    pass: async (ms, until = () => false) => {
      const end = now + ms;
      for (;;) {
        await still();
        if (until()) return true;
        const first = next();
        if (!first || first[1].at > end) break;
        timers.delete(first[0]);
        now = first[1].at;
        first[1].call();
      }
      now = end;
      return false;
    },
    still,
    forget: () => timers.clear(),
    end: () => {
      globalThis.setTimeout = real.set;
      globalThis.clearTimeout = real.clear;
      if (realTimeout) Object.defineProperty(AbortSignal, 'timeout', realTimeout);
      delete (performance as { now?: unknown }).now;
    },
  };
}
