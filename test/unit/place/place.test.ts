import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { holds, hostsUsed, step, where } from '../../support/placing.ts';
import type { Case } from '../../support/placing.ts';

const four = hostsOf(4);
const cases: readonly Case[] = [
  {
    name: 'one host takes all',
    sketch: { hosts: hostsOf(1), apps: { web: { replicas: 3 } } },
    hosts: ['h1', 'h1', 'h1'],
  },
  { name: 'racks come before hosts', sketch: { hosts: four, apps: { web: { replicas: 2 } } }, hosts: ['h1', 'h3'] },
  {
    name: 'switches come before racks',
    sketch: { hosts: hostsOf(8), apps: { web: { replicas: 3 } } },
    hosts: ['h1', 'h3', 'h5'],
  },
  {
    name: 'two Apps do not both start on the first host',
    sketch: { hosts: four, apps: { a: {}, b: {}, c: {}, d: {} } },
    hosts: ['h1', 'h2', 'h3', 'h4'],
  },
  {
    name: 'pack fills one host after the other',
    sketch: { hosts: four, zones: { main: { strategy: 'pack' } }, apps: { a: {}, b: {}, c: {} } },
    hosts: ['h1', 'h1', 'h1'],
  },
  {
    name: 'pack leaves room of the shape that is still to come',
    sketch: {
      hosts: four,
      zones: { main: { strategy: 'pack' } },
      apps: {
        memory: { replicas: 4, level: 0, resources: resources(500, 1024) },
        cpu: { replicas: 4, level: 1, resources: resources(1500, 1024) },
      },
    },
    hosts: ['h1', 'h1', 'h1', 'h1', 'h2', 'h2', 'h2', 'h2'],
  },
  {
    name: 'a larger host takes more',
    sketch: {
      hosts: { big: { capacity: { cpu: 8000 } }, small: { capacity: { cpu: 4000 } } },
      apps: { web: { replicas: 6, resources: resources(1000) } },
    },
    hosts: ['big', 'big', 'big', 'big', 'small', 'small'],
  },
  {
    name: 'labels choose hosts',
    sketch: {
      hosts: { h1: {}, h2: { labels: { disk: 'ssd' } } },
      apps: { db: { replicas: 2, hosts: { matchLabels: { disk: 'ssd' } } } },
    },
    hosts: ['h2', 'h2'],
  },
  {
    name: 'a Network is not on every host',
    sketch: {
      hosts: { h1: {}, h2: { labels: { vlan: 'yes' } } },
      networks: { net: { hosts: { matchLabels: { vlan: 'yes' } } } },
      apps: { web: {} },
    },
    hosts: ['h2'],
  },
  {
    name: 'a cordoned host takes nothing new',
    sketch: { hosts: { h1: { schedulable: false }, h2: {} }, apps: { web: { replicas: 2 } } },
    hosts: ['h2', 'h2'],
  },
  {
    name: 'a zone takes only its levels',
    sketch: { hosts: hostsOf(2), zones: { main: { levels: [0, 1] } }, apps: { web: { level: 3 } } },
    hosts: [],
    reasons: ['web-0: level 2 h1'],
  },
  {
    name: 'the most critical level goes first',
    sketch: {
      hosts: hostsOf(1),
      apps: { a: { level: 3, resources: resources(3000) }, b: { level: 0, resources: resources(2000) } },
    },
    hosts: ['h1'],
    reasons: ['a-0: cpu 1 h1'],
  },
  {
    name: 'overcommit and reserve',
    sketch: {
      hosts: hostsOf(1),
      zones: { main: { overcommit: { cpu: 2, memory: 1 }, reserve: { cpu: 1000, memory: 0 } } },
      apps: { web: { replicas: 7, resources: resources(1000) } },
    },
    hosts: ['h1', 'h1', 'h1', 'h1', 'h1', 'h1'],
    reasons: ['web-6: cpu 1 h1'],
  },
  {
    name: 'memory and processes are limits too',
    sketch: {
      hosts: hostsOf(1),
      apps: { a: { resources: resources(1, 5000) }, b: { resources: resources(1, 1, 5000) } },
    },
    hosts: [],
    reasons: ['a-0: memory 1 h1', 'b-0: pids 1 h1'],
  },
  {
    name: 'hard spread over racks',
    sketch: { hosts: four, apps: { web: { replicas: 3, spread: { rack: 1 } } } },
    hosts: ['h1', 'h3'],
    reasons: ['web-2: spread.rack 4 h1'],
  },
  {
    name: 'without rack and switch each host is its own',
    sketch: { hosts: { h1: {}, h2: {} }, apps: { web: { replicas: 3, spread: { rack: 1 } } } },
    hosts: ['h1', 'h2'],
    reasons: ['web-2: spread.rack 2 h1'],
  },
  {
    name: 'several filters are told apart',
    sketch: {
      hosts: { h1: {}, h2: { schedulable: false }, h3: { labels: { pool: 'x' } } },
      apps: { web: { resources: resources(4001) } },
      zones: { main: {} },
    },
    hosts: [],
    reasons: ['web-0: closed 1 h2; cpu 2 h1'],
  },
  {
    name: 'addresses run out',
    sketch: {
      hosts: hostsOf(1),
      networks: { net: { pool: [['10.1.0.10', '10.1.0.11']] } },
      apps: { web: { replicas: 3 } },
    },
    hosts: ['h1', 'h1'],
    reasons: ['web-2: address 1 undefined'],
  },
  { name: 'no Host at all', sketch: { apps: { web: {} } }, hosts: [], reasons: ['web-0: '] },
];

describe('place', () => {
  for (const one of cases)
    it(one.name, () => {
      holds(one);
    });

  it('says what would make room', () => {
    const { unplaceable } = step(
      { hosts: hostsOf(2), apps: { web: { resources: resources(4500) } } },
      { book: createBook() },
    );
    assert.equal(
      unplaceable[0]?.message,
      'App web finds no host among 2: 2 too little CPU left (h1). h1 comes nearest and lacks 500m CPU (wants 4500m CPU), which is more than it has: add a larger host, or ask for less',
    );
  });

  it('releases the highest ordinals, and what has left the catalog', () => {
    const book = createBook();
    const hosts = hostsOf(2);
    step({ hosts, apps: { a: { replicas: 3 }, b: { replicas: 2 } } }, { book });
    assert.deepEqual(step({ hosts, apps: { a: { replicas: 1 } } }, { book }).releases, ['a-1', 'a-2', 'b-0', 'b-1']);
    assert.deepEqual([...book.placements.keys()], ['a-0']);
  });

  it('keeps host and address of an unwanted replica while something of it runs', () => {
    const book = createBook();
    const hosts = hostsOf(1);
    step({ hosts, apps: { web: { replicas: 2 } } }, { book });
    const report = reportOf('h1', {}, { replicas: [{ id: 'web-1', phase: 'Stopping', ready: false, restarts: 0 }] });
    const first = step({ hosts, apps: { web: { replicas: 1 } } }, { book, reports: [report] });
    assert.deepEqual([first.releases, first.leaving], [[], ['web-1']]);
    const second = step({ hosts, apps: { web: { replicas: 1 } } }, { book, reports: [reportOf('h1')] });
    assert.deepEqual([second.releases, second.leaving], [['web-1'], []]);
  });

  const held: readonly { readonly name: string; readonly sketch: Sketch; readonly kept: readonly string[] }[] = [
    { name: 'the App itself is broken', sketch: { heldObjects: ['App/web'] }, kept: ['web-0', 'web-1'] },
    { name: 'nobody knows whose file is broken', sketch: { heldOwners: ['*'] }, kept: ['web-0', 'web-1'] },
    { name: 'another file of an unknown owner is broken', sketch: { heldOwners: ['x'] }, kept: ['web-0', 'web-1'] },
    {
      name: 'scaled in while a file of the owner is broken',
      sketch: { heldOwners: ['team'], apps: { web: { replicas: 1 } } },
      kept: ['web-1'],
    },
    {
      name: 'a file of another owner is broken',
      sketch: { heldOwners: ['x'], apps: { web: { replicas: 1 } } },
      kept: [],
    },
  ];
  for (const { name, sketch, kept } of held)
    it(`prunes nothing that is held: ${name}`, () => {
      const book = createBook();
      const hosts = hostsOf(1);
      step({ hosts, apps: { web: { replicas: 2 } } }, { book });
      assert.deepEqual(step({ hosts, ...sketch }, { book }).kept, kept);
      assert.equal(book.placements.size, Math.max(1, kept.length + (sketch.apps ? 1 : 0)));
    });

  it('reports what no longer fits and does not move it', () => {
    const book = createBook();
    const apps = { web: {} };
    step({ hosts: { h1: {} }, apps }, { book });
    const change = (sketch: Sketch): readonly (string | undefined)[] => {
      const result = step({ apps, ...sketch }, { book });
      assert.deepEqual(where(result), ['web-0@h1 10.1.0.10']);
      return result.misplaced.map(({ why }) => why);
    };
    assert.deepEqual(change({ hosts: { h2: {} } }), ['host h1 has left the catalog']);
    assert.equal(book.hosts.get('h1')?.state, 'closed');
    const zones = {
      aux: { hosts: { matchLabels: { pool: 'aux' } } },
      main: { hosts: { matchLabels: { pool: 'main' } } },
    };
    assert.deepEqual(change({ zones, hosts: { h1: { labels: { pool: 'aux' } } } }), [
      'host h1 is in zone aux now, not in main',
    ]);
    assert.deepEqual(change({ zones: { main: { levels: [0] } }, hosts: { h1: {} } }), [
      'zone main no longer takes level 2',
    ]);
  });

  it('makes the placement anew when the Network of the App changes, maxUnavailable at a time', () => {
    const book = createBook();
    const hosts = hostsOf(2);
    const networks = { net: {}, other: { vlan: 20, pool: [['10.2.0.10', '10.2.0.99']] as const } };
    step({ hosts, networks, apps: { web: { replicas: 2 } } }, { book });
    const apps = { web: { replicas: 2, network: 'other' } };
    // nothing was ever assigned, so that nobody serves: all may go at once, each to the host where it was
    assert.deepEqual(where(step({ hosts, networks, apps }, { book })), ['web-0@h1 10.2.0.10', 'web-1@h2 10.2.0.11']);
    assert.equal(book.placements.get('web-0')?.epoch, 2);
  });

  it('grows where there is room and says where there is none', () => {
    const book = createBook();
    const hosts = hostsOf(1);
    step({ hosts, apps: { web: { replicas: 2, resources: resources(1000) } } }, { book });
    const fits = step({ hosts, apps: { web: { replicas: 2, resources: resources(2000) } } }, { book });
    assert.deepEqual([fits.unplaceable, book.used('h1').cpu], [[], 4000]);
    const full = step({ hosts, apps: { web: { replicas: 2, resources: resources(2001) } } }, { book });
    assert.equal(full.unplaceable.length, 2);
    assert.match(
      full.unplaceable[0]?.message ?? '',
      /^it keeps its old limits: h1 has no room .*2001m CPU wanted, 2 CPU there/,
    );
  });

  it('concludes nothing from a Zone that cannot be read', () => {
    const book = createBook();
    const hosts = hostsOf(1);
    step({ hosts, apps: { web: {} } }, { book });
    const result = step({ hosts, zones: {}, heldObjects: ['Zone/main'], apps: { web: { replicas: 2 } } }, { book });
    assert.deepEqual(result.misplaced, []);
    assert.equal(book.hosts.get('h1')?.state, 'open');
    assert.deepEqual(where(result), ['web-0@h1 10.1.0.10']);
    assert.match(result.unplaceable[0]?.message ?? '', /Zone main is missing or has errors/);
  });

  it('counts what is on hosts that cannot be read when it spreads over their racks', () => {
    const book = createBook();
    const rack = { topology: { rack: 'r1', switch: 's1' } };
    const zones = {
      main: { hosts: { matchLabels: { pool: 'main' } } },
      aux: { hosts: { matchLabels: { pool: 'aux' } } },
    };
    const main = { ...rack, labels: { pool: 'main' } };
    const aux = { ...rack, labels: { pool: 'aux' } };
    step({ zones, hosts: { h1: main, h2: main }, apps: { web: { replicas: 3 } } }, { book });
    const apps = { web: { replicas: 3, zone: 'aux', spread: { rack: 2 } } };
    const later = step({ zones, hosts: { h3: aux }, apps, heldObjects: ['Host/h1', 'Host/h2'] }, { book });
    assert.deepEqual(hostsUsed(later), ['h1', 'h1', 'h2']);
    assert.equal(later.unplaceable.length, 3);
  });

  it('remembers what a host can hold when its report is lost', () => {
    const book = createBook();
    const sketch = { hosts: hostsOf(1), apps: { web: { replicas: 2 } } };
    step({ ...sketch, apps: { web: {} } }, { book });
    assert.deepEqual(hostsUsed(step(sketch, { book, reports: [] })), ['h1', 'h1']);
  });
});
