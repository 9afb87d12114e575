import type { AppSpec } from './catalog.ts';
import { canonical, fingerprintOfText } from './fingerprint.ts';
import { formOf } from './form.ts';
import { ownText } from './own-text.ts';
import { NO_TROUBLE } from './replica.ts';
import type { AssignedReplica, Placement, ReplicaReport } from './replica.ts';

/** Members of an AppSpec that only a new sandbox, port or container can change; all others reach a replica in place. */
export const RECREATE_FIELDS = [
  'image',
  'command',
  'args',
  'env',
  'user',
  'workdir',
  'network',
  'openFiles',
  'layer',
  'ulimits',
  'sysctls',
  'volumes',
] as const;

export type RecreateSpec = Pick<AppSpec, (typeof RECREATE_FIELDS)[number]>;

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const picked: Partial<Pick<T, K>> = {};
  for (const key of keys) if (key in from) picked[key] = from[key];
  return picked as Pick<T, K>;
}

/** The part of a spec that only a new sandbox, port or container can change. */
export function recreateSpec(spec: AppSpec): RecreateSpec {
  return pick(spec, RECREATE_FIELDS);
}

const makings = new WeakMap<AppSpec, string>();

/** The canonical JSON of what only a new container can change. Made once: a spec never changes, and many replicas have one. */
function makingOf(spec: AppSpec): string {
  const before = makings.get(spec);
  if (before !== undefined) return before;
  const made = ownText(canonical(recreateSpec(spec)));
  makings.set(spec, made);
  return made;
}

/** Names one incarnation of a replica: a fingerprint of its recreate part and of where it is plugged in. */
export function incarnationOf({ spec, placement }: Pick<AssignedReplica, 'spec' | 'placement'>): string {
  const { host, network, address } = placement;
  const place = [host, network, address].map((word) => JSON.stringify(word)).join(',');
  return fingerprintOfText(`[${makingOf(spec)},${place}]`);
}

/** Whether two placements are one host, Network and address. */
export function sameHome(a: Placement, b: Placement): boolean {
  return a.host === b.host && a.network === b.network && a.address === b.address;
}

/** How a replica does, as far as is known. */
export interface Health {
  /** It is not known to serve where it is placed, in the incarnation that it was last assigned. */
  readonly away: boolean;
  /** It is known to serve nobody, or was given up by an earlier turn: making it anew costs nothing more. */
  readonly down: boolean;
}

/**
 * Judges a replica. One that is merely not known to serve (its agent has just started, its limits are being changed) is
 * away and not down: else a moment without news would let a rollout take all of an App at once.
 */
export function healthOf(
  placement: Placement | undefined,
  assigned: AssignedReplica | undefined,
  report: ReplicaReport | undefined,
): Health {
  // one that gives its place to another is being stopped
  if (!placement || placement.yields !== undefined || !assigned || !sameHome(placement, assigned.placement))
    return { away: true, down: true };
  if (!report) return { away: true, down: false };
  const { ready, incarnation, reason, fingerprint: made } = report;
  const asAssigned = incarnation === incarnationOf(assigned);
  // one whose limits or port are being changed may serve, or may not any more: that is known when its host has made them so
  const formed = report.form === undefined || report.form === formOf(assigned);
  if (ready && asAssigned) return { away: report.settlesAt !== undefined || !formed, down: false };
  const replaced = incarnation !== undefined && !asAssigned;
  const failed = !ready && (made === undefined || !NO_TROUBLE.has(reason));
  return { away: true, down: replaced || failed };
}

/** One replica of an App in a rollout. */
export interface Standing extends Health {
  readonly id: string;
  /** It is not yet what is wanted, and making it so takes it away for a while. */
  readonly stale: boolean;
  /** What it was last given is not wanted any more: there is no reason to wait until it serves that. */
  readonly spent?: boolean;
}

/**
 * The stale replicas that may be taken away now: all that are down anyway, spent ones that are away and as such counted
 * within the limit already, then others in the given order while no more than `maxUnavailable` are away in all.
 */
export function mayLeave(replicas: readonly Standing[], maxUnavailable: number): ReadonlySet<string> {
  const leaving = new Set(replicas.filter(({ stale, down }) => stale && down).map(({ id }) => id));
  let left = maxUnavailable - replicas.filter(({ away }) => away).length;
  if (left >= 0)
    for (const { id, stale, away, spent } of replicas) if (stale && away && spent === true) leaving.add(id);
  for (const { id, stale } of replicas) {
    if (left <= 0) break;
    if (!stale || leaving.has(id)) continue;
    leaving.add(id);
    left -= 1;
  }
  return leaving;
}
