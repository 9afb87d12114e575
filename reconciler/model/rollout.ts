import type { AppSpec } from './catalog.ts';
import { fingerprint } from './fingerprint.ts';
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
  'ulimits',
  'sysctls',
  'volumes',
] as const;

export type RecreateSpec = Pick<AppSpec, (typeof RECREATE_FIELDS)[number]>;

/** The part of a spec that only a new sandbox, port or container can change. */
export function recreateSpec(spec: AppSpec): RecreateSpec {
  const fields: ReadonlySet<string> = new Set(RECREATE_FIELDS);
  return Object.fromEntries(Object.entries(spec).filter(([key]) => fields.has(key))) as unknown as RecreateSpec;
}

/** Names one incarnation of a replica: a fingerprint of its recreate part and of where it is plugged in. */
export function incarnationOf({ spec, placement }: Pick<AssignedReplica, 'spec' | 'placement'>): string {
  const { host, network, address } = placement;
  return fingerprint([recreateSpec(spec), host, network, address]);
}

/** Whether two placements are one host, Network and address. */
export function sameHome(a: Placement, b: Placement): boolean {
  return a.host === b.host && a.network === b.network && a.address === b.address;
}

/** Whether a replica serves where it is placed: assigned there, Ready, and in the incarnation that was assigned. */
export function serves(
  placement: Placement | undefined,
  assigned: AssignedReplica | undefined,
  report: ReplicaReport | undefined,
): boolean {
  if (!placement || !assigned || !sameHome(placement, assigned.placement)) return false;
  return report?.ready === true && report.incarnation === incarnationOf(assigned);
}

/** One replica of an App in a rollout. */
export interface Standing {
  readonly id: string;
  /** It is not yet what is wanted, and making it so takes it away for a while. */
  readonly stale: boolean;
  /** It does not serve now. */
  readonly away: boolean;
}

/**
 * The stale replicas that may be taken away now: all that do not serve anyway, then others in the given order while no
 * more than `maxUnavailable` are away in all.
 */
export function mayLeave(replicas: readonly Standing[], maxUnavailable: number): ReadonlySet<string> {
  const leaving = new Set(replicas.filter(({ stale, away }) => stale && away).map(({ id }) => id));
  let left = maxUnavailable - replicas.filter(({ away }) => away).length;
  for (const { id, stale, away } of replicas) {
    if (left <= 0) break;
    if (!stale || away) continue;
    leaving.add(id);
    left -= 1;
  }
  return leaving;
}
