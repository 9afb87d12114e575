import type { Demand } from './demand.ts';
import type { SpreadLevel } from './topology.ts';

/** A replica that finds a place, or gives one up. */
export interface PlaceChange {
  readonly replica: string;
  readonly host: string;
  readonly address: string;
}

/** A replica that gets another host, another address, or both. */
export interface MoveChange {
  readonly replica: string;
  readonly from: string;
  readonly to: string;
  readonly address: string;
  /** The address that it gives up; absent where it keeps its own. */
  readonly was?: string;
}

/** What is given out of something, before a change and after it. */
export interface ZoneOutlook {
  readonly zone: string;
  /** Of open hosts, after the change. */
  readonly allocatable: Demand;
  /** What all its hosts have promised. */
  readonly used: { readonly before: Demand; readonly after: Demand };
  /** What open hosts have left after the change. */
  readonly left: Demand;
}

/** The same of the addresses of a Network. */
export interface NetworkOutlook {
  readonly network: string;
  readonly total: number;
  readonly owned: { readonly before: number; readonly after: number };
  /** Free, and not resting, after the change. */
  readonly left: number;
}

/** So many replicas of an App, of all that have a place, are in one domain. */
export interface Share {
  readonly holds: number;
  readonly of: number;
}

/** An App that is less spread after a change: the loss of one domain would take a larger part of it. */
export interface SpreadLoss extends Share {
  readonly app: string;
  readonly level: SpreadLevel;
  /** The switch, rack or host that holds most of it. */
  readonly domain: string;
  /** Absent where it had no two replicas before. */
  readonly before?: Share;
}

/** Where a change leads a fleet: who gets which place and address, what is left, and how far Apps are spread. */
export interface Outlook {
  readonly placed: readonly PlaceChange[];
  readonly moved: readonly MoveChange[];
  readonly released: readonly PlaceChange[];
  /** Replicas that stay where they are, with their addresses. */
  readonly staying: number;
  readonly zones: readonly ZoneOutlook[];
  readonly networks: readonly NetworkOutlook[];
  readonly spread: readonly SpreadLoss[];
}
