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

const lines = new Map<string, RegExp>();

/** The number of a name, of lines as `anon 4096` or `MemTotal:  4096 kB`; 0 where there is no such line. */
function numberIn(text: string, name: string): number {
  const line = lines.get(name) ?? new RegExp(`^${name}:?\\s+([0-9]+)`, 'm');
  lines.set(name, line);
  return Number(line.exec(text)?.[1] ?? 0);
}

/**
 * Memory of a machine: AnonPages + Shmem are counted, all that is not MemAvailable is used, and SReclaimable only caches.
 */
export function machineMemory(files: Files, procRoot: string): Reading {
  const info = files.text(join(procRoot, 'meminfo'));
  const of = (name: string): number => numberIn(info, name) * 1024;
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
  const stat = files.text(join(directory, 'memory.stat'));
  const of = (name: string): number => numberIn(stat, name);
  const say = (file: string): number | undefined => bytesIn(files.text(join(directory, file)).trim());
  const v1 = tree.version === 'v1';
  const total = Math.min(machine, say(v1 ? 'memory.limit_in_bytes' : 'memory.max') ?? machine);
  const used = say(v1 ? 'memory.usage_in_bytes' : 'memory.current') ?? 0;
  const spare = v1 ? of('total_cache') - of('total_shmem') : of('file') - of('shmem') + of('slab_reclaimable');
  const counted = v1 ? of('total_rss') + of('total_shmem') : of('anon') + of('shmem');
  return { counted, used, total, spare: Math.max(0, spare) };
}
