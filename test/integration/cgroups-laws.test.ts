import fs from 'node:fs';
import { conforms } from '../conformance/provider.ts';
import { NO_V1, limits } from '../support/cgroup-tree.ts';
import { made, docker, start, want, provider, context, MORE, fileOf } from '../support/container-cgroups.ts';

const MEBI = 2 ** 20;

conforms(
  'cgroups',
  async () => {
    const id = await start();
    const names = ['cpu.shares', 'cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.cfs_burst_us', 'cpu.idle'];
    const files = await Promise.all([
      ...names.map((name) => fileOf(id, 'cpu', name)),
      fileOf(id, 'memory', 'memory.limit_in_bytes'),
      fileOf(id, 'memory', 'memory.memsw.limit_in_bytes'),
      fileOf(id, 'memory', 'memory.soft_limit_in_bytes'),
      fileOf(id, 'memory', 'memory.swappiness'),
      fileOf(id, 'blkio', 'blkio.throttle.read_bps_device'),
      fileOf(id, 'blkio', 'blkio.throttle.write_iops_device'),
      fileOf(id, 'pids', 'pids.max'),
    ]);
    const { quota: _q, reservation: _r, ...bare } = limits('web-0');
    return {
      provider: provider(),
      ctx: context(id),
      states: [
        [want()],
        [want({ memory: 128 * MEBI, swap: 32 * MEBI, pids: 7, shares: 2048, quota: 1500 })],
        [{ ...want(), spec: bare }],
        [want(MORE)],
        [want({ idle: true })],
        [want({ memory: 10_000_001, reservation: 7_000_001, quota: 15 })],
      ],
      snapshot: () => Promise.resolve(files.map((file) => fs.readFileSync(file, 'utf8'))),
      close: async () => {
        await docker('rm', '-f', id);
        made.splice(made.indexOf(id), 1);
      },
    };
  },
  { skip: NO_V1 },
);
