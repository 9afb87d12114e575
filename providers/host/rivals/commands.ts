import { FLAGS, type Group } from '../ethtool.ts';
import { pathOf } from '../key.ts';

/** A file or a setting of a card that a command sets, and to what. */
export interface Written {
  /** `/sys/class/net/eth0/mtu`, `/nic/eth0/rings/rx`, `/proc/sys/vm/swappiness`. */
  readonly path: string;
  readonly value: string;
}

/** Which card a word of a command stands for: `$IFACE`, `eth0`; undefined where it is none that counts. */
export type CardOf = (word: string) => string | undefined;

type Reads = (command: string, cardOf: CardOf) => readonly Written[];

/** Options by which ethtool(8) sets a group, beside those of one letter. */
const LONG: Readonly<Record<string, Group>> = {
  '--set-ring': 'rings',
  '--set-channels': 'channels',
  '--coalesce': 'coalescing',
  '--features': 'offloads',
  '--offload': 'offloads',
};

const groupOf = (option: string): Group | undefined =>
  LONG[option] ?? (Object.keys(FLAGS) as Group[]).find((group) => FLAGS[group].includes(option));

const plain = (word: string): string => word.replace(/^(["'])(.*)\1$/, '$2');

/** Names and values in turn: `rx 4096 tx 4096`. */
const pairsOf = (text: string): readonly (readonly [name: string, value: string])[] =>
  [...text.matchAll(/([\w-]+)\s+(on|off|\d+)\b/g)].map(([, name = '', value = '']) => [name, value]);

const byEthtool: Reads = (command, cardOf) => {
  const [, option = '', word = '', rest = ''] = /\bethtool\s+(-\S+)\s+(\S+)\s+(.*)/.exec(command) ?? [];
  const group = groupOf(option);
  const card = cardOf(plain(word));
  if (group === undefined || card === undefined) return [];
  return pairsOf(rest).map(([name, value]) => ({ path: `/nic/${card}/${group}/${name}`, value }));
};

/** Words of ip-link(8) and ifconfig(8) that are files of a card. */
const FILES: Readonly<Record<string, string>> = {
  mtu: 'mtu',
  txqueuelen: 'tx_queue_len',
  txqlen: 'tx_queue_len',
  qlen: 'tx_queue_len',
};

const byLink: Reads = (command, cardOf) => {
  const [, word = '', rest = ''] = /\b(?:ip\s+link\s+set|ifconfig)\s+(?:dev\s+)?(\S+)\s+(.*)/.exec(command) ?? [];
  const card = cardOf(plain(word));
  if (card === undefined) return [];
  return pairsOf(rest).flatMap(([name, value]) => {
    const file = FILES[name];
    return file === undefined ? [] : [{ path: `/sys/class/net/${card}/${file}`, value }];
  });
};

const byEcho: Reads = (command, cardOf) => {
  const [, value = '', file = ''] =
    /\becho\s+(?:-n\s+)?("[^"]*"|'[^']*'|[^\s>]+)\s*>\s*["']?(\/(?:sys|proc)\/[^\s"']+)/.exec(command) ?? [];
  const path = file.replace(/\$\{?\w+\}?/g, (word) => cardOf(word) ?? word);
  return path === '' ? [] : [{ path, value: plain(value) }];
};

const bySysctl: Reads = (command) => {
  const [, , whole, own] = /\bsysctl\s+(?:-\S+\s+)*(?:(["'])(.*?)\1|(\S+))/.exec(command) ?? [];
  const [, key = '', value = ''] = /^([\w./-]+)=(.*)$/.exec(whole ?? own ?? '') ?? [];
  const path = pathOf(key);
  return path === undefined ? [] : [{ path: `/proc/sys/${path}`, value: plain(value) }];
};

const ALL = [byEthtool, byLink, byEcho, bySysctl];

/** What a line of a shell sets by ethtool(8), ip-link(8), ifconfig(8), sysctl(8), or by echo into a file below /sys or /proc. */
export function commandsIn(line: string, cardOf: CardOf): readonly Written[] {
  return line.split(/[;&|]+/).flatMap((command) => ALL.flatMap((read) => read(command, cardOf)));
}
