import fs from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file's text, or where a symbolic link leads. */
type Node = string | { readonly to: string };

/** Files below /proc, /sys, /run and the folder of cgroups, by path from their common root. */
export type Files = Readonly<Record<string, Node>>;

/** Writes a tree below a folder; links lead to folders that are made. */
export function plant(root: string, files: Files): void {
  for (const [path, node] of Object.entries(files)) {
    const at = join(root, path);
    fs.mkdirSync(dirname(at), { recursive: true });
    if (typeof node === 'string') {
      fs.writeFileSync(at, node);
      continue;
    }
    const target = join(root, node.to);
    fs.mkdirSync(target, { recursive: true });
    fs.symlinkSync(relative(dirname(at), target), at);
  }
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);
const merged = (...parts: readonly Files[]): Files => Object.fromEntries(parts.flatMap((part) => Object.entries(part)));

interface Cpus {
  readonly threads: number;
  readonly siblings: (cpu: number) => string;
  readonly socket: (cpu: number) => number;
  readonly caches: readonly (readonly [number, string, string, string])[];
  readonly info: string;
}

function cpus({ threads, siblings, socket, caches, info }: Cpus): Files {
  const folder = 'sys/devices/system/cpu';
  const each = range(threads).map((cpu): Files => ({
    [`${folder}/cpu${String(cpu)}/topology/physical_package_id`]: `${String(socket(cpu))}\n`,
    [`${folder}/cpu${String(cpu)}/topology/thread_siblings_list`]: `${siblings(cpu)}\n`,
  }));
  const cached = caches.map(([level, type, size, shared], at): Files => ({
    [`${folder}/cpu0/cache/index${String(at)}/level`]: `${String(level)}\n`,
    [`${folder}/cpu0/cache/index${String(at)}/type`]: `${type}\n`,
    [`${folder}/cpu0/cache/index${String(at)}/size`]: `${size}\n`,
    [`${folder}/cpu0/cache/index${String(at)}/shared_cpu_list`]: `${shared}\n`,
  }));
  return merged({ 'proc/cpuinfo': info, [`${folder}/online`]: `0-${String(threads - 1)}\n` }, ...each, ...cached);
}

function numa(nodes: readonly (readonly [string, number])[]): Files {
  return merged(
    ...nodes.map(([list, kib], node): Files => {
      const folder = `sys/devices/system/node/node${String(node)}`;
      return {
        [`${folder}/cpulist`]: `${list}\n`,
        [`${folder}/meminfo`]: `Node ${String(node)} MemTotal:       ${String(kib)} kB\nNode ${String(node)} MemFree: 1 kB\n`,
      };
    }),
  );
}

interface Card {
  readonly name: string;
  readonly bus: string;
  readonly driver: string;
  readonly vendor: string;
  readonly model: string;
  readonly queues: number;
  readonly speed?: number;
  readonly mtu?: number;
  readonly node?: number;
  /** An empty mask of all its CPUs. */
  readonly mask?: string;
}

/** A network card with its queues, and its interrupts from `first` on where it has some. */
function card({ name, bus, driver, vendor, model, queues, speed, mtu = 1500, node, mask = '0' }: Card): Files {
  const at = `sys/class/net/${name}`;
  const device = `sys/devices/pci0000:00/${bus}`;
  return merged(
    {
      [`${at}/device`]: { to: device },
      [`${device}/driver`]: { to: `sys/bus/pci/drivers/${driver}` },
      [`${device}/vendor`]: `${vendor}\n`,
      [`${device}/device`]: `${model}\n`,
      [`${at}/ifindex`]: '2\n',
      [`${at}/mtu`]: `${String(mtu)}\n`,
      [`${at}/tx_queue_len`]: '1000\n',
      [`${at}/speed`]: `${String(speed ?? -1)}\n`,
      ...(node === undefined ? {} : { [`${device}/numa_node`]: `${String(node)}\n` }),
    },
    ...range(queues).map((queue): Files => ({
      [`${at}/queues/rx-${String(queue)}/rps_cpus`]: `${mask}\n`,
      [`${at}/queues/rx-${String(queue)}/rps_flow_cnt`]: '0\n',
      [`${at}/queues/tx-${String(queue)}/xps_cpus`]: `${mask}\n`,
    })),
  );
}

/** A device of software only. */
const soft = (name: string): Files => ({ [`sys/class/net/${name}/mtu`]: '1500\n' });

function disk(name: string, gib: number, rotational: boolean, scheduler: string, model?: string): Files {
  const at = `sys/block/${name}`;
  return {
    [`${at}/size`]: `${String(gib * 2 ** 21)}\n`,
    [`${at}/removable`]: '0\n',
    [`${at}/device/vendor`]: 'x\n',
    ...(model === undefined ? {} : { [`${at}/device/model`]: `${model}          \n` }),
    [`${at}/queue/rotational`]: rotational ? '1\n' : '0\n',
    [`${at}/queue/scheduler`]: `${scheduler}\n`,
    [`${at}/queue/nr_requests`]: '256\n',
    [`${at}/queue/read_ahead_kb`]: '128\n',
  };
}

/** Idle states of some CPUs: name, and microseconds to leave it. */
function idle(of: readonly number[], states: readonly (readonly [string, number])[]): Files {
  return merged(
    ...of.flatMap((cpu) =>
      states.map(([name, latency], at): Files => {
        const folder = `sys/devices/system/cpu/cpu${String(cpu)}/cpuidle/state${String(at)}`;
        return {
          [`${folder}/name`]: `${name}\n`,
          [`${folder}/latency`]: `${String(latency)}\n`,
          [`${folder}/disable`]: '0\n',
        };
      }),
    ),
  );
}

/** Interrupts of a device on the bus, by what /proc/interrupts calls them. */
function interrupts(bus: string, first: number, names: readonly string[]): Files {
  const lines = names.map((name, at) => ` ${String(first + at)}:  1  0  IR-PCI-MSI ${String(at)}-edge      ${name}\n`);
  return merged(
    { 'proc/interrupts': `            CPU0       CPU1\n${lines.join('')}NMI:  0  0   Non-maskable interrupts\n` },
    ...names.map((_, at): Files => ({
      [`proc/irq/${String(first + at)}/smp_affinity_list`]: '0-79\n',
      [`sys/devices/pci0000:00/${bus}/msi_irqs/${String(first + at)}`]: 'msix\n',
    })),
  );
}

/** `policies` of frequency scaling, by driver and governor. */
function scaling(policies: number, driver: string, governor: string, available: string, preference?: string): Files {
  return merged(
    ...range(policies).map((policy): Files => {
      const at = `sys/devices/system/cpu/cpufreq/policy${String(policy)}`;
      return {
        [`${at}/scaling_driver`]: `${driver}\n`,
        [`${at}/scaling_governor`]: `${governor}\n`,
        [`${at}/scaling_available_governors`]: `${available} \n`,
        ...(preference === undefined ? {} : { [`${at}/energy_performance_preference`]: `${preference}\n` }),
      };
    }),
  );
}

const V1 =
  '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t1\t1\t1\ncpu\t2\t1\t1\nblkio\t3\t1\t1\nmemory\t0\t1\t0\npids\t4\t1\t1\n';
const meminfo = (kib: number, swap = 0): Files => ({
  'proc/meminfo': `MemTotal:       ${String(kib)} kB\nMemFree:        1000 kB\nSwapTotal:      ${String(swap)} kB\n`,
});

/** Which machine. */
export type HardwareName =
  'two-socket server' | 'storage server' | 'virtual machine' | 'arm server' | 'microvm' | 'user-mode guest';

/** What record-machine.ts printed on a machine. */
function recorded(name: string): Files {
  const path = fileURLToPath(new URL(`../../../test/golden/machines/${name}.json`, import.meta.url));
  return JSON.parse(fs.readFileSync(path, 'utf8')) as Files;
}

/**
 * Machines of several kinds, as far as knobs and facts go. The last two say what such machines said (record-machine.ts). The others are put together from the kernel's descriptions of these files
 * (Documentation/ABI/testing/sysfs-devices-system-cpu, sysfs-class-net, sysfs-block, admin-guide/pm) and from what such machines are
 * publicly known to show; nobody's machine was copied.
 */
export const HARDWARE: Readonly<Record<HardwareName, Files>> = {
  /** Two Xeons of 20 cores, Mellanox 25G and NVMe, intel_pstate active; cgroup v2. */
  'two-socket server': merged(
    cpus({
      threads: 80,
      siblings: (cpu) => `${String(cpu % 40)},${String((cpu % 40) + 40)}`,
      socket: (cpu) => Math.floor((cpu % 40) / 20),
      caches: [
        [1, 'Data', '32K', '0,40'],
        [1, 'Instruction', '32K', '0,40'],
        [2, 'Unified', '1024K', '0,40'],
        [3, 'Unified', '28160K', '0-19,40-59'],
      ],
      info: 'processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz\n\n',
    }),
    numa([
      ['0-19,40-59', 131_072_000],
      ['20-39,60-79', 132_120_576],
    ]),
    meminfo(263_192_576),
    scaling(80, 'intel_pstate', 'powersave', 'performance powersave', 'balance_performance'),
    ...range(80).map((cpu): Files => ({
      [`sys/devices/system/cpu/cpu${String(cpu)}/power/energy_perf_bias`]: '6\n',
    })),
    idle(
      [0, 1],
      [
        ['POLL', 0],
        ['C1', 2],
        ['C1E', 10],
        ['C6', 133],
      ],
    ),
    interrupts('0000:3b:00.0', 100, [
      'mlx5_async@pci:0000:3b:00.0',
      ...range(40).map((at) => `mlx5_comp${String(at)}@pci:0000:3b:00.0`),
    ]),
    {
      'sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
      'sys/kernel/mm/transparent_hugepage/defrag': 'always defer defer+madvise [madvise] never\n',
      'sys/devices/virtual/workqueue/cpumask': 'ffff,ffffffff,ffffffff\n',
      'proc/sys/kernel/random/boot_id': 'first\n',
    },
    card({
      name: 'ens1f0',
      bus: '0000:3b:00.0',
      driver: 'mlx5_core',
      vendor: '0x15b3',
      model: '0x1015',
      mask: '0000,00000000,00000000',
      queues: 40,
      speed: 25_000,
      node: 0,
    }),
    card({
      name: 'eno1',
      bus: '0000:18:00.0',
      driver: 'tg3',
      vendor: '0x14e4',
      model: '0x165f',
      mask: '0000,00000000,00000000',
      queues: 4,
      speed: 1000,
      node: 0,
    }),
    soft('lo'),
    soft('br-int'),
    disk('nvme0n1', 1788, false, '[none] mq-deadline', 'SAMSUNG MZQLB1T9HAJR-00007'),
    disk('nvme1n1', 1788, false, '[none] mq-deadline', 'SAMSUNG MZQLB1T9HAJR-00007'),
    {
      'cgroup/cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc\n',
      'run/openvswitch/db.sock': '',
      'sys/module/openvswitch/refcnt': '5\n',
      'bin/ethtool': '',
      'bin/chrt': '',
      'proc/1/comm': 'systemd\n',
      'proc/812/comm': 'irqbalance\n',
      'proc/900/comm': 'tuned\n',
    },
  ),
  /** An EPYC with disks that turn and an Intel 10G card, acpi-cpufreq; cgroup v1 without the memory controller. */
  'storage server': merged(
    cpus({
      threads: 32,
      siblings: (cpu) => `${String(cpu % 16)},${String((cpu % 16) + 16)}`,
      socket: () => 0,
      caches: [[3, 'Unified', '16384K', '0-3,16-19']],
      info: 'processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7302P 16-Core Processor\n\n',
    }),
    numa([['0-31', 131_072_000]]),
    meminfo(131_072_000, 8_388_604),
    scaling(32, 'acpi-cpufreq', 'schedutil', 'conservative ondemand userspace powersave performance schedutil'),
    card({
      name: 'enp65s0f0',
      mask: '00000000',
      bus: '0000:41:00.0',
      driver: 'ixgbe',
      vendor: '0x8086',
      model: '0x10fb',
      queues: 32,
      speed: 10_000,
      node: 0,
    }),
    ...['sda', 'sdb', 'sdc'].map((name) => disk(name, 7452, true, '[mq-deadline] none', 'ST8000NM0055-1RM')),
    disk('sdd', 223, false, '[mq-deadline] none', 'INTEL SSDSC2KB24'),
    { 'proc/cgroups': V1, 'proc/1/comm': 'systemd\n' },
  ),
  /** A small virtual machine: one queue, no frequency scaling, no link speed. */
  'virtual machine': merged(
    cpus({
      threads: 2,
      siblings: (cpu) => String(cpu),
      socket: () => 0,
      caches: [],
      info: 'processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel Xeon Processor (Skylake, IBRS)\n\n',
    }),
    numa([['0-1', 4_030_000]]),
    meminfo(4_030_000),
    card({ name: 'eth0', bus: 'virtio0', driver: 'virtio_net', vendor: '0x1af4', model: '0x0001', queues: 1 }),
    disk('vda', 40, true, 'none [mq-deadline]'),
    disk('loop0', 0, false, '[none]'),
    { 'cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n', 'bin/ethtool': '', 'bin/chrt': '' },
  ),
  /** An ARM server: no vendor_id and no model name, one CPU a core, cppc_cpufreq. */
  'arm server': merged(
    cpus({
      threads: 64,
      siblings: (cpu) => String(cpu),
      socket: () => 36,
      caches: [
        [1, 'Data', '64K', '0'],
        [1, 'Instruction', '64K', '0'],
        [2, 'Unified', '1024K', '0'],
      ],
      info: 'processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\n\n',
    }),
    numa([['0-63', 263_000_000]]),
    meminfo(263_000_000),
    scaling(64, 'cppc_cpufreq', 'ondemand', 'conservative ondemand userspace powersave performance schedutil'),
    card({
      name: 'enP4p1s0f0',
      mask: '00000000,00000000',
      bus: '0004:01:00.0',
      driver: 'mlx5_core',
      vendor: '0x15b3',
      model: '0x1017',
      queues: 63,
      speed: 100_000,
      node: 0,
    }),
    disk('nvme0n1', 894, false, '[none] mq-deadline kyber bfq', 'Micron_7300_MTFDHBE960TDF'),
    {
      'cgroup/cgroup.controllers': 'cpuset cpu io memory hugetlb pids\n',
      'run/openvswitch/db.sock': '',
      'bin/ethtool': '',
      'bin/chrt': '',
    },
  ),
  /** As it says: two CPUs, a virtio disk and card of one queue, no frequency scaling; cgroup v1. */
  microvm: recorded('microvm'),
  /** As it says: one CPU, and no device at all; no NUMA, no huge pages; cgroup v2. */
  'user-mode guest': recorded('user-mode-guest'),
};
