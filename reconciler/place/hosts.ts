import { isDeepStrictEqual } from 'node:util';
import type { Labels } from '../../schemas/types.ts';
import type { Ledger } from '../model/book.ts';
import { selects } from '../model/catalog.ts';
import type { Catalog, HostSpec, Resource, ZoneSpec } from '../model/catalog.ts';
import { inWhole } from '../model/cores.ts';
import { amountOf, demandFrom, NODES, NOTHING } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { Departed } from '../model/notice.ts';
import { UNKNOWN_FACTS } from '../model/protocol.ts';
import type { HostFacts, Report } from '../model/replica.ts';
import type { HostRecord, ReservationState, Single } from '../model/reservations.ts';

/** A host as placing sees it: what the commit knows, and the labels that selectors ask for. */
export interface HostView {
  readonly record: HostRecord;
  readonly labels: Labels;
  /** As linux/amd64; absent when it has not said so. */
  readonly platform?: string;
  /** It is not heard of. */
  readonly lost?: true;
  /** What may be promised of one of its cores, in cores of the machines by which Apps are measured: overcommit × performance. Absent is 1. */
  readonly worth?: number;
}

function zoneOf(host: Resource<HostSpec>, zones: readonly Resource<ZoneSpec>[]): Resource<ZoneSpec> | undefined {
  return zones.find((zone) => selects(zone.spec.hosts, host.labels));
}

/** The Zones of a catalog in the order in which they are asked whether a host is theirs. */
export function zonesOf({ zones }: Catalog): readonly Resource<ZoneSpec>[] {
  return [...zones.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The hosts of each Zone of the catalog, by name. */
export function byZone(catalog: Catalog): ReadonlyMap<string, readonly string[]> {
  const zones = zonesOf(catalog);
  const found = new Map<string, string[]>(zones.map(({ name }) => [name, []]));
  for (const host of catalog.hosts.values()) found.get(zoneOf(host, zones)?.name ?? '')?.push(host.name);
  return found;
}

/**
 * (capacity − reserve) × overcommit, in whole units, never below zero. CPU also × performance: a core of a faster machine counts
 * for more than one of those by which Apps are measured.
 */
export function allocatable(
  capacity: Demand,
  { reserve, overcommit }: Pick<ZoneSpec, 'reserve' | 'overcommit'>,
  performance = 1,
): Demand {
  return demandFrom((key) => {
    const left = Math.max(0, amountOf(capacity, key) - (reserve[key] ?? 0));
    return Math.floor(left * (overcommit[key] ?? 1) * (key === 'cpu' ? performance : 1));
  });
}

/** What a machine has, without the cores that are kept from being pinned: of the NUMA node with the lowest number first, whole ones. */
function pinnable(capacity: Demand, reserved: number, threads: number): Demand {
  let left = inWhole(reserved, threads);
  const cores: Record<string, number> = {};
  for (const node of NODES) {
    const there = amountOf(capacity, node);
    const kept = Math.min(left, there);
    left -= kept;
    const rest = there - kept;
    // threads whose siblings are offline make no whole core
    if (there > 0) cores[node] = rest - (rest % threads);
  }
  return { ...capacity, ...cores };
}

/**
 * A Host of the catalog as it can be placed on, if it is in a Zone and its machine has reported, now or (when its report is
 * lost) before. One that is lost takes nothing new. A host without rack or switch is its own, so that spreading still works.
 */
export function hostView(
  host: Resource<HostSpec>,
  zones: readonly Resource<ZoneSpec>[],
  facts: Pick<HostFacts, 'capacity' | 'platform' | 'threadsPerCore'> | undefined,
  before: HostRecord | undefined,
  notHeard: boolean,
): HostView | undefined {
  const zone = zoneOf(host, zones);
  // one whose agent is not understood cannot be told anything either
  const isStrange = facts === UNKNOWN_FACTS;
  const isLost = notHeard || isStrange;
  const { capacity: reported, platform } = isStrange ? {} : (facts ?? {});
  if (!zone || (!reported && !before)) return undefined;
  const { capacity, topology, schedulable, drain, performance, reservedCores } = host.spec;
  const threads = (reported ? facts?.threadsPerCore : before?.threadsPerCore) ?? 1;
  const worth = (zone.spec.overcommit.cpu ?? 1) * performance;
  const record: HostRecord = {
    host: host.name,
    zone: zone.name,
    state: schedulable && !drain && !isLost ? 'open' : 'closed',
    epoch: before?.epoch ?? 1,
    allocatable: reported
      ? allocatable(pinnable({ ...reported, ...capacity }, reservedCores, threads), zone.spec, performance)
      : (before?.allocatable ?? NOTHING),
    ...(threads === 1 ? {} : { threadsPerCore: threads }),
    rack: topology.rack ?? host.name,
    switch: topology.switch ?? host.name,
  };
  const is = platform === undefined ? {} : { platform };
  return { record, labels: host.labels, ...is, ...(isLost ? { lost: true } : {}), ...(worth === 1 ? {} : { worth }) };
}

/** The hosts that can be placed on, by name. */
export function hostViews(
  catalog: Catalog,
  reports: readonly Report[],
  snapshot: ReservationState,
  lost: ReadonlySet<string> = new Set(),
): readonly HostView[] {
  const facts = new Map(reports.map((report) => [report.host, report.facts]));
  const zones = zonesOf(catalog);
  return [...catalog.hosts.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((host) => {
      const { name } = host;
      return hostView(host, zones, facts.get(name), snapshot.hosts.get(name), lost.has(name)) ?? [];
    });
}

function unreadable(catalog: Catalog, record: HostRecord): boolean {
  const { heldObjects, heldOwners } = catalog;
  return heldOwners.size > 0 || heldObjects.has(`Host/${record.host}`) || heldObjects.has(`Zone/${record.zone}`);
}

const tables = new WeakMap<readonly HostView[], ReadonlyMap<string, HostView>>();

/** The views by name. One table for each list: most passes see the hosts as the last one did. */
export function viewsByName(views: readonly HostView[]): ReadonlyMap<string, HostView> {
  const table = tables.get(views) ?? new Map(views.map((view) => [view.record.host, view]));
  tables.set(views, table);
  return table;
}

const drains = new WeakMap<Catalog['hosts'], ReadonlySet<string>>();

/** The hosts that Git drains, found out once for each catalog's hosts. */
export function drainedIn({ hosts }: Pick<Catalog, 'hosts'>): ReadonlySet<string> {
  const found =
    drains.get(hosts) ?? new Set([...hosts.values()].filter(({ spec }) => spec.drain).map(({ name }) => name));
  drains.set(hosts, found);
  return found;
}

/** The hosts of a book, once all of them were among these views. */
const covered = new WeakMap<ReservationState['hosts'], readonly HostView[]>();

/**
 * Hosts that the store knows and the catalog no longer has; nothing is concluded from documents that cannot be read. Where all were there when it was last
 * asked, and the views are the same, only these `some` are looked at, of which anything may be new.
 */
function gone(
  views: readonly HostView[],
  known: ReservationState['hosts'],
  catalog: Catalog,
  some?: ReadonlySet<string>,
): readonly HostRecord[] {
  const seen = viewsByName(views);
  const isGone = (host: string): boolean => known.has(host) && !seen.has(host);
  if (some && covered.get(known) === views && ![...some].some(isGone)) return [];
  const missing: HostRecord[] = [];
  for (const record of known.values()) if (!seen.has(record.host)) missing.push(record);
  if (missing.length === 0) covered.set(known, views);
  else covered.delete(known);
  return missing.filter((record) => !unreadable(catalog, record)).sort((a, b) => (a.host < b.host ? -1 : 1));
}

/** What brings the store's hosts to the views, of all or some of them: changed records, and hosts that are gone, closed. */
export function hostProposals(
  views: readonly HostView[],
  snapshot: ReservationState,
  catalog: Catalog,
  some?: ReadonlySet<string>,
): readonly Single[] {
  const looked = some ? [...some].sort().flatMap((host) => viewsByName(views).get(host) ?? []) : views;
  const changed = looked
    .map(({ record }) => record)
    .filter((record) => !isDeepStrictEqual(record, snapshot.hosts.get(record.host)));
  const closed = gone(views, snapshot.hosts, catalog, some)
    .filter(({ state }) => state === 'open')
    .map((record): HostRecord => ({ ...record, state: 'closed' }));
  return [...changed, ...closed].map((record) => ({ op: 'host', record }));
}

/** Hosts that are gone, with how many replicas each still has, as a book has it that may be ahead of the snapshot. `some` are all of which anything may be new. */
export function departures(
  views: readonly HostView[],
  snapshot: ReservationState,
  catalog: Catalog,
  book: Ledger,
  some?: ReadonlySet<string>,
): readonly Departed[] {
  return gone(views, snapshot.hosts, catalog, some).map(({ host }) => ({
    host,
    replicas: [...book.residents(host).values()].reduce((sum, count) => sum + count, 0),
    ...(catalog.hosts.has(host) ? { zoneless: true } : {}),
  }));
}
