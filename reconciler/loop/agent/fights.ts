import type { Change } from '../../model/change.ts';
import type { Ref } from '../../model/ref.ts';

/** Someone keeps putting back a value that the repairs take away. */
export interface Fight {
  readonly ref: Ref;
  readonly path: string;
  readonly theirs: unknown;
  readonly ours: unknown;
  readonly times: number;
  /** Milliseconds to leave it alone now. */
  readonly pause: number;
}

export interface FightWatch {
  /** Notes a repair of drift; gives the fight it is part of, if it is. */
  note(change: Change, now: number): Fight | undefined;
}

interface Seen {
  readonly times: number[];
  pauses: number;
}

/**
 * Tells a fight from an accident: the same foreign value in the same field, repaired `limit` times within `window`
 * milliseconds. Each further round pauses twice as long, up to `maxPause`; a quiet window forgives.
 */
export function fightWatch(limit = 5, window = 60_000, firstPause = 1_000, maxPause = 300_000): FightWatch {
  const seen = new Map<string, Seen>();
  const noteField = (change: Change, field: Change['fields'][number], now: number): Fight | undefined => {
    const key = `${change.ref} ${field.path} ${JSON.stringify([field.have])}`;
    const entry = seen.get(key) ?? { times: [], pauses: 0 };
    seen.set(key, entry);
    const quiet = window + firstPause * 2 ** entry.pauses;
    if (now - (entry.times.at(-1) ?? 0) > quiet) entry.pauses = 0;
    while (entry.times.length > 0 && now - (entry.times[0] ?? now) > quiet) entry.times.shift();
    entry.times.push(now);
    if (entry.times.length < limit) return undefined;
    const pause = Math.min(firstPause * 2 ** entry.pauses, maxPause);
    if (pause < maxPause) entry.pauses += 1;
    return {
      ref: change.ref,
      path: field.path,
      theirs: field.have,
      ours: field.want,
      times: entry.times.length,
      pause,
    };
  };
  return {
    note(change, now) {
      if (seen.size > 10_000) seen.clear();
      const fights = change.fields.map((field) => noteField(change, field, now));
      return fights.find((fight) => fight !== undefined);
    },
  };
}
