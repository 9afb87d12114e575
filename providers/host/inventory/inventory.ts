import { cpuFacts } from './cpu.ts';
import type { CpuFacts } from './cpu.ts';
import { disksOf, nicsOf } from './devices.ts';
import type { DiskFacts, NicFacts } from './devices.ts';
import { missingOf } from './missing.ts';
import type { Missing } from './missing.ts';
import { powerFacts } from './power.ts';
import type { PowerFacts } from './power.ts';
import { rivalsOf } from './rivals.ts';
import type { Rival } from './rivals.ts';
import { treeAt } from './tree.ts';
import type { Tree } from './tree.ts';

export interface InventoryOptions {
  readonly procRoot?: string;
  readonly sysRoot?: string;
  readonly cgroupRoot?: string;
  readonly runRoot?: string;
  /** Where /etc, /usr and /run are. */
  readonly root?: string;
  /** Where programs are looked for. */
  readonly path?: readonly string[];
}

/** What a machine has, in bytes and CPUs, and what it lacks. */
export interface Inventory {
  readonly cpu: CpuFacts;
  readonly power: PowerFacts;
  readonly memory: { readonly bytes: number; readonly swap: number };
  readonly nics: readonly NicFacts[];
  readonly disks: readonly DiskFacts[];
  /** Controllers of cgroups that the kernel has enabled. */
  readonly controllers: readonly string[];
  readonly ovs: { readonly running: boolean; readonly kernelDatapath: boolean };
  readonly missing: readonly Missing[];
  readonly rivals: readonly Rival[];
}

function memoryOf(proc: Tree): Inventory['memory'] {
  const info = proc.text('meminfo') ?? '';
  const bytes = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(info)?.[1] ?? 0) * 1024;
  return { bytes: bytes('MemTotal'), swap: bytes('SwapTotal') };
}

/** Of v2 the root says it; of v1 /proc/cgroups, whose last column is whether one is enabled. */
function controllersOf(proc: Tree, cgroup: Tree): readonly string[] {
  const unified = cgroup.text('cgroup.controllers');
  if (unified !== undefined) return unified.split(' ').filter(Boolean);
  return [...(proc.text('cgroups') ?? '').matchAll(/^([a-z_]+)\t\d+\t\d+\t1$/gm)].map(([, name = '']) => name);
}

/** What this machine has. Nothing is written, and no program is run. */
export function inventory(options: InventoryOptions = {}): Inventory {
  const { procRoot = '/proc', sysRoot = '/sys', cgroupRoot = '/sys/fs/cgroup', runRoot = '/run', root = '/' } = options;
  const { path = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'] } = options;
  const [proc, sys, cgroup, run] = [procRoot, sysRoot, cgroupRoot, runRoot].map(treeAt) as [Tree, Tree, Tree, Tree];
  const unified = cgroup.has('cgroup.controllers');
  const found = {
    cpu: cpuFacts(proc, sys),
    power: powerFacts(proc, sys),
    nics: nicsOf(sys),
    controllers: controllersOf(proc, cgroup),
    ovs: { running: run.has('openvswitch/db.sock'), kernelDatapath: sys.has('module/openvswitch') },
  };
  const swapAccounting = unified || cgroup.has('memory/memory.memsw.limit_in_bytes');
  const programs = ['ethtool', 'chrt'].filter((name) => path.some((folder) => treeAt(folder).has(name)));
  return {
    ...found,
    memory: memoryOf(proc),
    disks: disksOf(sys),
    missing: missingOf({ ...found, swapAccounting, programs }),
    rivals: rivalsOf(procRoot, root, sys),
  };
}
