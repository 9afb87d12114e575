import { isDeepStrictEqual } from 'node:util';
import type { ReservationState } from '../model/reservations.ts';

/** What two states have otherwise, as `placements/web-0`. */
export function differences(one: ReservationState, other: ReservationState): readonly string[] {
  return (['hosts', 'placements', 'addresses'] as const).flatMap((table) => {
    const mine: ReadonlyMap<string, unknown> = one[table];
    const theirs: ReadonlyMap<string, unknown> = other[table];
    const keys = [...mine.keys(), ...[...theirs.keys()].filter((key) => !mine.has(key))];
    return keys.filter((key) => !isDeepStrictEqual(mine.get(key), theirs.get(key))).map((key) => `${table}/${key}`);
  });
}
