import { isDeepStrictEqual } from 'node:util';
import { selects } from '../model/catalog.ts';
import type { Catalog } from '../model/catalog.ts';
import { fateOf } from '../model/fate.ts';
import { hostHeld, waitsFor } from '../model/handover.ts';
import type { HostWords } from '../model/handover.ts';
import { knobsOf } from '../model/knobs.ts';
import type { RolloutRecord } from '../model/release.ts';
import type {
  AssignedKnob,
  AssignedNetwork,
  AssignedReplica,
  Assignment,
  Placement,
  ReplicaReport,
  Report,
} from '../model/replica.ts';
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
  /** Hosts that are not heard of: for Apps with a `rollout` block what they last said counts for nothing. */
  readonly lost?: ReadonlySet<string>;
  /** What is remembered of changes under way. */
  readonly records?: readonly RolloutRecord[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Projection {
  /** One for each host of the catalog, and for those that have left it; the same object as before where nothing changed. */
  readonly assignments: readonly Assignment[];
  /** How far each App is, by name. */
  readonly rollouts: readonly Progress[];
  /** What to remember of changes under way, by name of the App. */
  readonly records: readonly RolloutRecord[];
}

const byName = <T extends { readonly name: string }>(a: T, b: T): number => (a.name < b.name ? -1 : 1);

function sorted<T extends { readonly name: string }>(items: ReadonlyMap<string, T>): readonly T[] {
  return [...items.values()].sort(byName);
}

/** What was assigned and reported, by replica; a report counts only from the host where the replica is placed. */
interface Before {
  readonly assigned: ReadonlyMap<string, AssignedReplica>;
  readonly owners: ReadonlyMap<string, string>;
  readonly reports: ReadonlyMap<string, ReplicaReport>;
  /** The same without those of lost hosts. */
  readonly heard: ReadonlyMap<string, ReplicaReport>;
  /** Replicas on hosts that have not spoken since they were last told something. */
  readonly late: ReadonlySet<string>;
}

function lookBack({ previous, reports, placements, lost }: ProjectInput): Before {
  const all = [...previous.values()].flatMap(({ replicas }) => replicas);
  // during a move two hosts may have been assigned it: the one where it is placed counts
  const here = (replica: AssignedReplica): boolean => placements.get(replica.id)?.host === replica.placement.host;
  const ordered = [...all.filter((replica) => !here(replica)), ...all.filter(here)];
  const toldBy = ({ host, replicas }: Report): readonly (readonly [string, ReplicaReport])[] =>
    replicas.filter(({ id }) => placements.get(id)?.host === host).map((report) => [report.id, report]);
  const said = new Map(reports.flatMap(toldBy));
  const heard =
    lost === undefined || lost.size === 0
      ? said
      : new Map(reports.filter(({ host }) => !lost.has(host)).flatMap(toldBy));
  const late = reports.flatMap(({ host, generation }) => {
    const assignment = previous.get(host);
    return assignment && generation < assignment.generation ? assignment.replicas.map(({ id }) => id) : [];
  });
  return {
    assigned: new Map(ordered.map((replica) => [replica.id, replica])),
    owners: new Map(all.map(({ app, owner }) => [app, owner])),
    reports: said,
    heard,
    late: new Set(late),
  };
}

/**
 * The rollout of each App, by name. Those of one Zone go in order of level, the least critical first, as far as they change
 * with one revision: what breaks them all shows where it hurts least, and a change of its own waits for nobody.
 */
function rolloutsOf(
  { catalog, records = [], now }: ProjectInput,
  { assigned, reports: all, heard, late }: Before,
  placed: ReadonlyMap<string, ReadonlyMap<string, Placement>>,
): ReadonlyMap<string, Rollout> {
  const known = new Map(records.map((record) => [record.app, record]));
  const network: RolloutInput['network'] = (name) => catalog.networks.get(name)?.spec;
  const unfinished = new Map<string, { readonly app: string; readonly level: number }>();
  const made = sorted(catalog.apps)
    .toSorted((a, b) => b.spec.level - a.spec.level)
    .map((app) => {
      const { zone, level } = app.spec;
      const ahead = (revision: string): string | undefined => {
        const first = unfinished.get(`${zone} ${revision}`);
        return first && first.level > level ? first.app : undefined;
      };
      const placements = placed.get(app.name) ?? new Map<string, Placement>();
      const record = known.get(app.name);
      const { revision } = catalog;
      const reports = app.spec.rollout ? heard : all;
      const one = rollout({ app, placements, current: assigned, reports, late, network, record, revision, now, ahead });
      const key = one.record && `${zone} ${one.record.revision}`;
      if (key !== undefined && !unfinished.has(key)) unfinished.set(key, { app: app.name, level });
      return [app.name, one] as const;
    });
  return new Map(made);
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

interface ByHost {
  readonly byHost: ReadonlyMap<string, readonly AssignedReplica[]>;
  readonly rollouts: ReadonlyMap<string, Rollout>;
}

/** The replicas of each host, in order of name: those of understood Apps as their rollout says, kept ones as they were. */
function replicasByHost(input: ProjectInput, before: Before): ByHost {
  const { catalog, placements } = input;
  const { assigned, owners } = before;
  const byApp = new Map<string, Map<string, Placement>>();
  const found: AssignedReplica[] = [];
  for (const placement of placements.values()) {
    const fate = fateOf(placement, catalog, owners);
    const as = assigned.get(placement.replica);
    if (fate === 'kept' && as) found.push({ ...as, placement });
    if (fate !== 'wanted') continue;
    const mine = byApp.get(placement.app) ?? new Map<string, Placement>();
    byApp.set(placement.app, mine.set(placement.replica, placement));
  }
  const rollouts = rolloutsOf(input, before, byApp);
  for (const { replicas } of rollouts.values()) for (const replica of replicas) found.push(replica);
  const byHost = new Map<string, AssignedReplica[]>();
  const words = wordsOf(input);
  for (const replica of found.sort(byReplica)) {
    // one that has moved goes to its new host only when the old one has let it go: no address is live twice
    if (waitsFor(replica.placement, words) !== undefined) continue;
    const list = byHost.get(replica.placement.host);
    if (list) list.push(replica);
    else byHost.set(replica.placement.host, [replica]);
  }
  return { byHost, rollouts };
}

function wordsOf({ catalog, previous, reports }: ProjectInput): HostWords {
  return { catalog, assignments: previous, reports: new Map(reports.map((report) => [report.host, report])) };
}

function byReplica(a: AssignedReplica, b: AssignedReplica): number {
  if (a.app !== b.app) return a.app < b.app ? -1 : 1;
  return a.id.length - b.id.length || (a.id < b.id ? -1 : 1);
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
    if (resource) return [{ name, spec: resource.spec, origin: resource.origin, fields: resource.fields }];
    return previous?.networks.filter((network) => network.name === name) ?? [];
  });
}

/** Whether Tunings may be missing from the catalog only because they cannot be read. */
function tuningHeld({ heldObjects, heldOwners }: Catalog): boolean {
  return heldOwners.size > 0 || [...heldObjects].some((name) => name.startsWith('Tuning/'));
}

/** The knobs of the Tunings that select the host. Where some cannot be read, knobs that nobody sets now stay as they were. */
function tuningOf(catalog: Catalog, host: string, previous: Assignment | undefined): readonly AssignedKnob[] {
  const labels = catalog.hosts.get(host)?.labels;
  const knobs = new Map<string, AssignedKnob>();
  const chosen = labels ? sorted(catalog.tunings).filter(({ spec }) => selects(spec.hosts, labels)) : [];
  const before = tuningHeld(catalog) || hostHeld(catalog, host) ? (previous?.tuning ?? []) : [];
  for (const knob of [...chosen.flatMap(knobsOf), ...before]) {
    const key = `${knob.kind}/${knob.key}`;
    if (!knobs.has(key)) knobs.set(key, knob);
  }
  return [...knobs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, knob]) => knob);
}

/** What an Assignment asks for: without its number, and without the lines and revisions that say so. */
function contentOf(assignment: Assignment): object {
  const bare = (items: readonly object[]): readonly object[] =>
    items.map((item) => ({ ...item, origin: undefined, fields: undefined }));
  const { replicas, networks, tuning } = assignment;
  return {
    ...assignment,
    generation: undefined,
    revision: undefined,
    author: undefined,
    replicas: bare(replicas),
    networks: bare(networks),
    tuning: bare(tuning),
  };
}

/** A store that was emptied gives the next number after what the host says it has. */
function numbered(next: Assignment, previous: Assignment | undefined, reported: number): Assignment {
  if (!previous) return { ...next, generation: reported + 1 };
  const same = isDeepStrictEqual(contentOf(next), contentOf(previous));
  return same ? previous : { ...next, generation: previous.generation + 1 };
}

/** What each host is to be: its replicas with their specs, the Networks these need, and its knobs. */
export function project(input: ProjectInput): Projection {
  const { catalog, previous } = input;
  const { byHost, rollouts } = replicasByHost(input, lookBack(input));
  const apps = [...catalog.heldObjects].filter((name) => name.startsWith('App/')).map((name) => name.slice(4));
  const keep = { apps: apps.sort(), owners: [...catalog.heldOwners].sort() };
  const reported = new Map(input.reports.map((report) => [report.host, report.generation]));
  const hosts = [...new Set([...catalog.hosts.keys(), ...byHost.keys(), ...previous.keys()])].sort();
  const assignments = hosts.map((host) => {
    const before = previous.get(host);
    const replicas = byHost.get(host) ?? [];
    const next: Assignment = {
      host,
      fleet: catalog.fleet.name,
      generation: 1,
      revision: catalog.revision,
      author: input.author,
      resync: catalog.fleet.spec.resync,
      replicas,
      networks: networksOf(catalog, replicas, before),
      tuning: tuningOf(catalog, host, before),
      keep,
    };
    return numbered(next, before, reported.get(host) ?? 0);
  });
  const progress = sorted(catalog.apps).flatMap(({ name }) => rollouts.get(name)?.progress ?? []);
  return { assignments, rollouts: progress, records: recordsOf(input, rollouts) };
}
