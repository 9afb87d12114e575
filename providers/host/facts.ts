import { readFile, stat, statfs } from 'node:fs/promises';
import { machine as uname, networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { NODES } from '../../reconciler/model/demand.ts';
import type { Demand } from '../../reconciler/model/demand.ts';
import type { HostFacts } from '../../reconciler/model/replica.ts';
import { disksOf } from './inventory/devices.ts';
import { treeAt } from './inventory/tree.ts';

/** The CPUs of a machine that can be pinned. */
export interface Pinnable {
  /** So many of each NUMA node, by its number. */
  readonly counts: ReadonlyMap<number, number>;
  /** So many of them are threads of one core. */
  readonly threads: number;
}

export interface FactsOptions {
  readonly procRoot?: string;
  readonly etcRoot?: string;
  readonly cgroupRoot?: string;
  readonly sysRoot?: string;
  /** Where Docker keeps its data; what holds it counts while it is not there. */
  readonly dataRoot?: string;
  /** As `uname -m` says it. */
  readonly machine?: string;
  /** What replicas may have for themselves; nothing if absent. */
  readonly cores?: Pinnable;
  /** IPv4 addresses of the machine, loopback left out. */
  readonly addresses?: () => readonly string[];
}

/** What images call a machine, by what `uname -m` calls it. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm/v7',
  armv6l: 'arm/v6',
  i686: '386',
};

const NONE: Pinnable = { counts: new Map(), threads: 1 };

/** Bytes that others than root may use in all of the file system that holds a path. */
async function diskOf(path: string): Promise<number> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(path);
    return bsize * (blocks - (bfree - bavail));
  } catch {
    return path === dirname(path) ? 0 : diskOf(dirname(path));
  }
}

function nodesIn({ counts }: Pinnable): Partial<Demand> {
  return Object.fromEntries(
    NODES.flatMap((key, node) => {
      const count = counts.get(node) ?? 0;
      return count > 0 ? [[key, count]] : [];
    }),
  );
}

/**
 * What this machine is. Its capacity is the machine's, whatever limits the agent itself runs under: cpus from /proc/stat, MemTotal, the
 * lower of pid_max and threads-max, the file system of Docker's data, its physical disks as spindles, and the CPUs of its NUMA nodes.
 */
export async function facts(options: FactsOptions = {}): Promise<HostFacts> {
  const { procRoot = '/proc', etcRoot = '/etc', cgroupRoot = '/sys/fs/cgroup', sysRoot = '/sys' } = options;
  const { dataRoot = '/var/lib/docker', machine = uname(), addresses = ipv4, cores = NONE } = options;
  const proc = (name: string): Promise<string> => readFile(join(procRoot, name), 'utf8');
  const [hostname, kernel, machineId, cpus, meminfo, pidMax, threadsMax, unified, disk] = await Promise.all([
    proc('sys/kernel/hostname'),
    proc('sys/kernel/osrelease'),
    readFile(join(etcRoot, 'machine-id'), 'utf8').catch(() => ''),
    proc('stat'),
    proc('meminfo'),
    proc('sys/kernel/pid_max'),
    proc('sys/kernel/threads-max'),
    stat(join(cgroupRoot, 'cgroup.controllers')).catch(() => undefined),
    diskOf(dataRoot),
  ]);
  const kibibytes = Number(/^MemTotal:\s+([0-9]+) kB/m.exec(meminfo)?.[1] ?? 0);
  return {
    hostname: hostname.trim(),
    machineId: machineId.trim(),
    addresses: addresses(),
    capacity: {
      cpu: 1000 * (cpus.match(/^cpu[0-9]+ /gm)?.length ?? 0),
      memory: kibibytes * 1024,
      pids: Math.min(Number(pidMax), Number(threadsMax)),
      disk,
      spindles: disksOf(treeAt(sysRoot)).length * 1000,
      ...nodesIn(cores),
    },
    ...(cores.threads === 1 ? {} : { threadsPerCore: cores.threads }),
    kernel: kernel.trim(),
    cgroup: unified ? 'v2' : 'v1',
    platform: `linux/${ARCHITECTURES[machine] ?? machine}`,
  };
}

function ipv4(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
}
