import assert from 'node:assert/strict';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import type { Assignment, Report } from '../../reconciler/model/replica.ts';
import type { Proposal } from '../../reconciler/model/reservations.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import { place } from '../../reconciler/place/place.ts';
import type { PlaceResult } from '../../reconciler/place/place.ts';
import { catalogOf, reportOf } from './catalog.ts';
import type { Machine, Sketch } from './catalog.ts';

/** The clock of these tests. */
export const NOW = 1_000_000;

/** What there is before a step. */
export interface World {
  readonly book: Book;
  readonly reports?: readonly Report[];
  readonly assignments?: readonly Assignment[];
  readonly capacity?: Machine;
  readonly now?: number;
}

/** Commits in small batches, as a controller may; every proposal must be accepted. */
export function commitAll(book: Book, proposals: readonly Proposal[], now: number): void {
  for (let i = 0; i < proposals.length; i += 7) {
    const { verdicts, deltas } = decide(book, { id: '', now, proposals: proposals.slice(i, i + 7) });
    assert.ok(
      verdicts.every(({ accepted }) => accepted),
      'what place proposes on a fresh snapshot is accepted',
    );
    book.apply(deltas);
  }
}

/** Places the sketch and commits all of it, as a controller would; every proposal must be accepted. */
export function step(sketch: Sketch, world: World): PlaceResult {
  const catalog = catalogOf(sketch);
  const now = world.now ?? NOW;
  const reports = world.reports ?? [...catalog.hosts.keys()].map((host) => reportOf(host, world.capacity));
  const hosts = hostViews(catalog, reports, world.book);
  const assignments = world.assignments ?? [];
  const result = place({ catalog, snapshot: world.book, hosts, reports, assignments, now });
  const { verdicts, deltas } = decide(world.book, { id: 'r', now, proposals: result.proposals });
  assert.deepEqual(
    verdicts.filter(({ accepted }) => !accepted),
    [],
  );
  world.book.apply(deltas);
  assert.deepEqual(new Map([...result.placements].sort()), new Map([...world.book.placements].sort()));
  return result;
}

/** `web-0@h1 10.1.0.10` … */
export function where({ placements }: PlaceResult): readonly string[] {
  return [...placements.values()].map((p) => `${p.replica}@${p.host} ${p.address}`).sort();
}

/** Hosts of the placements, sorted. */
export function hostsUsed(result: PlaceResult): readonly string[] {
  return [...result.placements.values()].map(({ host }) => host).sort();
}

/** What becomes of a sketch where nothing was placed before. */
export interface Case {
  readonly name: string;
  readonly sketch: Sketch;
  readonly capacity?: Machine;
  /** Hosts of the placements, sorted. */
  readonly hosts: readonly string[];
  /** Filters of the unplaceable, one text each: `web-1: cpu 2 h1`. */
  readonly reasons?: readonly string[];
}

/** Places the sketch of a case, twice: the second time there must be nothing to propose. */
export function holds({ sketch, capacity, hosts, reasons = [] }: Case): void {
  const world = { book: createBook(), ...(capacity ? { capacity } : {}) };
  const result = step(sketch, world);
  assert.deepEqual(hostsUsed(result), hosts);
  const told = result.unplaceable.map(
    ({ replica, reasons: list }) =>
      `${replica}: ${list.map((r) => `${r.filter} ${String(r.removed)} ${String(r.example)}`).join('; ')}`,
  );
  assert.deepEqual(told, reasons);
  assert.deepEqual(step(sketch, world).proposals, [], 'a second time there is nothing to propose');
}
