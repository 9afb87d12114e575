import assert from 'node:assert/strict';
import { it } from 'node:test';
import { closure } from '../../../reconciler/plan/host.ts';
import { byRef, replica } from '../../support/changes.ts';

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
