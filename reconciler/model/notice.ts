import type { RolloutRecord } from './release.ts';

/** What a source of manifests says of itself. */
export interface SourceStatus {
  readonly url: string;
  readonly ref: string;
  /** Which option named it; absent for the repository's own HEAD, and in the words of an older version. */
  readonly kind?: 'ref' | 'tag' | 'commit';
  /** Folder inside the repository. */
  readonly path?: string;
  readonly revision: string;
  /** Milliseconds since 1970 of the last fetch that worked. */
  readonly fetchedAt: number;
  /** Why the last fetch failed, if it did: the revision is the last good one. */
  readonly error?: string;
}

/** A host that has not been heard of. */
export interface LostHost {
  readonly host: string;
  /** Milliseconds since 1970: when that was noticed. */
  readonly since: number;
}

/** A replica that is still on a host which is drained, and what it waits for. */
export interface Staying {
  readonly replica: string;
  readonly why: string;
}

/** A host that is drained. */
export interface Draining {
  readonly host: string;
  readonly staying: readonly Staying[];
  /** Replicas that this host has not yet let go, though their home is elsewhere, or not known. */
  readonly leaving: readonly string[];
  /** It has never reported to this store: nobody knows what it runs. */
  readonly unheard?: true;
}

/** Whether a host that is drained is known to run nothing any more. */
export function isEmptied({ staying, leaving, unheard }: Draining): boolean {
  return staying.length + leaving.length === 0 && unheard === undefined;
}

/** A host that has left Git, or all its Zones, and the number of replicas that it has still: they are not moved for that. */
export interface Departed {
  readonly host: string;
  readonly replicas: number;
  /** Git has it, in no Zone. */
  readonly zoneless?: true;
}

/** A replica that gives, or gave, its place to one of a more critical level. */
export interface Preemption {
  readonly replica: string;
  /** Where it was. */
  readonly host: string;
  /** Whom it makes room for. */
  readonly by: string;
  /** The other one is there, and it has found no other place yet; absent while it is being stopped. */
  readonly done?: true;
}

/** A store that knew no host, on its way back. Zones of Git that are not open yet are closed: nothing is placed there, and their hosts are told nothing. */
export interface Reopening {
  /** Milliseconds since 1970: when it was found empty. */
  readonly since: number;
  /** Zones that are open again. */
  readonly open: readonly string[];
}

/** An App of which so many replicas were not told yet what Git says of them: their turn has not come. */
export interface Behind {
  readonly app: string;
  readonly replicas: number;
}

/** What the controller says of the whole fleet, for who looks at the store and not at the controller. */
export interface Notice {
  /** Version of what the controller writes; absent, the first. */
  readonly protocol?: number;
  readonly source: SourceStatus;
  /** Files, or parts of them, of the revision that cannot be used. */
  readonly problems: number;
  /** `zone`: where its App is to be; absent when an older controller says it. */
  readonly unplaceable: readonly { readonly replica: string; readonly message: string; readonly zone?: string }[];
  /** What waits for a person, and how to let it go on. */
  readonly held: readonly string[];
  /** Why the last pass failed, with its code: all else is as it was before. Absent when it did not. */
  readonly failing?: string;
  /** The revision of which the hosts were last told. */
  readonly published: string;
  /** Replicas whose turn in a rollout has not come, and hosts that wait for other knobs. */
  readonly waiting: number;
  /** Of which Apps those replicas are; absent when there are none, or an older controller says it. */
  readonly behind?: readonly Behind[];
  /** What keeps changes from going on now, with what waits for that: budgets of Zones, trials of knobs. Absent when nothing does. */
  readonly full?: readonly string[];
  readonly lost: readonly LostHost[];
  /** Hosts that must be heard before their Zones open: the store knew none. */
  readonly awaited: readonly string[];
  /** How far a store is that knew no host; absent when all of it is open. */
  readonly reopening?: Reopening;
  /** Hosts that are drained; absent when an older controller says it. */
  readonly draining?: readonly Draining[];
  /** Hosts that have left Git, or all its Zones, and have replicas still; absent when there are none. */
  readonly departed?: readonly Departed[];
  /** Replicas that make room for others, or did and wait for a place; absent when there are none. */
  readonly preemptions?: readonly Preemption[];
  /** Changes of Apps with a `rollout` block that are under way or were given up; absent when there are none. */
  readonly rollouts?: readonly RolloutRecord[];
}
