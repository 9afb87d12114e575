import { join } from 'node:path';
import type { Files } from './files.ts';
import type { Hierarchy } from './hierarchy.ts';
import { bytesIn } from './knob.ts';

/** What is read of the memory of a cgroup or of a machine, bytes. */
export interface Reading {
  readonly counted: number;
  readonly used: number;
  readonly total: number;
  readonly spare: number;
}

/** Numbers by name, of lines as `anon 4096` or `MemTotal:  4096 kB`. */
function numbersIn(text: string, unit: number): ReadonlyMap<string, number> {
  const lines = [...text.matchAll(/^([A-Za-z0-9_()]+):?\s+([0-9]+)/gm)];
  return new Map(lines.map(([, name = '', number]) => [name, Number(number) * unit]));
}

/**
 * Memory of a machine: AnonPages + Shmem are counted, all that is not MemAvailable is used, and SReclaimable only caches.
 */
export function machineMemory(files: Files, procRoot: string): Reading {
  const info = numbersIn(files.text(join(procRoot, 'meminfo')), 1024);
  const of = (name: string): number => info.get(name) ?? 0;
  return {
    counted: of('AnonPages') + of('Shmem'),
    used: of('MemTotal') - of('MemAvailable'),
    total: of('MemTotal'),
    spare: of('SReclaimable'),
  };
}

/**
 * Memory of a cgroup with all below it. Counted is rss + shmem (v1) or anon + shmem (v2). What only caches is the page cache without shmem,
 * which is part of it, and on v2 reclaimable slab; v1 does not tell how much of its kernel memory can be reclaimed.
 */
export function cgroupMemory(files: Files, tree: Hierarchy, path: string, machine: number): Reading {
  const directory = tree.directory('memory', path);
  const stat = numbersIn(files.text(join(directory, 'memory.stat')), 1);
  const of = (name: string): number => stat.get(name) ?? 0;
  const say = (file: string): number | undefined => bytesIn(files.text(join(directory, file)).trim());
  const v1 = tree.version === 'v1';
  const total = Math.min(machine, say(v1 ? 'memory.limit_in_bytes' : 'memory.max') ?? machine);
  const used = say(v1 ? 'memory.usage_in_bytes' : 'memory.current') ?? 0;
  const spare = v1 ? of('total_cache') - of('total_shmem') : of('file') - of('shmem') + of('slab_reclaimable');
  const counted = v1 ? of('total_rss') + of('total_shmem') : of('anon') + of('shmem');
  return { counted, used, total, spare: Math.max(0, spare) };
}
