import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import { decide } from '../../reconciler/model/decide.ts';
import type { Delta, Proposal } from '../../reconciler/model/reservations.ts';
import { absorb, groundOver, takeBack } from '../../reconciler/place/ground.ts';
import type { Ground } from '../../reconciler/place/ground.ts';
import { choose } from '../../reconciler/place/choose.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import { place, proposeAgain, turnsOf } from '../../reconciler/place/place.ts';
import { groupIn, runOn, startRun } from '../../reconciler/place/run.ts';
import type { Run } from '../../reconciler/place/run.ts';
import { survey } from '../../reconciler/place/survey.ts';
import type { PlaceInput } from '../../reconciler/place/input.ts';
import { catalogOf, reportOf } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';
import { machineOf, sketch } from '../support/sketches.ts';

const side = { part: 1, of: 3 };

function inputOf(catalog: Catalog, book: Book, now: number): PlaceInput {
  const reports = [...catalog.hosts.keys()].map((name) => reportOf(name, machineOf(name)));
  return { catalog, snapshot: book, hosts: hostViews(catalog, reports, book), reports, assignments: [], now, side };
}

/** Decides as the store does; gives the deltas and what was refused. */
function commit(store: Book, proposals: readonly Proposal[], now: number): { deltas: Delta[]; refused: Proposal[] } {
  const { verdicts, deltas } = decide(store, { id: '', now, proposals });
  store.apply(deltas);
  return { deltas: structuredClone([...deltas]), refused: proposals.filter((_, at) => !verdicts[at]?.accepted) };
}

const sorted = <V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> =>
  new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));

/** All that can be asked of a ground. */
function factsOf(ground: Ground, input: PlaceInput): unknown {
  const { book, table } = ground;
  const turn = { ...ground.turn };
  const run = runOn(ground, input, survey(input));
  const facts = {
    table: { ...table, changes: undefined }, // how often something has changed is of no meaning by itself
    hosts: sorted(book.hosts),
    placements: sorted(book.placements),
    addresses: sorted(book.addresses),
    used: [...book.hosts.keys()].sort().map((host) => [book.used(host), sorted(book.residents(host))]),
    pools: [...input.catalog.networks.keys()].map((name) => [
      ground.pool(name, 'main')?.next(),
      ground.pool(name, 'main')?.count(),
      ground.pool(name, 'aux')?.next(),
    ]),
    apps: [...input.catalog.apps.values()].map((app) => {
      const group = groupIn(run, app);
      // nor does it matter what others of its size have looked for before
      const own = { ...group, alike: group.alike !== undefined };
      return { candidates: run.candidates(app.spec), choice: choose(table, group), group: own };
    }),
  };
  Object.assign(ground.turn, turn);
  return facts;
}

/** What the App whose turn it is would choose, by what is known of it and anew. */
function choices(ground: Ground, run: Run): readonly (number | undefined)[] {
  const { app, group } = ground.turn;
  const resource = run.input.catalog.apps.get(app);
  if (!group || !resource) return [0, 0];
  ground.turn.group = undefined;
  const anew = groupIn(run, resource);
  Object.assign(ground.turn, { app, group });
  return [group, anew].map((one) => choose(ground.table, one));
}

function assertAsNew(ground: Ground, catalog: Catalog, store: Book, now: number, when: string): void {
  const anew = createBook(structuredClone({ ...storeState(store) }));
  const input = inputOf(catalog, anew, now);
  assert.deepEqual(factsOf(ground, inputOf(catalog, ground.book, now)), factsOf(groundOver(input, anew), input), when);
}

const storeState = ({ hosts, placements, addresses }: Book): Pick<Book, 'hosts' | 'placements' | 'addresses'> => ({
  hosts,
  placements,
  addresses: new Map(addresses),
});

/** A sketch whose tiny Network leases blocks of four addresses to zones. */
function leasing({ networks, ...rest }: Sketch): Sketch {
  return { ...rest, networks: { ...networks, tiny: { ...networks?.['tiny'], blockSize: 30 } } };
}

const step = fc.record({
  mine: sketch,
  rival: sketch,
  later: fc.nat(10_000),
  batch: fc.integer({ min: 1, max: 8 }),
  /** How many of the rival's proposals come between two batches. */
  between: fc.nat(5),
});

/** Whoever commits what in between, it equals one that is made anew. */
const law = fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), fc.boolean(), (steps, leases) => {
  const store = createBook();
  let now = 1_000_000;
  let kept: Ground | undefined;
  for (const { mine, rival, later, batch, between } of steps) {
    now += later;
    const catalog = catalogOf(leases ? leasing(mine) : mine);
    kept ??= groundOver(inputOf(catalog, createBook(), now), createBook());
    kept.renew(inputOf(catalog, kept.book, now));
    assertAsNew(kept, catalog, store, now, 'after renewing');

    const theirs = [
      ...place(inputOf(catalogOf(leases ? leasing(rival) : rival), createBook(storeState(store)), now)).proposals,
    ];
    const run = startRun(inputOf(catalog, kept.book, now), kept);
    const turns = turnsOf(run);
    let told = 0;
    for (let done = false; !done || told < run.proposals.length;) {
      while (!done && run.proposals.length - told < batch) done = turns.next().done === true;
      const some = run.proposals.slice(told);
      told = run.proposals.length;
      const before = commit(store, theirs.splice(0, between), now).deltas;
      const { deltas, refused } = commit(store, some, now);
      absorb(kept, [...before, ...deltas]);
      takeBack(kept);
      assert.equal(kept.tentative?.size, 0);
      const [known, anew] = choices(kept, run);
      assert.equal(known, anew, 'the best is known');
      assertAsNew(kept, catalog, store, now, 'after a batch');
      proposeAgain(run, refused);
    }
    const input = inputOf(catalog, kept.book, now);
    const anew = place(inputOf(catalog, createBook(storeState(store)), now));
    assert.deepEqual(place(input, kept).proposals, anew.proposals, 'places as a new one does');
    takeBack(kept);
    assertAsNew(kept, catalog, store, now, 'after all was taken back');
  }
});

describe('a ground that is kept', () => {
  it('equals one made anew, whoever commits what in between', () => {
    fc.assert(law, { numRuns: 200 });
  });

  it('knows what pinned cores take of a faster host', () => {
    fc.assert(law, { seed: 787682940, path: '105' });
  });
});
