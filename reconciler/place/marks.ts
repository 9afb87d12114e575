import type { AppSpec, Resource } from '../model/catalog.ts';
import { mostAway } from '../model/disruption.ts';
import { fateOf } from '../model/fate.ts';
import { appOf, replicaId } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';
import { ownerTold } from '../model/whereabouts.ts';
import { propose } from './run.ts';
import type { Run } from './run.ts';

/** Placements that are given to a replica. */
export function marksFor({ survey, preempting, book }: Run, replica: string): readonly Placement[] {
  const ids = [...survey.yielding.map((one) => one.replica), ...preempting.marked];
  return [...new Set(ids)].flatMap((id) => book.placements.get(id) ?? []).filter(({ yields }) => yields === replica);
}

/** The replicas that Git asks for of an App. */
const idsOf = ({ name, spec }: Resource<AppSpec>): readonly string[] =>
  Array.from({ length: spec.replicas }, (_, ordinal) => replicaId(name, ordinal));

/**
 * Whether the turn of a replica to move may come by itself: not while as many as its App lets be away are known to serve nobody, nor while as many
 * as its Zone does have no place.
 */
function mayGetTurn({ input: { catalog }, survey, book }: Run, app: Resource<AppSpec>): boolean {
  const { zone, maxUnavailable } = app.spec;
  const at = (id: string): Placement | undefined => book.placements.get(id);
  if (idsOf(app).filter((id) => survey.health(id, at(id)).down).length >= maxUnavailable) return false;
  const budget = catalog.zones.get(zone)?.spec.disruption?.maxUnavailable;
  if (!budget) return true;
  const all = [...catalog.apps.values()].filter(({ spec }) => spec.zone === zone).flatMap(idsOf);
  const homeless = all.map(at).filter((home) => home === undefined || home.yields !== undefined);
  return homeless.length < mostAway(budget, all.length);
}

/** One that waits for its turn again, as it may get it, is still to get the room that others were stopped for. Gives whether there are any. */
export function keepClaim(run: Run, app: Resource<AppSpec>, replica: string): boolean {
  const marks = marksFor(run, replica);
  const [first] = marks;
  if (!first || !mayGetTurn(run, app)) return false;
  run.preempting.claims.set(replica, { host: first.host, victims: marks.map((one) => one.replica) });
  return true;
}

const unmark = (run: Run, { replica, epoch }: Placement): boolean => propose(run, { op: 'yield', replica, epoch });

/** What others were stopped for is nobody's where these replicas of an App cannot get their turns: one of it that has no place may ask for it. */
export function giveBack(run: Run, app: Resource<AppSpec>, replicas: readonly string[]): void {
  const marks = replicas.flatMap((replica) => marksFor(run, replica));
  if (marks.length > 0 && !mayGetTurn(run, app)) for (const one of marks) unmark(run, one);
}

/** Whether a mark is left alone: nothing is concluded about whom it is for. */
function isKept({ input, survey }: Run, replica: string): boolean {
  const { whereabouts } = survey.witness;
  const owners = { get: (app: string) => ownerTold(whereabouts, app) };
  return fateOf({ replica, app: appOf(replica) }, input.catalog, owners) === 'kept';
}

/** Those who were to make room keep it where nobody needs that any more. */
export function withdraw(run: Run): void {
  const { survey, preempting, book } = run;
  for (const [replica, app] of preempting.waiting) keepClaim(run, app, replica);
  const claimed = new Set([...preempting.claims.values()].flatMap(({ victims }) => victims));
  for (const replica of new Set([...survey.yielding.map((one) => one.replica), ...preempting.marked])) {
    const placement: Placement | undefined = book.placements.get(replica);
    if (placement?.yields === undefined || claimed.has(replica) || isKept(run, placement.yields)) continue;
    unmark(run, placement);
  }
}
