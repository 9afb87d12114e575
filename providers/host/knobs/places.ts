import { parseCpus } from '../../../reconciler/model/cores.ts';
import { disksOf, identityOf, nicNames } from '../inventory/devices.ts';
import { onlineCpus } from '../inventory/cpu.ts';
import type { Tree } from '../inventory/tree.ts';
import type { Group } from '../ethtool.ts';
import { CARD_KNOBS } from './settings.ts';

/** A file of a knob: its name among the others, and where it is. */
export interface Place {
  readonly name: string;
  /** `nic` is what ethtool knows of cards: `eth0/rings/rx`. */
  readonly root: 'proc' | 'sys' | 'nic';
  /** Below the root. */
  readonly path: string;
  /** A number by which the rule of the knob judges it: of an idle state, how long it takes to leave it, microseconds. */
  readonly about?: number;
}

/** Where knobs are looked for. */
export interface Roots {
  readonly proc: Tree;
  readonly sys: Tree;
}

type Find = (roots: Roots, match: ReadonlyMap<string, string>) => readonly Place[];

const CPU = 'devices/system/cpu';
const sys = (name: string, path: string): Place => ({ name, root: 'sys', path });
const existing = (tree: Tree, places: readonly Place[]): readonly Place[] =>
  places.filter(({ path }) => tree.has(path));

const policies =
  (file: string): Find =>
  ({ sys: tree }) =>
    existing(
      tree,
      tree
        .names(`${CPU}/cpufreq`)
        .filter((name) => /^policy\d+$/.test(name))
        .map((policy) => sys(policy, `${CPU}/cpufreq/${policy}/${file}`)),
    );

const bias: Find = ({ proc, sys: tree }) =>
  existing(
    tree,
    onlineCpus(proc, tree).map((cpu) => sys(`cpu${String(cpu)}`, `${CPU}/cpu${String(cpu)}/power/energy_perf_bias`)),
  );

const idle: Find = ({ proc, sys: tree }) =>
  onlineCpus(proc, tree).flatMap((cpu) => {
    const folder = `${CPU}/cpu${String(cpu)}/cpuidle`;
    const states = tree
      .names(folder)
      .filter((name) => /^state\d+$/.test(name) && tree.has(`${folder}/${name}/disable`));
    return states.map((state): Place => ({
      ...sys(`cpu${String(cpu)}/${state}`, `${folder}/${state}/disable`),
      about: tree.number(`${folder}/${state}/latency`) ?? 0,
    }));
  });

const file =
  (path: string): Find =>
  ({ sys: tree }) =>
    existing(tree, [sys(path.slice(path.lastIndexOf('/') + 1), path)]);

const disks =
  (rotational: boolean, name: string): Find =>
  ({ sys: tree }) =>
    existing(
      tree,
      disksOf(tree)
        .filter((disk) => disk.rotational === rotational)
        .map((disk) => sys(disk.name, `block/${disk.name}/queue/${name}`)),
    );

/** Names of cards of which all is so that a bracket asks for: `[driver=mlx5_core,name=ens*]`. */
function cards(tree: Tree, match: ReadonlyMap<string, string>): readonly string[] {
  const fits = (pattern: string | undefined, text = ''): boolean =>
    pattern === undefined || (pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern);
  const named = nicNames(tree).filter((name) => fits(match.get('name'), name));
  if (match.size === 0 || (match.size === 1 && match.has('name'))) return named;
  return named.filter((name) => {
    const { driver, vendor, model } = identityOf(tree, name);
    return fits(match.get('driver'), driver) && fits(match.get('vendor'), vendor) && fits(match.get('model'), model);
  });
}

const ofCards =
  (name: string): Find =>
  ({ sys: tree }, match) =>
    existing(
      tree,
      cards(tree, match).map((card) => sys(card, `class/net/${card}/${name}`)),
    );

const settings =
  (group: Group, name: string): Find =>
  ({ sys: tree }, match) =>
    cards(tree, match).map((card) => ({ name: card, root: 'nic', path: `${card}/${group}/${name}` }));

const queues =
  (kind: 'rx' | 'tx', name: string): Find =>
  ({ sys: tree }, match) =>
    existing(
      tree,
      cards(tree, match).flatMap((card) =>
        tree
          .names(`class/net/${card}/queues`)
          .filter((queue) => queue.startsWith(`${kind}-`))
          .map((queue) => sys(`${card}/${queue}`, `class/net/${card}/queues/${queue}/${name}`)),
      ),
    );

/** Interrupts of a card: those that its device lists; of virtio the parent's that carry its name, less what only tells of settings. */
function interruptsOf({ proc, sys: tree }: Roots, card: string): readonly string[] {
  const listed = tree.names(`class/net/${card}/device/msi_irqs`);
  const device = tree.target(`class/net/${card}/device`) ?? '';
  const lines = [...(proc.text('interrupts') ?? '').matchAll(/^\s*(\d+):.*\s(\S+)$/gm)];
  const named = lines.filter(([, , what = '']) => {
    const own = what.startsWith(`${device}-`) || what.startsWith(`${card}-`) || what === card;
    return device !== '' && own && !/-(config|control|async|ctrl)\b/.test(what);
  });
  const names = new Set(lines.map(([, number = '']) => number));
  const queuesOnly = (number: string): boolean => {
    const what = lines.find(([, one]) => one === number)?.[2] ?? '';
    return names.has(number) && !/async|ctrl|control|config|mgmt|cmd|pages/.test(what);
  };
  return listed.length > 0 ? listed.filter(queuesOnly) : named.map(([, number = '']) => number);
}

/** Each once, of the first card that lists it: the ports of one device, and the functions that it stands for, list the same. */
const interrupts: Find = (roots, match) => {
  const seen = new Set<string>();
  return cards(roots.sys, match).flatMap((card) =>
    interruptsOf(roots, card)
      .filter((number) => !seen.has(number) && roots.proc.has(`irq/${number}/smp_affinity_list`))
      .map((number): Place => {
        seen.add(number);
        return { name: `${card}/irq${number}`, root: 'proc', path: `irq/${number}/smp_affinity_list` };
      }),
  );
};

const SETTINGS: ReadonlySet<string> = new Set(CARD_KNOBS.map(({ key }) => key));

const FINDS: Readonly<Record<string, Find>> = {
  'cpu.governor': policies('scaling_governor'),
  'cpu.energyBias': bias,
  'cpu.energyPreference': policies('energy_performance_preference'),
  'cpu.maxIdleLatency': idle,
  'cpu.workqueue': file('devices/virtual/workqueue/cpumask'),
  'memory.hugepages': file('kernel/mm/transparent_hugepage/enabled'),
  'memory.hugepageDefrag': file('kernel/mm/transparent_hugepage/defrag'),
  'disk.rotating.scheduler': disks(true, 'scheduler'),
  'disk.rotating.readAhead': disks(true, 'read_ahead_kb'),
  'disk.rotating.queueDepth': disks(true, 'nr_requests'),
  'disk.solid.scheduler': disks(false, 'scheduler'),
  'disk.solid.readAhead': disks(false, 'read_ahead_kb'),
  'disk.solid.queueDepth': disks(false, 'nr_requests'),
  'nic.mtu': ofCards('mtu'),
  'nic.txQueueLength': ofCards('tx_queue_len'),
  'nic.interrupts': interrupts,
  'nic.receiveSteering': queues('rx', 'rps_cpus'),
  'nic.transmitSteering': queues('tx', 'xps_cpus'),
  'nic.receiveFlows': queues('rx', 'rps_flow_cnt'),
  ...Object.fromEntries(CARD_KNOBS.map(({ key, group, name }) => [key, settings(group, name)])),
};

/** Whether a knob is a setting of cards, which is no file. */
export function isOfCards(key: string): boolean {
  return SETTINGS.has(key.replace(/\[.*$/, ''));
}

/** The files of a knob on this machine, in order; none where it has no such thing. A bracket behind the key says of which cards. */
export function placesOf(roots: Roots, key: string): readonly Place[] {
  const [, name = key, bracket = ''] = /^([^[]*)(?:\[(.*)\])?$/.exec(key) ?? [];
  const match = new Map(
    bracket
      .split(',')
      .filter(Boolean)
      .map((part) => {
        const [field = '', ...rest] = part.split('=');
        return [field, rest.join('=')] as const;
      }),
  );
  return FINDS[name]?.(roots, match) ?? [];
}

/** CPUs that the kernel was started to keep work away from; it says `(null)` where there are none. */
function quietCpus(tree: Tree): readonly number[] {
  return ['isolated', 'nohz_full'].flatMap((name) => {
    const text = tree.text(`devices/system/cpu/${name}`)?.trim() ?? '';
    return /^[0-9,-]+$/.test(text) ? parseCpus(text) : [];
  });
}

/** CPUs that are online and that nobody has for himself. */
export function freeCpus({ proc, sys: tree }: Roots, pinned: readonly string[]): readonly number[] {
  const taken = new Set([...pinned.flatMap(parseCpus), ...quietCpus(tree)]);
  return onlineCpus(proc, tree).filter((cpu) => !taken.has(cpu));
}
