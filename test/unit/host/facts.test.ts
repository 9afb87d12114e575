import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { facts } from '../../../providers/host/facts.ts';

it('facts are what the machine says of itself', async () => {
  const root = fs.mkdtempSync(join(tmpdir(), 'facts-'));
  try {
    const files = {
      'proc/sys/kernel/hostname': 'h1\n',
      'proc/sys/kernel/osrelease': '6.1.0-9-amd64\n',
      'proc/sys/kernel/pid_max': '4194304\n',
      'proc/sys/kernel/threads-max': '30000\n',
      'proc/stat': 'cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\ncpu11 1 2 3\nintr 5\n',
      'proc/meminfo': 'MemTotal:        2048000 kB\nMemFree: 5 kB\n',
      'etc/machine-id': 'abc\n',
      'cgroup/cgroup.controllers': 'cpu\n',
      'sys/block/sda/size': '1000\n',
      'sys/block/sda/device/model': 'disk\n',
      'sys/block/nvme0n1/size': '1000\n',
      'sys/block/nvme0n1/removable': '0\n',
      'sys/block/nvme0n1/device/model': 'disk\n',
      'sys/block/loop0/size': '1000\n',
      'sys/block/sdb/size': '0\n',
      'sys/block/sdb/device/model': 'card reader\n',
      'sys/block/sdc/size': '1000\n',
      'sys/block/sdc/removable': '1\n',
      'sys/block/sdc/device/model': 'stick\n',
    };
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(join(root, name, '..'), { recursive: true });
      fs.writeFileSync(join(root, name), text);
    }
    const options = {
      procRoot: join(root, 'proc'),
      etcRoot: join(root, 'etc'),
      cgroupRoot: join(root, 'cgroup'),
      sysRoot: join(root, 'sys'),
      dataRoot: join(root, 'var/lib/docker'),
      machine: 'aarch64',
      addresses: () => ['10.0.0.7'],
    };
    const { bsize, blocks, bfree, bavail } = fs.statfsSync(root);
    const disk = bsize * (blocks - bfree + bavail);
    const capacity = { cpu: 3000, memory: 2048000 * 1024, pids: 30000, disk, spindles: 2000 };
    const platform = 'linux/arm64';
    const same = { platform, hostname: 'h1', addresses: ['10.0.0.7'], capacity, kernel: '6.1.0-9-amd64' };
    assert.deepEqual(await facts(options), { ...same, machineId: 'abc', cgroup: 'v2' });
    const cores = { counts: new Map([[1, 8]]), threads: 2 };
    const pinnable = { ...same, capacity: { ...capacity, node1: 8 }, threadsPerCore: 2 };
    assert.deepEqual(await facts({ ...options, cores }), { ...pinnable, machineId: 'abc', cgroup: 'v2' });
    fs.rmSync(join(root, 'etc/machine-id'));
    fs.rmSync(join(root, 'cgroup/cgroup.controllers'));
    fs.rmSync(join(root, 'sys'), { recursive: true });
    const bare = { ...same, capacity: { ...capacity, spindles: 0 }, platform: 'linux/riscv64' };
    assert.deepEqual(await facts({ ...options, machine: 'riscv64' }), { ...bare, machineId: '', cgroup: 'v1' });
  } finally {
    fs.rmSync(root, { recursive: true });
  }
});
