import { disksOf, identityOf, nicNames } from '../inventory/devices.ts';
import type { Tree } from '../inventory/tree.ts';
import { FLAGS, type Group } from '../ethtool.ts';
import { APPEARS, confFiles, folders, linesOf, matches, type BootSetting, type Line } from './lines.ts';

/** A part of a rule: `ATTR{queue/scheduler}="none"`. */
interface Part {
  readonly key: string;
  /** What stands in braces. */
  readonly name: string;
  readonly sign: string;
  readonly value: string;
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

/** The rules of a file that may write something, or lead past others. A backslash at the end goes on in the next line. */
function rulesIn(lines: readonly Line[]): readonly Rule[] {
  const rules: Rule[] = [];
  let before = '';
  let first = '';
  for (const { text, at } of lines) {
    if (before === '') first = at;
    before += text.replace(/\\$/, '');
    if (text.endsWith('\\')) continue;
    if (/ATTR\{[^}]*\}\s*:?=\s*"|ethtool|GOTO|LABEL/.test(before)) {
      const parts = [...before.matchAll(PARTS)].map(([, key = '', name = '', sign = '', value = '']): Part => ({
        key,
        name,
        sign,
        value,
      }));
      rules.push({ parts, at: first });
    }
    before = '';
  }
  return rules;
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
    return kind === 'net' ? identityOf(sys, name).driver : undefined;
  return undefined;
}

const CONDITION = /^[=!]=$/;

/** Whether a rule is about a device: yes, no, or what only udev knows. */
function fits(sys: Tree, device: Device, { parts }: Rule): 'yes' | 'no' | 'perhaps' {
  let sure = true;
  for (const part of parts.filter(({ sign }) => CONDITION.test(sign))) {
    const subject = subjectOf(sys, device, part);
    if (subject === undefined) sure = false;
    else if (part.value.split('|').some((pattern) => matches(pattern, subject)) === (part.sign === '!=')) return 'no';
  }
  return sure ? 'yes' : 'perhaps';
}

/** `RUN+="/usr/sbin/ethtool -G $name rx 4096 tx 4096"`, of the device itself or of the card that it names. */
function byEthtool(device: Device, { value }: Part, at: string): readonly BootSetting[] {
  const [, flag = '', card = '', rest = ''] = /\bethtool\s+(-\S+)\s+(\S+)\s+(.*)/.exec(value) ?? [];
  const group = (Object.keys(FLAGS) as Group[]).find((one) => FLAGS[one].includes(flag));
  if (group === undefined || !(/[$%]/.test(card) || card === device.name)) return [];
  return [...rest.matchAll(/([\w-]+)\s+(on|off|\d+)\b/g)].map(([, name = '', said = '']) => ({
    path: `/nic/${device.name}/${group}/${name}`,
    value: said,
    at,
    when: APPEARS,
  }));
}

function written(sys: Tree, device: Device, { parts, at }: Rule): readonly BootSetting[] {
  return parts.flatMap((part): readonly BootSetting[] => {
    if (part.key === 'RUN' && device.kind === 'net') return byEthtool(device, part, at);
    const own = part.key === 'ATTR' && !CONDITION.test(part.sign) && sys.has(`${device.folder}/${part.name}`);
    if (!own) return [];
    const plain = /[$%]/.test(part.value) ? {} : { value: part.value };
    return [{ path: `/sys/${device.folder}/${part.name}`, at, when: APPEARS, ...plain }];
  });
}

/** What the rules write of a device, in their order. */
function writtenTo(sys: Tree, device: Device, rules: readonly Rule[]): readonly BootSetting[] {
  let past: string | undefined;
  return rules.flatMap((rule) => {
    const label = rule.parts.find(({ key }) => key === 'LABEL')?.value;
    if (past !== undefined && label === past) past = undefined;
    if (past !== undefined) return [];
    const answer = fits(sys, device, rule);
    if (answer === 'no') return [];
    const leads = rule.parts.find(({ key }) => key === 'GOTO')?.value;
    if (answer === 'yes' && leads !== undefined) past = leads;
    return written(sys, device, rule);
  });
}

/** What rules of udev(7) write of the disks and cards of a machine; of several the last counts. */
export function udevSettings(root: string, sys: Tree): readonly BootSetting[] {
  const files = confFiles(root, folders('udev/rules.d'), '.rules').map((file) => rulesIn(linesOf(root, file)));
  const devices: readonly Device[] = [
    ...disksOf(sys).map(({ name }): Device => ({ kind: 'block', name, folder: `block/${name}` })),
    ...nicNames(sys).map((name): Device => ({ kind: 'net', name, folder: `class/net/${name}` })),
  ];
  return devices.flatMap((device) => files.flatMap((rules) => writtenTo(sys, device, rules)));
}
