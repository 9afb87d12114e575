import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostsOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { scene, told, where } from '../../support/crowded.ts';
import type { Apps } from '../../support/crowded.ts';
import type { Fleet } from '../../support/fleet.ts';

const big = resources(3000);
const half = resources(2000);

describe('a replica that finds no room', () => {
  it('has a less critical one stopped, and comes when its host has let go; that one moves or waits', () => {
    const low: Apps = { batch: { replicas: 2, level: 3, resources: big } };
    const { fleet, catalog, work, messages } = scene(low);
    const apps: Apps = { ...low, db: { level: 0, resources: big } };
    const first = fleet.pass(catalog(apps));
    assert.deepEqual(told(first), ['yield batch-0 db-0']);
    assert.equal(messages(first), 'db-0 gets its place on h1 once batch-0 (level 3) has left it');
    assert.deepEqual(where(fleet), ['batch-0@h1>db-0', 'batch-1@h2']);
    assert.deepEqual(fleet.words().assignments.get('h1')?.replicas, [], 'it is to be stopped');
    fleet.adopt('h1');
    fleet.report('h1');
    assert.deepEqual(told(fleet.pass(catalog(apps))), [], 'it runs still');
    work('h1');
    const last = fleet.pass(catalog(apps));
    assert.deepEqual(told(last), ['release batch-0', 'place db-0 h1']);
    assert.deepEqual(
      last.unplaceable.map(({ replica }) => replica),
      ['batch-0'],
    );
    assert.deepEqual(told(fleet.pass(catalog(apps))), [], 'at rest');
  });

  it('moves who made room elsewhere, with its address', () => {
    const low: Apps = { batch: { replicas: 3, level: 3, resources: half } };
    const { fleet, catalog } = scene(low);
    const before = new Map([...fleet.book.placements].map(([id, { address }]) => [id, address]));
    const apps: Apps = { ...low, db: { level: 0, resources: big } };
    fleet.settle(catalog(apps));
    assert.equal(fleet.book.placements.get('db-0')?.host, 'h2');
    for (const [id, { address, host }] of fleet.book.placements)
      if (id !== 'db-0') assert.deepEqual([host, address], ['h1', before.get(id)]);
    assert.equal(fleet.book.placements.size, 3, 'the third waits');
  });

  const same: Apps = { batch: { replicas: 2, level: 2, resources: big } };
  for (const level of [2, 3])
    it(`takes nothing from level 2 at level ${String(level)}`, () => {
      const { fleet, catalog } = scene(same);
      assert.deepEqual(told(fleet.pass(catalog({ ...same, db: { level, resources: big } }))), []);
    });

  it('takes the least critical, then the fewest', () => {
    const low: Apps = {
      web: { replicas: 1, level: 1, resources: resources(4000), hosts: { matchLabels: { on: 'h1' } } },
      one: { replicas: 2, level: 3, maxUnavailable: 2, resources: half, hosts: { matchLabels: { on: 'h2' } } },
      two: { replicas: 1, level: 3, resources: resources(4000), hosts: { matchLabels: { on: 'h3' } } },
    };
    const hosts = Object.fromEntries(['h1', 'h2', 'h3'].map((on) => [on, { labels: { on } }]));
    const { fleet, catalog } = scene(low, 3, { hosts });
    assert.deepEqual(told(fleet.pass(catalog({ ...low, db: { level: 0, resources: resources(4000) } }))), [
      'yield two-0 db-0',
    ]);
  });

  it('takes more than one where one does not do, and none who need not go', () => {
    const low: Apps = { batch: { replicas: 4, level: 3, maxUnavailable: 4, resources: resources(1000) } };
    const { fleet, catalog } = scene(low, 1);
    const { proposals } = fleet.pass(catalog({ ...low, db: { level: 0, resources: half } }));
    assert.equal(proposals.length, 2);
    fleet.settle(catalog({ ...low, db: { level: 0, resources: half } }));
    assert.equal(fleet.book.placements.size, 3);
  });

  it('takes cores of a NUMA node from those that have them for themselves', () => {
    const own = (cores: number) => ({ ...resources(cores * 1000), pinned: true as const });
    const hosts = { h1: { capacity: { cpu: 8000, node0: 3, node1: 4 } } };
    const pinned: Apps = {
      one: { level: 3, replicas: 3, maxUnavailable: 3, resources: own(1) },
      two: { level: 3, replicas: 2, resources: own(2) },
    };
    const { fleet, catalog } = scene(pinned, 1, { hosts });
    const wanted: Apps = { ...pinned, db: { level: 0, resources: own(3) } };
    const first = fleet.pass(catalog(wanted));
    assert.deepEqual(told(first), ['yield two-1 db-0', 'yield one-0 db-0']);
    fleet.settle(catalog(wanted));
    const there = [...fleet.book.placements.values()].map(({ replica }) => replica);
    // one core of node 0 is kept from being pinned
    assert.deepEqual(there.sort(), ['db-0', 'one-1', 'two-0']);
    assert.equal(fleet.book.placements.get('db-0')?.demand.node1, 3);
  });

  const low: Apps = { batch: { replicas: 2, level: 3, resources: big } };
  const apps: Apps = { ...low, db: { level: 0, resources: big } };
  const barred: readonly {
    readonly name: string;
    readonly change?: Partial<Sketch>;
    readonly low?: Apps;
    readonly db?: Apps[string];
    readonly why: RegExp | undefined;
  }[] = [
    {
      name: 'the Zone says that nobody makes room',
      change: { zones: { main: { preemption: false } } },
      why: /batch-0 \(level 3\) could make room on h1, but Zone main has preemption: false$/,
    },
    {
      name: 'the Zone lets no more be away',
      change: { zones: { main: { disruption: { maxUnavailable: { count: 1 } } } } },
      low: { batch: { replicas: 3, level: 3, maxUnavailable: 3, resources: big } },
      why: /could make room on h1, but Zone main lets 1 replica be away, 2 are, 2 of them without a place$/m,
    },
    {
      name: 'one of the App that finds no place is as many as may be away',
      low: { batch: { replicas: 3, level: 3, maxUnavailable: 1, resources: big } },
      why: /could make room on h1, but App batch lets 1 replica be away at a time, batch-2 is$/m,
    },
    {
      name: 'the App lets none more be away',
      low: { batch: { replicas: 4, level: 3, maxUnavailable: 1, resources: half } },
      why: /batch-[02] \(level 3\) and batch-[02] \(level 3\) could make room on h1, but App batch lets 1 replica be away at a time$/,
    },
    {
      name: 'it belongs to a gang',
      low: { batch: { replicas: 2, level: 3, resources: big, gang: 'all' } },
      why: /could make room on h1, but it belongs to gang all$/,
    },
    {
      name: 'the more critical one must be near to it',
      db: { level: 0, resources: big, affinity: [{ app: 'batch', within: 'host', required: true }] },
      // by that it is as critical as the other one
      why: /free or add as much, or ask for less$/,
    },
    { name: 'spread keeps it off', db: { level: 0, resources: resources(5000) }, why: /ask for less$/ },
    {
      name: 'there is no address',
      change: { networks: { net: { pool: [['10.1.0.10', '10.1.0.11']] } } },
      why: /ask for less$/,
    },
  ];
  for (const { name, change = {}, low: other = low, db = apps['db'] ?? {}, why } of barred)
    it(`waits where ${name}, and explain says so`, () => {
      const { fleet, catalog, messages, ask } = scene(other, 2, change);
      const wanted = { ...other, db };
      const result = fleet.pass(catalog(wanted));
      assert.deepEqual(told(result), []);
      if (why) {
        assert.match(messages(result), why);
        assert.match(ask(wanted, 'db-0'), why);
      }
    });

  it('is not kept from the room by others as critical that have none, and the budget of the Zone holds for those who make it', () => {
    const spare: Apps = { batch: { replicas: 2, level: 3, maxUnavailable: 2, resources: big } };
    const { fleet, catalog, messages } = scene(spare, 2, {
      zones: { main: { disruption: { maxUnavailable: { count: 1 } } } },
    });
    const more: Apps = { ...spare, db: { level: 0, replicas: 2, resources: big } };
    assert.deepEqual(told(fleet.pass(catalog(more))), ['yield batch-0 db-0']);
    const last = fleet.settle(catalog(more));
    assert.deepEqual(where(fleet), ['batch-1@h2', 'db-0@h1']);
    assert.match(messages(last), /but Zone main lets 1 replica be away, 2 are, 2 of them without a place\n/);
  });

  it('is given back what it was to give, when the other one is wanted no more, and starts again', () => {
    const { fleet, catalog, work } = scene(low);
    fleet.pass(catalog(apps));
    work('h1');
    assert.equal(fleet.machines.get('h1')?.live.size, 0);
    assert.deepEqual(told(fleet.pass(catalog(low))), ['yield batch-0']);
    assert.deepEqual(where(fleet), ['batch-0@h1', 'batch-1@h2']);
    work('h1');
    assert.equal(fleet.machines.get('h1')?.live.size, 1);
  });

  it('is given back its place when room is found elsewhere', () => {
    const { fleet, catalog } = scene(low, 3, { hosts: { ...hostsOf(3), h3: { schedulable: false } } });
    fleet.pass(catalog(apps));
    const open = catalog(apps, { hosts: hostsOf(3) });
    assert.deepEqual(told(fleet.pass(open)), ['place db-0 h3', 'yield batch-0']);
  });

  it('leaves the room that it uses beside to nobody else meanwhile', () => {
    const { fleet, catalog } = scene(low);
    // a core is free on each host; db takes that of h1 with the place of batch-0
    const more: Apps = {
      ...low,
      db: { level: 0, resources: resources(4000) },
      small: { level: 1, replicas: 2, resources: resources(1000), maxUnavailable: 2 },
    };
    const result = fleet.pass(catalog(more));
    assert.deepEqual(told(result), ['yield batch-0 db-0', 'place small-0 h2']);
    fleet.settle(catalog(more));
    assert.equal(fleet.book.placements.get('db-0')?.host, 'h1');
  });

  it('makes who lost its place take that of a still less critical one, and never one of its own level', () => {
    const chain: Apps = {
      web: { level: 2, resources: resources(4000), hosts: { matchLabels: { on: 'h1' } } },
      batch: { level: 3, resources: resources(4000) },
    };
    const hosts = { h1: { labels: { on: 'h1' } }, h2: { labels: { on: 'h1' } } };
    const { fleet, catalog } = scene(chain, 2, { hosts });
    const wanted: Apps = {
      ...chain,
      db: { level: 0, resources: resources(4000), hosts: { matchLabels: { on: 'h1' } } },
    };
    const { unplaceable } = fleet.settle(catalog(wanted));
    assert.deepEqual(
      unplaceable.map(({ replica }) => replica),
      ['batch-0'],
    );
    assert.deepEqual([...fleet.book.placements.keys()].sort(), ['db-0', 'web-0']);
  });

  it('says in explain what it waits for, and of the other one whom it makes room for', () => {
    const { fleet, catalog, ask } = scene(low);
    fleet.pass(catalog(apps));
    assert.equal(ask(apps, 'db-0'), 'db-0 gets its place on h1 once batch-0 (level 3) has left it');
    assert.match(ask(apps, 'batch-0'), /^batch-0 gives its place to db-0, which finds no other\. /);
  });
});

describe('a replica that is to take more of its host than that has left', () => {
  const before: Apps = { db: { level: 0, resources: half }, batch: { level: 3, resources: half } };
  const after: Apps = { ...before, db: { level: 0, resources: big } };
  const cpuOf = ({ book }: Fleet): number | undefined => book.placements.get('db-0')?.demand.cpu;

  it('has a less critical one stopped, and takes more when its host has let go', () => {
    const { fleet, catalog, work, messages } = scene(before, 1);
    const first = fleet.pass(catalog(after));
    assert.deepEqual(told(first), ['yield batch-0 db-0']);
    assert.equal(messages(first), 'db-0 gets what it asks for on h1 once batch-0 (level 3) has left it');
    assert.deepEqual(first.preemptions, [{ replica: 'batch-0', host: 'h1', by: 'db-0' }]);
    assert.equal(cpuOf(fleet), 2000);
    assert.deepEqual(told(fleet.pass(catalog(after))), [], 'it runs still');
    work('h1');
    assert.deepEqual(told(fleet.pass(catalog(after))), ['release batch-0']);
    assert.equal(cpuOf(fleet), 3000);
    assert.deepEqual(where(fleet), ['db-0@h1']);
    assert.deepEqual(told(fleet.pass(catalog(after))), [], 'at rest');
  });

  it('keeps off what becomes free until it has it all', () => {
    const low: Apps = { ...before, batch: { replicas: 2, level: 3, maxUnavailable: 2, resources: resources(1000) } };
    const { fleet, catalog } = scene(low, 1);
    const apps: Apps = { ...low, db: { level: 0, resources: resources(4000) } };
    assert.deepEqual(told(fleet.pass(catalog(apps))), ['yield batch-0 db-0', 'yield batch-1 db-0']);
    fleet.settle(catalog(apps));
    assert.equal(cpuOf(fleet), 4000);
    assert.deepEqual(where(fleet), ['db-0@h1']);
  });

  it('takes nothing from its own level, and nothing where its Zone forbids it', () => {
    const equal: Apps = { ...before, batch: { level: 0, resources: half } };
    const one = scene(equal, 1);
    const result = one.fleet.pass(one.catalog({ ...equal, db: { level: 0, resources: big } }));
    assert.deepEqual(told(result), []);
    assert.match(one.messages(result), /^it keeps its old limits: h1 has no room for the new ones/);
    const other = scene(before, 1, { zones: { main: { preemption: false } } });
    const refused = other.fleet.pass(other.catalog(after));
    assert.deepEqual(told(refused), []);
    assert.match(
      other.messages(refused),
      /batch-0 \(level 3\) could make room on h1, but Zone main has preemption: false$/,
    );
  });

  it('lets the less critical one be when it is to grow no more', () => {
    const { fleet, catalog } = scene(before, 1);
    fleet.pass(catalog(after));
    assert.deepEqual(told(fleet.pass(catalog(before))), ['yield batch-0']);
    assert.deepEqual(where(fleet), ['batch-0@h1', 'db-0@h1']);
  });

  it('comes after one more critical that wants a place', () => {
    const low: Apps = { web: { level: 1, resources: half }, batch: { level: 3, resources: half } };
    const { fleet, catalog } = scene(low, 1);
    const apps: Apps = { ...low, web: { level: 1, resources: big }, db: { level: 0, resources: half } };
    assert.deepEqual(told(fleet.pass(catalog(apps))), ['yield batch-0 db-0']);
    fleet.settle(catalog(apps));
    assert.deepEqual(where(fleet), ['db-0@h1', 'web-0@h1']);
    assert.equal(fleet.book.placements.get('web-0')?.demand.cpu, 2000);
  });
});
