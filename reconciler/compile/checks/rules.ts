import { choose } from '../choices.ts';
import type { Clash, TableKind, Tables } from '../tables.ts';
import { addressShortages, levelClashes, tooLarge, volumeClashes } from './apps.ts';
import { companionClashes } from './companions.ts';
import { gangClashes } from './gangs.ts';
import { machineClashes, zoneClashes } from './hosts.ts';
import { bridgeClashes, cidrClashes, vlanClashes } from './networks.ts';
import { tuningClashes } from './tunings.ts';
import { uidClashes } from './users.ts';

/** What documents may not say together. */
export interface Rule {
  /** `replicasBefore` of an App in the previous catalog. */
  find(tables: Tables, replicasBefore: (app: string) => number): readonly Clash[];
  /** By which fields it judges objects, as JSON pointers: one of which these are not to be trusted is left out. */
  readonly by: Partial<Readonly<Record<TableKind, readonly string[]>>>;
  /** Kinds of which it must see all to conclude anything. */
  readonly all?: readonly TableKind[];
}

const LABELS = ['/metadata/labels'];
const NETWORK = ['/spec/bridge', '/spec/hosts'];

/** Of Apps that ask for a Zone or Network in place of naming one: by all there are. */
export const CHOICES: Rule = {
  find: (tables) => choose(tables).clashes,
  by: {
    App: ['/spec/zone', '/spec/network', '/spec/level'],
    Zone: ['/spec/traits', '/spec/levels', '/spec/hosts'],
    Network: ['/spec/isolation', '/spec/hosts'],
    Host: LABELS,
  },
  all: ['Zone', 'Network', 'Host'],
};

/** Of hosts: in one Zone, and each its own machine. What is left of the objects must be looked at again. */
export const HOST_RULES: readonly Rule[] = [
  { find: machineClashes, by: { Host: ['/spec/machine'] } },
  { find: zoneClashes, by: { Host: LABELS, Zone: ['/spec/hosts'] } },
];

/** Of what hosts share. */
export const SHARING_RULES: readonly Rule[] = [
  { find: vlanClashes, by: { Network: [...NETWORK, '/spec/vlan'], Host: LABELS } },
  { find: cidrClashes, by: { Network: ['/spec/cidr', '/spec/hosts'], Host: LABELS } },
  { find: bridgeClashes, by: { Network: [...NETWORK, '/spec/datapath', '/spec/uplink'], Host: LABELS } },
  {
    find: tuningClashes,
    by: {
      Tuning: ['/spec/hosts', '/spec/zone', '/spec/hardware', '/spec/priority'],
      Host: [...LABELS, '/spec/hardware'],
      Zone: ['/spec/hosts'],
    },
  },
];

/** Of Apps whose references hold. */
export const APP_RULES: readonly Rule[] = [
  { find: levelClashes, by: { App: ['/spec/level', '/spec/zone'], Zone: ['/spec/levels'] } },
  { find: volumeClashes, by: { App: ['/spec/volumes', '/spec/zone'], Zone: ['/spec/allowedHostPaths'] } },
  { find: companionClashes, by: { App: ['/spec/affinity', '/spec/antiAffinity', '/spec/zone'] } },
  { find: gangClashes, by: { App: ['/spec/gang', '/spec/replicas'] } },
  { find: uidClashes, by: { App: ['/spec/user', '/spec/ulimits', '/spec/zone'] } },
  {
    find: tooLarge,
    by: {
      App: ['/spec/resources', '/spec/zone', '/spec/network', '/spec/hosts'],
      Zone: ['/spec/hosts', '/spec/overcommit', '/spec/reserve'],
      Network: ['/spec/hosts'],
      Host: [...LABELS, '/spec/capacity', '/spec/performance'],
    },
    all: ['Host'],
  },
  {
    find: addressShortages,
    by: {
      Network: ['/spec/cidr', '/spec/ranges', '/spec/exclude', '/spec/gateway'],
      App: ['/spec/replicas', '/spec/network'],
    },
  },
];
