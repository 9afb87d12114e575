import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { pinnedIn } from '../../../reconciler/model/demand.ts';
import { capacity } from '../../../reconciler/place/capacity.ts';
import { explain } from '../../../reconciler/place/explain.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { scale } from '../../../reconciler/place/scale.ts';
import { catalogOf, reportOf, resources, type Sketch } from '../../support/catalog.ts';
import { holds, step, type Case } from '../../support/placing.ts';

const pinned = (cores: number): ReturnType<typeof resources> => ({ ...resources(cores * 1000), pinned: true });
/** Two NUMA nodes of four cores. */
const NUMA = { cpu: 8000, node0: 4, node1: 4 };

const cases: readonly Case[] = [
  {
    name: 'cores are of one node: two of three each do not make six of four and four',
    sketch: { hosts: { h1: {} }, apps: { db: { replicas: 3, resources: pinned(3) } } },
    capacity: NUMA,
    hosts: ['h1', 'h1'],
    reasons: ['db-2: cpu 1 h1'],
  },
  {
    name: 'the sum of what nodes have left is no room',
    sketch: { hosts: { h1: {} }, apps: { a: { replicas: 2, resources: pinned(2) }, z: { resources: pinned(4) } } },
    capacity: { ...NUMA, node0: 4, node1: 3 },
    hosts: ['h1', 'h1'],
    reasons: ['z-0: cores 1 h1'],
  },
  {
    name: 'a host that says nothing of its nodes has none to pin',
    sketch: { hosts: { h1: {} }, apps: { db: { resources: pinned(1) } } },
    hosts: [],
    reasons: ['db-0: cores 1 h1'],
  },
  {
    name: 'one core is kept for all others, or as many as the Host says',
    sketch: {
      hosts: { h1: {}, h2: { reservedCores: 3 } },
      zones: { main: { overcommit: { cpu: 2 } } },
      apps: { db: { replicas: 5, resources: pinned(1) } },
    },
    capacity: { cpu: 4000, node0: 4 },
    hosts: ['h1', 'h1', 'h1', 'h2'],
    reasons: ['db-4: cores 2 h1'],
  },
  {
    name: 'overcommit reaches what is shared only: two of four cores pinned leave two, promised twice',
    sketch: {
      hosts: { h1: {} },
      zones: { main: { overcommit: { cpu: 2 } } },
      apps: { db: { resources: pinned(2), level: 0 }, web: { replicas: 5, resources: resources(1000) } },
    },
    capacity: { cpu: 4000, node0: 4 },
    hosts: ['h1', 'h1', 'h1', 'h1', 'h1'],
    reasons: ['web-4: cpu 1 h1'],
  },
  {
    name: 'a core of a faster machine is one core',
    sketch: {
      hosts: { h1: { performance: 1.5 } },
      apps: { db: { resources: pinned(2), level: 0 }, web: { replicas: 4, resources: resources(1000) } },
    },
    capacity: { cpu: 4000, node0: 4 },
    hosts: ['h1', 'h1', 'h1', 'h1'],
    reasons: ['web-3: cpu 1 h1'],
  },
  {
    name: 'and so is one of a slower machine',
    sketch: { hosts: { h1: { performance: 0.5 } }, apps: { db: { replicas: 2, resources: pinned(3) } } },
    capacity: { cpu: 4000, node0: 4 },
    hosts: ['h1'],
    reasons: ['db-1: cpu 1 h1'],
  },
  {
    name: 'cores are whole ones with all their threads: three are four, one is two, and one whole one is kept for all others',
    sketch: {
      hosts: { h1: {} },
      apps: { a: { resources: pinned(3) }, b: { resources: pinned(1) }, c: { resources: pinned(1) } },
    },
    capacity: { cpu: 8000, node0: 8, threadsPerCore: 2 },
    hosts: ['h1', 'h1'],
    reasons: ['c-0: cores 1 h1'],
  },
  {
    name: 'reservedCores are rounded up to whole ones',
    sketch: { hosts: { h1: { reservedCores: 3 } }, apps: { db: { replicas: 3, resources: pinned(2) } } },
    capacity: { cpu: 8000, node0: 8, threadsPerCore: 2 },
    hosts: ['h1', 'h1'],
    reasons: ['db-2: cores 1 h1'],
  },
  {
    name: 'a thread whose sibling is offline makes no whole core',
    sketch: { hosts: { h1: {} }, apps: { db: { replicas: 2, resources: pinned(1) } } },
    capacity: { cpu: 5000, node0: 5, threadsPerCore: 2 },
    hosts: ['h1'],
    reasons: ['db-1: cores 1 h1'],
  },
  {
    name: 'nobody is promised anything of the threads that come with a whole core',
    sketch: {
      hosts: { h1: {} },
      zones: { main: { overcommit: { cpu: 2 } } },
      apps: { db: { resources: pinned(1), level: 0 }, web: { replicas: 5, resources: resources(1000) } },
    },
    capacity: { cpu: 4000, node0: 4, threadsPerCore: 2 },
    hosts: ['h1', 'h1', 'h1', 'h1', 'h1'],
    reasons: ['web-4: cpu 1 h1'],
  },
  {
    name: 'a host whose CPU others have is passed over, although its cores are free',
    sketch: {
      hosts: { h1: { topology: { rack: 'r1' } }, h2: {} },
      apps: {
        a: { level: 0, resources: resources(3500) },
        db: { replicas: 3, resources: pinned(1) },
      },
    },
    capacity: { cpu: 4000, node0: 4 },
    hosts: ['h1', 'h2', 'h2', 'h2'],
  },
  {
    name: 'the CPU that others have is not pinned, although the node has cores',
    sketch: {
      hosts: { h1: {} },
      apps: { web: { resources: resources(3000), level: 0 }, db: { replicas: 2, resources: pinned(1) } },
    },
    capacity: { cpu: 4000, node0: 4 },
    hosts: ['h1', 'h1'],
    reasons: ['db-1: cpu 1 h1'],
  },
];

/** `db-0 2 of 1` for each that has cores. */
function cores(sketch: Sketch, world: Parameters<typeof step>[1]): readonly string[] {
  const { placements } = step(sketch, world);
  return [...placements.values()].map(({ replica, demand }) => {
    const own = pinnedIn(demand);
    return `${replica} ${own ? `${String(own.cores)} of ${String(own.node)}` : 'shares'} ${String(demand.cpu)}`;
  });
}

describe('pinned cores', () => {
  for (const one of cases)
    it(one.name, () => {
      holds(one);
    });

  it('come from the node that has the fewest of those that have enough', () => {
    const world = { book: createBook(), capacity: { cpu: 12_000, node0: 5, node1: 3, node2: 4 } };
    const sketch = {
      hosts: { h1: {} },
      apps: { a: { resources: pinned(3) }, b: { resources: pinned(2), replicas: 2 }, c: { resources: pinned(2) } },
    };
    assert.deepEqual(cores(sketch, world), [
      'a-0 3 of 1 3000',
      'b-0 2 of 0 2000',
      'b-1 2 of 0 2000',
      'c-0 2 of 2 2000',
    ]);
  });

  it('grow on their node, shrink once told, and come and go in place', () => {
    const world = { book: createBook(), capacity: NUMA };
    const of = (some: ReturnType<typeof resources>): Sketch => ({
      hosts: { h1: {} },
      apps: { db: { resources: some } },
    });
    assert.deepEqual(cores(of(resources(1500)), world), ['db-0 shares 1500']);
    assert.deepEqual(cores(of(pinned(2)), world), ['db-0 2 of 0 2000']);
    assert.deepEqual(cores(of(pinned(3)), world), ['db-0 3 of 0 3000']);
    const stuck = step(of(pinned(4)), world);
    assert.match(
      stuck.unplaceable[0]?.message ?? '',
      /h1 has no room for the new ones \(4 cores of NUMA node 0 wanted, 3 cores of NUMA node 0 there for it\)/,
    );
    assert.deepEqual(cores(of(pinned(1)), world), ['db-0 1 of 0 1000']);
    assert.deepEqual(cores(of(resources(500)), world), ['db-0 shares 500']);
  });

  it('become whole ones once their host says that they have threads, where it has room, and stay so when it is silent', () => {
    const machine = { cpu: 8000, node0: 8 };
    const smt = { ...machine, threadsPerCore: 2 };
    const of = (...apps: readonly number[]): Sketch => ({
      hosts: { h1: {} },
      apps: Object.fromEntries(apps.map((count, at) => [`a${String(at)}`, { resources: pinned(count) }])),
    });
    const book = createBook();
    assert.deepEqual(cores(of(3, 2), { book, capacity: machine }), ['a0-0 3 of 0 3000', 'a1-0 2 of 0 2000']);
    assert.deepEqual(cores(of(3, 2), { book, capacity: smt }), ['a0-0 4 of 0 4000', 'a1-0 2 of 0 2000']);
    assert.equal(book.hosts.get('h1')?.threadsPerCore, 2);
    assert.deepEqual(cores(of(3, 2), { book, reports: [] }), ['a0-0 4 of 0 4000', 'a1-0 2 of 0 2000']);
    assert.deepEqual(cores(of(4, 1), { book, capacity: smt }), ['a0-0 4 of 0 4000', 'a1-0 2 of 0 2000']);
    const { unplaceable } = step(of(5, 1), { book, capacity: smt });
    assert.match(
      unplaceable[0]?.message ?? '',
      /h1 has no room for the new ones \(6 cores of NUMA node 0 wanted, 4 cores of NUMA node 0 there for it\)/,
    );
    assert.deepEqual(cores(of(1, 1), { book, capacity: smt }), ['a0-0 2 of 0 2000', 'a1-0 2 of 0 2000']);
  });

  describe('of a host that says later that they have threads', () => {
    const machine = { cpu: 8000, node0: 8 };
    const smt = { ...machine, threadsPerCore: 2 };
    type Apps = NonNullable<Sketch['apps']>;
    /** What is on h1 before it says so, and what it takes then. */
    const upgraded = (apps: Apps, later = apps) => {
      const book = createBook();
      step({ hosts: { h1: {} }, apps }, { book, capacity: machine });
      const sketch: Sketch = { hosts: { h1: {} }, apps: later };
      const result = step(sketch, { book, capacity: smt });
      assert.deepEqual(step(sketch, { book, capacity: smt }).proposals, [], 'at rest');
      const told = result.proposals.map((one) => `${one.op} ${'replica' in one ? one.replica : ''}`.trim());
      return { book, told, unplaceable: result.unplaceable.map(({ message }) => message), sketch };
    };

    it('are left as they are where that has no room for whole ones, and that is no trouble', () => {
      const { book, told, unplaceable, sketch } = upgraded({
        a: { resources: pinned(4) },
        b: { resources: pinned(3) },
      });
      assert.equal(book.hosts.get('h1')?.allocatable.node0, 6, 'one less than is pinned there');
      assert.deepEqual([told, unplaceable], [['host'], []]);
      const reports = [reportOf('h1', smt)];
      const catalog = catalogOf(sketch);
      const hosts = hostViews(catalog, reports, book);
      const why = explain({ catalog, snapshot: book, hosts, reports, assignments: [], now: 0 }, 'b-0');
      assert.match(why?.message ?? '', /\. It shares a core with others until h1 has room for whole ones$/);
    });

    it('stop nobody who is less critical, and take none that a newcomer asks for', () => {
      const apps: Apps = {
        a: { level: 0, resources: pinned(3) },
        b: { level: 0, resources: pinned(1) },
        batch: { level: 3, resources: resources(3000) },
      };
      const { told, unplaceable } = upgraded(apps);
      assert.deepEqual([told, unplaceable], [['host', 'resize a-0'], []], 'one has the CPU that is left');
      const later = { ...apps, web: { level: 3, resources: resources(1000) } };
      const next = upgraded(apps, later);
      assert.deepEqual([next.told, next.unplaceable], [['host', 'place'], []]);
    });

    it('take nothing that is kept for one who waits until others have left', () => {
      const apps: Apps = {
        a: { level: 0, resources: pinned(3) },
        batch: { level: 3, resources: resources(3000) },
      };
      const book = createBook();
      step({ hosts: { h1: {} }, apps }, { book, capacity: machine });
      const runs = { known: true, ref: 'container/batch-0', owned: true, state: {} } as const;
      const reports = [reportOf('h1', smt, { observed: [runs] })];
      const wanted: Sketch = { hosts: { h1: {} }, apps: { ...apps, db: { level: 1, resources: resources(5000) } } };
      const { proposals } = step(wanted, { book, reports });
      assert.deepEqual(
        proposals.map(({ op }) => op),
        ['host', 'yield'],
      );
    });

    it('do not keep a replica from what Git asks for besides, up or down', () => {
      const sized = (memory: number) => ({ ...pinned(3), memory });
      const apps = (memory: number): Apps => ({ a: { resources: pinned(4) }, b: { resources: sized(memory) } });
      for (const [before, after] of [
        [64, 128],
        [128, 64],
      ] as const) {
        const { book, unplaceable } = upgraded(apps(before * 2 ** 20), apps(after * 2 ** 20));
        const { memory, node0 } = book.placements.get('b-0')?.demand ?? assert.fail();
        assert.deepEqual([memory / 2 ** 20, node0, unplaceable], [after, 3, []]);
      }
      const { unplaceable } = upgraded(apps(2 ** 26), apps(2 ** 40));
      assert.match(unplaceable.join(), /^it keeps its old limits: h1 has no room for the new ones \(1Ti/);
    });

    it('become whole once somebody leaves', () => {
      const apps: Apps = { a: { resources: pinned(4) }, b: { resources: pinned(3) } };
      const { book } = upgraded(apps, { b: { resources: pinned(3) } });
      assert.equal(book.placements.get('b-0')?.demand.node0, 4);
    });
  });

  it('of replicas that get theirs in place at once are of the nodes that those before have left', () => {
    const world = { book: createBook(), capacity: NUMA };
    const of = (some: ReturnType<typeof resources>): Sketch => ({
      hosts: { h1: {} },
      apps: { db: { replicas: 2, resources: some, maxUnavailable: 2 } },
    });
    cores(of(resources(1500)), world);
    assert.deepEqual(cores(of(pinned(3)), world), ['db-0 3 of 0 3000', 'db-1 3 of 1 3000']);
  });

  it('say what whole cores of the nearest host lack, and what of them would have to be there', () => {
    const catalog = catalogOf({ hosts: { h1: {}, h2: {} }, apps: { db: { replicas: 1, resources: pinned(3) } } });
    const book = createBook();
    const machine = { cpu: 8000, threadsPerCore: 2 };
    const reports = [reportOf('h1', { ...machine, node0: 8 }), reportOf('h2', { ...machine, node0: 4 })];
    const hosts = hostViews(catalog, reports, book);
    const { apps } = scale({ catalog, snapshot: book, hosts, reports, assignments: [], now: 0 }, new Map([['db', 3]]));
    assert.equal(apps[0]?.placed, 1);
    assert.deepEqual(apps[0].missing, { cpu: 8000 });
    assert.match(
      apps[0].message ?? '',
      /h1 comes nearest and lacks 2 cores of NUMA node 0 \(wants 4 cores of NUMA node 0: whole ones of 2 threads for its 3\)/,
    );
  });

  it('say what the nearest host lacks, what fits, and what would have to be there', () => {
    const sketch = { hosts: { h1: {}, h2: {} }, apps: { db: { replicas: 1, resources: pinned(3) } } };
    const catalog = catalogOf(sketch);
    const book = createBook();
    const reports = [reportOf('h1', { ...NUMA, cpu: 16_000 }), reportOf('h2', { cpu: 16_000, node0: 3, node1: 2 })];
    const input = {
      catalog,
      snapshot: book,
      hosts: hostViews(catalog, reports, book),
      reports,
      assignments: [],
      now: 0,
    };
    const [zone] = capacity(input, { apps: [] }).zones;
    assert.equal(zone?.free.node1, 6);
    assert.deepEqual(zone.apps, [{ app: 'db', replicas: 1, more: 1, limit: 'cores' }]);
    const { apps } = scale(input, new Map([['db', 3]]));
    assert.equal(apps[0]?.placed, 2);
    assert.deepEqual(apps[0].missing, { cpu: 3000 });
    assert.match(
      apps[0].message ?? '',
      /2 without 3 cores left on a NUMA node \(h1\)\. h2 comes nearest and lacks 1 core of NUMA node 0 \(wants 3 cores of NUMA node 0\)/,
    );
  });
});
