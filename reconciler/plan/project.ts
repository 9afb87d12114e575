import { isDeepStrictEqual } from 'node:util';
import { selects } from '../model/catalog.ts';
import type { Catalog, NetworkSpec, Resource } from '../model/catalog.ts';
import { disruptionOf, withoutBudgets } from '../model/disruption.ts';
import { ended } from '../model/ended.ts';
import { fateOf } from '../model/fate.ts';
import { waitsFor } from '../model/handover.ts';
import type { HostWords } from '../model/handover.ts';
import type { RolloutRecord } from '../model/release.ts';
import { appOf } from '../model/replica.ts';
import { PROTOCOL } from '../model/protocol.ts';
import type {
  AssignedNetwork,
  AssignedReplica,
  Assignment,
  Placement,
  ReplicaReport,
  Report,
} from '../model/replica.ts';
import { knobTurns } from './knobs.ts';
import { linesTold } from './provenance.ts';
import { slotGiver } from './slots.ts';
import { sameItem, sameItems } from './same.ts';
import { isSettled } from './settled.ts';
import { createWhereabouts, isLate, ownerTold, saidOf } from '../model/whereabouts.ts';
import type { Scope, Whereabouts } from '../model/whereabouts.ts';
import { networkIn, plugged, pluggedBefore, pluggingIn, toldIn } from './plugging.ts';
import { rollout } from './rollout.ts';
import type { Progress, Rollout, RolloutInput } from './rollout.ts';

export interface ProjectInput {
  readonly catalog: Catalog;
  /** Who wrote its revision. */
  readonly author: string;
  /** By replica: as committed, or as place foresees them. */
  readonly placements: ReadonlyMap<string, Placement>;
  /** The last Assignment of each host. */
  readonly previous: ReadonlyMap<string, Assignment>;
  readonly reports: readonly Report[];
  /** Hosts that are not heard of: what they last said counts for nothing. */
  readonly lost?: ReadonlySet<string>;
  /** Replicas whose turn to leave has come, and that serve until there is room for them elsewhere. */
  readonly turned?: readonly string[];
  /** What is remembered of changes under way. */
  readonly records?: readonly RolloutRecord[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Nothing is given up before, milliseconds since 1970: hosts may have had no way to say how they are. */
  readonly judgeFrom?: number;
  /** Absent, all is looked at. */
  readonly scope?: Scope;
  /** All of the above by App and host, where somebody keeps it; else it is made for this. */
  readonly kept?: Whereabouts;
  /** Where it leads, not the next step: nobody waits for a turn, and what other Apps have to try first is taken for tried. */
  readonly whole?: boolean;
}

export interface Projection {
  /** One for each host of the catalog, and for those that have left it, as far as looked at; the same object as before where nothing changed. */
  readonly assignments: readonly Assignment[];
  /** Apps that another look may find otherwise although nothing happens: what they are to be is new, waits, or is remembered. */
  readonly unsettled: ReadonlySet<string>;
  /** How far each App that is not settled is, by name. */
  readonly rollouts: readonly Progress[];
  /** What to remember of changes under way, by name of the App. */
  readonly records: readonly RolloutRecord[];
  /** Hosts whose turn to get other knobs has not come; they are to be looked at again. */
  readonly waitingHosts: ReadonlySet<string>;
  /** What these wait for, in words. */
  readonly knobs?: string;
}

/** Something that may be interrupted where it yields. */
type Turns<T> = Generator<undefined, T>;

/** What is known of the replicas of one App, by replica; a report counts only from the host where the replica is placed. */
type Before = Pick<RolloutInput, 'placements' | 'current' | 'reports' | 'late' | 'told'>;

/** What is known of the replicas of an App with these placements. */
export function lookBack(
  { lost }: Pick<ProjectInput, 'lost'>,
  at: Whereabouts,
  app: string,
  mine: Before['placements'],
): Before {
  const current = new Map<string, AssignedReplica>();
  const networkTold = toldIn(at.assignments);
  for (const { id } of at.told(app)) {
    const told = at.toldOf(id);
    if (told) current.set(id, plugged(told, networkTold));
  }
  const reports = new Map<string, ReplicaReport>();
  const late = new Set<string>();
  for (const { replica, host } of mine.values()) {
    const said = lost?.has(host) ? undefined : saidOf(at, host, replica);
    if (said) reports.set(replica, said);
    if (isLate(at, host)) late.add(replica);
  }
  return { placements: mine, current, reports, late, told: networkTold };
}

/**
 * The rollout of each App, by name. Those of one Zone go in order of level, the least critical first, as far as they change
 * with one revision: what breaks them all shows where it hurts least, and a change of its own waits for nobody.
 */
function* rolloutsOf(
  input: ProjectInput,
  at: Whereabouts,
  placed: ReadonlyMap<string, ReadonlyMap<string, Placement>>,
): Turns<ReadonlyMap<string, Rollout>> {
  const { catalog, records = [], now, judgeFrom = 0, lost, turned = [], whole = false } = input;
  const known = new Map(records.map((record) => [record.app, record]));
  const network = networkIn(catalog, at.assignments);
  const plugging = pluggingIn(at, network);
  const disruption = disruptionOf(whole ? withoutBudgets(catalog) : catalog, at, lost);
  // others were stopped for them on the strength of that turn: nobody else takes it
  for (const replica of turned) disruption.spend(catalog.apps.get(appOf(replica))?.spec.zone ?? '');
  const unfinished = new Map<string, { readonly app: string; readonly level: number }>();
  const made = new Map<string, Rollout>();
  const apps = [...placed.keys()].sort().flatMap((name) => catalog.apps.get(name) ?? []);
  for (const app of apps.toSorted((a, b) => b.spec.level - a.spec.level)) {
    const { zone, level } = app.spec;
    const ahead = (revision: string): string | undefined => {
      const first = unfinished.get(`${zone} ${revision}`);
      return first && first.level > level ? first.app : undefined;
    };
    const before = lookBack(input, at, app.name, placed.get(app.name) ?? new Map<string, Placement>());
    const kept = known.get(app.name);
    const record = kept && pluggedBefore(kept, before.current);
    const mayPlug = whole ? () => true : plugging.mayBy(app);
    const seen = { ...before, ...(lost ? { lost } : {}), network, mayPlug, disruption, whole };
    const one = rollout({ app, ...seen, record, revision: catalog.revision, now, judgeFrom, ahead });
    plugging.note(one.replicas);
    // for one that stands still nobody waits
    const key = one.record && one.record.stage !== 'frozen' ? `${zone} ${one.record.revision}` : undefined;
    if (key !== undefined && !unfinished.has(key)) unfinished.set(key, { app: app.name, level });
    made.set(app.name, one);
    yield;
  }
  return made;
}

/** What to remember: of Apps that cannot be read what was known of them. */
function recordsOf(
  { catalog, records = [] }: ProjectInput,
  rollouts: ReadonlyMap<string, Rollout>,
): readonly RolloutRecord[] {
  const { apps, heldObjects, heldOwners } = catalog;
  const kept = records.filter(({ app }) => !apps.has(app) && (heldObjects.has(`App/${app}`) || heldOwners.size > 0));
  const made = [...rollouts.values()].flatMap(({ record }) => record ?? []);
  return [...made, ...kept].sort((a, b) => (a.app < b.app ? -1 : 1));
}

interface Shared {
  readonly byHost: ReadonlyMap<string, readonly AssignedReplica[]>;
  readonly rollouts: ReadonlyMap<string, Rollout>;
  readonly unsettled: ReadonlySet<string>;
}

/** What each replica that is looked at is to be now: those of understood Apps as their rollout says, kept ones as they were. */
function* replicasOf(input: ProjectInput, at: Whereabouts, names: readonly string[]): Turns<Shared> {
  const { catalog } = input;
  const owners = { get: (app: string) => ownerTold(at, app) };
  const placed = new Map<string, Map<string, Placement>>();
  const found: AssignedReplica[] = [];
  for (const name of names) {
    const mine = new Map<string, Placement>();
    if (catalog.apps.has(name)) placed.set(name, mine);
    for (const placement of at.placed(name).values()) {
      const fate = fateOf(placement, catalog, owners);
      const as = fate === 'kept' ? at.toldOf(placement.replica) : undefined;
      if (as) found.push(placement.yields === undefined ? { ...as, placement } : as);
      // one that gives its place to another is to be stopped
      if (fate === 'wanted' && placement.yields === undefined) mine.set(placement.replica, placement);
    }
  }
  const rollouts = yield* rolloutsOf(input, at, placed);
  for (const { replicas } of rollouts.values()) for (const replica of replicas) found.push(replica);
  // one that has moved goes to its new host only when the old one has let it go: no address is live twice
  const words: HostWords = { catalog, assignments: at.assignments, reports: at.reports };
  const here = found.filter(({ placement }) => waitsFor(placement, words) === undefined);
  const byHost = new Map<string, AssignedReplica[]>();
  for (const replica of here) listIn(byHost, replica.placement.host).push(replica);
  return { byHost, rollouts, unsettled: unsettledOf(catalog, at, names, here, rollouts) };
}

function listIn<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

function unsettledOf(
  catalog: Catalog,
  at: Whereabouts,
  names: readonly string[],
  here: readonly AssignedReplica[],
  rollouts: ReadonlyMap<string, Rollout>,
): ReadonlySet<string> {
  const byApp = new Map<string, AssignedReplica[]>();
  for (const replica of here) listIn(byApp, replica.app).push(replica);
  const settled = (name: string): boolean => {
    const { record, progress } = rollouts.get(name) ?? {};
    const mine = byApp.get(name) ?? [];
    if (record || (progress?.waiting.length ?? 0) > 0) return false;
    if (mine.length !== (catalog.apps.get(name)?.spec.replicas ?? 0) || mine.length !== at.placed(name).size)
      return false;
    const told = [...at.told(name)];
    return told.length === mine.length && mine.every((replica) => sameItem(at.toldOf(replica.id) ?? {}, replica));
  };
  return new Set(names.filter((name) => !settled(name)));
}

function byReplica(a: AssignedReplica, b: AssignedReplica): number {
  if (a.app !== b.app) return a.app < b.app ? -1 : 1;
  return a.id.length - b.id.length || (a.id < b.id ? -1 : 1);
}

const networks = new WeakMap<Resource<NetworkSpec>, AssignedNetwork>();

/** One object for all hosts. */
function assigned(network: Resource<NetworkSpec>): AssignedNetwork {
  const { name, origin } = network;
  const { isolation: _, ...spec } = network.spec;
  const known = networks.get(network) ?? { name, spec, origin, fields: linesTold('network', network.fields) };
  networks.set(network, known);
  return known;
}

/** The Networks that the replicas are plugged into; one that cannot be read stays as it was. */
function networksOf(
  catalog: Catalog,
  replicas: readonly AssignedReplica[],
  previous: Assignment | undefined,
): readonly AssignedNetwork[] {
  const names = [...new Set(replicas.map(({ placement }) => placement.network))].sort();
  return names.flatMap((name): readonly AssignedNetwork[] => {
    const resource = catalog.networks.get(name);
    if (resource) return [assigned(resource)];
    return previous?.networks.filter((network) => network.name === name) ?? [];
  });
}

/** What the host's Zone says of repairs. Where it cannot be told, it stays as it was. */
function repairsOf(catalog: Catalog, host: string, previous: Assignment | undefined): Pick<Assignment, 'repairs'> {
  const labels = catalog.hosts.get(host)?.labels;
  const zone = labels && [...catalog.zones.values()].find(({ spec }) => selects(spec.hosts, labels));
  if (!zone) return previous?.repairs ? { repairs: previous.repairs } : {};
  const { repairs } = zone.spec.disruption ?? {};
  return repairs ? { repairs: { zone: zone.name, ...repairs } } : {};
}

/** Whether two Assignments ask for the same, whatever their numbers and whichever revisions say so. */
function sameContent(a: Assignment, b: Assignment): boolean {
  if (!sameItems(a.replicas, b.replicas) || !sameItems(a.networks, b.networks) || !sameItems(a.tuning, b.tuning))
    return false;
  const rest = ({
    replicas: _1,
    networks: _2,
    tuning: _3,
    generation: _4,
    revision: _5,
    author: _6,
    ...more
  }: Assignment) => more;
  return isDeepStrictEqual(rest(a), rest(b));
}

/**
 * A host that says it has a later one than the store knows was told it by one that was emptied, or that lost it when it failed over: it
 * gets the next number after that, and takes no other.
 */
function numbered(next: Assignment, previous: Assignment | undefined, reported: number): Assignment {
  if (!previous || reported > previous.generation) return { ...next, generation: reported + 1 };
  return sameContent(previous, next) ? previous : { ...next, generation: previous.generation + 1 };
}

/** The hosts that are looked at: where something of the Apps is, was told or is to be, and those that are looked at anyway. */
function hostsOf({ catalog, scope }: ProjectInput, at: Whereabouts, { byHost }: Shared): readonly string[] {
  if (!scope) return [...new Set([...catalog.hosts.keys(), ...byHost.keys(), ...at.assignments.keys()])].sort();
  const asked = [...scope.hosts].filter((host) => catalog.hosts.has(host) || at.assignments.has(host));
  const told = [...scope.apps].flatMap((app) => [...at.told(app)].map(({ placement }) => placement.host));
  return [...new Set([...asked, ...told, ...byHost.keys()])].sort();
}

/** The Apps of which something may be decided: those that are looked at, but for the settled ones. */
function* unsettledIn({ catalog, scope, records = [] }: ProjectInput, at: Whereabouts): Turns<ReadonlySet<string>> {
  const remembered = new Set(records.map(({ app }) => app));
  const network = networkIn(catalog, at.assignments);
  const apps = scope?.apps ?? new Set([...catalog.apps.keys(), ...at.apps()]);
  const settled = (name: string): boolean => {
    const app = catalog.apps.get(name);
    return app !== undefined && !remembered.has(name) && isSettled(app, at, network);
  };
  const unsettled = new Set<string>();
  for (const name of apps) {
    if (!settled(name)) unsettled.add(name);
    yield;
  }
  return unsettled;
}

/** Of those that a host was told, which are in order, the ones of Apps that are not looked at; and those of these that it is to be told. */
function replicasFor(
  told: readonly AssignedReplica[],
  looked: ReadonlySet<string>,
  others: readonly AssignedReplica[],
): readonly AssignedReplica[] {
  const rest = looked.size === 0 ? told : told.filter(({ app }) => !looked.has(app));
  return others.length === 0 ? rest : [...rest, ...others].sort(byReplica);
}

/**
 * What each host is to be: its replicas with their specs, the Networks these need, and its knobs. Of a large fleet that takes its time: others may have
 * their turn after each App and each host, if what it is given stays as it is meanwhile.
 */
export function* projecting(input: ProjectInput): Turns<Projection> {
  const { catalog } = input;
  const at = input.kept ?? createWhereabouts(input.placements, input.previous.values(), input.reports);
  const looked = yield* unsettledIn(input, at);
  const shared = yield* replicasOf(input, at, [...looked]);
  const { byHost, rollouts, unsettled } = shared;
  const apps = [...catalog.heldObjects].filter((name) => name.startsWith('App/')).map((name) => name.slice(4));
  const keep = { apps: apps.sort(), owners: [...catalog.heldOwners].sort() };
  const hosts = hostsOf(input, at, shared);
  const knobs = knobTurns({ catalog, at, lost: input.lost ?? new Set(), hosts, whole: input.whole ?? false });
  const slotOf = slotGiver(catalog, at);
  const assignments: Assignment[] = [];
  for (const host of hosts) {
    const before = at.assignments.get(host);
    const replicas = replicasFor(before?.replicas ?? [], looked, byHost.get(host) ?? []);
    const next: Assignment = {
      protocol: PROTOCOL,
      host,
      fleet: catalog.fleet.name,
      generation: 1,
      revision: catalog.revision,
      author: input.author,
      resync: catalog.fleet.spec.resync,
      replicas,
      networks: networksOf(catalog, replicas, before),
      tuning: knobs.of(host),
      ...repairsOf(catalog, host, before),
      ...slotOf(host, knobs.of(host), replicas),
      keep,
    };
    assignments.push(numbered(next, before, at.reports.get(host)?.generation ?? 0));
    yield;
  }
  const progress = [...rollouts.keys()].sort().flatMap((name) => rollouts.get(name)?.progress ?? []);
  const records = recordsOf(input, rollouts);
  const waits = { waitingHosts: knobs.waiting, ...(knobs.why === undefined ? {} : { knobs: knobs.why }) };
  return { assignments, unsettled, rollouts: progress, records, ...waits };
}

/** The same at once. */
export function project(input: ProjectInput): Projection {
  return ended(projecting(input));
}
