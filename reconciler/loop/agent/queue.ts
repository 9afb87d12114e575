import type { Ref } from '../../model/ref.ts';
import { createDoorbell } from '../doorbell.ts';

/** What to look at: one ref, or all. */
export type Item = Ref | '*';

/** Refs to look at and when. A ref stands in it once, at its earliest time. */
export interface WorkQueue {
  /** Puts an item in, or earlier if it is in already. `at` is in milliseconds since 1970. */
  add(item: Item, at: number): void;
  /** Takes out all that is due. */
  take(now: number): readonly Item[];
  /** Resolves when something is due or the signal aborts. */
  due(signal: AbortSignal): Promise<void>;
  /** When the next item is due; Infinity when there is none. */
  next(): number;
}

/** An empty queue on the given clock. */
export function workQueue(clock: () => number): WorkQueue {
  const items = new Map<Item, number>();
  const bell = createDoorbell();
  const next = (): number => {
    let at = Infinity;
    for (const time of items.values()) at = Math.min(at, time);
    return at;
  };
  return {
    add(item, at) {
      const known = items.get(item);
      if (known !== undefined && known <= at) return;
      items.set(item, at);
      bell.ring();
    },
    take(now) {
      const taken = [...items.entries()].filter(([, at]) => at <= now).map(([item]) => item);
      for (const item of taken) items.delete(item);
      return taken;
    },
    async due(signal) {
      while (!signal.aborted) {
        const wait = next() - clock();
        if (wait <= 0) return;
        await bell.wait(Math.min(wait, 2 ** 30), signal);
      }
    },
    next,
  };
}
