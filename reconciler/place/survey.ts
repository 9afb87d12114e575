import type { Book } from '../model/book.ts';
import { selects } from '../model/catalog.ts';
import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { Known } from '../model/change.ts';
import { inWhole } from '../model/cores.ts';
import { pinnedIn, sameDemand, unpinned } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import { disruptionOf, mayLeaveWithin } from '../model/disruption.ts';
import type { Disruption } from '../model/disruption.ts';
import { fateOf } from '../model/fate.ts';
import { formOf } from '../model/form.ts';
import { lingersIn, waitsFor } from '../model/handover.ts';
import type { HostWords } from '../model/handover.ts';
import { refOf } from '../model/ref.ts';
import { ordinalOf, replicaId } from '../model/replica.ts';
import type { AssignedReplica, Assignment, Placement, Report } from '../model/replica.ts';
import type { HostRecord, ReservationState } from '../model/reservations.ts';
import type { CgroupState } from '../model/resources.ts';
import { healthOf } from '../model/rollout.ts';
import type { Health } from '../model/rollout.ts';
import { inPool } from './addresses.ts';
import { createWhereabouts, isComplete, isLate, ownerTold, saidOf } from '../model/whereabouts.ts';
import type { Scope, Whereabouts } from '../model/whereabouts.ts';
import { coresOf, cpuOf, onNode } from './cores.ts';
import { demandOf } from './asks.ts';
import { drainedIn, viewsByName, type HostView } from './hosts.ts';
import type { Side } from './table.ts';

/** All that placing looks at. Nothing else decides. */
export interface PlaceInput {
  readonly catalog: Catalog;
  readonly snapshot: ReservationState;
  /** From `hostViews`. */
  readonly hosts: readonly HostView[];
  /** The last report of each host. */
  readonly reports: readonly Report[];
  /** The last Assignment of each host. */
  readonly assignments: readonly Assignment[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Absent, all is looked at. */
  readonly scope?: Scope;
  /** The snapshot as a book, and all of the above by App and host, where somebody keeps them; else they are made for this. */
  readonly kept?: { readonly book: Book; readonly whereabouts: Whereabouts };
  /**
   * `never`: nobody makes room for others, since what is free is asked for. `at once`: whoever makes room has left at once, since
   * where it leads is asked for. Absent, step by step.
   */
  readonly preempts?: 'never' | 'at once';
  /** Apps in the middle of a change, which counts on its replicas. */
  readonly changing?: ReadonlySet<string>;
  /** Which of several schedulers this is that work side by side, from 0; absent when it is the only one. */
  readonly side?: Side;
}

/** A placement that could not be made anew as it stands. It is left alone. */
export interface Misplaced {
  readonly replica: string;
  readonly app: string;
  readonly host: string;
  readonly why: string;
}

/** A replica that wants a host: without a placement, or with one to be given up for a new one. */
export interface Wish {
  readonly replica: string;
  readonly from?: Placement;
  /** It leaves a host that is drained and keeps its address: `free` when it serves nobody anyway, else when it is its turn. */
  readonly moves?: 'free' | 'in turn';
}

/** A replica that is to take more or less of its host; without the cores that it is to have for itself, whole ones, whose node has to be found. */
export interface Resize {
  readonly placement: Placement;
  readonly demand: Demand;
  readonly cores: number;
  /** So many of them it has, as many as Git says: the others make them whole, and nobody goes nor waits for these. */
  readonly has?: number;
}

/** What there is to do, before anybody looks for a host. */
export interface Survey {
  /** Placements to give up. */
  readonly releases: readonly Placement[];
  /** Unwanted replicas of which something still runs: they keep host and address until it is gone. */
  readonly leaving: readonly Placement[];
  /** No longer asked for, but errors in the repository forbid to remove them. */
  readonly kept: readonly Placement[];
  readonly resizes: readonly Resize[];
  /** App → replicas that want a host, by ordinal. */
  readonly wanted: ReadonlyMap<string, readonly Wish[]>;
  /** The Apps of the catalog that were looked at, by name. */
  readonly apps: readonly string[];
  readonly misplaced: readonly Misplaced[];
  /** App → how many more of its replicas that serve may be moved now. */
  readonly turns: ReadonlyMap<string, number>;
  /** Replicas on hosts that are drained and that cannot be moved now wherever there is room, and why. */
  readonly stuck: ReadonlyMap<string, string>;
  /** What of each Zone may be taken away. */
  readonly disruption: Disruption;
  /** Wanted replicas that give their places to others. */
  readonly yielding: ReadonlySet<string>;
  /** Hosts that are not heard of. */
  readonly lost: ReadonlySet<string>;
  /** By whom all that was seen. */
  readonly witness: Witness;
  /** How a replica does that is placed there. */
  readonly health: (replica: string, placement: Placement | undefined) => Health;
}

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

function witness({ catalog, kept, snapshot, reports, assignments }: PlaceInput): Witness {
  const whereabouts = kept?.whereabouts ?? createWhereabouts(snapshot.placements, assignments, reports);
  return { catalog, whereabouts, reports: whereabouts.reports, assignments: whereabouts.assignments };
}

/** Whether something of a replica may still be on its host: then host and address are not yet anybody else's. */
function lingers({ catalog }: PlaceInput, { reports }: Witness, { replica, host }: Placement): boolean {
  if (!catalog.hosts.has(host)) return false;
  const report = reports.get(host);
  return report !== undefined && lingersIn(report, replica);
}

/** Whether placements of an App must be given up for new ones, because Git says so. */
export function outdatedIn(catalog: Catalog, app: AppSpec): (placement: Placement) => boolean {
  const network = catalog.networks.get(app.network)?.spec;
  if (!network || !catalog.zones.has(app.zone)) return () => false;
  return (placement) =>
    placement.network !== app.network || placement.zone !== app.zone || !inPool(network, placement.address);
}

/** Why a placement could not be made today. */
function misfit(
  { catalog, snapshot }: PlaceInput,
  app: AppSpec,
  placement: Placement,
  view: HostView | undefined,
): string | undefined {
  const { host, zone } = placement;
  if (!catalog.hosts.has(host)) return `host ${host} has left the catalog`;
  if (!catalog.zones.has(zone)) return undefined; // its document has errors: nothing is concluded from that
  if (!view) return snapshot.hosts.has(host) ? `host ${host} is in no zone` : `host ${host} has not reported`;
  if (view.record.zone !== zone) return `host ${host} is in zone ${view.record.zone} now, not in ${zone}`;
  if (view.platform !== undefined && app.platform !== undefined && view.platform !== app.platform)
    return `host ${host} is ${view.platform}, and the App asks for ${app.platform}`;
  if (!selects(app.hosts, view.labels)) return `host ${host} no longer has the labels that the App asks for`;
  const network = catalog.networks.get(app.network);
  if (network && !selects(network.spec.hosts, view.labels)) return `host ${host} no longer has Network ${app.network}`;
  const levels = catalog.zones.get(zone)?.spec.levels;
  return levels?.includes(app.level) === false ? `zone ${zone} no longer takes level ${String(app.level)}` : undefined;
}

/**
 * Whether replicas of an App reserve just what it asks for, none of it cores of their own: there is nothing to get, and nothing to give back, whatever they
 * were told. Most of them share one object.
 */
function reserving(spec: AppSpec): (demand: Demand) => boolean {
  if (coresOf(spec) > 0) return () => false;
  const want = demandOf(spec);
  let same = want;
  return (demand) => {
    if (demand !== same && !sameDemand(want, demand)) return false;
    same = demand;
    return true;
  };
}

/**
 * What a replica that is to take less gives back: no more than it has been told to do without, and of memory no more than the
 * kernel holds it to. Until then the larger is reserved.
 */
function resized(
  { reports, whereabouts }: Witness,
  placement: Placement,
  spec: AppSpec,
  { worth = 1, record }: Pick<HostView, 'worth'> & { readonly record?: HostRecord | undefined },
): Resize | undefined {
  const { replica, host, demand } = placement;
  const want = demandOf(spec);
  const last = whereabouts.toldOf(replica);
  const told = last?.placement.host === host ? last.spec.resources : spec.resources;
  const keep = (key: 'cpu' | 'memory' | 'pids', have: number): number =>
    Math.max(want[key], Math.min(have, demand[key]));
  let memory = keep('memory', told.memory);
  if (memory < demand.memory) {
    const ref = refOf('cgroup', replica);
    const seen = reports.get(host)?.observed.find((item) => item.ref === ref);
    if (seen?.known === false) memory = demand.memory;
    else if (seen) memory = keep('memory', (seen as Known<CgroupState>).state.memory ?? memory);
    else if (isInOtherForm(whereabouts, host, last)) memory = demand.memory;
  }
  const next = { ...want, cpu: keep('cpu', told.cpu), memory, pids: keep('pids', told.pids) };
  const whole = (some: AppSpec['resources']): number =>
    inWhole(coresOf({ resources: some }), record?.threadsPerCore ?? 1);
  const asks = Math.max(coresOf(spec), coresOf({ resources: told }));
  const own = asks === 0 ? undefined : pinnedIn(demand);
  const cores = Math.max(whole(spec.resources), Math.min(whole(told), own?.cores ?? 0));
  if (cores === 0) return sameDemand(next, demand) ? undefined : { placement, demand: next, cores };
  const shares = (some: AppSpec['resources']): number => (some.pinned ? 0 : some.cpu);
  // what it shares it keeps until it was told of cores of its own
  const cpu = Math.max(shares(spec.resources), Math.min(shares(told), own ? 0 : demand.cpu));
  const least = { ...unpinned(next), cpu };
  const same = own && { ...onNode(least, cores, own.node, worth), cpu: Math.max(cpu, cpuOf(cores, worth)) };
  if (same && sameDemand(same, demand)) return undefined;
  const has = own && own.cores < cores && own.cores >= coresOf(spec) ? { has: own.cores } : {};
  return { placement, demand: least, cores, ...has };
}

/** Whether a host runs a replica in another form than it was last told: of one that is in the form that it was told, its cgroup is not kept. */
function isInOtherForm(at: Whereabouts, host: string, last: AssignedReplica | undefined): boolean {
  const { fingerprint, form } = (last && saidOf(at, host, last.id)) ?? {};
  return last !== undefined && fingerprint !== undefined && form !== undefined && form !== formOf(last);
}

/** What one App asks for. */
interface Asked {
  readonly wishes: readonly Wish[];
  readonly turns: number;
  readonly stuck: readonly (readonly [string, string])[];
}

const NOBODY: ReadonlySet<string> = new Set();

const NOTHING_ASKED: Asked = { wishes: [], turns: 0, stuck: [] };

/** Why a replica stays on a host that is drained, wherever there is room. */
function stuckOn(seen: Witness, view: HostView | undefined, placement: Placement): string | undefined {
  if (view?.lost) return `${placement.host} is not heard of, so that nobody knows when it has let it go`;
  const before = waitsFor(placement, seen);
  return before === undefined ? undefined : `it is on its way here and ${before} has not let it go`;
}

/** How a replica does. Of what a host said before it was last told something, and of what a lost one said, nothing follows for now. */
function standingOf(
  { whereabouts }: Witness,
  views: ReadonlyMap<string, HostView>,
  id: string,
  placement: Placement | undefined,
): Health {
  const host = placement?.host ?? '';
  if (placement && (views.get(host)?.lost || isLate(whereabouts, host))) return { away: true, down: false };
  return healthOf(placement, whereabouts.toldOf(id), saidOf(whereabouts, host, id));
}

/**
 * The ordinals of one App that want a host. Those that must leave their place do so only `maxUnavailable` at a time: first
 * those that Git readdresses, then those that are on hosts which are drained.
 */
function askedBy(
  { catalog, snapshot }: PlaceInput,
  seen: Witness,
  views: ReadonlyMap<string, HostView>,
  { name, spec }: Resource<AppSpec>,
  disruption: Disruption,
): Asked {
  const isOutdated = outdatedIn(catalog, spec);
  const drainedHosts = drainedIn(catalog);
  const mayStay = (placement: Placement): boolean => !isOutdated(placement) && !drainedHosts.has(placement.host);
  if (isComplete(seen.whereabouts.placed(name), name, spec) && seen.whereabouts.placed(name).values().every(mayStay))
    return NOTHING_ASKED;
  const ids = Array.from({ length: spec.replicas }, (_, ordinal) => replicaId(name, ordinal));
  const places = ids.map((id) => snapshot.placements.get(id));
  const stale = places.map((placement) => placement !== undefined && isOutdated(placement));
  const drained = places.map((placement) => placement && drainedHosts.has(placement.host));
  if (!stale.includes(true) && !drained.includes(true))
    return { wishes: ids.flatMap((replica, i) => (places[i] ? [] : [{ replica }])), turns: 0, stuck: [] };
  const standing = ids.map((id, i) => ({
    id,
    stale: stale[i] === true,
    ...standingOf(seen, views, id, places[i]),
  }));
  const leaving = mayLeaveWithin(standing, spec, disruption);
  const away = standing.filter((one) => one.away || leaving.has(one.id)).length;
  const stuck: [string, string][] = [];
  const wishes = ids.flatMap((replica, i): readonly Wish[] => {
    const from = places[i];
    if (!from) return [{ replica }];
    if (stale[i] === true && leaving.has(replica)) return [{ replica, from }];
    if (stale[i] !== true && drained[i] !== true) return [];
    const waits = stale[i] === true ? 'it waits until it may get another address' : undefined;
    const why = waits ?? stuckOn(seen, views.get(from.host), from);
    if (why === undefined) return [{ replica, from, moves: standing[i]?.down === true ? 'free' : 'in turn' }];
    stuck.push([replica, why]);
    return [];
  });
  return { wishes, turns: Math.max(0, spec.maxUnavailable - away), stuck };
}

/** By App, then by ordinal. */
export const byReplica = (a: Placement, b: Placement): number =>
  a.app === b.app ? ordinalOf(a.replica) - ordinalOf(b.replica) : a.app < b.app ? -1 : 1;

/** The Apps that are looked at, in order of name. */
function namesOf({ catalog, scope }: PlaceInput, { whereabouts }: Witness): readonly string[] {
  return scope ? [...scope.apps].sort() : [...new Set([...catalog.apps.keys(), ...whereabouts.apps()])].sort();
}

/** Compares what is wanted with what is placed. Placements that need not change are sticky. */
export function survey(input: PlaceInput): Survey {
  const { catalog } = input;
  const seen = witness(input);
  const views = viewsByName(input.hosts);
  const releases: Placement[] = [];
  const leaving: Placement[] = [];
  const kept: Placement[] = [];
  const resizes: Resize[] = [];
  const misplaced: Misplaced[] = [];
  const yielding = new Set<string>();
  const names = namesOf(input, seen);
  const apps = names.flatMap((name) => catalog.apps.get(name) ?? []);
  const lost = new Set(input.hosts.filter((view) => view.lost).map(({ record }) => record.host));
  const disruption = disruptionOf(catalog, seen.whereabouts, lost);
  const asked = apps.map((app) => [app.name, askedBy(input, seen, views, app, disruption)] as const);
  const wanted = new Map(asked.map(([app, { wishes }]) => [app, wishes]));
  const turns = new Map(asked.map(([app, { turns: left }]) => [app, left]));
  const stuck = new Map(asked.flatMap(([, one]) => one.stuck));
  const owners = { get: (app: string) => ownerTold(seen.whereabouts, app) };
  const look = (
    placement: Placement,
    spec: AppSpec | undefined,
    moving: ReadonlySet<string>,
    isRight: ReturnType<typeof reserving> | undefined,
  ): void => {
    const { replica, app, host } = placement;
    const fate = fateOf(placement, catalog, owners);
    if (fate === 'kept') kept.push(placement);
    else if (fate === 'unwanted') (lingers(input, seen, placement) ? leaving : releases).push(placement);
    else if (placement.yields !== undefined) yielding.add(replica);
    if (fate !== 'wanted' || !spec || moving.has(replica)) return;
    const view = views.get(host);
    const on = view ?? { record: input.snapshot.hosts.get(host) };
    const resize = isRight?.(placement.demand) ? undefined : resized(seen, placement, spec, on);
    if (resize) resizes.push(resize);
    const why = misfit(input, spec, placement, view);
    if (why !== undefined) misplaced.push({ replica, app, host, why });
  };
  for (const name of names) {
    const wishes = wanted.get(name) ?? [];
    const moving = wishes.length === 0 ? NOBODY : new Set(wishes.map(({ replica }) => replica));
    const spec = catalog.apps.get(name)?.spec;
    const isRight = spec && reserving(spec);
    for (const placement of seen.whereabouts.placed(name).values()) look(placement, spec, moving, isRight);
  }
  const todo = { releases, leaving, kept, resizes, wanted, yielding, lost };
  const health: Survey['health'] = (replica, placement) => standingOf(seen, views, replica, placement);
  const looked = apps.map(({ name }) => name);
  return { ...todo, apps: looked, misplaced, turns, stuck, disruption, witness: seen, health };
}
