import { selects } from '../model/catalog.ts';
import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, demandFrom, NODES, NOTHING, plus } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import { replicaId } from '../model/replica.ts';
import type { HostRecord } from '../model/reservations.ts';
import { addressPool } from './addresses.ts';
import type { PoolCount } from './addresses.ts';
import type { FilterName, Removal } from './filters.ts';
import { demandOf } from './asks.ts';
import { cpuOf } from './cores.ts';
import { lossesOnce } from './losses.ts';
import type { Loss, Part } from './losses.ts';
import type { PlaceInput } from './input.ts';
import { placedOf, refusal, suppose, trial } from './trial.ts';
import type { Trial } from './trial.ts';
import type { Unplaceable } from './run.ts';

/** Why a gang waits; more of it would wait as well. Undefined without a gang, or when it has its place. */
function gangRefusal({ input, run, unplaceable }: Trial, gang: string | undefined): Unplaceable | undefined {
  if (gang === undefined) return undefined;
  const waiting = unplaceable.filter(
    ({ app, replica }) => input.catalog.apps.get(app)?.spec.gang === gang && !run.book.placements.has(replica),
  );
  return waiting.find(({ reasons }) => reasons.length > 0) ?? waiting[0];
}

/** How many more replicas of an App find a home beside all that is there; none while the gang that it is in waits. */
export interface Growth {
  readonly app: string;
  readonly replicas: number;
  readonly more: number;
  /** What then stands in the way; absent where no end was seen within the most that is tried. */
  readonly limit?: FilterName;
}

/** A zone when all that is wanted has its place. */
export interface ZoneCapacity {
  readonly zone: string;
  readonly hosts: number;
  /** Hosts that take no new replicas. */
  readonly closed: number;
  readonly allocatable: Demand;
  readonly used: Demand;
  /** On open hosts. */
  readonly free: Demand;
  /** The largest replica that one host still takes; absent when no host is open. */
  readonly largest?: Room;
  readonly apps: readonly Growth[];
  readonly losses: readonly Loss[];
}

/** What a host has left. */
type Room = Demand & { readonly host: string };

export interface NetworkCapacity extends Omit<PoolCount, 'elsewhere'> {
  readonly network: string;
  readonly left: number;
  /** Hosts that it reaches and that are open, of whatever Zone. */
  readonly hosts: number;
  /** On these. */
  readonly free: Demand;
  /** The largest replica that one of them still takes; absent when there is none. */
  readonly largest?: Room;
  /** Those of them that are in blocks which a Zone holds, where the Network leases blocks. */
  readonly leased?: number;
  /** What losing the worst of the hosts that it reaches would cost of the replicas in it. */
  readonly losses: readonly Loss[];
}

export interface Capacity {
  readonly zones: readonly ZoneCapacity[];
  readonly networks: readonly NetworkCapacity[];
  /** Replicas that find no home as Git asks for, though some may keep an old one. */
  readonly homeless: readonly string[];
}

/** Which Apps are asked about; without names the largest of each zone. */
export interface CapacityQuestion {
  readonly apps: readonly string[];
}

/** Most replicas more that are tried of an App, and most Apps of a zone that nobody named. */
const MOST_MORE = 1000;
const MOST_APPS = 12;

const byName = <T extends { readonly name: string }>(a: T, b: T): number => (a.name < b.name ? -1 : 1);

function sum(demands: readonly Demand[]): Demand {
  return demands.reduce((total, demand) => plus(total, demand), NOTHING);
}

/**
 * What a host has left; it may have shrunk below what is placed on it. Of cores to pin no more than its CPU is left for, which they take as well,
 * most on the node that has most.
 */
function leftOf({ run: { book, table } }: Trial, { host, allocatable }: HostRecord): Demand {
  const used = book.used(host);
  const left = demandFrom((key) => Math.max(0, amountOf(allocatable, key) - amountOf(used, key)));
  const each = cpuOf(1, table.worth[table.rows.get(host) ?? -1] ?? 1);
  let cores = Math.floor(left.cpu / Math.max(1, each));
  const nodes = new Map<Dimension, number>();
  for (const key of [...NODES].sort((a, b) => amountOf(left, b) - amountOf(left, a))) {
    nodes.set(key, Math.min(cores, amountOf(left, key)));
    cores -= nodes.get(key) ?? 0;
  }
  return demandFrom((key) => nodes.get(key) ?? amountOf(left, key));
}

/** Of CPU and memory together, as parts of what the zone has. */
function sizeIn(all: Demand): (demand: Demand) => number {
  return ({ cpu, memory }) => cpu / Math.max(1, all.cpu) + memory / Math.max(1, all.memory);
}

/** What hosts have left, in all and at most on one. */
function roomIn(
  at: Trial,
  open: readonly HostRecord[],
  size: (demand: Demand) => number,
): Pick<ZoneCapacity, 'free' | 'largest'> {
  const rooms = open.map((record): Room => ({ host: record.host, ...leftOf(at, record) }));
  const largest = rooms.reduce<Room | undefined>(
    (best, room) => (best && size(best) >= size(room) ? best : room),
    undefined,
  );
  return { free: sum(rooms), ...(largest ? { largest } : {}) };
}

/** Filters that no room and no address would open. */
const STATIC: ReadonlySet<FilterName> = new Set(['zone', 'level', 'closed', 'platform', 'labels', 'network']);

/** The filter that removed most hosts, of those that depend on what is there if any did. Where there is no host it is the zone's. */
function mainOf(reasons: readonly Removal[]): FilterName {
  const most = (list: readonly Removal[]): Removal | undefined =>
    list.reduce<Removal | undefined>((best, one) => (best && best.removed >= one.removed ? best : one), undefined);
  return (most(reasons.filter(({ filter }) => !STATIC.has(filter))) ?? most(reasons))?.filter ?? 'zone';
}

/** How many more replicas of an App find a home; it is asked for more than that. */
function growth(at: Trial, { name, spec }: Resource<AppSpec>): Growth {
  const all = Array.from({ length: spec.replicas + MOST_MORE }, (_, ordinal) => replicaId(name, ordinal));
  const wanted = new Map([[name, all.filter((replica) => !at.run.book.placements.has(replica))]]);
  const replicas = placedOf(at, name);
  const waits = gangRefusal(at, spec.gang);
  if (waits) return { app: name, replicas, more: 0, limit: mainOf(waits.reasons) };
  return suppose(at, { wanted, alone: true }, (after) => {
    const end = refusal(after, name);
    const more = placedOf(after, name) - replicas;
    return { app: name, replicas, more, ...(end ? { limit: mainOf(end.reasons) } : {}) };
  });
}

type Losses = (part: Part) => readonly Loss[];

function zoneCapacity(at: Trial, zone: string, { apps: named }: CapacityQuestion, losses: Losses): ZoneCapacity {
  const { input, run } = at;
  const records = input.hosts.map(({ record }) => record).filter((record) => record.zone === zone);
  const open = records.filter(({ state }) => state === 'open');
  const allocatable = sum(records.map((record) => record.allocatable));
  const size = sizeIn(allocatable);
  const apps = [...input.catalog.apps.values()]
    .filter(({ name, spec }) => spec.zone === zone && (named.length === 0 || named.includes(name)))
    .sort((a, b) => size(demandOf(b.spec)) - size(demandOf(a.spec)) || byName(a, b));
  return {
    zone,
    hosts: records.length,
    closed: records.length - open.length,
    allocatable,
    used: sum(records.map(({ host }) => run.book.used(host))),
    ...roomIn(at, open, size),
    apps: (named.length === 0 ? apps.slice(0, MOST_APPS) : apps).map((app) => growth(at, app)),
    losses: losses({
      has: ({ record }) => record.zone === zone,
      // what is still there of an App that has another Zone by now is lost with its host
      counts: () => true,
    }),
  };
}

function networkCapacities(at: Trial, losses: Losses): readonly NetworkCapacity[] {
  const { input, run } = at;
  return [...input.catalog.networks.values()].sort(byName).map(({ name, spec }) => {
    const pool = addressPool({ name, network: spec, book: run.book, clock: input, zone: '' });
    const { elsewhere: leased, ...count } = pool.count();
    const left = count.total - count.owned - count.resting;
    const reached = input.hosts.filter(({ record, labels }) => record.state === 'open' && selects(spec.hosts, labels));
    const open = reached.map(({ record }) => record);
    const room = roomIn(at, open, sizeIn(sum(open.map(({ allocatable }) => allocatable))));
    const lost = losses({
      has: ({ labels }) => selects(spec.hosts, labels),
      counts: (app) => input.catalog.apps.get(app)?.spec.network === name,
    });
    const of = { ...count, left, ...(leased === undefined ? {} : { leased }) };
    return { network: name, ...of, hosts: open.length, ...room, losses: lost };
  });
}

/**
 * What is there and what is left once all that Git asks for has its place: per zone and Network. What fits, and what a loss
 * would cost, is what dry runs of `place` find.
 */
export function capacity(input: PlaceInput, question: CapacityQuestion): Capacity {
  const at = trial(input);
  const zones = [...input.catalog.zones.values()].sort(byName);
  const losses = lossesOnce(at);
  return {
    zones: zones.map(({ name }) => zoneCapacity(at, name, question, losses)),
    networks: networkCapacities(at, losses),
    homeless: at.unplaceable.map(({ replica }) => replica),
  };
}
