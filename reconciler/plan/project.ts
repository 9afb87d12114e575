import { isDeepStrictEqual } from 'node:util';
import { selects } from '../model/catalog.ts';
import type { Catalog } from '../model/catalog.ts';
import { fateOf } from '../model/fate.ts';
import { hostHeld, waitsFor } from '../model/handover.ts';
import type { HostWords } from '../model/handover.ts';
import { knobsOf } from '../model/knobs.ts';
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
import type { Progress } from './rollout.ts';

export interface ProjectInput {
  readonly catalog: Catalog;
  /** Who wrote its revision. */
  readonly author: string;
  /** By replica: as committed, or as place foresees them. */
  readonly placements: ReadonlyMap<string, Placement>;
  /** The last Assignment of each host. */
  readonly previous: ReadonlyMap<string, Assignment>;
  readonly reports: readonly Report[];
}

export interface Projection {
  /** One for each host of the catalog, and for those that have left it; the same object as before where nothing changed. */
  readonly assignments: readonly Assignment[];
  /** How far each App is, by name. */
  readonly rollouts: readonly Progress[];
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
}

function lookBack({ previous, reports, placements }: ProjectInput): Before {
  const all = [...previous.values()].flatMap(({ replicas }) => replicas);
  // during a move two hosts may have been assigned it: the one where it is placed counts
  const here = (replica: AssignedReplica): boolean => placements.get(replica.id)?.host === replica.placement.host;
  const ordered = [...all.filter((replica) => !here(replica)), ...all.filter(here)];
  const reported = reports.flatMap(({ host, replicas }) =>
    replicas.filter(({ id }) => placements.get(id)?.host === host).map((report) => [report.id, report] as const),
  );
  return {
    assigned: new Map(ordered.map((replica) => [replica.id, replica])),
    owners: new Map(all.map(({ app, owner }) => [app, owner])),
    reports: new Map(reported),
  };
}

/** The replicas of each host, in order of name: those of understood Apps as their rollout says, kept ones as they were. */
function replicasByHost(
  input: ProjectInput,
  before: Before,
): { readonly byHost: ReadonlyMap<string, readonly AssignedReplica[]>; readonly rollouts: readonly Progress[] } {
  const { catalog, placements } = input;
  const { assigned, reports, owners } = before;
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
  const network = (name: string): ReturnType<Parameters<typeof rollout>[0]['network']> =>
    catalog.networks.get(name)?.spec;
  const rollouts = sorted(catalog.apps).map((app) => {
    const mine = byApp.get(app.name) ?? new Map<string, Placement>();
    const { replicas, progress } = rollout({ app, placements: mine, current: assigned, reports, network });
    found.push(...replicas);
    return progress;
  });
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
  return { assignments, rollouts };
}
