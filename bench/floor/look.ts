/** The floor's own look at a host with nothing to do: one list, the limits of all containers, their addresses, their ports, sixty sysctls. `COUNT MS`: so many looks (20), so many milliseconds apart (100). Prints the milliseconds of each. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { docker } from './docker.ts';
import { ovsdb } from './ovsdb.ts';

const db = await ovsdb();
const ids = execFileSync('docker', ['ps', '-q', '--no-trunc', '--filter', 'ancestor=plumbline/busybox:1'], {
  encoding: 'utf8',
})
  .trim()
  .split('\n');
const pids = execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', ...ids], { encoding: 'utf8' })
  .trim()
  .split('\n');
const cgroup = pids.map(
  (pid) =>
    readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .split('\n')
      .find((each) => each.includes(':pids:'))
      ?.split(':')[2] ?? '',
);
const KNOBS = [
  'pids/pids.max',
  'memory/memory.limit_in_bytes',
  'memory/memory.memsw.limit_in_bytes',
  'memory/memory.soft_limit_in_bytes',
  'cpu/cpu.shares',
  'cpu/cpu.cfs_quota_us',
  'cpu/cpu.cfs_period_us',
];
/** As many as the Tuning of the bench has. */
const SYSCTLS = readdirSync('/proc/sys/net/ipv4', { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .slice(0, 60)
  .map(({ name }) => `/proc/sys/net/ipv4/${name}`);
const [count = 20, apart = 100] = process.argv.slice(2).map(Number);
const samples: number[] = [];
for (let n = 0; n < count; n += 1) {
  const began = performance.now();
  await docker('GET', '/containers/json?all=1');
  await db.transact({ op: 'select', table: 'Port', where: [], columns: ['name', 'tag', 'external_ids'] });
  for (const [at, path] of cgroup.entries()) {
    for (const knob of KNOBS) {
      const [controller = '', file = ''] = knob.split('/');
      try {
        readFileSync(`/sys/fs/cgroup/${controller}${path}/${file}`, 'utf8');
      } catch {
        // a kernel without swap accounting has fewer
      }
    }
    readFileSync(`/proc/${pids[at] ?? ''}/net/fib_trie`, 'utf8');
  }
  for (const file of SYSCTLS) {
    try {
      readFileSync(file, 'utf8');
    } catch {
      // one that is only written
    }
  }
  samples.push(performance.now() - began);
  await new Promise((resolve) => setTimeout(resolve, apart));
}
process.stdout.write(`${JSON.stringify(samples)}\n`);
process.exit(0);
