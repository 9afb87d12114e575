import { lingersIn } from '../model/handover.ts';
import type { HostWords } from '../model/handover.ts';
import type { Placement } from '../model/replica.ts';
import { healthOf } from '../model/rollout.ts';
import type { Health } from '../model/rollout.ts';
import { createWhereabouts, isLate, saidOf } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import type { HostView } from './hosts.ts';
import type { PlaceInput } from './input.ts';

/** What the hosts said and were told, by name. */
export function wordsOf({
  catalog,
  kept,
  reports,
  assignments,
}: Pick<PlaceInput, 'catalog' | 'kept' | 'reports' | 'assignments'>): HostWords {
  if (kept) return { catalog, reports: kept.whereabouts.reports, assignments: kept.whereabouts.assignments };
  return {
    catalog,
    reports: new Map(reports.map((report) => [report.host, report])),
    assignments: new Map(assignments.map((assignment) => [assignment.host, assignment])),
  };
}

/** What the hosts said and were told, by replica too. */
export interface Witness extends HostWords {
  readonly whereabouts: Whereabouts;
}

/** The words of the hosts by replica: those that somebody keeps, or else made for this. */
export function witness({ catalog, kept, snapshot, reports, assignments }: PlaceInput): Witness {
  const whereabouts = kept?.whereabouts ?? createWhereabouts(snapshot.placements, assignments, reports);
  return { catalog, whereabouts, reports: whereabouts.reports, assignments: whereabouts.assignments };
}

/** Whether something of a replica may still be on its host: then host and address are not yet anybody else's. */
export function lingers({ catalog }: PlaceInput, { reports }: Witness, { replica, host }: Placement): boolean {
  if (!catalog.hosts.has(host)) return false;
  const report = reports.get(host);
  return report !== undefined && lingersIn(report, replica);
}

/** How a replica does. Of what a host said before it was last told something, and of what a lost one said, nothing follows for now. */
export function standingOf(
  { whereabouts }: Witness,
  views: ReadonlyMap<string, HostView>,
  id: string,
  placement: Placement | undefined,
): Health {
  const host = placement?.host ?? '';
  if (placement && (views.get(host)?.lost || isLate(whereabouts, host))) return { away: true, down: false };
  return healthOf(placement, whereabouts.toldOf(id), saidOf(whereabouts, host, id));
}
