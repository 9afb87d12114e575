import { readFile, stat } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { HostFacts } from '../../reconciler/model/replica.ts';

export interface FactsOptions {
  readonly procRoot?: string;
  readonly etcRoot?: string;
  readonly cgroupRoot?: string;
  /** IPv4 addresses of the machine, loopback left out. */
  readonly addresses?: () => readonly string[];
}

/**
 * What this machine is. Its capacity is the machine's, whatever limits the agent itself runs under: cpus from /proc/stat, MemTotal, and
 * the lower of pid_max and threads-max.
 */
export async function facts(options: FactsOptions = {}): Promise<HostFacts> {
  const { procRoot = '/proc', etcRoot = '/etc', cgroupRoot = '/sys/fs/cgroup', addresses = ipv4 } = options;
  const proc = (name: string): Promise<string> => readFile(join(procRoot, name), 'utf8');
  const [hostname, kernel, machineId, cpus, meminfo, pidMax, threadsMax, unified] = await Promise.all([
    proc('sys/kernel/hostname'),
    proc('sys/kernel/osrelease'),
    readFile(join(etcRoot, 'machine-id'), 'utf8').catch(() => ''),
    proc('stat'),
    proc('meminfo'),
    proc('sys/kernel/pid_max'),
    proc('sys/kernel/threads-max'),
    stat(join(cgroupRoot, 'cgroup.controllers')).catch(() => undefined),
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
    },
    kernel: kernel.trim(),
    cgroup: unified ? 'v2' : 'v1',
  };
}

function ipv4(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
}
