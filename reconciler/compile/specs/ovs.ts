import type { Tuning } from '../../../schemas/types.ts';
import { distance, nearest } from '../suggest.ts';
import type { Say } from './say.ts';

/** What a key of other_config may say: why a text is none of that, undefined where it is. */
type Check = (text: string) => string | undefined;

const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check =>
  (text) => {
    const range =
      most === Number.MAX_SAFE_INTEGER ? `of at least ${String(least)}` : `from ${String(least)} to ${String(most)}`;
    const fits = /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;
    return fits ? undefined : `a whole number ${range}`;
  };

const one =
  (...words: readonly string[]): Check =>
  (text) =>
    words.includes(text) ? undefined : `one of ${words.join(', ')}`;

const shaped =
  (pattern: RegExp, what: string): Check =>
  (text) =>
    pattern.test(text) ? undefined : what;

const yes = one('true', 'false');
const mask = shaped(/^(0[xX])?0*[1-9a-fA-F][0-9a-fA-F]*$/, 'a mask of CPUs in hexadecimal, of at least one, as 0x6');
const perSocket = shaped(/^\d+(,\d+)*$/, 'megabytes for each NUMA node, as 1024,0');

/** Keys of the Open_vSwitch table with type and range, by ovs-vswitchd.conf.db(5) of Open vSwitch 2.13 to 3.5. */
const KEYS: Readonly<Record<string, Check>> = {
  'bundle-idle-timeout': whole(1),
  'dpdk-alloc-mem': whole(0),
  'dpdk-extra': shaped(/\S/, 'arguments of DPDK'),
  'dpdk-hugepage-dir': shaped(/^\//, 'an absolute path'),
  'dpdk-init': one('true', 'false', 'try'),
  'dpdk-lcore-mask': mask,
  'dpdk-max-memzones': whole(0),
  'dpdk-socket-limit': perSocket,
  'dpdk-socket-mem': perSocket,
  'emc-insert-inv-prob': whole(0, 4_294_967_295),
  'enable-statistics': yes,
  'flow-limit': whole(0),
  'flow-restore-wait': yes,
  'hw-offload': yes,
  'max-idle': whole(500),
  'max-revalidator': whole(100),
  'min-revalidate-pps': whole(0),
  'n-handler-threads': whole(1),
  'n-offload-threads': whole(1, 10),
  'n-revalidator-threads': whole(1),
  'offload-rebalance': yes,
  'per-port-memory': yes,
  'pmd-auto-lb': yes,
  'pmd-auto-lb-improvement-threshold': whole(0, 100),
  'pmd-auto-lb-load-threshold': whole(0, 100),
  'pmd-auto-lb-rebal-interval': whole(0, 20_000),
  'pmd-cpu-mask': mask,
  'pmd-maxsleep': whole(0, 10_000),
  'pmd-perf-metrics': yes,
  'pmd-rxq-assign': one('cycles', 'roundrobin', 'group'),
  'pmd-rxq-isolate': yes,
  'pmd-sleep-max': shaped(/^(\d+|\d+:\d+(,\s*\d+:\d+)*)$/, 'microseconds, or for each NUMA node as 0:50,1:100'),
  'shared-mempool-config': shaped(/^\d+(:\d+)?(,\d+(:\d+)?)*$/, 'sizes of packets, as 9000,1500:1'),
  'smc-enable': yes,
  'stats-update-interval': whole(5000),
  'tc-policy': one('none', 'skip_sw', 'skip_hw'),
  'tx-flush-interval': whole(0, 1_000_000),
  'userspace-tso-enable': yes,
  'vhost-iommu-support': yes,
  'vhost-postcopy-support': yes,
  'vhost-sock-dir': shaped(/^[^/]/, 'a path below the run directory of Open vSwitch'),
  'vlan-limit': whole(0),
};

/** Those that the manifest has for a bridge. */
const OF_BRIDGES: readonly string[] = ['mac-aging-time', 'mac-table-size'];

/** A key of which two letters at most are other than those of a known one was meant to be that. */
const TYPO = 2;

function checkKey(key: string, text: string, say: Say): void {
  const pointer = `/spec/ovs/otherConfig/${key}`;
  if (OF_BRIDGES.includes(key)) {
    say(pointer, 'BAD_VALUE', `${key} is of a bridge, not of all Open vSwitch`, `as ovs.bridges.br-int.${key}`);
    return;
  }
  const check = KEYS[key];
  if (check === undefined) {
    const near = nearest(key, Object.keys(KEYS));
    if (near !== undefined && distance(key, near) <= TYPO)
      say(pointer, 'BAD_VALUE', `Open vSwitch knows no ${key} in other_config`, `did you mean "${near}"?`);
    return;
  }
  const wanted = check(text);
  if (wanted !== undefined) say(pointer, 'BAD_VALUE', `${key} cannot be ${text}: it is ${wanted}`);
}

/** What other_config is to say, by key: of all Open vSwitch, and of a bridge as `mac-table-size[bridge=br-int]`. Keys that are not known here are taken as they are. */
export function ovsConfig(
  { otherConfig = {}, bridges = {} }: NonNullable<Tuning['spec']['ovs']>,
  say: Say,
): Readonly<Record<string, string>> {
  const global = Object.entries(otherConfig).map(([key, value]) => [key, String(value)] as const);
  for (const [key, text] of global) checkKey(key, text, say);
  const { 'pmd-rxq-isolate': isolate, 'pmd-rxq-assign': assign } = Object.fromEntries(global);
  if (isolate === 'false' && assign !== 'group')
    say(
      '/spec/ovs/otherConfig/pmd-rxq-isolate',
      'BAD_VALUE',
      'pmd-rxq-isolate can be false only with pmd-rxq-assign: group',
    );
  const ofBridges = Object.entries(bridges).flatMap(([bridge, config]) =>
    Object.entries(config).map(([key, value]) => [`${key}[bridge=${bridge}]`, String(value)] as const),
  );
  return Object.fromEntries([...global, ...ofBridges]);
}
