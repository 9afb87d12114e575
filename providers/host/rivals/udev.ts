import type { Tree } from '../inventory/tree.ts';
import { commandsIn, type Written } from './commands.ts';
import { APPEARS, confFiles, folders, matcher, ofEach, readOnce, type BootSetting, type Line } from './lines.ts';

/** A part of a rule: `ATTR{queue/scheduler}="none"`. */
interface Part {
  readonly key: string;
  /** What stands in braces. */
  readonly name: string;
  readonly sign: string;
  readonly value: string;
  /** Of a condition: whether a subject is as one of the patterns says. */
  readonly fits?: (subject: string) => boolean;
}

interface Rule {
  readonly parts: readonly Part[];
  readonly at: string;
}

interface Device {
  readonly kind: 'block' | 'net';
  readonly name: string;
  /** Below /sys. */
  readonly folder: string;
}

const PARTS = /([A-Z_]+)(?:\{([^}]*)\})?\s*(==|!=|\+=|-=|:=|=)\s*i?"((?:[^"\\]|\\.)*)"/g;

const CONDITION = /^[=!]=$/;
/** Commands that set something (`commands.ts`). */
const RUNS = /\b(ethtool|ip|ifconfig|sysctl|echo)\b/;

function partsOf(text: string): readonly Part[] {
  return [...text.matchAll(PARTS)].map(([, key = '', name = '', sign = '', value = '']): Part => {
    const part = { key, name, sign, value };
    if (!CONDITION.test(sign)) return part;
    const patterns = value.split('|').map(matcher);
    return { ...part, fits: (subject) => patterns.some((one) => one(subject)) };
  });
}

const valueOf = ({ parts }: Rule, key: string): string | undefined => parts.find((part) => part.key === key)?.value;

/** Attributes that are files of knobs (`knobs/places.ts`). */
const OF_KNOBS =
  /^(queue\/(scheduler|read_ahead_kb|nr_requests)|mtu|tx_queue_len|queues\/[^/]+\/(rps_cpus|rps_flow_cnt|xps_cpus))$/;

const sets = ({ key, name, sign }: Part): boolean => key === 'ATTR' && !CONDITION.test(sign) && OF_KNOBS.test(name);
const writes = ({ parts }: Rule): boolean =>
  parts.some((part) => sets(part) || (part.key === 'RUN' && RUNS.test(part.value)));

/** Without the rules that lead past nothing that counts, which are most of them. */
function leading(rules: readonly Rule[]): readonly Rule[] {
  const kept = new Set<Rule>();
  const labels = new Set<string>();
  for (const [at, rule] of [...rules.entries()].reverse()) {
    if (writes(rule)) kept.add(rule);
    const label = valueOf(rule, 'GOTO');
    if (label === undefined) continue;
    const to = rules.findIndex((one, index) => index > at && valueOf(one, 'LABEL') === label);
    if (!rules.slice(at + 1, to === -1 ? undefined : to).some((one) => kept.has(one))) continue;
    kept.add(rule);
    labels.add(label);
  }
  return rules.filter((rule) => kept.has(rule) || labels.has(valueOf(rule, 'LABEL') ?? ''));
}

/** The rules of a file that may write something, or lead past others. A backslash at the end goes on in the next line. */
function rulesIn(lines: readonly Line[]): readonly Rule[] {
  const rules: Rule[] = [];
  let before = '';
  let first = '';
  for (const { text, at } of lines) {
    if (before === '') first = at;
    before += text.replace(/\\$/, '');
    if (text.endsWith('\\')) continue;
    if (/ATTR\{[^}]*\}\s*:?=\s*"|RUN|GOTO|LABEL/.test(before)) {
      rules.push({ parts: partsOf(before), at: first });
    }
    before = '';
  }
  return leading(rules);
}

/** Attributes that the kernel tells from memory. To read others can wait for a lock that a driver holds for seconds, or for firmware. */
const FROM_MEMORY: Readonly<Record<Device['kind'], RegExp>> = {
  block: /^(size|ro|removable|hidden|range|ext_range|dev|queue\/\w+|device\/(vendor|model|rev|type))$/,
  net: /^(address|type|mtu|ifindex|dev_id|dev_port|addr_assign_type|name_assign_type|tx_queue_len|device\/(vendor|device|subsystem_vendor|subsystem_device))$/,
};

function attributeOf(sys: Tree, { kind, folder }: Device, name: string): string | undefined {
  if (FROM_MEMORY[kind].test(name)) return sys.text(`${folder}/${name}`) ?? '';
  return sys.has(`${folder}/${name}`) ? undefined : '';
}

/** What a condition asks of a device; undefined where only udev knows. */
function subjectOf(sys: Tree, device: Device, { key, name: inner }: Part): string | undefined {
  const { kind, name } = device;
  if (key === 'ACTION') return 'add';
  if (key === 'SUBSYSTEM') return kind;
  if (key === 'KERNEL' || key === 'NAME') return name;
  if (key === 'ATTR') return attributeOf(sys, device, inner);
  if (key === 'ENV' && inner === 'DEVTYPE' && kind === 'block') return 'disk';
  if (key === 'DRIVERS' || (key === 'ENV' && inner === 'ID_NET_DRIVER'))
    return kind === 'net' ? (sys.target(`${device.folder}/device/driver`) ?? 'unknown') : undefined;
  return undefined;
}

/** Whether a rule is about a device: yes, no, or what only udev knows. */
function fits(sys: Tree, device: Device, { parts }: Rule): 'yes' | 'no' | 'perhaps' {
  let sure = true;
  for (const part of parts) {
    if (!part.fits) continue;
    const subject = subjectOf(sys, device, part);
    if (subject === undefined) sure = false;
    else if (part.fits(subject) === (part.sign === '!=')) return 'no';
  }
  return sure ? 'yes' : 'perhaps';
}

/** `RUN+="/usr/sbin/ethtool -G $name rx 4096 tx 4096"`, `RUN+="/bin/sh -c 'echo 512 > /sys/block/%k/queue/nr_requests'"`: of the device itself or of the card that is named. */
function byCommand({ kind, name }: Device, command: string): readonly Written[] {
  const own = command.replace(/%k|\$kernel\b|\$name\b/g, name);
  return commandsIn(own, (word) => (kind === 'net' && (/[$%]/.test(word) || word === name) ? name : undefined));
}

function written(sys: Tree, device: Device, { parts, at }: Rule): readonly BootSetting[] {
  return parts.flatMap((part): readonly BootSetting[] => {
    if (part.key === 'RUN') return byCommand(device, part.value).map((one) => ({ ...one, at, when: APPEARS }));
    if (!sets(part) || !sys.has(`${device.folder}/${part.name}`)) return [];
    const plain = /[$%]/.test(part.value) ? {} : { value: part.value };
    return [{ path: `/sys/${device.folder}/${part.name}`, at, when: APPEARS, ...plain }];
  });
}

/** What the rules write of a device, in their order. */
function writtenTo(sys: Tree, device: Device, rules: readonly Rule[]): readonly BootSetting[] {
  let past: string | undefined;
  return rules.flatMap((rule) => {
    const label = valueOf(rule, 'LABEL');
    if (past !== undefined && label === past) past = undefined;
    if (past !== undefined) return [];
    const answer = fits(sys, device, rule);
    if (answer === 'no') return [];
    const leads = valueOf(rule, 'GOTO');
    if (answer === 'yes' && leads !== undefined) past = leads;
    return written(sys, device, rule);
  });
}

/** Reads what rules of udev(7) write of the disks and cards of a machine; of several the last counts. */
export function udevReader(root: string): (sys: Tree, devices: readonly string[]) => readonly BootSetting[] {
  const rulesOf = readOnce(root, rulesIn);
  const each = ofEach<readonly Rule[]>((files, folder, sys) => {
    const name = folder.slice(folder.lastIndexOf('/') + 1);
    const device: Device = { kind: folder.startsWith('block/') ? 'block' : 'net', name, folder };
    return files.flatMap((rules) => writtenTo(sys, device, rules));
  });
  return (sys, devices) =>
    each(
      confFiles(root, folders('udev/rules.d'), '.rules').map((path) => rulesOf(path)),
      devices,
      sys,
    );
}
