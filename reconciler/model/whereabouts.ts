import type { AppSpec } from './catalog.ts';
import { ByOrdinal } from './ordinals.ts';
import type { OfReplicas } from './ordinals.ts';
import { appOf, replicaId } from './replica.ts';
import type { AssignedReplica, Assignment, Placement, Report } from './replica.ts';
import type { Delta } from './reservations.ts';

/** Who is where, was told what and said what, looked up by App and by host. */
export interface Whereabouts {
  readonly assignments: ReadonlyMap<string, Assignment>;
  readonly reports: ReadonlyMap<string, Report>;
  /** Apps of which something is placed or was told. */
  apps(): Iterable<string>;
  /** The placements of an App. */
  placed(app: string): OfReplicas<Placement>;
  /** The placements on a host. */
  on(host: string): readonly Placement[];
  /** What hosts were last told to run of an App: more than one entry of a replica during a move. */
  told(app: string): readonly AssignedReplica[];
  /** What a replica was last told to be: where it is placed, if it was told there. */
  toldOf(replica: string): AssignedReplica | undefined;
}

/** What a pass looks at. Everything else is at rest: the pass would leave it as it is. */
export interface Scope {
  readonly apps: ReadonlySet<string>;
  /** Hosts of which something of their own may have changed: what they are, or their knobs. */
  readonly hosts: ReadonlySet<string>;
}

/** Whereabouts that are kept up to date; the cost grows with what changes. */
export interface LiveWhereabouts extends Whereabouts {
  place(deltas: Iterable<Delta>): void;
  assign(assignment: Assignment): void;
  report(report: Report): void;
}

/** Of several entries of one replica the one that counts comes first: where it is placed, else the latest. */
function first(list: readonly AssignedReplica[], home: string | undefined): AssignedReplica | undefined {
  const rank = ({ placement }: AssignedReplica): number => (placement.host === home ? Infinity : placement.epoch);
  let best = list[0];
  for (const one of list) {
    if (!best || one === best) continue;
    const more = rank(one) - rank(best);
    if (more > 0 || (more === 0 && one.placement.host < best.placement.host)) best = one;
  }
  return best;
}

/** Values by App and replica; an App without any is not there. */
type Shelf<V extends object> = Map<string, ByOrdinal<V>>;

const NOBODY: OfReplicas<never> = new ByOrdinal<never>();
const NOWHERE: readonly Placement[] = [];

function put<V extends object>(shelf: Shelf<V>, app: string, replica: string, value: V | undefined): void {
  const mine = shelf.get(app) ?? new ByOrdinal<V>();
  mine.set(replica, value);
  if (mine.size === 0) shelf.delete(app);
  else shelf.set(app, mine);
}

/** What hosts were told of a replica: one entry, or in a move several. */
type Told = AssignedReplica | readonly AssignedReplica[];

const listOf = (told: Told): readonly AssignedReplica[] => ('id' in told ? [told] : told);

/** Whereabouts of these; more may be told of later. */
export function createWhereabouts(
  placements: Iterable<readonly [string, Placement]> = [],
  assignments: Iterable<Assignment> = [],
  reports: Iterable<Report> = [],
): LiveWhereabouts {
  const placed: Shelf<Placement> = new Map();
  const homes = new Map<string, Placement[]>();
  const told: Shelf<Told> = new Map();
  const lastAssignments = new Map<string, Assignment>();
  const lastReports = new Map<string, Report>();

  const entries = (app: string, id: string): readonly AssignedReplica[] => {
    const found = told.get(app)?.get(id);
    return found ? listOf(found) : [];
  };
  const note = (app: string, id: string, list: readonly AssignedReplica[]): void => {
    put(told, app, id, list.length === 1 ? list[0] : list.length === 0 ? undefined : list);
  };
  const assign = (assignment: Assignment): void => {
    const { host } = assignment;
    for (const { id, app } of lastAssignments.get(host)?.replicas ?? [])
      note(
        app,
        id,
        entries(app, id).filter(({ placement }) => placement.host !== host),
      );
    for (const replica of assignment.replicas)
      note(replica.app, replica.id, [...entries(replica.app, replica.id), replica]);
    lastAssignments.set(host, assignment);
  };

  const leave = ({ host, replica }: Placement): void => {
    const there = homes.get(host)?.filter((one) => one.replica !== replica) ?? [];
    if (there.length === 0) homes.delete(host);
    else homes.set(host, there);
  };
  const enter = (placement: Placement): void => {
    const there = homes.get(placement.host);
    if (there) there.push(placement);
    else homes.set(placement.host, [placement]);
  };
  const place = (replica: string, placement: Placement | undefined): void => {
    const app = appOf(replica);
    const before = placed.get(app)?.get(replica);
    if (before) leave(before);
    if (placement) enter(placement);
    put(placed, app, replica, placement);
  };

  for (const [replica, placement] of placements) place(replica, placement);
  for (const assignment of assignments) assign(assignment);
  for (const report of reports) lastReports.set(report.host, report);
  return {
    assignments: lastAssignments,
    reports: lastReports,
    apps: () => new Set([...placed.keys(), ...told.keys()]),
    placed: (app) => placed.get(app) ?? NOBODY,
    on: (host) => homes.get(host) ?? NOWHERE,
    told: (app) => {
      const mine = told.get(app)?.values() ?? [];
      // most often no replica moves
      return mine.every((one): one is AssignedReplica => 'id' in one) ? mine : mine.flatMap(listOf);
    },
    toldOf: (replica) => {
      const app = appOf(replica);
      const found = told.get(app)?.get(replica);
      return found && ('id' in found ? found : first(found, placed.get(app)?.get(replica)?.host));
    },
    place: (deltas) => {
      for (const delta of deltas) if (delta.type === 'placement') place(delta.replica, delta.placement);
    },
    assign,
    report: (report) => {
      lastReports.set(report.host, report);
    },
  };
}

/** Whether just those replicas of an App are placed that it asks for. */
export function isComplete(
  placed: OfReplicas<Placement>,
  app: string,
  { replicas }: Pick<AppSpec, 'replicas'>,
): boolean {
  if (placed.size !== replicas) return false;
  // in order of ordinal, so that the last of so many is the last only where none is missing
  return replicas === 0 || placed.last?.replica === replicaId(app, replicas - 1);
}

/** The owner of an App as it was last told, for one that has left the catalog. */
export function ownerTold(whereabouts: Whereabouts, app: string): string | undefined {
  let least: string | undefined;
  for (const { owner } of whereabouts.told(app)) if (least === undefined || owner < least) least = owner;
  return least;
}

/** Whether a host's last Report is older than its last Assignment: then it tells nothing about how things are now. */
export function isLate({ assignments, reports }: Pick<Whereabouts, 'assignments' | 'reports'>, host: string): boolean {
  const report = reports.get(host);
  return report !== undefined && report.generation < (assignments.get(host)?.generation ?? 0);
}

/** What a host says of a replica. */
export function saidOf(
  { reports }: Whereabouts,
  host: string,
  replica: string,
): Report['replicas'][number] | undefined {
  return reports.get(host)?.replicas.find(({ id }) => id === replica);
}
