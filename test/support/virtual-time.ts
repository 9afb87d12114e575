import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';

/** Time that stands still while anything works, and then leaps to the next timer: an hour of pauses costs nothing. */
export interface VirtualTime {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Real work, such as of the disk: time stands still until it has ended. */
  work<T>(promise: Promise<T>): Promise<T>;
  /** The same of each step of what is read piece by piece. */
  each<T>(items: AsyncIterable<T>): AsyncIterable<T>;
  sleep(ms: number): Promise<void>;
  /** Lets that much time go by, or less if the condition comes true; gives whether it did. */
  pass(ms: number, until?: () => boolean): Promise<boolean>;
  /** Until nothing works and all that follows has followed. No time goes by. */
  still(): Promise<void>;
  /** Runs what is part of a process: its timers are those that are set by it, and by all that follows from it. */
  within<T>(process: object, run: () => T): T;
  /** Runs what keeps to real time, such as a connection to a server. */
  outside<T>(run: () => T): T;
  /** A process stands still until then: its timers wait. */
  halt(process: object, until: number): void;
  /** Forgets all timers, as when their process dies; or those of one process. */
  forget(process?: object): void;
  /** Gives the real timers back. */
  end(): void;
}

interface Timer {
  readonly at: number;
  readonly call: () => void;
  readonly process: object | undefined;
}

/** So many turns of the event loop without work mean that nothing more follows by itself. */
const TURNS = 4;
const BEGIN: number = Date.UTC(2030, 0, 1);

/** What runs belongs to this process, or to none. */
const place = new AsyncLocalStorage<object>();
const OUTSIDE: object = {};

/** Takes the place of `setTimeout`, `AbortSignal.timeout` and `performance.now` of this process until its end. */
export function virtualTime(): VirtualTime {
  const real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout };
  const realTimeout = Object.getOwnPropertyDescriptor(AbortSignal, 'timeout');
  const outsideTimeout = AbortSignal.timeout.bind(AbortSignal);
  const timers = new Map<number, Timer>();
  const halted = new Map<object, number>();
  let now = BEGIN;
  let ids = 0;
  let working = 0;
  let rested = (): void => undefined;

  const set = (call: () => void, ms = 0): unknown => {
    const process = place.getStore();
    if (process === OUTSIDE) return real.set(call, ms);
    timers.set((ids += 1), { at: now + Math.max(ms, 1), call, process });
    return ids;
  };
  const clear = (id: unknown): void => {
    if (typeof id === 'number') timers.delete(id);
    else real.clear(id as NodeJS.Timeout | undefined);
  };
  const timeout = (ms: number): AbortSignal => {
    if (place.getStore() === OUTSIDE) return outsideTimeout(ms);
    const controller = new AbortController();
    set(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
    return controller.signal;
  };
  globalThis.setTimeout = set as unknown as typeof setTimeout;
  globalThis.clearTimeout = clear;
  Object.defineProperty(AbortSignal, 'timeout', { value: timeout, configurable: true });
  Object.defineProperty(performance, 'now', { value: () => now - BEGIN, configurable: true });

  const still = async (): Promise<void> => {
    for (let turns = 0; turns < TURNS; turns += 1) {
      await turn();
      if (working === 0) continue;
      await new Promise<void>((resolve) => (rested = resolve));
      turns = -1;
    }
  };
  /** When a timer is due: one of a process that stands still, when that goes on. */
  const dueAt = ({ at, process }: Timer): number => Math.max(at, (process && halted.get(process)) ?? 0);
  const next = (): [number, Timer, number] | undefined => {
    let first: [number, Timer, number] | undefined;
    for (const [id, timer] of timers) {
      const at = dueAt(timer);
      if (!first || at < first[2]) first = [id, timer, at];
    }
    return first;
  };

  const work = <T>(promise: Promise<T>): Promise<T> => {
    working += 1;
    return promise.finally(() => {
      working -= 1;
      if (working === 0) rested();
    });
  };

  return {
    now: () => now,
    work,
    each: async function* (items) {
      const iterator = items[Symbol.asyncIterator]();
      try {
        for (let item = await work(iterator.next()); item.done !== true; item = await work(iterator.next()))
          yield item.value;
      } finally {
        await iterator.return?.();
      }
    },
    sleep: (ms) => new Promise((resolve) => set(resolve, ms)),
    pass: async (ms, until = () => false) => {
      const end = now + ms;
      for (;;) {
        await still();
        if (until()) return true;
        const first = next();
        if (!first || first[2] > end) break;
        const [id, { call, process }, at] = first;
        timers.delete(id);
        now = Math.max(now, at);
        if (process) place.run(process, call);
        else call();
      }
      now = end;
      return false;
    },
    still,
    within: (process, run) => place.run(process, run),
    outside: (run) => place.run(OUTSIDE, run),
    halt: (process, until) => {
      halted.set(process, until);
    },
    forget: (process) => {
      for (const [id, timer] of timers) if (process === undefined || timer.process === process) timers.delete(id);
    },
    end: () => {
      globalThis.setTimeout = real.set;
      globalThis.clearTimeout = real.clear;
      if (realTimeout) Object.defineProperty(AbortSignal, 'timeout', realTimeout);
      delete (performance as { now?: unknown }).now;
    },
  };
}
