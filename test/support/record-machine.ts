/**
 * Prints what facts and knobs read of this machine, as files of `test/golden/machines` keep it: the text of each file by its path, and where links lead.
 * `node dist/test/support/record-machine.js > test/golden/machines/NAME.json`. Nothing in it tells which machine it is: no name, address, serial number or id.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const LINKS = [
  'sys/class/net/*',
  'sys/class/net/*/device',
  'sys/class/net/*/device/driver',
  'sys/block/*',
  'sys/block/*/device',
];
const CPU = 'sys/devices/system/cpu';
const FILES = [
  'proc/(cpuinfo|cgroups|interrupts)',
  'proc/irq/*/smp_affinity_list',
  `${CPU}/(online|isolated|nohz_full)`,
  `${CPU}/cpu*/topology/(physical_package_id|thread_siblings_list)`,
  `${CPU}/cpu*/cache/index*/(level|type|size|shared_cpu_list)`,
  `${CPU}/cpu*/cpuidle/state*/(name|latency|disable)`,
  `${CPU}/cpu*/power/energy_perf_bias`,
  `${CPU}/cpufreq/policy*/(scaling_driver|scaling_governor|scaling_available_governors|energy_performance_preference)`,
  'sys/devices/system/node/node*/(cpulist|meminfo)',
  'sys/devices/virtual/workqueue/cpumask',
  'sys/kernel/mm/transparent_hugepage/(enabled|defrag)',
  'sys/class/net/*/(mtu|tx_queue_len|speed|ifindex)',
  'sys/class/net/*/device/(vendor|device|numa_node)',
  'sys/class/net/*/device/msi_irqs/*',
  'sys/class/net/*/queues/*/(rps_cpus|rps_flow_cnt|xps_cpus|tx_timeout)',
  'sys/block/*/(size|removable)',
  'sys/block/*/device/(vendor|model)',
  'sys/block/*/queue/(rotational|scheduler|read_ahead_kb|nr_requests)',
  'sys/fs/cgroup/cgroup.controllers',
];

/** The paths from the root that a pattern names: `*` and `(a|b)` within one part. */
function named(pattern: string): readonly string[] {
  return pattern.split('/').reduce<readonly string[]>(
    (found, part) => {
      const fits = new RegExp(`^${part.replaceAll('*', '[^/]*')}$`);
      return found.flatMap((folder) => {
        if (!/[*(]/.test(part)) return existsSync(`/${join(folder, part)}`) ? [join(folder, part)] : [];
        try {
          return readdirSync(`/${folder}`)
            .filter((name) => fits.test(name))
            .map((name) => join(folder, name));
        } catch {
          return [];
        }
      });
    },
    [''],
  );
}

const real = (path: string): string => realpathSync(`/${path}`).slice(1);

/** A file's text, by its path. */
function textOf(path: string): readonly (readonly [string, string])[] {
  try {
    const whole = readFileSync(`/${path}`, 'latin1');
    // of memory only how much there is; User-Mode Linux tells which machine it runs on
    const text = path.endsWith('/meminfo')
      ? (/^.*MemTotal:.*\n/m.exec(whole)?.[0] ?? '')
      : whole.replace(/^host\s*:.*\n/m, '');
    return [[real(path).replace(/^sys\/fs\//, ''), text]];
  } catch {
    // a card without a link says nothing of its speed
    return [];
  }
}

const size = /^MemTotal:.*\n/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[0] ?? '';
const swap = /^SwapTotal:.*\n/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[0] ?? '';
const links = LINKS.flatMap(named).flatMap((path) => {
  const [at, to] = [join(real(dirname(path)), basename(path)), real(path)];
  return at === to ? [] : [[at, { to }] as const];
});
const all = [...links, ...FILES.flatMap(named).flatMap(textOf), ['proc/meminfo', size + swap] as const];
const sorted = all.sort(([a], [b]) => (a < b ? -1 : 1));
process.stdout.write(`${JSON.stringify(Object.fromEntries(sorted), null, 1)}\n`);
