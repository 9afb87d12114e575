import type { CpuFacts } from './cpu.ts';
import type { NicFacts } from './devices.ts';
import type { PowerFacts } from './power.ts';

/** Something that this machine does not have, and what needs it. */
export interface Missing {
  readonly what: string;
  /** What needs it. */
  readonly needs: string;
  /** What would bring it, where something can. */
  readonly fix?: string;
}

export interface Abilities {
  readonly cpu: CpuFacts;
  readonly power: PowerFacts;
  readonly nics: readonly NicFacts[];
  readonly controllers: readonly string[];
  /** The kernel counts swap by cgroup. */
  readonly swapAccounting: boolean;
  readonly ovs: { readonly running: boolean; readonly kernelDatapath: boolean };
  /** Names of programs that are there. */
  readonly programs: readonly string[];
}

/** What each controller of cgroups is for; v2 calls one of them otherwise. */
const CONTROLLERS: readonly (readonly [readonly string[], string])[] = [
  [['cpu'], 'cpu shares and quotas'],
  [['cpuset'], 'cores of their own (`resources.cpu.pinned`)'],
  [['memory'], 'memory limits'],
  [['pids'], 'limits of processes'],
  [['io', 'blkio'], 'weights and limits of block I/O'],
  [['hugetlb'], 'limits of huge pages (`resources.memory.hugepages`)'],
];

function missingControllers({ controllers }: Abilities): readonly Missing[] {
  return CONTROLLERS.filter(([names]) => !names.some((name) => controllers.includes(name))).map(
    ([names, needs]): Missing => ({
      what: `cgroup controller ${names[0] ?? ''}`,
      needs,
      fix: 'enable it at boot (cgroup_enable=…), or use a kernel that has it',
    }),
  );
}

/** What is missing for what. */
export function missingOf(abilities: Abilities): readonly Missing[] {
  const { power, nics, swapAccounting, ovs, programs, cpu } = abilities;
  const virtual = 'a virtual machine leaves it to its host; else look for it in the firmware';
  const all: readonly (Missing | false)[] = [
    !ovs.running && {
      what: 'Open vSwitch',
      needs: 'Networks: without it no replica gets an address',
      fix: 'install openvswitch-switch and start it',
    },
    !ovs.kernelDatapath && {
      what: 'kernel module openvswitch',
      needs: 'Networks of datapath system',
      fix: 'modprobe openvswitch, or datapath: netdev in the Network',
    },
    ...missingControllers(abilities),
    !swapAccounting && {
      what: 'swap accounting',
      needs: 'limits of swap (`resources.memory.swap`)',
      fix: 'boot with swapaccount=1',
    },
    power.governors === undefined && { what: 'frequency scaling', needs: 'CPU governors', fix: virtual },
    power.preferences === undefined &&
      power.bias === undefined && {
        what: 'energy bias and preference',
        needs: 'telling CPUs how much to save power',
        fix: virtual,
      },
    cpu.nodes.length === 0 && { what: 'NUMA nodes in sysfs', needs: 'cores of their own, near to their memory' },
    nics.length > 0 &&
      nics.every(({ rxQueues }) => rxQueues < 2) && {
        what: 'NICs with several queues',
        needs: 'spreading interrupts over cores; packet steering (RPS) does it without',
      },
    !programs.includes('ethtool') && {
      what: 'ethtool',
      needs: 'settings of network cards, and checksum offload of the userspace datapath',
      fix: 'install ethtool',
    },
    !programs.includes('chrt') && {
      what: 'chrt',
      needs: 'scheduling classes of Apps (`resources.cpu.scheduling`)',
      fix: 'install util-linux',
    },
  ];
  return all.filter((each) => each !== false);
}
