import { GRACE, HEARTBEAT } from '../hearing.ts';

/** Since when a controller has seen without a gap what hosts say. */
export interface Watching {
  /** Begins a pass. One before it that did not end well has failed: hosts may not have been heard. */
  begin(): void;
  /** From when on (milliseconds since 1970) what hosts last said may be held against a change. */
  judgeFrom(): number;
  /** A pass ended well, however long it took. */
  ended(): void;
  /** Between passes hosts were heard; gives back what was heard. */
  looked<T>(heard: T): T;
}

/** A gap that is longer is one in which nobody led, or the store was away: milliseconds. */
const GAP = 3 * HEARTBEAT;

/**
 * Nothing is given up by words from before a gap: while nobody led, or the store was away, hosts may have had no way to say that all is well.
 * They have as long as to be heard of at all.
 */
export function createWatching(clock: () => number): Watching {
  let since: number | undefined;
  let last = 0;
  let underway = false;
  return {
    begin: () => {
      const now = clock();
      if (since === undefined || underway || now - last > GAP) since = now;
      last = now;
      underway = true;
    },
    judgeFrom: () => (since ?? clock()) + GRACE,
    ended: () => {
      last = clock();
      underway = false;
    },
    looked: (heard) => {
      const now = clock();
      if (now - last > GAP) since = undefined;
      last = now;
      return heard;
    },
  };
}
