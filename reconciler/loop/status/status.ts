import type { Claim, KnobState, Limitation } from '../../model/change.ts';
import type { Behind, Draining, SourceStatus } from '../../model/notice.ts';
import type { Stage } from '../../model/release.ts';
import type { Demand } from '../../model/demand.ts';
import type { MemoryUse } from '../../model/memory.ts';
import type { Ref } from '../../model/ref.ts';
import type { HostRecord } from '../../model/reservations.ts';

export type Sync = 'Synced' | 'OutOfSync' | 'Unknown';

export type HealthWord = 'Healthy' | 'Progressing' | 'Degraded' | 'Missing';

export interface StatusItem {
  readonly ref: Ref;
  readonly host: string;
  readonly sync: Sync;
  readonly health: HealthWord;
  readonly reason: string;
  /** For people: address, restarts, what waits. */
  readonly address?: string;
  readonly restarts?: number;
  readonly image?: string;
  /** Of what has no host. */
  readonly zone?: string;
  /** When it will count as serving if it stays ready, milliseconds since 1970 by its host's clock. */
  readonly until?: number;
  /** How its memory is used, as its host last said. */
  readonly memory?: MemoryUse;
}

/** A host, as status tells of it. */
export interface HostStatus extends HostRecord {
  /** What is promised of it. */
  readonly used: Demand;
  /** It is not heard of. */
  readonly lost?: true;
  /** Something fails there. */
  readonly stalled?: true;
  /** It has yet to say that it is as it was told. */
  readonly busy?: true;
  /** How many values that its kernel and daemons are asked to hold stand how; absent where it has not said. */
  readonly knobs?: Readonly<Record<KnobState, number>>;
  /** How its memory is used; absent where it has not said. */
  readonly memory?: MemoryUse;
}

/** A change of an App with a `rollout` block that is under way or was given up. */
export interface RolloutStatus {
  readonly app: string;
  readonly stage: Stage;
  /** The revision that first asked for it. */
  readonly revision: string;
  readonly message: string;
  /** When it goes on by itself, milliseconds since 1970. */
  readonly until?: number;
}

export interface Status {
  readonly version: 1;
  readonly revision: string;
  readonly sync: Sync;
  readonly health: HealthWord;
  readonly items: readonly StatusItem[];
  /** By name, as far as who answers knows them: an agent knows of none. */
  readonly hosts: readonly HostStatus[];
  readonly source?: SourceStatus;
  readonly problems: number;
  readonly limitations: readonly (Limitation & { readonly host: string })[];
  /** Who else sets values that are asked for; absent where nobody does. */
  readonly conflicts?: readonly (Claim & { readonly host: string })[];
  /** What waits for a person, and how to let it go on. */
  readonly held: readonly string[];
  /** The controller that leads a fleet; absent where nobody does, and on a machine of its own. */
  readonly leader?: string;
  /** That no controller leads a fleet, and what to do: what is told is what was known last. Absent while one does, and on a machine of its own. */
  readonly silence?: string;
  /** Why the controller's last pass failed: what is told is as of before. Absent when it did not. */
  readonly failing?: string;
  readonly messages: readonly string[];
  /** Hosts that are drained, and what is left on them. */
  readonly draining: readonly Draining[];
  /** Absent when there are none. */
  readonly rollouts?: readonly RolloutStatus[];
  /** Apps with replicas that were not told yet what Git says; absent when there are none, or nobody knows. */
  readonly behind?: readonly Behind[];
}

/** Exit status of `plumb status`: 0 all Synced and Healthy, 2 otherwise. */
export function statusCode({ sync, health }: Status): number {
  return sync === 'Synced' && health === 'Healthy' ? 0 : 2;
}

/** Whether nothing is to be done about a replica. */
export function isWell({ sync, health }: StatusItem): boolean {
  return sync === 'Synced' && health === 'Healthy';
}
