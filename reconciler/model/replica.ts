import type { AppSpec, NetworkSpec } from './catalog.ts';
import type { Claim, Limitation, Observed, Origin } from './change.ts';
import type { Demand } from './demand.ts';
import type { MemoryUse } from './memory.ts';
import type { Slot } from './slots.ts';

/** Where a replica is in its life, as its host or the controller reports it. */
export type Phase =
  'Pending' | 'Placed' | 'Starting' | 'Running' | 'Ready' | 'Frozen' | 'Draining' | 'Stopping' | 'Gone' | 'Lost';

/** Where a replica is, decided and committed. */
export interface Placement {
  readonly replica: string;
  readonly app: string;
  readonly zone: string;
  readonly host: string;
  readonly network: string;
  readonly address: string;
  readonly demand: Demand;
  /** Rises whenever the replica gets a new home. */
  readonly epoch: number;
  /** The host that it moved away from with its address: until that has let it go, this one may not plug it in. */
  readonly from?: string;
  /**
   * The replica that gets its place (preemption). Its host is to stop it; the other one is placed once the host has let it go. Until
   * then room and address stay reserved for this one.
   */
  readonly yields?: string;
}

/** One replica as its host is to run it. */
export interface AssignedReplica {
  readonly id: string;
  readonly app: string;
  readonly owner: string;
  readonly spec: AppSpec;
  readonly placement: Placement;
  readonly origin: Origin;
  /** Lines of the App's manifest, by JSON pointer: those that its host can be asked for. */
  readonly fields: Readonly<Record<string, Origin>>;
  /** `plugOf` the Network as it is to be plugged in; absent in what an older controller assigned. */
  readonly plug?: string;
  /** The Network before its last change, while the replica is to stay with that: its turn has not come, or the change was given up. */
  readonly holds?: AssignedNetwork;
}

export interface AssignedNetwork {
  readonly name: string;
  readonly spec: Omit<NetworkSpec, 'isolation'>;
  readonly origin: Origin;
  /** The same of its own manifest. */
  readonly fields: Readonly<Record<string, Origin>>;
}

/** One knob with the value that won and the line that says so. */
export interface AssignedKnob {
  readonly kind: 'sysctl' | 'ovs-config' | 'knob';
  readonly key: string;
  readonly value: string;
  readonly origin: Origin;
}

/** A slot, unlike that of every other host of a Zone. */
export interface ZoneSlot extends Slot {
  readonly zone: string;
}

/** Everything that one host is to run and how it is to be set up. An agent needs nothing else, and works by its last one until there is another. */
export interface Assignment {
  /** Version of what the controller writes; absent, the first. */
  readonly protocol?: number;
  readonly host: string;
  readonly fleet: string;
  /** Rises with each change of content. */
  readonly generation: number;
  readonly revision: string;
  /** Who wrote that revision, for the record. */
  readonly author: string;
  readonly resync: number;
  readonly replicas: readonly AssignedReplica[];
  readonly networks: readonly AssignedNetwork[];
  readonly tuning: readonly AssignedKnob[];
  /** How many replicas repairs may restart at a time, where its Zone says so. */
  readonly repairs?: { readonly zone: string; readonly perHost: number; readonly perZone: number };
  /** When the host may give back memory, where something of it is to: no other host of the Zone does then. */
  readonly slot?: ZoneSlot & {
    /** Those of Zones that it was in before, which it may go on by until it has heard of this one. */
    readonly left?: readonly ZoneSlot[];
  };
  /** Apps and owners whose replicas may not be removed now, because their manifests have errors; `*` is all. */
  readonly keep: { readonly apps: readonly string[]; readonly owners: readonly string[] };
}

/** What a machine is. */
export interface HostFacts {
  readonly hostname: string;
  readonly machineId: string;
  /** Its IPv4 addresses. */
  readonly addresses: readonly string[];
  readonly capacity: Demand;
  /** So many of its CPUs are threads of one core; absent is 1, and when an older agent says it. */
  readonly threadsPerCore?: number;
  readonly kernel: string;
  readonly cgroup: 'v1' | 'v2';
  /** For what images must be built, as linux/amd64; absent when an older agent says it. */
  readonly platform?: string;
}

export interface ReplicaReport {
  readonly id: string;
  readonly phase: Phase;
  readonly ready: boolean;
  readonly restarts: number;
  /** While it has been ready for less than its App's `minReady`: when that is reached, by the host's clock, milliseconds since 1970. */
  readonly settlesAt?: number;
  /** It runs, and its readiness probe was not answered yet: `ready: false` tells nothing about it. */
  readonly unprobed?: true;
  /** CamelCase word where it is not well: CrashLoop, Restarting, ImageUnavailable, AddressInUse, ProbeFailed … */
  readonly reason?: string;
  readonly message?: string;
  /** Fingerprint of the container spec that runs; absent when none does. */
  readonly fingerprint?: string;
  /**
   * `incarnationOf` the replica as it was last assigned when sandbox, port and container were as it said. While a new
   * incarnation is not yet made the last one stands; absent when it is not known.
   */
  readonly incarnation?: string;
  /** `formOf` the replica as it was last assigned when its limits and its port, too, were as it said; empty while that was not looked at yet of one that is ready, absent where it never was so. An agent one version older tells of none. */
  readonly form?: string;
  /** Digest or id of the image that runs. */
  readonly image?: string;
}

/** What a host says of a replica, in words: what is wrong, when it will count as serving, or its phase. */
export function sayingOf({ reason, message, settlesAt, phase }: ReplicaReport): string {
  if (reason !== undefined) return `${reason}: ${message ?? ''}`;
  return settlesAt === undefined ? phase : `Ready, counts from ${new Date(settlesAt).toISOString()}`;
}

/**
 * Reason of a replica that has ended by itself and waits for its next start, and of a host that is not Ready only because of such ones: all is what Git
 * wants, and how it does is told of the replicas.
 */
export const RESTARTING = 'Restarting';

/** Reasons of a report that say nothing of the replica itself, or nothing that lasts. */
export const NO_TROUBLE: ReadonlySet<string | undefined> = new Set([undefined, 'Unknown', 'Waiting', RESTARTING]);

/** Whether a host says that it is as it was told, however what runs there does. */
export function isAsTold({ conditions }: Report): boolean {
  return conditions.some(({ type, status, reason }) => type === 'Ready' && (status || reason === RESTARTING));
}

export interface Condition {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled';
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
  /** Generation of the Assignment that it speaks of. */
  readonly observedGeneration: number;
}

/** What one host says of itself. */
export interface Report {
  /** Version of what the agent writes; absent, the first. */
  readonly protocol?: number;
  readonly host: string;
  readonly generation: number;
  readonly revision: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly facts: HostFacts;
  readonly replicas: readonly ReplicaReport[];
  /** The observed world, for plans over hosts that are not asked again. */
  readonly observed: readonly Observed[];
  /** What is not held as it is asked for; all other values are. */
  readonly limitations: readonly Limitation[];
  /** Who else sets what is asked for, to something else or to nobody knows what; absent where nobody does. */
  readonly conflicts?: readonly Claim[];
  /** How many values the kernel and daemons are asked to hold: limits of containers and knobs of the host. */
  readonly knobs?: number;
  readonly conditions: readonly Condition[];
  /** How the memory of its replicas and, as `host`, its own is used: told anew where some has changed by 5 % of what there is. */
  readonly memory?: Readonly<Record<string, MemoryUse>>;
  /** The Assignment that the host keeps and the fleet's store has lost: an emptied store is filled again from it. */
  readonly kept?: Assignment;
}

/** `web-3` → app web, ordinal 3. */
export function replicaId(app: string, ordinal: number): string {
  return `${app}-${String(ordinal)}`;
}

/** The App of a replica id. */
export function appOf(replica: string): string {
  return replica.slice(0, replica.lastIndexOf('-'));
}

/** The ordinal of a replica id. */
export function ordinalOf(replica: string): number {
  return Number(replica.slice(replica.lastIndexOf('-') + 1));
}

/** The MAC of an address on a VLAN: `(vlan >> 8) << 4 | 2`, `vlan & 255`, then the IPv4 address. It stays with the address wherever that lives. */
export function macOf(vlan: number, address: string): string {
  const bytes = [((vlan >> 8) << 4) | 2, vlan & 255, ...address.split('.').map(Number)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
