import type { Catalog } from './catalog.ts';
import { kindOf, nameOf } from './ref.ts';
import type { Assignment, Placement, Report } from './replica.ts';
import { sameHome } from './rollout.ts';

/** What makes up a replica on its host. */
const REPLICA_KINDS: ReadonlySet<string> = new Set(['sandbox', 'port', 'container']);

/** Whether a host still reports something of a replica, or cannot tell. */
export function lingersIn({ replicas, observed }: Report, replica: string): boolean {
  const told = replicas.find(({ id }) => id === replica);
  if (told && told.phase !== 'Placed' && told.phase !== 'Gone') return true;
  return observed.some(({ ref }) => nameOf(ref) === replica && REPLICA_KINDS.has(kindOf(ref)));
}

/** Why a host cannot tell of a part of a replica; undefined where it can of all. */
export function hiddenIn({ observed }: Pick<Report, 'observed'>, replica: string): string | undefined {
  for (const item of observed)
    if (!item.known && nameOf(item.ref) === replica && REPLICA_KINDS.has(kindOf(item.ref))) return item.why;
  return undefined;
}

/**
 * Whether nothing of a replica is on a host, nor can come there any more: its last Assignment is without it, the host has
 * taken that in, changes nothing at the moment, sees all of itself, and nothing of the replica.
 */
export function hasLetGo(replica: string, assignment: Assignment | undefined, report: Report | undefined): boolean {
  if (!report || assignment?.replicas.some(({ id }) => id === replica) === true) return false;
  if (assignment && assignment.generation !== report.generation) return false;
  const unsure = report.conditions.some(
    ({ type, status, reason }) => status && (type === 'Reconciling' || reason === 'Blind'),
  );
  return !unsure && !lingersIn(report, replica);
}

/** What is known of all hosts, by name. */
export interface HostWords {
  readonly catalog: Catalog;
  readonly assignments: ReadonlyMap<string, Assignment>;
  readonly reports: ReadonlyMap<string, Report>;
}

/** Whether a Host may be missing from the catalog only because it cannot be read. */
export function hostHeld({ hosts, heldObjects, heldOwners }: Catalog, host: string): boolean {
  return !hosts.has(host) && (heldObjects.has(`Host/${host}`) || heldOwners.size > 0);
}

/**
 * The host that a replica has moved away from and that has not let it go: until then its address may be live there, and it
 * may not be plugged in where it is placed now. What was let in once stays in. A host that has left the catalog is gone.
 */
export function waitsFor(placement: Placement, { catalog, assignments, reports }: HostWords): string | undefined {
  const { replica, from, host, epoch } = placement;
  if (from === undefined || (!catalog.hosts.has(from) && !hostHeld(catalog, from))) return undefined;
  const here = assignments.get(host)?.replicas.find(({ id }) => id === replica)?.placement;
  if (here && sameHome(here, placement) && here.epoch === epoch) return undefined;
  return hasLetGo(replica, assignments.get(from), reports.get(from)) ? undefined : from;
}
