import { selects } from '../model/catalog.ts';
import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { Known } from '../model/change.ts';
import { fateOf } from '../model/fate.ts';
import { kindOf, nameOf, refOf } from '../model/ref.ts';
import { ordinalOf, replicaId } from '../model/replica.ts';
import type { AssignedReplica, Assignment, Demand, Placement, ReplicaReport, Report } from '../model/replica.ts';
import type { ReservationState } from '../model/reservations.ts';
import type { CgroupState } from '../model/resources.ts';
import { healthOf, mayLeave } from '../model/rollout.ts';
import { inPool } from './addresses.ts';
import { demandOf } from './group.ts';
import type { HostView } from './hosts.ts';
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
  /** Which of several schedulers this is that work side by side, from 0; absent when it is the only one. */
  readonly side?: Side;
}

/** A placement that could not be made anew as it stands. It is left alone; status shows why. */
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
}

/** What there is to do, before anybody looks for a host. */
export interface Survey {
  /** Placements to give up. */
  readonly releases: readonly Placement[];
  /** Unwanted replicas of which something still runs: they keep host and address until it is gone. */
  readonly leaving: readonly Placement[];
  /** No longer asked for, but errors in the repository forbid to remove them. */
  readonly kept: readonly Placement[];
  readonly resizes: readonly { readonly placement: Placement; readonly demand: Demand }[];
  /** App → replicas that want a host, by ordinal. */
  readonly wanted: ReadonlyMap<string, readonly Wish[]>;
  /** App → all its replicas that are wanted or placed. */
  readonly replicas: ReadonlyMap<string, readonly string[]>;
  readonly misplaced: readonly Misplaced[];
}

/** What the hosts said and were told, by replica. */
interface Witness {
  readonly owners: ReadonlyMap<string, string>;
  readonly assigned: ReadonlyMap<string, AssignedReplica>;
  /** `host/replica` → report. */
  readonly reported: ReadonlyMap<string, ReplicaReport>;
  readonly reports: ReadonlyMap<string, Report>;
}

function witness({ reports, assignments }: PlaceInput): Witness {
  const assigned = new Map<string, AssignedReplica>();
  const owners = new Map<string, string>();
  for (const { replicas } of assignments)
    for (const replica of replicas) {
      assigned.set(replica.id, replica);
      owners.set(replica.app, replica.owner);
    }
  const reported = new Map<string, ReplicaReport>();
  for (const { host, replicas } of reports)
    for (const replica of replicas) reported.set(`${host}/${replica.id}`, replica);
  return { owners, assigned, reported, reports: new Map(reports.map((report) => [report.host, report])) };
}

/** Whether something of a replica may still be on its host: then host and address are not yet anybody else's. */
function lingers({ catalog }: PlaceInput, { reported, reports }: Witness, { replica, host }: Placement): boolean {
  if (!catalog.hosts.has(host)) return false;
  const report = reported.get(`${host}/${replica}`);
  if (report && report.phase !== 'Placed' && report.phase !== 'Gone') return true;
  const kinds = new Set(['sandbox', 'port', 'container']);
  return reports.get(host)?.observed.some(({ ref }) => nameOf(ref) === replica && kinds.has(kindOf(ref))) === true;
}

/** Why a placement must be given up for a new one, because Git says so. */
function outdated(catalog: Catalog, app: AppSpec, placement: Placement): boolean {
  const network = catalog.networks.get(app.network);
  if (!network || !catalog.zones.has(app.zone)) return false;
  if (placement.network !== app.network || placement.zone !== app.zone) return true;
  return !inPool(network.spec, placement.address);
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
  if (!selects(app.hosts, view.labels)) return `host ${host} no longer has the labels that the App asks for`;
  const network = catalog.networks.get(app.network);
  if (network && !selects(network.spec.hosts, view.labels)) return `host ${host} no longer has Network ${app.network}`;
  const levels = catalog.zones.get(zone)?.spec.levels;
  return levels?.includes(app.level) === false ? `zone ${zone} no longer takes level ${String(app.level)}` : undefined;
}

/** Less memory is given back only when the kernel holds the replica to less: until then the larger is reserved. */
function resized({ reports }: Witness, { replica, host, demand }: Placement, want: Demand): Demand | undefined {
  let memory = want.memory;
  if (want.memory < demand.memory) {
    const ref = refOf('cgroup', replica);
    const seen = reports.get(host)?.observed.find((item) => item.ref === ref);
    if (seen?.known === false) memory = demand.memory;
    else if (seen) {
      const held = (seen as Known<CgroupState>).state.memory ?? want.memory;
      memory = Math.max(want.memory, Math.min(held, demand.memory));
    }
  }
  const same = want.cpu === demand.cpu && memory === demand.memory && want.pids === demand.pids;
  return same ? undefined : { ...want, memory };
}

/** The ordinals of one App that want a host. Those that must leave their place do so only `maxUnavailable` at a time. */
function wantedOf(
  { catalog, snapshot }: PlaceInput,
  { assigned, reported }: Witness,
  { name, spec }: Resource<AppSpec>,
): readonly Wish[] {
  const ids = Array.from({ length: spec.replicas }, (_, ordinal) => replicaId(name, ordinal));
  const places = ids.map((id) => snapshot.placements.get(id));
  const stale = places.map((placement) => placement !== undefined && outdated(catalog, spec, placement));
  if (!stale.includes(true)) return ids.flatMap((replica, i) => (places[i] ? [] : [{ replica }]));
  const leaving = mayLeave(
    ids.map((id, i) => {
      const host = places[i]?.host ?? '';
      return {
        id,
        stale: stale[i] === true,
        ...healthOf(places[i], assigned.get(id), reported.get(`${host}/${id}`)),
      };
    }),
    spec.maxUnavailable,
  );
  return ids.flatMap((replica, i) => {
    const from = places[i];
    if (!from) return [{ replica }];
    return leaving.has(replica) ? [{ replica, from }] : [];
  });
}

const byReplica = (a: Placement, b: Placement): number =>
  a.app === b.app ? ordinalOf(a.replica) - ordinalOf(b.replica) : a.app < b.app ? -1 : 1;

/** Compares what is wanted with what is placed. Placements that need not change are sticky. */
export function survey(input: PlaceInput): Survey {
  const { catalog, snapshot } = input;
  const seen = witness(input);
  const views = new Map(input.hosts.map((view) => [view.record.host, view]));
  const releases: Placement[] = [];
  const leaving: Placement[] = [];
  const kept: Placement[] = [];
  const resizes: { placement: Placement; demand: Demand }[] = [];
  const misplaced: Misplaced[] = [];
  const wanted = new Map([...catalog.apps.values()].map((app) => [app.name, wantedOf(input, seen, app)] as const));
  const moving = new Set([...wanted.values()].flat().map(({ replica }) => replica));
  const replicas = new Map([...wanted].map(([app, wishes]) => [app, wishes.map(({ replica }) => replica)]));
  for (const placement of [...snapshot.placements.values()].sort(byReplica)) {
    const { replica, app, host } = placement;
    if (!moving.has(replica)) replicas.get(app)?.push(replica);
    const fate = fateOf(placement, catalog, seen.owners);
    if (fate === 'kept') kept.push(placement);
    else if (fate === 'unwanted') (lingers(input, seen, placement) ? leaving : releases).push(placement);
    const spec = catalog.apps.get(app)?.spec;
    if (fate !== 'wanted' || !spec || moving.has(replica)) continue;
    const demand = resized(seen, placement, demandOf(spec));
    if (demand) resizes.push({ placement, demand });
    const why = misfit(input, spec, placement, views.get(host));
    if (why !== undefined) misplaced.push({ replica, app, host, why });
  }
  return { releases, leaving, kept, resizes, wanted, replicas, misplaced };
}
