import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Files of one kind that are held to what they say, and what a hand writes into them. */
export interface HeldFiles {
  /** Those that there are on this host. */
  readonly paths: () => readonly string[];
  /** What the n-th act writes: no value comes again soon, as that would be a fight. */
  readonly wrong: (n: number, right: string) => string;
  /** All of them are one thing to plumb, which is touched no more than once in about a second. */
  readonly one?: true;
  /** They are the machine's, not the lab host's: what they said has to be put back. */
  readonly shared?: true;
}

/** A file of the cgroup of each container of the test image, by the first name that there is (v1, v2). */
function cgroupFiles(controller: string, ...names: readonly string[]): () => readonly string[] {
  return () => {
    const asked = ['ps', '-q', '--no-trunc', '--filter', 'ancestor=plumbline/busybox:1'];
    const ids = execFileSync('docker', asked, { encoding: 'utf8' }).trim().split('\n');
    return ids.flatMap((id) => {
      const pid = execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', id], { encoding: 'utf8' }).trim();
      const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
      const line = lines.find((each) => each.split(':')[1]?.split(',').includes(controller));
      const folder =
        line === undefined
          ? `/sys/fs/cgroup${lines[0]?.slice(3) ?? ''}`
          : `/sys/fs/cgroup/${controller}${line.split(':')[2] ?? ''}`;
      return names
        .map((name) => `${folder}/${name}`)
        .filter((path) => existsSync(path))
        .slice(0, 1);
    });
  };
}

const sysctls =
  (...names: readonly string[]) =>
  (): readonly string[] =>
    names.map((name) => `/proc/sys/${name}`);

/** A file of each device of a class that is one of its own. */
function deviceFiles(folder: string, file: string): () => readonly string[] {
  return () =>
    readdirSync(folder)
      .map((name) => `${folder}/${name}`)
      .filter((device) => existsSync(`${device}/device`) && existsSync(`${device}/${file}`))
      .map((device) => `${device}/${file}`);
}

/** By kind of knob. */
export const HELD: Readonly<Record<string, HeldFiles>> = {
  pids: { paths: cgroupFiles('pids', 'pids.max'), wrong: (n) => String(1000 + n) },
  cpu: { paths: cgroupFiles('cpu', 'cpu.shares', 'cpu.weight'), wrong: (n) => String(300 + n) },
  memory: {
    paths: cgroupFiles('memory', 'memory.limit_in_bytes', 'memory.max'),
    wrong: (n, right) => String(Number(right) - 4096 * (1 + (n % 1000))),
  },
  io: {
    paths: cgroupFiles('blkio', 'blkio.bfq.weight', 'blkio.weight', 'io.weight', 'io.bfq.weight'),
    wrong: (n) => String(110 + (n % 800)),
  },
  cores: {
    paths: cgroupFiles('cpuset', 'cpuset.cpus'),
    wrong: (n, right) => (right === '0' ? ['1', '0-1'] : ['0', '0-1'])[n % 2] ?? '0',
    one: true,
  },
  sysctl: {
    paths: sysctls(
      'net/ipv4/tcp_keepalive_time',
      'net/ipv4/tcp_keepalive_intvl',
      'net/ipv4/tcp_fin_timeout',
      'net/ipv4/tcp_syn_retries',
      'net/ipv4/tcp_retries2',
    ),
    wrong: (n) => String(3 + (n % 100)),
  },
  free: {
    paths: sysctls('vm/min_free_kbytes'),
    wrong: (n, right) => String(Number(right) + 4 * (1 + n)),
    shared: true,
  },
  // the machine may have two CPUs, and so no more than two masks that are wrong
  power: {
    paths: () => ['/sys/devices/virtual/workqueue/cpumask'].filter((path) => existsSync(path)),
    wrong: (n) => ['2', '3'][n % 2] ?? '3',
    one: true,
    shared: true,
  },
  limits: { paths: sysctls('fs/aio-max-nr'), wrong: (n, right) => String(Number(right) + 1 + n), shared: true },
  disk: {
    paths: () =>
      deviceFiles('/sys/block', 'queue/read_ahead_kb')().filter((path) => !/\/(sr|fd|loop|ram)\d/.test(path)),
    wrong: (n) => String(64 + 4 * n),
    shared: true,
  },
  nic: { paths: deviceFiles('/sys/class/net', 'tx_queue_len'), wrong: (n) => String(2000 + n), shared: true },
};
