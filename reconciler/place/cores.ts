import type { AppSpec } from '../model/catalog.ts';
import { inWhole } from '../model/cores.ts';
import { NODES, unpinned } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { HostTable } from './table.ts';

/** How many cores a replica of an App is to have for itself, as Git says, in CPUs; 0 when it shares. A host gives it whole ones: see `coresAt`. */
export function coresOf({ resources }: Pick<AppSpec, 'resources'>): number {
  return resources.pinned ? resources.cpu / 1000 : 0;
}

/**
 * What pinned cores take of the CPU that may be promised of a host: each of them all that could have been promised of it, overcommit and
 * performance included. So overcommit reaches only what is shared.
 */
export function cpuOf(cores: number, worth: number): number {
  return Math.floor(cores * 1000 * worth);
}

/** What pinned cores are on the host in a row: rounded up to physical ones with all their threads, which nobody else has then. */
export function coresAt({ threads }: Pick<HostTable, 'threads'>, cores: number, row: number): number {
  return inWhole(cores, threads[row] ?? 1);
}

/** The NUMA node that is to give so many cores, by how many each has: the one with the fewest of those that have enough, else with the most. */
export function nodeFor(has: (node: number) => number, cores: number): number {
  let best = 0;
  let most = has(0);
  for (let node = 1; node < NODES.length; node += 1) {
    const there = has(node);
    if (most < cores ? there <= most : there < cores || there >= most) continue;
    best = node;
    most = there;
  }
  return best;
}

/** A demand with so many cores of a NUMA node for itself. */
export function onNode(demand: Demand, cores: number, node: number, worth: number): Demand {
  return { ...unpinned(demand), cpu: cpuOf(cores, worth), [NODES[node] ?? 'node0']: cores };
}
