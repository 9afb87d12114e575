import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { disk } from '../../providers/cgroups/files.ts';
import { cgroups } from '../../providers/cgroups/index.ts';
import { writeNested } from '../../providers/cgroups/nested.ts';
import { parseCpus } from '../../reconciler/model/cores.ts';
import type { CgroupSpec } from '../../reconciler/model/resources.ts';
import { container, contextOf, limits } from '../support/cgroup-tree.ts';

const ROOT = '/sys/fs/cgroup';
const V2 = fs.existsSync(join(ROOT, 'cgroup.controllers'));
const skip = process.getuid?.() !== 0 ? 'needs root' : V2 ? 'cgroup v2 has no such order' : false;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };

/** Makes cgroups of all controllers, each before those in it, and takes them away after `act`. */
async function having(paths: readonly string[], act: () => Promise<void>): Promise<void> {
  const all = ['cpu', 'memory', 'pids', 'blkio'].flatMap((name) => paths.map((path) => join(ROOT, name, path)));
  for (const each of all) fs.mkdirSync(each);
  try {
    await act();
  } finally {
    for (const each of all.toReversed()) fs.rmdirSync(each);
  }
}

describe('cgroups inside that of a container', { skip }, () => {
  it('give up their quota before it does, and get none back', async () => {
    const id = randomBytes(32).toString('hex');
    const inside = ['one', 'one/two', 'free'].map((name) => join(id, name));
    const kernel = cgroups();
    const ctx = contextOf([container('web-0', id)], ['cgroup/web-0']);
    const hold = async (some: Partial<CgroupSpec>): Promise<void> => {
      const want = { ref: 'cgroup/web-0', spec: limits('web-0', some), dependsOn: [], origin } as const;
      const [change] = kernel.diff([want], await kernel.observe(ctx, ['cgroup/web-0']));
      if (change) await kernel.apply(change, ctx);
      assert.deepEqual(kernel.diff([want], await kernel.observe(ctx, ['cgroup/web-0'])), []);
    };
    const quota = (path: string): string => join(ROOT, 'cpu', path, 'cpu.cfs_quota_us');
    const quotas = (): readonly string[] => inside.map((path) => fs.readFileSync(quota(path), 'utf8').trim());
    await having([id, ...inside], async () => {
      await hold({ quota: 800 });
      for (const path of inside.slice(0, 2)) fs.writeFileSync(quota(path), '70000');
      await hold({ quota: 300 });
      assert.deepEqual(quotas(), ['30000', '30000', '-1']);
      await hold({ quota: 5 });
      assert.deepEqual(quotas(), ['5000', '5000', '-1']);
      await hold({ quota: 900 });
      assert.deepEqual(quotas(), ['5000', '5000', '-1']);
    });
  });

  const one = availableParallelism() < 2 ? 'needs two CPUs' : false;
  it('are moved with it from CPUs to CPUs, and have all again that had all', { skip: one }, () => {
    const root = '/sys/fs/cgroup/cpuset';
    const directory = fs.mkdtempSync(join(root, 'nested-'));
    const paths = [directory, join(directory, 'one'), join(directory, 'one/two'), join(directory, 'unset')];
    const read = (path: string): string => fs.readFileSync(join(path, 'cpuset.cpus'), 'utf8').trim();
    const all = read(root);
    const cpus = parseCpus(all).map(String);
    const [first = '', last = ''] = [cpus[0], cpus.at(-1)];
    for (const path of paths.slice(1)) fs.mkdirSync(path);
    try {
      for (const path of paths.slice(0, 3)) fs.writeFileSync(join(path, 'cpuset.cpus'), all);
      fs.writeFileSync(join(paths[2] ?? '', 'cpuset.cpus'), last);
      const steps: readonly (readonly [string, readonly string[]])[] = [
        [first, [first, first, first, '']],
        [last, [last, last, last, '']],
        [all, [all, all, all, '']],
      ];
      for (const [cpus, wanted] of steps) {
        writeNested(disk, directory, 'cpuset.cpus', cpus);
        assert.deepEqual(paths.map(read), wanted, cpus);
      }
    } finally {
      for (const path of paths.toReversed()) fs.rmdirSync(path);
    }
  });
});
