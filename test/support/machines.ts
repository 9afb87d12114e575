import fs from 'node:fs';
import { join } from 'node:path';
import { formatCpus, parseCpus } from '../../reconciler/model/cores.ts';
import type { CoresSpec, CoresState } from '../../reconciler/model/resources.ts';

/** What /sys said on a machine, as far as cores go. */
export interface Recorded {
  readonly online: string;
  /** cpulist of each NUMA node; none where the kernel knows no NUMA. */
  readonly nodes: readonly string[];
  /** NUMA nodes with memory. */
  readonly memory: string;
  /** thread_siblings_list of each CPU. */
  readonly siblings: (cpu: number) => string;
}

/** CPUs whose numbers are so far apart share a core. */
const apart = (distance: number, count: number): Recorded['siblings'] => {
  return (cpu) => formatCpus([cpu % distance, (cpu % distance) + distance].filter((one) => one < count));
};

/** Machines of several kinds. */
export type MachineName = 'two sockets' | 'some offline' | 'neighbours' | 'plain' | 'node without memory';

export const MACHINES: Readonly<Record<MachineName, Recorded>> = {
  /** Two Xeon E5-2630 v3: two nodes of eight cores, each two threads whose numbers are 16 apart. */
  'two sockets': { online: '0-31', nodes: ['0-7,16-23', '8-15,24-31'], memory: '0-1', siblings: apart(16, 32) },
  /** The same with CPUs 3 (of core 3,19) and 24-31 taken offline. */
  'some offline': {
    online: '0-2,4-23',
    nodes: ['0-2,4-7,16-23', '8-15'],
    memory: '0-1',
    siblings: (cpu) => (cpu === 19 ? '19' : cpu >= 8 && cpu < 16 ? String(cpu) : apart(16, 32)(cpu)),
  },
  /** A Ryzen of one node whose siblings have neighbouring numbers. */
  neighbours: {
    online: '0-7',
    nodes: ['0-7'],
    memory: '0',
    siblings: (cpu) => `${String(cpu - (cpu % 2))}-${String(cpu - (cpu % 2) + 1)}`,
  },
  /** A virtual machine without NUMA and threads. */
  plain: { online: '0-3', nodes: [], memory: '0', siblings: String },
  /** Two nodes of which one has no memory. */
  'node without memory': { online: '0-7', nodes: ['0-3', '4-7'], memory: '0', siblings: String },
};

/** Writes a machine as files below a folder: `sys`, and `cgroup` whose root may have all its CPUs. */
export function writeMachine(root: string, machine: Recorded, version: 'v1' | 'v2'): void {
  const put = (path: string, text: string): void => {
    fs.mkdirSync(join(root, path, '..'), { recursive: true });
    fs.writeFileSync(join(root, path), `${text}\n`);
  };
  put('sys/devices/system/cpu/online', machine.online);
  for (const [node, list] of machine.nodes.entries()) put(`sys/devices/system/node/node${String(node)}/cpulist`, list);
  for (const cpu of parseCpus(machine.online))
    put(`sys/devices/system/cpu/cpu${String(cpu)}/topology/thread_siblings_list`, machine.siblings(cpu));
  if (version === 'v1') {
    put('cgroup/cpuset/cpuset.effective_cpus', machine.online);
    put('cgroup/cpuset/cpuset.effective_mems', machine.memory);
  } else {
    put('cgroup/cgroup.controllers', 'cpuset cpu io memory pids');
    put('cgroup/cpuset.cpus.effective', machine.online);
    put('cgroup/cpuset.mems.effective', machine.memory);
  }
}

/** The same as a state in which nothing was given to anybody. */
export function idle({ online, nodes, memory, siblings }: Recorded): CoresState {
  const lists = nodes.length > 0 ? nodes : [online];
  const coresIn = (list: string): readonly string[] => {
    const cores = new Map<string, number[]>();
    for (const cpu of parseCpus(list)) cores.set(siblings(cpu), [...(cores.get(siblings(cpu)) ?? []), cpu]);
    return [...cores.values()].map(formatCpus);
  };
  return {
    nodes: Object.fromEntries(lists.map((list, node) => [String(node), coresIn(list)])),
    memory,
    given: {},
    held: {},
  };
}

/** Replicas with cores of their own; without `reserved`, as many as are asked for are. */
export type Pins = Readonly<Record<string, readonly [node: number, cores: number, reserved?: number]>>;

/** What a host is to give to whom: cores of their own, or what is left. */
export function coresSpec(pins: Pins, shared: readonly string[] = []): CoresSpec {
  const pinned = Object.entries(pins).map(
    ([replica, [node, cores, reserved = cores]]) => [replica, { node, cores, reserved }] as const,
  );
  return { pinned: Object.fromEntries(pinned), shared };
}
