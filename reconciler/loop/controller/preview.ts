import type { Catalog } from '../../model/catalog.ts';
import type { Change, Desired, Observed, Plan } from '../../model/change.ts';
import { createBook, draftOf } from '../../model/book.ts';
import { decide } from '../../model/decide.ts';
import { withoutBudgets } from '../../model/disruption.ts';
import { fingerprintOf } from '../../model/fingerprint.ts';
import type { Outlook } from '../../model/outlook.ts';
import type { World } from '../../model/provider.ts';
import { kindOf, type Ref } from '../../model/ref.ts';
import { createWhereabouts } from '../../model/whereabouts.ts';
import type { Whereabouts } from '../../model/whereabouts.ts';
import type { RolloutRecord } from '../../model/release.ts';
import type { Assignment, Placement, Report } from '../../model/replica.ts';
import { expand } from '../../plan/expand.ts';
import { outlook } from '../../place/outlook.ts';
import { planHost, type Differ } from '../../plan/host.ts';
import { knobsChanged } from '../../plan/knobs.ts';
import { gathered, lacksOf, type Lack } from '../../plan/lacks.ts';
import { networkIn, plugged, toldIn } from '../../plan/plugging.ts';
import { project } from '../../plan/project.ts';
import { ruleChanges } from '../../plan/reclaims.ts';
import type { FleetPlan } from '../../plan/render.ts';
import { recordOf, stepsOf } from '../../plan/steps.ts';
import { planOf, summarize } from '../../plan/waves.ts';
import type { PlaceResult } from '../../place/place.ts';
import { decidePlacing } from './deciding.ts';
import { inLots } from '../lots.ts';
import { preemptionsAfter, preemptionText, withTaker } from './preemptions.ts';
import type { Known } from '../status/view.ts';

export interface PreviewInput {
  readonly catalog: Catalog;
  readonly known: Known;
  /** What these hosts say now, with all that they observe. Some are asked at a time, and only those that have something to do. */
  readonly reports: (hosts: readonly string[]) => Promise<readonly Report[]>;
  readonly differs: readonly Differ[];
  readonly allowDeletions: boolean;
  readonly now: number;
}

/** What a catalog would do to the hosts as they are: placements proposed, projected, expanded and diffed; nothing is written. */
export async function preview(input: PreviewInput): Promise<FleetPlan> {
  const { catalog, held, hosts, ...rest } = await sight(input, input.allowDeletions);
  if (held === undefined) return { revision: catalog.revision, hosts, ...rest };
  // what the budget holds is what there would be without it
  const bold = new Map((await sight(input, true)).hosts.map(({ host, plan }) => [host, plan]));
  return {
    revision: catalog.revision,
    hosts: hosts.map(({ host, plan }) => ({ host, plan: withHeld(plan, bold.get(host), held) })),
    ...rest,
  };
}

/** The plan with those changes of another one as held that it does not have itself. */
function withHeld(plan: Plan, other: Plan | undefined, reason: string): Plan {
  const there = new Set([...plan.waves.flat(), ...plan.held.map(({ change }) => change)].map(({ ref }) => ref));
  const held = (other?.waves.flat() ?? []).filter(({ ref }) => !there.has(ref)).map((change) => ({ change, reason }));
  return { ...plan, held: [...plan.held, ...held] };
}

interface Sight extends Omit<FleetPlan, 'revision'> {
  readonly catalog: Catalog;
  /** Why the deletion budget holds some of it. */
  readonly held: string | undefined;
}

async function sight(input: PreviewInput, allowDeletions: boolean): Promise<Sight> {
  const { known, now } = input;
  const records = known.rollouts ?? [];
  const before = createBook(known.snapshot);
  const whereabouts = createWhereabouts(before.placements, known.assignments, known.reports);
  const { placed, held, catalog } = decidePlacing(
    atOnce(input.catalog, records),
    { ...known, snapshot: before, kept: { book: before, whereabouts }, preempts: { within: input.catalog } },
    now,
    allowDeletions,
    records,
  );
  const book = draftOf(before);
  book.apply(decide(book, { id: 'preview', now, proposals: placed.proposals }).deltas);
  const { assignments: previous } = whereabouts;
  const { budgetKeeps } = catalog;
  const { assignments } = project({
    // without turns, and else just what hosts are to be told: most were told it before
    catalog: budgetKeeps ? { ...input.catalog, budgetKeeps } : input.catalog,
    author: '',
    placements: arrived(book.placements),
    previous,
    reports: known.reports,
    records,
    now,
    whole: true,
  });
  const last = known.assignments.flatMap(({ replicas }) => replicas.map((replica) => [replica.id, replica] as const));
  const told = toldIn(previous);
  const current = new Map(last.map(([id, replica]) => [id, plugged(replica, told)]));
  const network = networkIn(input.catalog, previous);
  const taken = preemptionsAfter([], placed.preemptions, book.placements, input.catalog);
  const { looked, unread } = await lookAtAll(input, assignments, whereabouts);
  return {
    catalog,
    held,
    hosts: looked.map(({ host, plan }) => ({ host, plan })),
    knobs: knobsChanged(previous, assignments),
    lacks: gathered(looked.flatMap(({ lacks }) => lacks)),
    outlook: outlook({
      catalog,
      before,
      after: book,
      leaving: placed.leaving,
      givenUp: givenUpIn(catalog, records),
      now,
    }),
    unplaceable: placed.unplaceable
      .filter(({ replica }) => !book.placements.has(replica))
      .map(({ replica, message }) => withTaker({ replica, message }, taken, input.catalog)),
    staying: stayingIn(placed, book.placements),
    preemptions: placed.preemptions.map((one) => preemptionText(one, book.placements, input.catalog)),
    problems: catalog.problems.length,
    rollouts: stepsOf({ catalog: input.catalog, placements: book.placements, current, network, told, records }),
    unknown: unknownOf([...known.hidden, ...unread], whereabouts, assignments),
  };
}

/** Those that have a place and keep it, though Git asks for another, or for more room there. Who only waits until others have made room goes. */
function stayingIn(
  { unplaceable, draining, leaving, preemptions }: PlaceResult,
  placements: ReadonlyMap<string, Placement>,
): FleetPlan['staying'] {
  const going = new Set([...leaving, ...preemptions.map(({ by }) => by)]);
  const all = [
    ...unplaceable.map(({ replica, message }) => ({ replica, why: message })),
    ...draining.flatMap(({ staying }) => staying),
  ];
  const found = new Map<string, FleetPlan['staying'][number]>();
  for (const one of all) {
    const host = placements.get(one.replica)?.host;
    if (host !== undefined && !going.has(one.replica)) found.set(one.replica, { ...one, host });
  }
  return [...found.values()];
}

function givenUpIn({ apps }: Catalog, records: readonly RolloutRecord[]): ReadonlySet<string> {
  return new Set([...apps.values()].filter((app) => recordOf(app, records)?.failed).map(({ name }) => name));
}

/** What of the hosts nothing can be planned for. */
function unknownOf(
  all: FleetPlan['unknown'],
  { reports }: Whereabouts,
  assignments: readonly Assignment[],
): FleetPlan['unknown'] {
  const hidden = new Map(all.map((one) => [one.host, one]));
  return assignments.flatMap(({ host }) => {
    if (!reports.has(host)) return [{ host, why: 'it has not reported yet' }];
    return hidden.get(host) ?? [];
  });
}

/** A plan shows where a move leads, not how long its new host waits for the old one. */
function arrived(placements: ReadonlyMap<string, Placement>): ReadonlyMap<string, Placement> {
  return new Map([...placements].map(([replica, { from: _from, ...placement }]) => [replica, placement]));
}

/** A plan shows where a revision leads: the whole change, not the first step of its rollout. What was given up leads nowhere. */
function atOnce(catalog: Catalog, records: readonly RolloutRecord[]): Catalog {
  const hurried = [...catalog.apps].map(([name, app]) => {
    if (recordOf(app, records)?.failed) return [name, app] as const;
    const { rollout: _careful, ...spec } = app.spec;
    return [name, { ...app, spec: { ...spec, maxUnavailable: Number.MAX_SAFE_INTEGER } }] as const;
  });
  return { ...withoutBudgets(catalog), apps: new Map(hurried) };
}

/** What is known of a host that has reported. */
interface Host {
  readonly told: Assignment | undefined;
  readonly report: Report;
}

/** What comes of a host. */
interface Looked {
  readonly host: string;
  readonly plan: Plan;
  readonly lacks: readonly Lack[];
}

/** Looks at all hosts that have reported; those that then do not say what they observe cannot be planned for. What their things are and are to be is forgotten then: of a whole fleet it would be gigabytes. */
async function lookAtAll(
  input: PreviewInput,
  assignments: readonly Assignment[],
  { assignments: previous, reports }: Whereabouts,
): Promise<{ readonly looked: readonly Looked[]; readonly unread: FleetPlan['unknown'] }> {
  const looked: Looked[] = [];
  const unread: FleetPlan['unknown'][number][] = [];
  for (const some of inLots(assignments)) {
    const hosts = some.flatMap((assignment) => {
      const { host } = assignment;
      const [told, report] = [previous.get(host), reports.get(host)];
      return report ? [{ assignment, told, report, atRest: told === assignment && isDone(told, report) }] : [];
    });
    const asked = hosts.filter(({ atRest }) => !atRest).map(({ assignment: { host } }) => host);
    const said = asked.length === 0 ? [] : await input.reports(asked);
    const observed = new Map(said.map((report) => [report.host, report.observed]));
    for (const { assignment, atRest, ...known } of hosts) {
      const { host } = assignment;
      const seen = observed.get(host);
      if (atRest) looked.push({ host, plan: planOf(input.catalog.revision, [], []), lacks: [] });
      else if (seen) looked.push(lookAt(input, assignment, known, seen));
      else unread.push({ host, why: 'what it observes could not be read' });
    }
  }
  return { looked, unread };
}

/** What a host would do. */
function lookAt(
  input: PreviewInput,
  assignment: Assignment,
  { told, report }: Host,
  seen: readonly Observed[],
): Looked {
  const { host } = assignment;
  const { memory } = report.facts.capacity;
  const wishes = (one: Assignment): Wishes => new Map(expand(one, memory).map((item) => [item.ref, item]));
  const after = wishes(assignment);
  const before = told === assignment ? after : told ? wishes(told) : new Map<Ref, Desired>();
  const plan = planOne(input, assignment.keep, { before, after, seen });
  return { host, plan, lacks: before === after ? [] : lacksOf(host, { before, after, seen }) };
}

/** It says that all is as it was told. */
function isDone({ generation }: Assignment, report: Report): boolean {
  return report.generation === generation && report.conditions.some(({ type, status }) => type === 'Ready' && status);
}

/** What a host is to be, by ref. */
type Wishes = ReadonlyMap<Ref, Desired>;

interface Step {
  readonly before: Wishes;
  readonly after: Wishes;
  readonly seen: readonly Observed[];
}

function planOne(input: PreviewInput, keep: Assignment['keep'], { before, after: desired, seen }: Step): Plan {
  // what only caches is given back as it comes and goes, whatever Git changes
  const there = seen.filter(({ ref }) => kindOf(ref) !== 'memory');
  const items = new Map(there.map((item) => [item.ref, item]));
  const world: World & { all(): readonly Observed[] } = { get: (ref) => items.get(ref), all: () => there };
  const { plan } = planHost({
    revision: input.catalog.revision,
    desired,
    world,
    differs: input.differs,
    inScope: () => true,
    now: input.now,
    keep,
    underway: () => false,
    pauses: new Map(),
    restarts: new Map(),
    unhealthy: new Set(),
    // a plan for another spec than it was told is no drift
    settled: { get: (ref) => (before.has(ref) ? fingerprintOf(before.get(ref)?.spec as object) : undefined) },
  });
  const rules = before === desired ? [] : ruleChanges(before, desired);
  return rules.length === 0 ? plan : planOf(plan.revision, [...plan.waves.flat(), ...rules], plan.held);
}

/** The changes of `after` that `before` does not have already: what the step from one revision to the other adds. */
export function difference(before: FleetPlan, after: FleetPlan): FleetPlan {
  const key = (host: string, { ref, verb, fields, want }: Change): string =>
    JSON.stringify([host, ref, verb, fields, want]);
  const keys = (plans: FleetPlan['hosts'], changes: (plan: Plan) => readonly Change[]): ReadonlySet<string> =>
    new Set(plans.flatMap(({ host, plan }) => changes(plan).map((change) => key(host, change))));
  const there = keys(before.hosts, ({ waves }) => waves.flat());
  const heldThere = keys(before.hosts, ({ held }) => held.map(({ change }) => change));
  const hosts = after.hosts.map(({ host, plan }) => {
    const waves = plan.waves
      .map((wave) => wave.filter((change) => !there.has(key(host, change))))
      .filter((wave) => wave.length > 0);
    const held = plan.held.filter(({ change }) => !heldThere.has(key(host, change)));
    return { host, plan: { ...plan, waves, held, summary: summarize(waves.flat()) } };
  });
  const unplaceable = beyond(before.unplaceable, after.unplaceable);
  const staying = beyond(before.staying, after.staying);
  const begun = new Set(before.rollouts.map((rollout) => JSON.stringify(rollout)));
  const rollouts = after.rollouts.filter((rollout) => !begun.has(JSON.stringify(rollout)));
  const preemptions = others(after.preemptions, before.preemptions);
  const lacking = others(after.lacks, before.lacks);
  const outlook = outlookFrom(before.outlook, after.outlook);
  return { ...after, hosts, unplaceable, staying, preemptions, rollouts, lacks: lacking, outlook };
}

/** Those that are not told of already. */
function beyond<T extends { readonly replica: string }>(before: readonly T[], after: readonly T[]): readonly T[] {
  const known = new Set(before.map(({ replica }) => replica));
  return after.filter(({ replica }) => !known.has(replica));
}

/** Those of `all` that are not among others. */
function others<T>(all: readonly T[], without: readonly T[]): readonly T[] {
  const there = new Set(without.map((one) => JSON.stringify(one)));
  return all.filter((one) => !there.has(JSON.stringify(one)));
}

/** Where the second leads beyond the first: what both do is no news. What is given out is so as things stand, and when all is done. */
function outlookFrom(before: Outlook, after: Outlook): Outlook {
  const placed = others(after.placed, before.placed);
  return {
    ...after,
    placed,
    moved: others(after.moved, before.moved),
    released: others(after.released, before.released),
    staying: after.staying + after.placed.length - placed.length,
    spread: others(after.spread, before.spread),
  };
}
