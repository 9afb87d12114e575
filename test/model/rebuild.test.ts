import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createBook, type Book } from '../../reconciler/model/book.ts';
import type { Catalog } from '../../reconciler/model/catalog.ts';
import type { Reopening } from '../../reconciler/model/notice.ts';
import type { Assignment, Placement, Report } from '../../reconciler/model/replica.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import { place } from '../../reconciler/place/place.ts';
import { openPart, rebuild, untold } from '../../reconciler/place/rebuild.ts';
import { project } from '../../reconciler/plan/project.ts';
import { catalogOf, reportOf, resources, type Sketch } from '../support/catalog.ts';
import { commitAll } from '../support/placing.ts';

const HOSTS = ['a1', 'a2', 'b1', 'b2'];
const app = fc.record({
  zone: fc.constantFrom('a', 'b'),
  network: fc.constantFrom('one', 'two', 'three'),
  replicas: fc.integer({ min: 0, max: 3 }),
});
const apps = fc.record({ v: app, w: app, x: app, y: app });
/** A host says what it knows, or a pass is made, by another controller each time; with `more` Git has asked for more before. */
const event = fc.oneof(
  fc.record({ says: fc.constantFrom(...HOSTS) }),
  fc.record({ more: fc.constantFrom('v', 'w', 'x', 'y') }),
);

function catalogFor(of: NonNullable<Sketch['apps']>): Catalog {
  const zone = (pool: string): object => ({ hosts: { matchLabels: { pool } } });
  return catalogOf({
    apps: Object.fromEntries(Object.entries(of).map(([name, spec]) => [name, { ...spec, resources: resources(10) }])),
    zones: { a: zone('a'), b: zone('b') },
    networks: { one: {}, two: {}, three: {} },
    hosts: Object.fromEntries(HOSTS.map((name) => [name, { labels: { pool: name[0] ?? '' } }])),
  });
}

/** One pass over a book, as a controller makes it; gives what it would tell the hosts. */
function passOver(
  catalog: Catalog,
  book: Book,
  reports: readonly Report[],
  stored: Map<string, Assignment>,
  before?: Reopening,
) {
  const remains = { catalog, reports, snapshot: book, stored: [...stored.values()], reopening: before, now: 0 };
  const { reopening, proposals, kept } = rebuild(remains);
  commitAll(book, proposals, 0);
  const assignments = [...stored.values(), ...kept];
  const open = reopening ? openPart(catalog, reopening, assignments) : catalog;
  const hosts = hostViews(catalog, reports, book);
  commitAll(book, place({ catalog: open, snapshot: book, hosts, reports, assignments, now: 0 }).proposals, 0);
  const silent = reopening ? untold(catalog, reopening) : new Set<string>();
  const previous = new Map(assignments.filter(({ host }) => !silent.has(host)).map((one) => [one.host, one]));
  for (const one of project({ catalog, author: '', placements: book.placements, previous, reports, now: 0 })
    .assignments)
    if (!silent.has(one.host)) stored.set(one.host, one);
  return reopening;
}

/** Whether all hosts were heard of a Zone, and of those with which it shares a Network. */
function isKnown(
  { zone, network }: { readonly zone: string; readonly network: string },
  of: NonNullable<Sketch['apps']>,
  heard: ReadonlySet<string>,
): boolean {
  const sharing = Object.values(of).flatMap((other) => (other.network === network ? (other.zone ?? '') : []));
  const zones = new Set([zone, ...sharing]);
  return HOSTS.every((host) => !zones.has(host[0] ?? '') || heard.has(host));
}

describe('an emptied store', () => {
  it('gives nothing twice and moves nobody, in whatever order hosts are heard and whoever leads', () => {
    // how often an App had all that it asks for while another Zone was closed
    let ahead = 0;
    fc.assert(
      fc.property(apps, fc.array(event, { maxLength: 12 }), (of, events) => {
        const first = createBook();
        const told = new Map<string, Assignment>();
        passOver(
          catalogFor(of),
          first,
          HOSTS.map((host) => reportOf(host)),
          told,
        );
        const truth = new Map<string, Placement>(first.placements);
        const book = createBook();
        const stored = new Map<string, Assignment>();
        const heard = new Map<string, Report>();
        const now: Record<string, (typeof of)['v']> = { ...of };
        let reopening: Reopening | undefined;
        let opened = false;
        const step = (): void => {
          reopening = passOver(
            catalogFor(now),
            book,
            [...heard.values()],
            stored,
            reopening ?? (opened ? undefined : { since: 0, open: [] }),
          );
          opened = reopening === undefined;
          for (const [name, spec] of Object.entries(now)) {
            if (!isKnown(spec, now, new Set(heard.keys()))) continue;
            const count = [...book.placements.values()].filter((one) => one.app === name).length;
            assert.equal(count, spec.replicas, `${name} waits for Zones that it has nothing to do with`);
            if (!opened && count > 0) ahead += 1;
          }
          const owners = new Map(
            [...truth.values()].map(({ network, address, replica }) => [`${network}/${address}`, replica]),
          );
          for (const { replica, host, network, address } of book.placements.values()) {
            const home = truth.get(replica);
            if (home) assert.deepEqual([host, address], [home.host, home.address], `${replica} is placed twice`);
            assert.equal(owners.get(`${network}/${address}`) ?? replica, replica, `${address} is given twice`);
          }
        };
        const says = (host: string): void => {
          const kept = told.get(host) ?? assert.fail(host);
          heard.set(host, reportOf(host, {}, { generation: kept.generation, kept }));
        };
        for (const one of events) {
          if ('says' in one) says(one.says);
          else now[one.more] = { ...(now[one.more] ?? assert.fail()), replicas: 5 };
          step();
        }
        for (const host of HOSTS) says(host);
        step();
        assert.ok(opened);
        for (const replica of truth.keys()) assert.ok(book.placements.has(replica), `${replica} is forgotten`);
        for (const [name, { replicas }] of Object.entries(now))
          assert.equal([...book.placements.values()].filter((one) => one.app === name).length, replicas, name);
      }),
      { numRuns: 200 },
    );
    assert.ok(ahead > 20, String(ahead));
  });
});
