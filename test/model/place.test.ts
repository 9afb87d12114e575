import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressKey } from '../../reconciler/model/addresses.ts';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import { selects } from '../../reconciler/model/catalog.ts';
import type { AppSpec, Catalog } from '../../reconciler/model/catalog.ts';
import { sharingText } from '../../reconciler/model/cores.ts';
import { decide } from '../../reconciler/model/decide.ts';
import { amountOf, DIMENSIONS } from '../../reconciler/model/demand.ts';
import type { Demand } from '../../reconciler/model/demand.ts';
import { fateOf } from '../../reconciler/model/fate.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import type { HostRecord } from '../../reconciler/model/reservations.ts';
import type { SpreadLevel } from '../../reconciler/model/topology.ts';
import { explain } from '../../reconciler/place/explain.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import type { HostView } from '../../reconciler/place/hosts.ts';
import { place } from '../../reconciler/place/place.ts';
import type { PlaceResult } from '../../reconciler/place/place.ts';
import { catalogOf, reportOf, resources } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';
import { commitAll } from '../support/placing.ts';
import { history, machineOf, sketch } from '../support/sketches.ts';

interface Step {
  readonly catalog: Catalog;
  readonly views: readonly HostView[];
  readonly result: PlaceResult;
}

function step(catalog: Catalog, book: Book, now: number, machine = machineOf): Step {
  const reports = [...catalog.hosts.keys()].map((name) => reportOf(name, machine(name)));
  const views = hostViews(catalog, reports, book);
  return { catalog, views, result: place({ catalog, snapshot: book, hosts: views, reports, assignments: [], now }) };
}

function unchanged(a: Placement, b: Placement | undefined): boolean {
  return a.host === b?.host && a.network === b.network && a.address === b.address && a.epoch === b.epoch;
}

/** How critical each App counts: as the most critical of those that must be near to it. */
function levelIn({ apps }: Catalog, name: string): number {
  const own = apps.get(name)?.spec.level ?? Infinity;
  const near = [...apps.values()].filter(({ spec }) =>
    spec.affinity?.some(({ app, required }) => required && app === name),
  );
  return Math.min(own, ...near.map((app) => levelIn({ apps } as Catalog, app.name)));
}

/** Whether somebody who is new on its host, or takes more of it, has the place of a replica, of a strictly more critical level. */
function preempted(before: ReadonlyMap<string, Placement>, catalog: Catalog, after: Book, was: Placement): boolean {
  return [...after.placements.values()].some(({ replica, app, host, demand }) => {
    const level = catalog.apps.get(app)?.spec.level ?? Infinity;
    const old = before.get(replica);
    const more = old?.host !== host || DIMENSIONS.some((key) => amountOf(demand, key) > amountOf(old.demand, key));
    return host === was.host && more && level < levelIn(catalog, was.app);
  });
}

/** What was placed before stays, unless nobody wants it, Git says that it goes elsewhere, or a more critical one needs its place. */
function sticky(before: ReadonlyMap<string, Placement>, { catalog }: Step, after: Book): void {
  for (const [id, placement] of before) {
    const fate = fateOf(placement, catalog, new Map());
    const later = after.placements.get(id);
    if (fate === 'unwanted') {
      assert.equal(later, undefined, `${id} is wanted by nobody`);
      assert.ok(!('replica' in (after.addresses.get(addressKey(placement.network, placement.address)) ?? {})));
      continue;
    }
    const spec = catalog.apps.get(placement.app)?.spec;
    if (fate === 'wanted' && spec?.gang === undefined && preempted(before, catalog, after, placement)) continue;
    assert.ok(later, `${id} lost its place`);
    const elsewhere = fate === 'wanted' && (spec?.network !== placement.network || spec.zone !== placement.zone);
    if (!elsewhere) assert.ok(unchanged(placement, later), `${id} moved without need`);
  }
}

/** The cores that a replica has of a host for itself, with all threads of each, in thousandths. */
function wholeOn({ threadsPerCore = 1 }: HostRecord, { resources: { cpu } }: AppSpec): number {
  let cores = 0;
  while (cores * threadsPerCore * 1000 < cpu) cores += 1;
  return cores * threadsPerCore * 1000;
}

/** CPU that a replica takes of a host: of pinned cores all that may be promised of them. */
function cpuOn(catalog: Catalog, record: HostRecord, app: AppSpec): number {
  const overcommit = catalog.zones.get(app.zone)?.spec.overcommit.cpu ?? 1;
  const speed = catalog.hosts.get(record.host)?.spec.performance ?? 1;
  return app.resources.pinned ? Math.floor(wholeOn(record, app) * overcommit * speed) : app.resources.cpu;
}

/** Whether one NUMA node has all the cores that a replica is to have for itself. */
function hasCores(record: HostRecord, used: Demand, app: AppSpec): boolean {
  const left = (key: 'node0' | 'node1'): number => (record.allocatable[key] ?? 0) - (used[key] ?? 0);
  const cpu = wholeOn(record, app);
  return app.resources.pinned !== true || left('node0') * 1000 >= cpu || left('node1') * 1000 >= cpu;
}

/** Whether a host passes every filter, written down once more. */
function fits(catalog: Catalog, book: Book, view: HostView, spec: AppSpec, name: string): boolean {
  const { record, labels } = view;
  const used = book.used(record.host);
  const zone = catalog.zones.get(spec.zone)?.spec;
  return (
    record.state === 'open' &&
    record.zone === spec.zone &&
    zone?.levels.includes(spec.level) === true &&
    selects(spec.hosts, labels) &&
    (['memory', 'pids'] as const).every((key) => used[key] + spec.resources[key] <= record.allocatable[key]) &&
    used.cpu + cpuOn(catalog, record, spec) <= record.allocatable.cpu &&
    hasCores(record, used, spec) &&
    (['disk', 'spindles'] as const).every(
      (key) =>
        (spec.storage?.[key] ?? 0) === 0 ||
        (used[key] ?? 0) + (spec.storage?.[key] ?? 0) <= (record.allocatable[key] ?? 0),
    ) &&
    (['switch', 'rack', 'host'] as const).every(
      (level) => book.count(name, level, record[level]) < (spec.spread[level] ?? Infinity),
    )
  );
}

/** Whether what Apps ask of each other lets a replica go to a host, written down once more. */
function welcome(catalog: Catalog, book: Book, { record }: HostView, name: string): boolean {
  const there = (app: string, within: SpreadLevel): boolean => book.count(app, within, record[within]) > 0;
  return [...catalog.apps.values()].every(({ name: by, spec: { affinity = [], antiAffinity = [] } }) => {
    const near = by !== name || affinity.every(({ app, within, required }) => !required || there(app, within));
    const apart = antiAffinity.every(({ app, within, required }) => {
      const other = by === name ? app : app === name ? by : undefined;
      return !required || other === undefined || !there(other, within);
    });
    return near && apart;
  });
}

/** Whoever gets a new home may be there, by all that is there at that moment. */
function allWelcome({ catalog, views, result }: Step, before: Book, now: number): void {
  const book = createBook(before);
  for (const proposal of result.proposals) {
    for (const one of proposal.op === 'gang' ? proposal.places : [proposal]) {
      if (one.op === 'place') {
        const { replica, app, host } = one.placement;
        const view = views.find(({ record }) => record.host === host) ?? assert.fail();
        assert.ok(welcome(catalog, book, view, app), `${replica} may not be on ${host}`);
      }
      book.apply(decide(book, { id: '', now, proposals: [one] }).deltas);
    }
  }
}

/** The book as if nobody were on a host who may have to make room for an App. */
function cleared(catalog: Catalog, book: Book, host: string, spec: AppSpec): Book {
  const copy = createBook(book);
  const near = spec.affinity?.filter(({ required }) => required).map(({ app }) => app) ?? [];
  for (const placement of book.placements.values()) {
    const { gang } = catalog.apps.get(placement.app)?.spec ?? {};
    if (placement.host !== host || gang !== undefined || near.includes(placement.app)) continue;
    if (fateOf(placement, catalog, new Map()) !== 'wanted' || levelIn(catalog, placement.app) <= spec.level) continue;
    copy.apply([{ type: 'placement', replica: placement.replica, placement: undefined }]);
  }
  return copy;
}

function freeAddress(catalog: Catalog, book: Book, network: string, now: number): boolean {
  if (network !== 'tiny') return true;
  return [10, 11, 12, 13, 14].some((byte) => {
    const record = book.addresses.get(addressKey(network, `10.2.0.${String(byte)}`));
    return !record || ('until' in record && record.until <= now);
  });
}

/** Of the replicas of a gang that had no place all get one, or none. */
function together(before: ReadonlyMap<string, Placement>, { catalog }: Step, after: Book): void {
  const gangs = new Map<string, boolean>();
  for (const { name, spec } of catalog.apps.values())
    for (let ordinal = 0; ordinal < spec.replicas; ordinal += 1) {
      const id = `${name}-${String(ordinal)}`;
      if (spec.gang === undefined || before.has(id)) continue;
      const placed = after.placements.has(id);
      assert.equal(gangs.get(spec.gang) ?? placed, placed, `gang ${spec.gang} is placed in part`);
      gangs.set(spec.gang, placed);
    }
}

/** Every replica that is wanted is placed, or truly has nowhere to go; each is told about once. */
function complete({ catalog, views, result }: Step, book: Book, now: number): void {
  const told = new Set(result.unplaceable.map(({ replica }) => replica));
  for (const { name, spec } of catalog.apps.values())
    for (let ordinal = 0; ordinal < spec.replicas; ordinal += 1) {
      const id = `${name}-${String(ordinal)}`;
      if (book.placements.has(id)) continue;
      assert.ok(told.has(id), `${id} is neither placed nor told about`);
      if (spec.gang !== undefined) continue; // its gang may have no place although it had
      const open = views.filter((view) => fits(catalog, book, view, spec, name) && welcome(catalog, book, view, name));
      assert.ok(
        open.length === 0 || !freeAddress(catalog, book, spec.network, now),
        `${id} would fit on ${open.map(({ record }) => record.host).join()}`,
      );
      const made = views.filter((view) => {
        const roomy = cleared(catalog, book, view.record.host, spec);
        return fits(catalog, roomy, view, spec, name) && welcome(catalog, book, view, name);
      });
      assert.ok(
        made.length === 0 || !freeAddress(catalog, book, spec.network, now),
        `${id} would get room on ${made.map(({ record }) => record.host).join()}`,
      );
    }
}

describe('any history of catalogs', () => {
  it('is placed completely, moves nothing without need, and is then at rest', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const book = createBook();
        let now = 0;
        for (const [drawn, later] of steps) {
          now += later;
          const before = new Map(book.placements);
          const catalog = catalogOf(drawn);
          const done = step(catalog, book, now);
          assert.deepEqual(
            step(catalog, book, now).result.proposals,
            done.result.proposals,
            'equal input, equal output',
          );
          allWelcome(done, book, now);
          commitAll(book, done.result.proposals, now);
          assert.deepEqual(new Map([...done.result.placements]), new Map([...book.placements]), 'as foreseen');
          sticky(before, done, book);
          together(before, done, book);
          complete(done, book, now);
          assert.deepEqual(step(catalog, book, now).result.proposals, [], 'at rest');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('goes on where it is, and nobody is told about, once hosts say how many threads their cores have', () => {
    let grown = 0;
    let left = 0;
    /** Two of the Apps have a core of their own, and each machine has some. */
    const pinning = ({ hosts = {}, apps = {}, ...rest }: Sketch): Sketch => {
      const cores = Object.entries(hosts).map(([name, one]) => [name, { ...one, capacity: { cpu: 5000, node0: 5 } }]);
      const own = (name: string, app: Partial<AppSpec>): Partial<AppSpec> =>
        'ab'.includes(name) ? { ...app, resources: { ...resources(1000), pinned: true } } : app;
      const some = Object.entries(apps).map(([name, app]) => [name, own(name, app)]);
      return {
        ...rest,
        hosts: Object.fromEntries(cores) as typeof hosts,
        apps: Object.fromEntries(some) as typeof apps,
      };
    };
    fc.assert(
      fc.property(sketch, (drawn) => {
        const book = createBook();
        const catalog = catalogOf(pinning(drawn));
        const before = step(catalog, book, 0, () => ({})).result;
        commitAll(book, before.proposals, 0);
        const after = step(catalog, book, 0).result;
        for (const proposal of after.proposals) {
          assert.ok(proposal.op === 'host' || proposal.op === 'resize', proposal.op);
          if (proposal.op === 'resize') grown += 1;
        }
        const ids = ({ unplaceable }: PlaceResult): readonly string[] => unplaceable.map(({ replica }) => replica);
        assert.deepEqual(ids(after).toSorted(), ids(before).toSorted());
        assert.deepEqual(after.preemptions, before.preemptions);
        commitAll(book, after.proposals, 0);
        for (const { host, demand } of book.placements.values())
          if (sharingText({ host, demand } as Placement, machineOf(host).threadsPerCore) !== undefined) left += 1;
      }),
      { numRuns: 300 },
    );
    assert.ok(grown > 10 && left > 10, `${String(grown)} became whole, and ${String(left)} had no room for it`);
  });

  it('is explained as it is placed', () => {
    fc.assert(
      fc.property(sketch, (drawn) => {
        const catalog = catalogOf({ ...drawn, heldOwners: [], heldObjects: [] });
        const reports = [...catalog.hosts.keys()].map((name) => reportOf(name, machineOf(name)));
        const snapshot = createBook();
        const input = {
          catalog,
          snapshot,
          hosts: hostViews(catalog, reports, snapshot),
          reports,
          assignments: [],
          now: 0,
        };
        const result = place(input);
        for (const { name, spec } of catalog.apps.values())
          for (let ordinal = 0; ordinal < spec.replicas; ordinal += 1) {
            const id = `${name}-${String(ordinal)}`;
            const told = explain(input, id);
            const placed = result.placements.get(id)?.host;
            if (placed !== undefined) assert.equal(told?.best, placed);
            const removed = told?.removals.reduce((sum, removal) => sum + removal.removed, 0) ?? 0;
            assert.equal(removed + (told?.candidates.length ?? 0), input.hosts.length, 'every host is accounted for');
          }
      }),
      { numRuns: 100 },
    );
  });
});

describe('soft spread', () => {
  it('differs by at most one replica between switches, racks and hosts of equal capacity', () => {
    const shape = fc.record({
      switches: fc.integer({ min: 1, max: 3 }),
      racks: fc.integer({ min: 1, max: 3 }),
      hosts: fc.integer({ min: 1, max: 3 }),
      counts: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(shape, ({ switches, racks, hosts, counts }) => {
        const all: Record<string, { topology: { rack: string; switch: string } }> = {};
        for (let s = 0; s < switches; s += 1)
          for (let r = 0; r < racks; r += 1)
            for (let h = 0; h < hosts; h += 1)
              all[`h${[s, r, h].join('-')}`] = { topology: { rack: `r${[s, r].join('-')}`, switch: `s${String(s)}` } };
        const book = createBook();
        for (const replicas of counts) {
          const small = resources(1, 1, 1);
          const apps = {
            web: { replicas: Math.max(replicas, book.placements.size), resources: small },
            other: { resources: small },
          };
          commitAll(book, step(catalogOf({ hosts: all, apps }), book, 0).result.proposals, 0);
          for (const level of ['switch', 'rack', 'host'] as const) {
            const domains = new Set([...book.hosts.values()].map((record) => record[level]));
            const sizes = [...domains].map((domain) => book.count('web', level, domain));
            assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${level}: ${sizes.join()}`);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
