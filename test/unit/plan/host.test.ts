import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Observed } from '../../../reconciler/model/change.ts';
import { closure } from '../../../reconciler/plan/host.ts';
import { byRef, change, known, replica } from '../../support/changes.ts';
import { planOf } from '../../support/host-plan.ts';

it('looks at a container with its image, and at an image with those made of it: it is pulled only for them', () => {
  const desired = byRef([...replica('web-0'), ...replica('web-1')]);
  const of = (name: string): readonly string[] => [`container/${name}`, `sandbox/${name}`, `cgroup/${name}`];
  assert.deepEqual([...closure('container/web-0', desired)].sort(), ['image/busybox', ...of('web-0')].sort());
  assert.deepEqual(
    [...new Set(closure('image/busybox', desired))].sort(),
    ['image/busybox', ...of('web-0'), ...of('web-1')].sort(),
  );
  assert.ok(closure('sandbox/web-0', desired).includes('image/busybox'));
});

it('makes anew what its liveness probe calls sick, unless it stands still by now', () => {
  const desired = byRef(replica('web-0'));
  const other = change('bridge/br-int', 'update');
  const changed = (status: string): readonly string[] => {
    const there = (['sandbox/web-0', 'port/web-0', 'image/busybox'] as const).map((ref) => known(ref));
    const observed: readonly Observed[] = [...there, known('container/web-0', { status, sandbox: 's' })];
    const { plan } = planOf(other, { desired, observed, settled: new Map(), unhealthy: new Set(['web-0']) });
    return plan.waves.flat().map(({ ref }) => ref);
  };
  assert.deepEqual(changed('running'), ['bridge/br-int', 'container/web-0']);
  assert.deepEqual(changed('paused'), ['bridge/br-int']);
});
