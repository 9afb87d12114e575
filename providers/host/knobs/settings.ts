import type { Group } from '../ethtool.ts';

/** The settings of cards that are knobs, `nic.GROUP.NAME`, under the names by which ethtool sets them. */
export const CARD_SETTINGS: Readonly<Record<Group, readonly string[]>> = {
  offloads: [
    'rx',
    'tx',
    'sg',
    'tso',
    'gso',
    'gro',
    'lro',
    'rxvlan',
    'txvlan',
    'rxhash',
    'ntuple',
    'rx-gro-hw',
    'rx-gro-list',
    'rx-udp-gro-forwarding',
    'rx-vlan-filter',
    'tx-nocache-copy',
    'tx-udp-segmentation',
    'tx-udp_tnl-segmentation',
    'hw-tc-offload',
  ],
  rings: ['rx', 'tx', 'rx-mini', 'rx-jumbo'],
  channels: ['combined', 'rx', 'tx'],
  coalescing: [
    'adaptive-rx',
    'adaptive-tx',
    'rx-usecs',
    'rx-frames',
    'rx-usecs-irq',
    'rx-frames-irq',
    'tx-usecs',
    'tx-frames',
    'tx-usecs-irq',
    'tx-frames-irq',
  ],
};

/** Each with its key. */
export const CARD_KNOBS: readonly { readonly key: string; readonly group: Group; readonly name: string }[] = (
  Object.keys(CARD_SETTINGS) as Group[]
).flatMap((group) => CARD_SETTINGS[group].map((name) => ({ key: `nic.${group}.${name}`, group, name })));
