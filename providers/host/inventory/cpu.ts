import { parseCpus } from '../../../reconciler/model/cores.ts';
import type { Tree } from './tree.ts';

export interface Cache {
  readonly level: number;
  /** Data, Instruction or Unified. */
  readonly type: string;
  readonly bytes: number;
  /** So many CPUs share one. */
  readonly cpus: number;
}

export interface NumaNode {
  readonly node: number;
  /** As the kernel lists them: `0-3,8`. */
  readonly cpus: string;
  readonly memory: number;
}

/** Processors: what they are, how they hang together, how they save power. */
export interface CpuFacts {
  /** As /proc/cpuinfo has it; on ARM the implementer and part. */
  readonly vendor: string;
  readonly model: string;
  readonly sockets: number;
  readonly cores: number;
  /** CPUs that are online. */
  readonly threads: number;
  readonly nodes: readonly NumaNode[];
  /** Of the first CPU. */
  readonly caches: readonly Cache[];
  /** The kernel is told to leave them alone (`isolcpus`). */
  readonly isolated?: string;
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `48K` in bytes. */
function bytesOf(size: string): number {
  const [, digits = '0', unit = ''] = /^(\d+)([KMG]?)$/.exec(size) ?? [];
  return Number(digits) * (UNITS[unit] ?? 1);
}

function cachesOf(sys: Tree, cpu: number): readonly Cache[] {
  const folder = `devices/system/cpu/cpu${String(cpu)}/cache`;
  return sys
    .names(folder)
    .filter((name) => /^index\d+$/.test(name))
    .flatMap((name) => {
      const says = (what: string): string => sys.text(`${folder}/${name}/${what}`) ?? '';
      const bytes = bytesOf(says('size'));
      const cpus = parseCpus(says('shared_cpu_list')).length;
      return bytes > 0 ? [{ level: Number(says('level')), type: says('type'), bytes, cpus }] : [];
    });
}

function nodesOf(sys: Tree): readonly NumaNode[] {
  return sys
    .names('devices/system/node')
    .filter((name) => /^node\d+$/.test(name))
    .map((name) => {
      const folder = `devices/system/node/${name}`;
      const total = /MemTotal:\s+(\d+) kB/.exec(sys.text(`${folder}/meminfo`) ?? '')?.[1];
      const memory = Number(total ?? 0) * 1024;
      return { node: Number(name.slice(4)), cpus: sys.text(`${folder}/cpulist`) ?? '', memory };
    });
}

/** x86 names its processors; ARM gives numbers, which are kept as they are. */
function nameOf(proc: Tree): { readonly vendor: string; readonly model: string } {
  const info = proc.text('cpuinfo') ?? '';
  const says = (key: string): string | undefined => new RegExp(`^${key}\\s*:\\s*(.+)$`, 'm').exec(info)?.[1]?.trim();
  const implementer = says('CPU implementer');
  if (implementer !== undefined)
    return { vendor: implementer, model: says('model name') ?? `part ${says('CPU part') ?? 'unknown'}` };
  return { vendor: says('vendor_id') ?? 'unknown', model: says('model name') ?? says('cpu') ?? 'unknown' };
}

/** CPUs that are online; where sysfs does not tell, those that /proc/stat counts. */
export function onlineCpus(proc: Tree, sys: Tree): readonly number[] {
  const online = sys.text('devices/system/cpu/online');
  if (online !== undefined) return parseCpus(online);
  return [...(proc.text('stat') ?? '').matchAll(/^cpu(\d+) /gm)].map(([, cpu]) => Number(cpu));
}

/** What the processors of a machine are. */
export function cpuFacts(proc: Tree, sys: Tree): CpuFacts {
  const cpus = onlineCpus(proc, sys);
  const topology = (cpu: number, what: string): string | undefined =>
    sys.text(`devices/system/cpu/cpu${String(cpu)}/topology/${what}`);
  const socket = (cpu: number): string => topology(cpu, 'physical_package_id') ?? '0';
  const siblings = (cpu: number): string => topology(cpu, 'thread_siblings_list') ?? String(cpu);
  const isolated = sys.text('devices/system/cpu/isolated') ?? '';
  return {
    ...nameOf(proc),
    sockets: new Set(cpus.map(socket)).size,
    cores: new Set(cpus.map(siblings)).size,
    threads: cpus.length,
    nodes: nodesOf(sys),
    caches: cachesOf(sys, cpus[0] ?? 0),
    ...(isolated === '' ? {} : { isolated }),
  };
}
