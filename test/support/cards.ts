import fs from 'node:fs';
import { basename, join } from 'node:path';
import type { Run } from '../../providers/host/ethtool.ts';

/** What `ethtool -k`, `-g`, `-l` and `-c` show of a card, less the first line, which has its name. */
interface Transcript {
  readonly offloads: string;
  readonly rings: string;
  readonly channels: string;
  readonly coalescing: string;
}

type Amounts = Readonly<Record<string, number | undefined>>;

/** How versions of ethtool print: those since netlink (5.9) say n/a for what there is not, and more. */
type Version = '6.1' | '5.0';
const NONE: Readonly<Record<Version, string>> = { '6.1': 'n/a', '5.0': '0' };

/** The most, and now; tabs so that figures stand below each other. */
function amounts(names: readonly string[], most: Amounts, now: Amounts, version: Version): string {
  const lines = (of: Amounts): string =>
    names.map((name) => `${name}:${name.length < 7 ? '\t\t' : '\t'}${String(of[name] ?? NONE[version])}\n`).join('');
  return `Pre-set maximums:\n${lines(most)}Current hardware settings:\n${lines(now)}`;
}

/** Rings, as `ethtool -g` prints them; `split` is what it says of TCP data split. */
function ringsOf(most: Amounts, now: Amounts, version: Version = '6.1', split = 'n/a'): string {
  const more = `RX Buf Len:\t\tn/a\nCQE Size:\t\tn/a\nTX Push:\toff\nTCP data split:\t${split}\n`;
  return amounts(['RX', 'RX Mini', 'RX Jumbo', 'TX'], most, now, version) + (version === '6.1' ? more : '');
}

const channelsOf = (most: Amounts, now: Amounts, version: Version = '6.1'): string =>
  amounts(['RX', 'TX', 'Other', 'Combined'], most, now, version);

/** Coalescing, as `ethtool -c` prints it: adaptive for receiving and sending, and each other that the card has. */
function coalescingOf(rx: string, tx: string, has: Amounts, version: Version = '6.1'): string {
  const lines = (...names: readonly string[]): string =>
    names.map((name) => `${name}: ${String(has[name] ?? NONE[version])}\n`).join('');
  const of = (way: string): string =>
    lines(...['usecs', 'frames', 'usecs-irq', 'frames-irq'].map((what) => `${way}-${what}`));
  const load = (level: string): string =>
    lines(...['rx-usecs', 'rx-frame', 'tx-usecs', 'tx-frame'].map((what) => `${what}-${level}`));
  const first = lines('stats-block-usecs', 'sample-interval', 'pkt-rate-low', 'pkt-rate-high');
  const more = version === '6.1' ? 'CQE mode RX: n/a  TX: n/a\n\n' : '';
  return `Adaptive RX: ${rx}  TX: ${tx}\n${first}\n${of('rx')}\n${of('tx')}\n${load('low')}\n${load('high')}\n${more}`;
}

/**
 * By driver. Features are as these machines showed them, less some that no knob is about: mlx5_core by Gal Pressman (netdev, 29 June
 * 2023, "gro: decrease size of CB"), ixgbe by Ryan Cox (netdev, 6 August 2020, "macsec: preserve ingress frame ordering"), tg3 by Rudolf
 * Spring (netdev, 13 November 2019, "Tigon3", all four groups, ethtool of before netlink), virtio_net by a Firecracker guest of Linux
 * 6.18 (all four, ethtool 6.1). Coalescing of mlx5_core is that of github.com/vyos/vyos-1x/pull/4919. Of the rest no machine's output is at
 * hand: it is written as ethtool 6.1 prints it, with the figures of the drivers' sources. Rings: drivers/net/ethernet/mellanox/mlx5/core/en.h
 * (MLX5E_PARAMS_DEFAULT_LOG_RQ_SIZE 0xa, MAXIMUM 0xd, SQ likewise) and drivers/net/ethernet/intel/ixgbe/ixgbe.h (IXGBE_DEFAULT_RXD 512, IXGBE_MAX_RXD
 * 4096, TXD likewise). Channels: of mlx5_core one for each CPU, combined only; of ixgbe "tx 0 rx 0 other 1 combined 32" as it printed on
 * github.com/ntop/PF_RING/issues/269, of 63 with one other as in github.com/distributed-system-analysis/pbench/issues/264. Coalescing of ixgbe:
 * it takes microseconds only (ETHTOOL_COALESCE_USECS), 1 and 0 as its sibling ixgbevf in github.com/scylladb/scylladb/issues/1974.
 */
const TRANSCRIPTS: Readonly<Record<string, Transcript>> = {
  mlx5_core: {
    offloads: `rx-checksumming: on
tx-checksumming: on
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: on
\ttx-checksum-ipv6: off [fixed]
\ttx-checksum-fcoe-crc: off [fixed]
\ttx-checksum-sctp: off [fixed]
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: on
\ttx-tcp-segmentation: on
\ttx-tcp-ecn-segmentation: off [fixed]
\ttx-tcp-mangleid-segmentation: off
\ttx-tcp6-segmentation: on
generic-segmentation-offload: on
generic-receive-offload: on
large-receive-offload: off
rx-vlan-offload: on
tx-vlan-offload: on
ntuple-filters: off
receive-hashing: on
highdma: on [fixed]
rx-vlan-filter: on
tx-gso-robust: off [fixed]
tx-fcoe-segmentation: off [fixed]
tx-udp_tnl-segmentation: on
tx-gso-partial: on
tx-udp-segmentation: on
tx-nocache-copy: off
rx-fcs: off
rx-all: on
rx-vlan-stag-filter: on [fixed]
hw-tc-offload: on
esp-hw-offload: on [fixed]
rx-gro-hw: off [fixed]
rx-gro-list: off
rx-udp-gro-forwarding: off
`,
    rings: ringsOf({ RX: 8192, TX: 8192 }, { RX: 1024, TX: 1024 }, '6.1', 'off'),
    channels: channelsOf({ Combined: 40 }, { Combined: 40 }),
    coalescing: coalescingOf('on', 'on', { 'rx-usecs': 8, 'rx-frames': 128, 'tx-usecs': 8, 'tx-frames': 128 }),
  },
  ixgbe: {
    offloads: `rx-checksumming: on
tx-checksumming: on
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: on
\ttx-checksum-ipv6: off [fixed]
\ttx-checksum-fcoe-crc: on [fixed]
\ttx-checksum-sctp: on
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: on
\ttx-tcp-segmentation: on
\ttx-tcp-ecn-segmentation: off [fixed]
\ttx-tcp-mangleid-segmentation: off
\ttx-tcp6-segmentation: on
generic-segmentation-offload: on
generic-receive-offload: on
large-receive-offload: off
rx-vlan-offload: on
tx-vlan-offload: on
ntuple-filters: off
receive-hashing: on
highdma: on [fixed]
rx-vlan-filter: on
tx-gso-robust: off [fixed]
tx-fcoe-segmentation: on [fixed]
tx-udp_tnl-segmentation: on
tx-gso-partial: on
tx-udp-segmentation: on
tx-nocache-copy: off
rx-fcs: off [fixed]
rx-all: off
l2-fwd-offload: off
hw-tc-offload: off
esp-hw-offload: on
rx-gro-hw: off [fixed]
rx-gro-list: off
macsec-hw-offload: off [fixed]
`,
    rings: ringsOf({ RX: 4096, TX: 4096 }, { RX: 512, TX: 512 }),
    channels: channelsOf({ Other: 1, Combined: 63 }, { Other: 1, Combined: 32 }),
    coalescing: coalescingOf('n/a', 'n/a', { 'rx-usecs': 1, 'tx-usecs': 0 }),
  },
  tg3: {
    offloads: `rx-checksumming: on
tx-checksumming: on
\ttx-checksum-ipv4: on
\ttx-checksum-ip-generic: off [fixed]
\ttx-checksum-ipv6: on
\ttx-checksum-fcoe-crc: off [fixed]
\ttx-checksum-sctp: off [fixed]
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: on
\ttx-tcp-segmentation: on
\ttx-tcp-ecn-segmentation: on
\ttx-tcp-mangleid-segmentation: off
\ttx-tcp6-segmentation: on
udp-fragmentation-offload: off
generic-segmentation-offload: on
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-vlan-offload: on [fixed]
tx-vlan-offload: on [fixed]
ntuple-filters: off [fixed]
receive-hashing: off [fixed]
highdma: on
rx-vlan-filter: off [fixed]
tx-udp_tnl-segmentation: off [fixed]
tx-udp-segmentation: off [fixed]
tx-nocache-copy: off
hw-tc-offload: off [fixed]
rx-gro-hw: off [fixed]
`,
    rings: ringsOf({ RX: 511, 'RX Jumbo': 255, TX: 511 }, { RX: 200, 'RX Jumbo': 100, TX: 511 }, '5.0'),
    channels: channelsOf({ RX: 4, TX: 1 }, { RX: 4, TX: 1 }, '5.0'),
    coalescing: coalescingOf(
      'off',
      'off',
      { 'rx-usecs': 20, 'rx-frames': 5, 'rx-frames-irq': 5, 'tx-usecs': 72, 'tx-frames': 53, 'tx-frames-irq': 5 },
      '5.0',
    ),
  },
  virtio_net: {
    offloads: `rx-checksumming: on [fixed]
tx-checksumming: on
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: on
\ttx-checksum-ipv6: off [fixed]
\ttx-checksum-fcoe-crc: off [fixed]
\ttx-checksum-sctp: off [fixed]
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: on
\ttx-tcp-segmentation: on
\ttx-tcp-ecn-segmentation: off [fixed]
\ttx-tcp-mangleid-segmentation: off
\ttx-tcp6-segmentation: on
generic-segmentation-offload: on
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-vlan-offload: off [fixed]
tx-vlan-offload: off [fixed]
ntuple-filters: off [fixed]
receive-hashing: off [fixed]
highdma: on [fixed]
rx-vlan-filter: off [fixed]
tx-gso-robust: on [fixed]
tx-fcoe-segmentation: off [fixed]
tx-udp_tnl-segmentation: off [fixed]
tx-gso-partial: off [fixed]
tx-udp-segmentation: off [fixed]
tx-nocache-copy: off
rx-fcs: off [fixed]
rx-all: off [fixed]
rx-vlan-stag-filter: off [fixed]
l2-fwd-offload: off [fixed]
hw-tc-offload: off [fixed]
esp-hw-offload: off [fixed]
rx-gro-hw: on [fixed]
rx-gro-list: off
macsec-hw-offload: off [fixed]
rx-udp-gro-forwarding: off
`,
    rings: ringsOf({ RX: 256, TX: 256 }, { RX: 256, TX: 256 }),
    channels: channelsOf({ Combined: 1 }, { Combined: 1 }),
    coalescing: coalescingOf('off', 'n/a', { 'rx-usecs': 0, 'rx-frames': 1, 'tx-usecs': 0, 'tx-frames': 1 }),
  },
};

/** The cards of a machine whose sysfs is below a folder, as ethtool shows and sets them. */
export interface CardBench {
  readonly run: Run;
  /** What it was asked, as `-G eno1 rx 511`. */
  readonly asked: string[];
  /** All that it shows, by card and group. */
  all(): Readonly<Record<string, string>>;
  /** What a hand sets. */
  set(card: string, flag: string, name: string, value: string): Promise<void>;
  /** What the kernel does not take, as `['rx', '511', 'tx', '511']`; nothing more if absent. */
  refuses?: (words: readonly string[]) => boolean;
}

const GROUPS: Readonly<Record<string, keyof Transcript>> = {
  k: 'offloads',
  g: 'rings',
  l: 'channels',
  c: 'coalescing',
};
const LONG: Readonly<Record<string, string>> = {
  rx: 'rx-checksumming',
  tx: 'tx-checksumming',
  sg: 'scatter-gather',
  tso: 'tcp-segmentation-offload',
  gso: 'generic-segmentation-offload',
  gro: 'generic-receive-offload',
  lro: 'large-receive-offload',
  rxvlan: 'rx-vlan-offload',
  txvlan: 'tx-vlan-offload',
  ntuple: 'ntuple-filters',
  rxhash: 'receive-hashing',
};

/** The text after a setting; undefined where the card does not take it. TCP segmentation waits for checksums, as in the kernel. */
function changed(group: keyof Transcript, text: string, name: string, value: string): string | undefined {
  if (group === 'offloads') {
    const long = LONG[name] ?? name;
    if (new RegExp(`^\\s*${long}: ${value}$`, 'm').test(text)) return text;
    const line = new RegExp(`^(\\s*${long}): (on|off)( \\[requested \\w+\\])?$`, 'm');
    if (!line.test(text)) return undefined;
    const next = text.replace(line, `$1: ${value}`);
    if (name === 'tx' && value === 'off')
      return next.replace(/^(tcp-segmentation-offload): on$/m, '$1: off [requested on]');
    if (name === 'tx') return next.replace(/^(tcp-segmentation-offload): off \[requested on\]$/m, '$1: on');
    const kept = name === 'tso' && value === 'on' && /^tx-checksumming: off/m.test(text);
    return kept ? text.replace(line, '$1: off [requested on]') : next;
  }
  if (group === 'coalescing') {
    const adaptive = /^adaptive-(rx|tx)$/.exec(name)?.[1]?.toUpperCase();
    const line = adaptive ? new RegExp(`(${adaptive}: )(on|off)`) : new RegExp(`^(${name}: )(\\d+)$`, 'm');
    return line.test(text) ? text.replace(line, `$1${value}`) : undefined;
  }
  const [most = '', now = ''] = text.split('Current hardware settings:');
  const label = { rx: 'RX', tx: 'TX', combined: 'Combined', 'rx-mini': 'RX Mini', 'rx-jumbo': 'RX Jumbo' }[name] ?? '';
  const max = new RegExp(`^${label}:\\t+(\\d+)$`, 'm').exec(most)?.[1];
  if (Number(value) > Number(max ?? 0)) return undefined;
  return `${most}Current hardware settings:${now.replace(new RegExp(`^(${label}:\\t+)\\d+$`, 'm'), `$1${value}`)}`;
}

type Pairs = readonly (readonly [name: string, value: string])[];

/** Of features the kernel takes those that it can. */
function offloadsAfter(text: string, pairs: Pairs): string {
  return pairs.reduce((now, [name, value]) => changed('offloads', now, name, value) ?? now, text);
}

/** Of all others all or none. */
function allAfter(group: keyof Transcript, text: string, pairs: Pairs): string | undefined {
  return pairs.reduce<string | undefined>(
    (now, [name, value]) => (now === undefined ? undefined : changed(group, now, name, value)),
    text,
  );
}

const refused = (words: string) => ({ status: 1, stdout: '', stderr: words });

/** Cards by their driver's transcript; a driver of none has nothing to set. */
export function cardBench(root: string): CardBench {
  const folder = join(root, 'sys/class/net');
  const shown = new Map<string, Record<keyof Transcript, string>>();
  for (const card of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    const driver = join(folder, card, 'device/driver');
    const transcript = fs.existsSync(driver) ? TRANSCRIPTS[basename(fs.realpathSync(driver))] : undefined;
    if (transcript) shown.set(card, { ...transcript });
  }
  const asked: string[] = [];
  const bench: CardBench = {
    run,
    asked,
    all: () =>
      Object.fromEntries(
        [...shown].flatMap(([card, texts]) =>
          Object.entries(texts).map(([group, text]) => [`ethtool/${card}/${group}`, text]),
        ),
      ),
    async set(card, flag, name, value) {
      await run([flag, card, name, value]);
    },
  };
  function run(args: Parameters<Run>[0]): ReturnType<Run> {
    asked.push(args.join(' '));
    const [flag = '', card = '', ...words] = args;
    const group = GROUPS[flag.slice(1).toLowerCase()];
    if (!fs.existsSync(join(folder, card)))
      return Promise.resolve(
        refused('netlink error: no device matches name (offset 24)\nnetlink error: No such device\n'),
      );
    const texts = shown.get(card);
    if (!group || !texts) return Promise.resolve(refused('netlink error: Operation not supported\n'));
    if (words.length === 0)
      return Promise.resolve({ status: 0, stdout: `${group} of ${card}:\n${texts[group]}`, stderr: '' });
    if (bench.refuses?.(words) === true) return Promise.resolve(refused('netlink error: Invalid argument\n'));
    const pairs = words.flatMap((name, at) => (at % 2 === 0 ? [[name, words[at + 1] ?? ''] as const] : []));
    const before = texts[group];
    const next = group === 'offloads' ? offloadsAfter(before, pairs) : allAfter(group, before, pairs);
    if (next !== undefined) texts[group] = next;
    const took = ([name, value]: readonly [string, string]): boolean =>
      group !== 'offloads' || new RegExp(`^\\s*${LONG[name] ?? name}: ${value}\\b`, 'm').test(texts[group]);
    if (group === 'offloads' && !pairs.some(took))
      return Promise.resolve(refused('Could not change any device features\n'));
    if (next === undefined) return Promise.resolve(refused('netlink error: Invalid argument\n'));
    // as versions before 5.9 end
    if (group !== 'offloads' && next === before)
      return Promise.resolve({ status: 80, stdout: '', stderr: `no ${group} parameters changed, aborting\n` });
    return Promise.resolve({ status: 0, stdout: '', stderr: '' });
  }
  return bench;
}
