import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { Book } from '../../reconciler/model/book.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import type { HostView } from '../../reconciler/place/hosts.ts';
import { place } from '../../reconciler/place/place.ts';
import type { PlaceResult } from '../../reconciler/place/place.ts';
import type { PlaceInput } from '../../reconciler/place/input.ts';
import { createWaiting } from '../../reconciler/place/waiting.ts';
import type { Limits, Waiting } from '../../reconciler/place/waiting.ts';

/** A memory of who found no room, and what it was last asked by. */
export interface Remembering {
  readonly waiting: Waiting;
  /** Apps and gangs that were remembered at their turn, so far. */
  taken: number;
  last: Pick<PlaceInput, 'catalog' | 'hosts'> | undefined;
}

/** Remembers nobody yet. */
export function createRemembering(limits: Limits = {}): Remembering {
  const waiting = createWaiting(limits);
  const still: Waiting['still'] = (apps, look) => {
    const found = waiting.still(apps, look);
    if (found) made.taken += 1;
    return found;
  };
  const made: Remembering = { waiting: { ...waiting, still }, taken: 0, last: undefined };
  return made;
}

/** A book of which a memory is told all that is committed. */
export function toldOf(book: Book, { waiting }: Remembering): Book {
  const apply: Book['apply'] = (deltas) => {
    for (const delta of deltas) {
      waiting.changed(delta, delta.type === 'placement' ? book.placements.get(delta.replica) : undefined);
      book.apply([delta]);
    }
  };
  return { ...book, apply };
}

/** Hosts of which those that are seen as before are the same objects, as a controller keeps them. */
function sharingHosts(before: readonly HostView[] = [], now: readonly HostView[]): readonly HostView[] {
  const known = new Map(before.map((view) => [view.record.host, view]));
  return now.map((view) => {
    const was = known.get(view.record.host);
    return was && isDeepStrictEqual(was, view) ? was : view;
  });
}

/** A result as it is compared; the placements in order of name. */
const listed = ({ placements, ...rest }: PlaceResult): object => ({
  ...rest,
  ...{ placements: [...placements].sort() },
});

/** The same but for the words. */
const wordless = (result: PlaceResult): object => ({
  ...listed(result),
  unplaceable: result.unplaceable.map(({ replica, app }) => ({ replica, app })),
});

/**
 * Places with what is remembered, which must be in all as it is without; in all but the words where `words` is false. What is as it was the last time is
 * the same object, as in a controller.
 */
export function placeAlike(asked: PlaceInput, remembering: Remembering, words = true): PlaceResult {
  const { last, waiting } = remembering;
  const catalog = sharing(last?.catalog, asked.catalog);
  const input = { ...asked, catalog, hosts: sharingHosts(last?.hosts, asked.hosts) };
  remembering.last = input;
  const result = place(input, undefined, waiting);
  const [mine, anew] = [result, place(input)].map(words ? listed : wordless);
  assert.deepEqual(mine, anew);
  return result;
}

/** A catalog in which whatever says the same as before is the same object, as compiling makes it. */
export function sharing(before: Catalog | undefined, now: Catalog): Catalog {
  const share = <T>(old: ReadonlyMap<string, T> | undefined, all: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Map(
      [...all].map(([name, value]) => {
        const known = old?.get(name);
        return [name, known !== undefined && isDeepStrictEqual(known, value) ? known : value];
      }),
    );
  const { apps, zones, networks, hosts, tunings } = now;
  return {
    ...now,
    apps: share(before?.apps, apps),
    zones: share(before?.zones, zones),
    networks: share(before?.networks, networks),
    hosts: share(before?.hosts, hosts),
    tunings: share(before?.tunings, tunings),
  };
}
