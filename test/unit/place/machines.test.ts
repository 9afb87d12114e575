import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { demandFrom } from '../../../reconciler/model/demand.ts';
import { allocatable, hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import { commitAll, holds, step } from '../../support/placing.ts';
import type { Case } from '../../support/placing.ts';

const GI = 2 ** 30;
const disks = { disk: 10 * GI, spindles: 2000 };

const cases: readonly Case[] = [
  {
    name: 'room on disks is a limit',
    sketch: { hosts: { h1: {} }, apps: { db: { replicas: 3, storage: { disk: 4 * GI } } } },
    capacity: disks,
    hosts: ['h1', 'h1'],
    reasons: ['db-2: disk 1 h1'],
  },
  {
    name: 'spindles are shared as densely as the Zone says',
    sketch: {
      hosts: { h1: {} },
      zones: { main: { overcommit: { spindles: 1.5 } } },
      apps: { db: { replicas: 4, storage: { spindles: 1000 } } },
    },
    capacity: disks,
    hosts: ['h1', 'h1', 'h1'],
    reasons: ['db-3: spindles 1 h1'],
  },
  {
    name: 'a host that says nothing of disks has none',
    sketch: { hosts: { h1: {} }, apps: { db: { storage: { disk: 1 } } } },
    hosts: [],
    reasons: ['db-0: disk 1 h1'],
  },
  {
    name: 'a faster machine takes more',
    sketch: {
      hosts: { h1: {}, h2: { performance: 1.5 } },
      apps: { web: { replicas: 6, resources: resources(2000) } },
    },
    hosts: ['h1', 'h1', 'h2', 'h2', 'h2'],
    reasons: ['web-5: cpu 2 h1'],
  },
];

describe('machines', () => {
  for (const one of cases)
    it(one.name, () => {
      holds(one);
    });

  it('give what is left of the reserve, times overcommit and, of CPU, performance', () => {
    const capacity = { cpu: 4000, memory: 1000, pids: 10, disk: 100 };
    const zone = { reserve: { cpu: 1000, disk: 30 }, overcommit: { cpu: 1.5, disk: 2, spindles: 3 } };
    assert.deepEqual(allocatable(capacity, zone, 2), { cpu: 9000, memory: 1000, pids: 10, disk: 140 });
  });

  it('of another platform than an image take none of it, nor those that do not say what they are', () => {
    const catalog = catalogOf({ hosts: hostsOf(3), apps: { web: { replicas: 2, platform: 'linux/arm64' } } });
    const reports = ['linux/amd64', 'linux/arm64', undefined].map((platform, at) => {
      const report = reportOf(`h${String(at + 1)}`);
      return { ...report, facts: { ...report.facts, ...(platform === undefined ? {} : { platform }) } };
    });
    const book = createBook();
    const of = (now = catalog) =>
      place({ catalog: now, snapshot: book, hosts: hostViews(now, reports, book), reports, assignments: [], now: 0 });
    const first = of();
    assert.deepEqual(
      [...first.placements.values()].map(({ host }) => host),
      ['h2', 'h2'],
    );
    commitAll(book, first.proposals, 0);
    const other = catalogOf({ hosts: hostsOf(3), apps: { web: { replicas: 3, platform: 'linux/s390x' } } });
    const { unplaceable, misplaced } = of(other);
    assert.match(unplaceable[0]?.message ?? '', /3 not linux\/s390x \(h1\)/);
    assert.equal(misplaced[0]?.why, 'host h2 is linux/arm64, and the App asks for linux/s390x');
  });

  it('keep what was reserved before there were disks as it is', () => {
    const sketch = { hosts: { h1: {} }, apps: { web: { replicas: 2 } } };
    const book = createBook();
    step(sketch, { book, capacity: disks });
    assert.deepEqual(step(sketch, { book, capacity: disks }).proposals, []);
    assert.deepEqual(
      [...book.placements.values()].map(({ demand }) => Object.keys(demand)),
      [
        ['cpu', 'memory', 'pids'],
        ['cpu', 'memory', 'pids'],
      ],
    );
    assert.deepEqual(
      demandFrom(() => 0),
      { cpu: 0, memory: 0, pids: 0 },
    );
  });
});
