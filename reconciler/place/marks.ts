import type { AppSpec, Resource } from '../model/catalog.ts';
import { mostIn } from '../model/disruption.ts';
import { fateOf } from '../model/fate.ts';
import { waitsFor } from '../model/handover.ts';
import { appOf, NO_TROUBLE, replicaId } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';
import { ownerTold, saidOf } from '../model/whereabouts.ts';
import { propose } from './run.ts';
import type { Run } from './run.ts';

/** Placements that are given to any of these replicas. */
export function marksFor({ survey, preempting, book }: Run, replicas: Iterable<string>): readonly Placement[] {
  const asked = new Set(replicas);
  const ids = new Set([...survey.yielding, ...preempting.marked]);
  return [...ids]
    .flatMap((id) => book.placements.get(id) ?? [])
    .filter(({ yields }) => yields !== undefined && asked.has(yields));
}

/** Whether a replica is away and does not come back by itself, as far as is known: it has no place and gets none, waits for a host that is not heard of, or fails. */
function staysAway({ survey, book, preempting }: Run, replica: string): boolean {
  const { lost, witness } = survey;
  const home = book.placements.get(replica);
  if (!home) return !preempting.claims.has(replica);
  // it stays away for as long as the one that it makes room for waits
  if (home.yields !== undefined) return preempting.waiting.has(home.yields);
  if (lost.has(home.host) || lost.has(waitsFor(home, witness) ?? '')) return true;
  const { reason } = saidOf(witness.whereabouts, home.host, replica) ?? {};
  // the probes of one that starts fail, too
  return !NO_TROUBLE.has(reason) && reason !== 'ProbeFailed' && survey.health(replica, home).away;
}

/**
 * Whether the turn of a replica of an App to move may come by itself: not while as many of the App, or of its Zone, as may be away stay away.
 * Each Zone is counted once, and only where it is in the way.
 */
function comingTurns(run: Run): (app: Resource<AppSpec>) => boolean {
  const { disruption, input } = run;
  const mayBe = (most: number, apps: Iterable<Resource<AppSpec>>): boolean => {
    let left = most;
    for (const { name, spec } of apps)
      for (let ordinal = 0; ordinal < spec.replicas && left > 0; ordinal += 1)
        if (staysAway(run, replicaId(name, ordinal))) left -= 1;
    return left > 0;
  };
  const known = new Map<string, boolean>();
  const mayInZone = (zone: string): boolean => {
    if (disruption.left(zone) > 0) return true;
    const apps = [...input.catalog.apps.values()].filter(({ spec }) => spec.zone === zone);
    const may = known.get(zone) ?? mayBe(mostIn(input.catalog, zone), apps);
    known.set(zone, may);
    return may;
  };
  return (app) => mayBe(app.spec.maxUnavailable, [app]) && mayInZone(app.spec.zone);
}

/** Those who wait for their turns, as these may come, are still to get the room that others were stopped for. */
function keepClaims(run: Run): void {
  const { waiting, claims } = run.preempting;
  const mayCome = comingTurns(run);
  const marks = marksFor(run, waiting.keys());
  for (const { yields = '', host } of marks) {
    const app = waiting.get(yields);
    if (claims.has(yields) || !app || !mayCome(app)) continue;
    const victims = marks.filter((one) => one.yields === yields).map(({ replica }) => replica);
    claims.set(yields, { host, victims });
  }
}

/** Whether one that waits for its turn is still to get room that others were stopped for. */
export function keepsClaim(run: Run, app: Resource<AppSpec>, replica: string): boolean {
  run.preempting.waiting.set(replica, app);
  keepClaims(run);
  return run.preempting.claims.has(replica);
}

const unmark = (run: Run, { replica, epoch }: Placement): boolean => propose(run, { op: 'yield', replica, epoch });

/** What others were stopped for is nobody's where these replicas of an App cannot get their turns: one of it that has no place may ask for it. */
export function giveBack(run: Run, app: Resource<AppSpec>, replicas: readonly string[]): void {
  for (const replica of replicas) run.preempting.waiting.set(replica, app);
  const marks = marksFor(run, replicas);
  if (marks.length > 0 && !comingTurns(run)(app)) for (const one of marks) unmark(run, one);
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
  keepClaims(run);
  const claimed = new Set([...preempting.claims.values()].flatMap(({ victims }) => victims));
  for (const replica of new Set([...survey.yielding, ...preempting.marked])) {
    const placement: Placement | undefined = book.placements.get(replica);
    if (placement?.yields === undefined || claimed.has(replica) || isKept(run, placement.yields)) continue;
    unmark(run, placement);
  }
}
