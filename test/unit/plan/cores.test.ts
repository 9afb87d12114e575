import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { AppSpec } from '../../../reconciler/model/catalog.ts';
import { CORES } from '../../../reconciler/model/cores.ts';
import type { RolloutRecord } from '../../../reconciler/model/release.ts';
import type { Assignment } from '../../../reconciler/model/replica.ts';
import type { ContainerSpec, CoresSpec } from '../../../reconciler/model/resources.ts';
import { expand } from '../../../reconciler/plan/expand.ts';
import { givesMore } from '../../../reconciler/plan/forms.ts';
import { closure } from '../../../reconciler/plan/host.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { reserving } from '../../../reconciler/plan/reserve.ts';
import { covers } from '../../../reconciler/plan/turns.ts';
import { appSpec, catalogOf, reportOf, resources, type Machine, type Sketch } from '../../support/catalog.ts';
import { NOW, step } from '../../support/placing.ts';

const pinned = (cores: number): AppSpec['resources'] => ({ ...resources(cores * 1000), pinned: true });
const sketch = (db: AppSpec['resources']): Sketch => ({
  hosts: { h1: {} },
  apps: { db: { resources: db }, web: { replicas: 2 } },
});
const capacity = { cpu: 8000, node0: 3, node1: 4 };

/** What h1 is to be, place and project done. */
function assigned(
  some: Sketch,
  book = createBook(),
  before: readonly Assignment[] = [],
  machine: Machine = capacity,
): Assignment {
  const reports = [reportOf('h1', machine)];
  const { placements } = step(some, { book, capacity: machine, assignments: before });
  const previous = new Map(before.map((assignment) => [assignment.host, assignment]));
  const { assignments } = project({ catalog: catalogOf(some), author: 'Ann', placements, previous, reports, now: NOW });
  return assignments.find(({ host }) => host === 'h1') ?? assert.fail();
}

describe('cores of its own', () => {
  it('are one thing of a host, and only pinned containers wait for it', () => {
    const all = new Map(expand(assigned(sketch(pinned(4)))).map((item) => [item.ref, item]));
    const spec = all.get(CORES)?.spec as CoresSpec;
    assert.deepEqual(spec, { pinned: { 'db-0': { node: 1, cores: 4 } }, shared: ['web-0', 'web-1'] });
    assert.ok(all.get('container/db-0')?.dependsOn.includes(CORES));
    assert.ok(!all.get('container/web-0')?.dependsOn.includes(CORES));
    assert.ok(closure('container/web-0', all).includes(CORES), 'whoever starts, they are looked at');
    assert.equal(all.get(CORES)?.origin, all.get('container/db-0')?.origin);
  });

  it('are whole ones of a host whose cores have two threads, and what they are more is there for a larger App', () => {
    const smt = { cpu: 8000, node0: 8, threadsPerCore: 2 };
    const some = assigned(sketch(pinned(3)), createBook(), [], smt);
    const spec = expand(some).find(({ ref }) => ref === CORES)?.spec as CoresSpec;
    const { demand } = some.replicas.find(({ id }) => id === 'db-0')?.placement ?? assert.fail();
    assert.deepEqual([demand.node0, demand.cpu, spec.pinned['db-0']], [4, 4000, { node: 0, cores: 3, reserved: 4 }]);
    assert.deepEqual([covers(demand, pinned(4)), covers(demand, pinned(5))], [true, false]);
  });

  it('come before a class that runs before all others, but keep no other limit waiting', () => {
    const waits = (db: AppSpec['resources']): boolean | undefined =>
      expand(assigned(sketch(db)))
        .find(({ ref }) => ref === 'cgroup/db-0')
        ?.dependsOn.includes(CORES);
    assert.equal(waits({ ...pinned(4), scheduling: 'rr 10', realtime: 300 }), true);
    assert.equal(waits({ ...pinned(4), scheduling: 'batch' }), false);
  });

  it('are nothing where all share', () => {
    const all = new Map(expand(assigned(sketch(resources(1000)))).map((item) => [item.ref, item]));
    assert.equal(all.has(CORES), false);
    assert.ok(!closure('container/web-0', all).includes(CORES));
  });

  it('that no node has room for are not told: the old limits stay', () => {
    const book = createBook();
    const first = assigned(sketch(pinned(2)), book);
    const later = assigned(sketch(pinned(5)), book, [first]);
    const db = expand(later).find(({ ref }) => ref === 'container/db-0')?.spec as ContainerSpec;
    assert.equal(db.resources.cpu, 2000);
    assert.equal(db.resources.pinned, true);
    const shares = createBook();
    const before = assigned(sketch(resources(1500)), shares);
    const never = expand(assigned(sketch(pinned(5)), shares, [before]));
    assert.equal(
      never.find(({ ref }) => ref === CORES),
      undefined,
    );
  });

  it('are kept for the way back, as whole ones', () => {
    const rollout = { minReady: 0, autoRevert: true, progressDeadline: 1000 };
    const good = { spec: appSpec({ resources: pinned(2) }), origin: catalogOf({}).fleet.origin, fields: {} };
    const at = {
      version: 'v',
      attempt: 'a',
      revision: 'r',
      given: 0,
      served: 0,
      stage: 'rolling',
      message: '',
    } as const;
    const record: RolloutRecord = { app: 'web', good, ...at };
    for (const [cpu, whole] of [
      [500, 2000],
      [2500, 3000],
    ] as const) {
      const catalog = catalogOf({ apps: { web: { rollout, resources: resources(cpu) } } });
      const made = reserving(catalog, [record]).apps.get('web')?.spec.resources;
      assert.deepEqual([made?.cpu, made?.pinned], [whole, true]);
    }
  });

  it('are no mere more or less of what is shared', () => {
    const form = (some: AppSpec['resources']) => ({ spec: appSpec({ resources: some }) });
    assert.equal(givesMore(form(pinned(1)), form(pinned(2))), true);
    assert.equal(givesMore(form(resources(1000)), form(pinned(2))), false);
    assert.equal(givesMore(form(pinned(1)), form(resources(2000))), false);
  });
});
