import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { appearanceOf } from '../../../providers/simulated/appearance.ts';
import type { Change, Desired, Known, Observed } from '../../../reconciler/model/change.ts';
import { CORES } from '../../../reconciler/model/cores.ts';
import { kindOf } from '../../../reconciler/model/ref.ts';
import type { CoresState } from '../../../reconciler/model/resources.ts';
import { expand } from '../../../reconciler/plan/expand.ts';
import { assignmentOf } from '../../support/assigned.ts';
import { FIXED, RULES } from '../../support/rules.ts';

const desired = expand(assignmentOf('h1', 1, 3));

/** What the real providers would change. */
function changes(wanted: readonly Desired[], observed: readonly Observed[]): readonly Change[] {
  return RULES.flatMap(({ kinds, diff }) => {
    const mine = ({ ref }: { readonly ref: Desired['ref'] }): boolean => kinds.includes(kindOf(ref));
    return diff(wanted.filter(mine), observed.filter(mine));
  });
}

describe('the appearance of a simulated host', () => {
  const look = (containers: ReadonlyMap<string, 'running' | 'exited'>): readonly Observed[] =>
    appearanceOf({ host: 'h1', fleet: 'f', desired, containers, fixed: FIXED });

  it('leaves the real providers nothing to do where its containers run', () => {
    const seen = look(new Map(['web-0', 'web-1', 'web-2'].map((id) => [id, 'running'])));
    assert.deepEqual(changes(desired, seen), []);
    assert.equal(seen.length, desired.length);
  });

  it('has the cores that replicas are to have for themselves', () => {
    const usual = assignmentOf('h1', 1, 2);
    const replicas = usual.replicas.map((replica, at) => ({
      ...replica,
      spec: {
        ...replica.spec,
        resources: { ...replica.spec.resources, ...(at === 0 ? { cpu: 2000, pinned: true as const } : {}) },
      },
      placement: {
        ...replica.placement,
        demand: { ...replica.placement.demand, ...(at === 0 ? { cpu: 2000, node1: 2 } : {}) },
      },
    }));
    const wanted = expand({ ...usual, replicas });
    const containers = new Map(replicas.map(({ id }) => [id, 'running' as const]));
    const seen = appearanceOf({ host: 'h1', fleet: 'f', desired: wanted, containers, fixed: FIXED });
    assert.deepEqual(changes(wanted, seen), []);
    const { held } = (seen.find(({ ref }) => ref === CORES) as Known<CoresState>).state;
    assert.deepEqual(held['web-0'], { cpus: '1030-1031', mems: '1' });
    assert.deepEqual(held['web-1'], { cpus: '0-7,1024-1029', mems: '0,1' });
  });

  it('shows nothing of replicas that are not there, and what has ended as ended', () => {
    const seen = look(
      new Map([
        ['web-0', 'running'],
        ['web-1', 'exited'],
      ]),
    );
    const todo = changes(desired, seen).map(({ ref, verb }) => `${verb} ${ref}`);
    assert.deepEqual(
      todo.filter((text) => text.includes('web-0')),
      [],
    );
    assert.deepEqual(
      todo.filter((text) => text.includes('container/')),
      ['update container/web-1', 'create container/web-2'],
    );
    assert.ok(todo.includes('create sandbox/web-2') && todo.includes('create port/web-2'), todo.join());
  });

  it('gives the same ids for the same wish, and others on another host', () => {
    const all = new Map([['web-0', 'running' as const]]);
    assert.deepEqual(look(all), look(all));
    const elsewhere = appearanceOf({ host: 'h2', fleet: 'f', desired, containers: all, fixed: FIXED });
    const id = (seen: readonly Observed[]): unknown =>
      seen.find((item) => item.known && item.ref === 'container/web-0');
    assert.notDeepEqual(id(look(all)), id(elsewhere));
  });
});
