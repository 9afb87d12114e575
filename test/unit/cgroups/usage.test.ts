import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { disk } from '../../../providers/cgroups/files.ts';
import { hierarchy } from '../../../providers/cgroups/hierarchy.ts';
import { cgroupMemory, machineMemory } from '../../../providers/cgroups/usage.ts';

const MACHINE = 2 ** 30;
let root = '';
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'usage-'));
});
afterEach(() => {
  fs.rmSync(root, { recursive: true });
});

function put(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    fs.mkdirSync(join(root, path, '..'), { recursive: true });
    fs.writeFileSync(join(root, path), text);
  }
}

describe('memory of a machine', () => {
  it('is what nobody can take back, what is not available, and what only caches', () => {
    put({
      meminfo:
        'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\nAnonPages:       200 kB\nShmem:            50 kB\nShmemHugePages:    7 kB\nSReclaimable:     30 kB\n',
    });
    assert.deepEqual(machineMemory(disk, root), {
      counted: 250 * 1024,
      used: 600 * 1024,
      total: 1000 * 1024,
      spare: 30 * 1024,
    });
  });
});

describe('memory of a cgroup', () => {
  const STAT_V1 = 'cache 900\nrss 1\nshmem 2\ntotal_cache 5000\ntotal_rss 3000\ntotal_shmem 1000\n';
  const STAT_V2 = 'anon 3000\nfile 5000\nshmem 1000\nslab_reclaimable 200\nslab_unreclaimable 9\nslab 209\n';
  for (const { name, limit, total } of [
    { name: 'of its limit', limit: '8192', total: 8192 },
    { name: 'of the machine where there is no limit', limit: 'none', total: MACHINE },
    { name: 'of the machine where the limit is more', limit: String(4 * MACHINE), total: MACHINE },
  ]) {
    it(`on v1, with all that is below it, ${name}`, () => {
      put({
        'memory/docker/a/memory.stat': STAT_V1,
        'memory/docker/a/memory.usage_in_bytes': '8500\n',
        'memory/docker/a/memory.limit_in_bytes': `${limit === 'none' ? '9223372036854771712' : limit}\n`,
      });
      // shared memory is part of the cache, and does not only cache
      const use = { counted: 4000, used: 8500, total, spare: 4000 };
      assert.deepEqual(cgroupMemory(disk, hierarchy(root, disk), 'docker/a', MACHINE), use);
    });
    it(`on v2, with slab that can go, ${name}`, () => {
      put({
        'cgroup.controllers': 'memory\n',
        'docker/a/memory.stat': STAT_V2,
        'docker/a/memory.current': '9000\n',
        'docker/a/memory.max': `${limit === 'none' ? 'max' : limit}\n`,
      });
      const use = { counted: 4000, used: 9000, total, spare: 4200 };
      assert.deepEqual(cgroupMemory(disk, hierarchy(root, disk), 'docker/a', MACHINE), use);
    });
  }

  it('is never less than nothing, as counters are not read at one instant', () => {
    put({
      'cgroup.controllers': 'memory\n',
      'a/memory.stat': 'anon 1\nfile 5\nshmem 9\n',
      'a/memory.current': '9\n',
      'a/memory.max': 'max\n',
    });
    assert.equal(cgroupMemory(disk, hierarchy(root, disk), 'a', MACHINE).spare, 0);
  });

  it('that has gone is an error of the file that is not there', () => {
    put({ 'cgroup.controllers': 'memory\n' });
    assert.throws(() => cgroupMemory(disk, hierarchy(root, disk), 'a', MACHINE), { code: 'ENOENT' });
  });
});
