import type { Demand } from './demand.ts';
import type { Placement } from './replica.ts';
import type { SpreadLevel } from './topology.ts';

/** A host as the scheduler and the commit know it. */
export interface HostRecord {
  readonly host: string;
  readonly zone: string;
  /** Only an open host takes new replicas. */
  readonly state: 'open' | 'closed';
  readonly epoch: number;
  /** What may be promised in all: capacity less reserve, times overcommit. */
  readonly allocatable: Demand;
  /** So many of its CPUs are threads of one core, which replicas have for themselves only together; absent is 1. */
  readonly threadsPerCore?: number;
  readonly rack: string;
  readonly switch: string;
}

/**
 * An address that is not free: owned by a replica, or resting until `until` (milliseconds since 1970). Or, where the key names
 * a block of addresses, the zone that it is leased to: for as long as an address of it is not free.
 */
export type AddressRecord = { readonly replica: string } | { readonly until: number } | { readonly zone: string };

/** Hard limits of an App, checked again when committing. */
export interface SpreadLimits {
  readonly switch?: number;
  readonly rack?: number;
  readonly host?: number;
}

/** Another App, and the part of the fabric that is looked at. */
export interface Neighbour {
  readonly app: string;
  readonly within: SpreadLevel;
}

/** Other Apps of which there must be a replica where one goes, or must be none; checked again when committing. */
export interface Neighbours {
  readonly near?: readonly Neighbour[];
  readonly apart?: readonly Neighbour[];
}

/** A replica, its host, and what must hold there. */
interface Homing {
  readonly placement: Placement;
  readonly hostEpoch: number;
  readonly spread: SpreadLimits;
  readonly beside?: Neighbours;
}

/** `block` is the block of addresses, as 10.1.0.16/28, in which the address is, where its Network leases blocks to zones. */
export type PlaceProposal = { readonly op: 'place'; readonly block?: string } & Homing;

/** One thing that a scheduler or controller asks the store to decide. */
export type Proposal =
  | { readonly op: 'host'; readonly record: HostRecord }
  | { readonly op: 'forget-host'; readonly host: string }
  | PlaceProposal
  /**
   * A placed replica gets another host of its zone and keeps its address, in one step: `placement` is the one that it has with the new
   * host and an epoch that is one more. Refused as `placed-elsewhere` when it is not that any more.
   */
  | ({ readonly op: 'move' } & Homing)
  /** All of them, or none. */
  | { readonly op: 'gang'; readonly places: readonly PlaceProposal[] }
  | { readonly op: 'resize'; readonly replica: string; readonly demand: Demand }
  | { readonly op: 'release'; readonly replica: string; readonly quarantineUntil: number }
  /**
   * Marks a replica, if it is still placed with that epoch, as giving its place to the replica `to`; without `to` the mark is taken
   * back. Refused as `yields` when it is marked for another one.
   */
  | { readonly op: 'yield'; readonly replica: string; readonly epoch: number; readonly to?: string };

/** A proposal that is decided by itself. */
export type Single = Exclude<Proposal, { readonly op: 'gang' }>;

/** `id` makes a request idempotent: repeated, it changes nothing and gets the same reply. `now` is the caller's clock. */
export interface CommitRequest {
  readonly id: string;
  readonly now: number;
  readonly proposals: readonly Proposal[];
}

/** Why a proposal was refused. */
export type ConflictReason =
  | 'no-host'
  | 'host-in-use'
  | 'host-closed'
  | 'wrong-zone'
  | 'epoch'
  | 'capacity'
  | 'address-owned'
  | 'address-resting'
  | 'block-leased'
  | 'spread'
  | 'affinity'
  | 'anti-affinity'
  | 'placed-elsewhere'
  | 'not-placed'
  | 'yields'
  | 'gang';

/** The answer to one proposal; a conflict carries the current value that refused it. */
export type Verdict =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: ConflictReason; readonly current?: unknown };

export interface CommitReply {
  readonly verdicts: readonly Verdict[];
  /** Position of the delta log after this commit. */
  readonly cursor: number;
}

/** What a commit changed. */
export type Delta =
  | { readonly type: 'host'; readonly host: string; readonly record: HostRecord | undefined }
  | { readonly type: 'placement'; readonly replica: string; readonly placement: Placement | undefined }
  | { readonly type: 'address'; readonly key: string; readonly record: AddressRecord | undefined };

/** All that is reserved. Address keys are `network/address`, or `network/block`. */
export interface ReservationState {
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly placements: ReadonlyMap<string, Placement>;
  readonly addresses: ReadonlyMap<string, AddressRecord>;
}

export interface Snapshot extends ReservationState {
  readonly cursor: number;
}
