import { join } from 'node:path';
import { formatCpus, parseCpus } from '../../reconciler/model/cores.ts';
import type { CoresState } from '../../reconciler/model/resources.ts';
import { disk, readText, type Files } from './files.ts';

/** Where CPUs and cgroups are found. */
export interface TopologyOptions {
  readonly sysRoot?: string;
  /** Where the cgroup trees are mounted. */
  readonly root?: string;
  readonly files?: Files;
}

/** The NUMA nodes of a machine with their online cores, each the list of its CPUs, and the nodes that have memory. */
export type Topology = Pick<CoresState, 'nodes' | 'memory'>;

function textOr(files: Files, directory: string, name: string): string | undefined {
  try {
    return readText(files, directory, name);
  } catch {
    return undefined;
  }
}

/** The CPUs and memory nodes that cgroups may be given at all; undefined where the kernel has no cpuset for them. */
function allowed(files: Files, root: string): { readonly cpus: string; readonly mems: string } | undefined {
  const unified = files.exists(join(root, 'cgroup.controllers'));
  const directory = unified ? root : join(root, 'cpuset');
  const first = (...names: readonly string[]): string | undefined =>
    names.map((name) => textOr(files, directory, name)).find((text) => text !== undefined);
  const cpus = unified ? first('cpuset.cpus.effective') : first('cpuset.effective_cpus', 'cpuset.cpus');
  const mems = unified ? first('cpuset.mems.effective') : first('cpuset.effective_mems', 'cpuset.mems');
  return cpus === undefined || mems === undefined ? undefined : { cpus, mems };
}

/** The CPUs of a node by core, those of the lowest first. */
function coresIn(files: Files, sysRoot: string, cpus: readonly number[]): readonly string[] {
  const cores = new Map<string, number[]>();
  for (const cpu of cpus) {
    const directory = join(sysRoot, 'devices/system/cpu', `cpu${String(cpu)}`, 'topology');
    const siblings = textOr(files, directory, 'thread_siblings_list') ?? String(cpu);
    const core = cores.get(siblings);
    if (core) core.push(cpu);
    else cores.set(siblings, [cpu]);
  }
  return [...cores.values()].map(formatCpus);
}

/**
 * Tells the topology as /sys/devices/system says, of CPUs that are online and that cgroups may have. A kernel without NUMA has one node, 0.
 * Undefined where there is no cpuset: then nothing can be pinned. Asked again, it reads which CPUs there are, and the rest only if these are others.
 */
export function topologyReader({
  sysRoot = '/sys',
  root = '/sys/fs/cgroup',
  files = disk,
}: TopologyOptions = {}): () => Topology | undefined {
  const system = join(sysRoot, 'devices/system');
  let last: { readonly key: string; readonly topology: Topology } | undefined;
  return () => {
    const may = allowed(files, root);
    if (!may) return undefined;
    const online = textOr(files, join(system, 'cpu'), 'online') ?? may.cpus;
    const key = [may.cpus, may.mems, online].join(' ');
    if (last?.key === key) return last.topology;
    const usable = new Set(parseCpus(may.cpus));
    const there = new Set(parseCpus(online).filter((cpu) => usable.has(cpu)));
    const nodes = files.folders(join(system, 'node')).flatMap((name) => /^node([0-9]+)$/.exec(name)?.[1] ?? []);
    const listOf = (node: string): string => textOr(files, join(system, 'node', `node${node}`), 'cpulist') ?? '';
    const lists = nodes.length > 0 ? nodes.map((node) => [node, listOf(node)] as const) : [['0', online] as const];
    const cores = lists
      .map(
        ([node, list]) =>
          [
            node,
            coresIn(
              files,
              sysRoot,
              parseCpus(list).filter((cpu) => there.has(cpu)),
            ),
          ] as const,
      )
      .filter(([, some]) => some.length > 0)
      .sort(([a], [b]) => Number(a) - Number(b));
    last = { key, topology: { nodes: Object.fromEntries(cores), memory: may.mems } };
    return last.topology;
  };
}

/** CPUs of the core that has most of them: 1 without SMT, and where nothing can be pinned. */
export function threadsOf(topology: Topology | undefined): number {
  const cores = Object.values(topology?.nodes ?? {}).flat();
  return Math.max(1, ...cores.map((core) => parseCpus(core).length));
}

/** CPUs of each NUMA node, by number. */
export function countsOf(topology: Topology | undefined): ReadonlyMap<number, number> {
  const nodes = Object.entries(topology?.nodes ?? {});
  return new Map(nodes.map(([node, cores]) => [Number(node), cores.flatMap(parseCpus).length]));
}
