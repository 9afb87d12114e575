import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, it } from 'node:test';
import { lackingLimits } from '../../../providers/cgroups/abilities.ts';
import { fakeTree } from '../../support/cgroup-tree.ts';

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

function lacking(version: 'v1' | 'v2', without: readonly string[] = []): readonly string[] {
  const root = fakeTree(version, 'docker/a', without);
  roots.push(root);
  return lackingLimits(root);
}

it('what a generation of the kernel has for no cgroup is lacking, and what it lacks itself', () => {
  assert.deepEqual(lacking('v1'), ['high', 'oomGroup']);
  assert.deepEqual(lacking('v2'), ['swappiness']);
  assert.deepEqual(lacking('v1', ['cpu.idle', 'cpu.cfs_burst_us']), ['idle', 'burst', 'high', 'oomGroup']);
  assert.deepEqual(lacking('v2', ['cpu.idle', 'io.max']), ['idle', 'swappiness', 'blockIoLimits']);
});

it('of a limit that may be kept in several files none is lacking where one is there', () => {
  const root = fakeTree('v2', 'docker/a', ['io.weight']);
  roots.push(root);
  assert.deepEqual(lackingLimits(root), ['swappiness', 'blockIoWeight']);
  fs.writeFileSync(join(root, 'docker/a/io.bfq.weight'), 'default 100\n');
  assert.deepEqual(lackingLimits(root), ['swappiness']);
});

it('nothing is said of a controller that is off, or where no cgroup is to be looked at', () => {
  const root = fakeTree('v1', 'docker/a');
  roots.push(root);
  fs.rmSync(join(root, 'memory'), { recursive: true });
  assert.deepEqual(lackingLimits(root), []);
  fs.rmSync(join(root, 'cpu/docker'), { recursive: true });
  assert.deepEqual(lackingLimits(root), []);
});
