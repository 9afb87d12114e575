/**
 * The floor's own look at a host with nothing to do: one list, the limits of all containers, their addresses, their ports, sixty sysctls.
 * `COUNT MS EACH`: so many looks (20), so many milliseconds apart (100), each EACHth (none) at what nobody announces as well: where processes are,
 * their OOM score and scheduling class, MAC and MTU inside. Prints the milliseconds of each.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
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
const cgroupOf = (pid: string): string => /:pids:(.*)/.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
const cgroup = pids.map(cgroupOf);
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
const [count = 20, apart = 100, each = Infinity] = process.argv.slice(2).map(Number);
const spaces = new Set(pids.map((pid) => readlinkSync(`/proc/${pid}/ns/net`)));

/** The cgroups of the processes that are in a sandbox. */
function homes(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc')) {
    if (!/^[0-9]/.test(pid)) continue;
    try {
      if (spaces.has(readlinkSync(`/proc/${pid}/ns/net`))) found.add(cgroupOf(pid));
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

const known = homes();

/** What nobody announces. */
function lookRound(): void {
  for (const pid of pids) {
    readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8');
    readFileSync(`/proc/${pid}/stat`, 'utf8');
    readFileSync(`/proc/${pid}/root/sys/class/net/eth0/address`, 'utf8');
    readFileSync(`/proc/${pid}/root/sys/class/net/eth0/mtu`, 'utf8');
  }
  for (const home of homes()) if (!known.has(home)) process.stderr.write(`a process is in ${home}\n`);
}

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
  if ((n + 1) % each === 0) lookRound();
  samples.push(performance.now() - began);
  await new Promise((resolve) => setTimeout(resolve, apart));
}
process.stdout.write(`${JSON.stringify(samples)}\n`);
process.exit(0);
