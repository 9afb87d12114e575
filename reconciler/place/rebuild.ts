import { selects } from '../model/catalog.ts';
import type { AppSpec, Catalog } from '../model/catalog.ts';
import { amountOf, demandFrom, NOTHING, plus } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { Reopening } from '../model/notice.ts';
import type { Assignment, Placement, Report } from '../model/replica.ts';
import type { HostRecord, PlaceProposal, Proposal, ReservationState } from '../model/reservations.ts';
import { blockOf } from './addresses.ts';
import { byZone, hostViews } from './hosts.ts';

/** A Zone of a store that knew no host stays closed until its hosts have reported, or this long, milliseconds. */
export const REOPEN = 60_000;

/** What is known of a store that may have been emptied. */
export interface Remains {
  readonly catalog: Catalog;
  readonly reports: readonly Report[];
  readonly snapshot: ReservationState;
  /** The Assignments that the store has. */
  readonly stored: readonly Assignment[];
  /** How far it was before; absent when it was open, or has just been found empty. */
  readonly reopening?: Reopening | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What a store learns again, and how far it is then. */
export interface Rebuild {
  /** Absent once every Zone is open. */
  readonly reopening?: Reopening;
  /** Zones that open with the proposals. */
  readonly opens: readonly string[];
  /** Hosts that the Zones which stay closed wait for. */
  readonly awaited: readonly string[];
  /** Hosts and placements of open Zones that the store does not know. */
  readonly proposals: readonly Proposal[];
  /** The Assignments that hosts have and the store does not. */
  readonly kept: readonly Assignment[];
}

/** The Assignments that hosts still have and the store does not. */
function keptBy(reports: readonly Report[], stored: readonly Assignment[]): readonly Assignment[] {
  const known = new Set(stored.map(({ host }) => host));
  return reports.flatMap(({ host, kept }) => (kept && !known.has(host) ? [kept] : []));
}

/** Hosts with room for all that they run, also where they have less by now: that is not refused, and the next pass says again what they have. */
function roomy(records: readonly HostRecord[], homes: readonly Placement[]): readonly HostRecord[] {
  const used = new Map<string, Demand>();
  for (const { host, demand } of homes) used.set(host, plus(used.get(host) ?? NOTHING, demand));
  return records.map((record) => {
    const takes = used.get(record.host) ?? NOTHING;
    const most = demandFrom((key) => Math.max(amountOf(record.allocatable, key), amountOf(takes, key)));
    return { ...record, allocatable: most };
  });
}

/**
 * Each host, open, and what it was last told to run, as far as the store does not know it. Of two that claim one replica or
 * address the one with more generations behind it comes first, and the other is refused.
 */
function proposalsOf(remains: Remains, kept: readonly Assignment[], opens: ReadonlySet<string>): readonly Proposal[] {
  const { catalog, reports, snapshot } = remains;
  const late = new Set(kept.map(({ host }) => host));
  const records = hostViews(catalog, reports, snapshot)
    .map(({ record }) => ({ ...record, state: 'open' as const }))
    .filter(({ host, zone }) => opens.has(zone) || late.has(host));
  const known = new Map(records.map((record) => [record.host, record]));
  const order = [...kept].sort((a, b) => b.generation - a.generation || (a.host < b.host ? -1 : 1));
  const places = order.flatMap(({ host, replicas }) =>
    replicas.flatMap(({ id, placement }): readonly PlaceProposal[] => {
      const record = known.get(host);
      if (!record || snapshot.placements.has(id)) return [];
      // its Zone may have another name by now
      const { zone, epoch: hostEpoch } = record;
      const block = blockOf(catalog.networks.get(placement.network)?.spec, placement.address);
      const home = { placement: { ...placement, zone }, hostEpoch, spread: {} };
      return [{ op: 'place', ...home, ...(block === undefined ? {} : { block }) }];
    }),
  );
  // who is late and brings nothing that is not known already is no reason to write
  if (opens.size === 0 && places.length === 0) return [];
  const homes = [...snapshot.placements.values(), ...places.map(({ placement }) => placement)];
  return [...roomy(records, homes).map((record): Proposal => ({ op: 'host', record })), ...places];
}

/** Since when the store reopens, and which Zones are open. One that seems to begin later was posted by a controller whose clock goes ahead. */
function begunIn({ reopening, snapshot, now }: Remains): Reopening | undefined {
  if (reopening) return { ...reopening, since: Math.min(reopening.since, now) };
  return snapshot.hosts.size === 0 ? { since: now, open: [] } : undefined;
}

/**
 * What makes an emptied store know again who is where, Zone by Zone: one opens when its hosts have reported, or its time
 * is out. A host that was told something once must say what. Who reports later is believed as far as nobody else has got
 * what it has.
 */
export function rebuild(remains: Remains): Rebuild {
  const { catalog, reports, stored, now } = remains;
  const kept = keptBy(reports, stored);
  const before = begunIn(remains);
  if (!before && kept.length === 0) return { opens: [], awaited: [], proposals: [], kept };
  const zones = byZone(catalog);
  const heard = new Set(reports.filter((one) => one.generation === 0 || one.kept).map(({ host }) => host));
  for (const { host } of stored) heard.add(host);
  const isOver = before !== undefined && now - before.since >= REOPEN;
  const open = new Set(before ? before.open : zones.keys());
  const opens: string[] = [];
  const awaited: string[] = [];
  for (const [zone, hosts] of zones) {
    if (open.has(zone)) continue;
    const missing = hosts.filter((host) => !heard.has(host));
    if (missing.length > 0 && !isOver) awaited.push(...missing);
    else opens.push(zone);
  }
  for (const zone of opens) open.add(zone);
  const ready = new Set([...zones].flatMap(([zone, hosts]) => (open.has(zone) ? hosts : [])));
  const taken = kept.filter(({ host }) => ready.has(host));
  const some = [...zones.keys()].some((zone) => !open.has(zone));
  return {
    ...(before && some ? { reopening: { since: before.since, open: [...open].sort() } } : {}),
    opens,
    awaited: awaited.sort(),
    proposals: proposalsOf(remains, taken, new Set(opens)),
    kept,
  };
}

/** The Zones that are closed. */
export function closedZones({ zones }: Catalog, { open }: Reopening): ReadonlySet<string> {
  return new Set([...zones.keys()].filter((zone) => !open.includes(zone)));
}

/** Hosts that may not be told anything: what they run is not known again. */
export function untold(catalog: Catalog, reopening: Reopening): ReadonlySet<string> {
  const closed = closedZones(catalog, reopening);
  return new Set([...byZone(catalog)].flatMap(([zone, hosts]) => (closed.has(zone) ? hosts : [])));
}

/** The Zones on whose hosts replicas of an App, or addresses of its Network, may be, as far as Git and the hosts heard so far say. */
function scopeOf(catalog: Catalog, assignments: readonly Assignment[]): (name: string, app: AppSpec) => Set<string> {
  const byNetwork = new Map<string, Set<string>>();
  const byApp = new Map<string, Set<string>>();
  const note = (map: Map<string, Set<string>>, key: string, zone: string): void => {
    map.set(key, (map.get(key) ?? new Set()).add(zone));
  };
  for (const { spec } of catalog.apps.values()) note(byNetwork, spec.network, spec.zone);
  for (const { replicas } of assignments)
    for (const { app, placement } of replicas) {
      note(byNetwork, placement.network, placement.zone);
      note(byApp, app, placement.zone);
    }
  // an App that cannot be read may be anywhere where its Network is
  if (catalog.heldOwners.size > 0 || [...catalog.heldObjects].some((name) => name.startsWith('App/')))
    for (const { name, spec } of catalog.networks.values())
      for (const [zone, hosts] of byZone(catalog))
        if (hosts.some((host) => selects(spec.hosts, catalog.hosts.get(host)?.labels ?? {})))
          note(byNetwork, name, zone);
  return (name, { zone, network }) => new Set([zone, ...(byApp.get(name) ?? []), ...(byNetwork.get(network) ?? [])]);
}

/**
 * The catalog as placing may use it while Zones are closed: an App is kept as it is while its replicas, or addresses of its
 * Network, may be on hosts of a closed Zone. So a Network that Zones share gives out nothing before all of them are open.
 */
export function openPart(catalog: Catalog, reopening: Reopening, assignments: readonly Assignment[]): Catalog {
  const closed = closedZones(catalog, reopening);
  const scope = scopeOf(catalog, assignments);
  const waits = [...catalog.apps.values()]
    .filter(({ name, spec }) => [...scope(name, spec)].some((zone) => closed.has(zone)))
    .map(({ name }) => name);
  const waiting = new Set(waits);
  return {
    ...catalog,
    apps: new Map([...catalog.apps].filter(([name]) => !waiting.has(name))),
    heldObjects: new Set([...catalog.heldObjects, ...waits.map((name) => `App/${name}`)]),
  };
}
