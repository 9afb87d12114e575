import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { amountOf, asked } from '../model/demand.ts';
import type { AddressPool } from './addresses.ts';
import { demandsAt } from './asks.ts';
import { lacksOnlyRoom, obstacle, testedOf } from './fit.ts';
import type { Tested } from './fit.ts';
import { nearlyFrom, noteMiss } from './misses.ts';
import type { Found } from './misses.ts';
import { roomBelowAt } from './room-below.ts';
import { noAddress, nowhere } from './reasons.ts';
import type { Why } from './reasons.ts';
import type { Run, Unplaceable } from './run.ts';
import type { Dry, Gang, Roomless, Unaddressed, Waiter } from './waiting.ts';

type App = Resource<AppSpec>;
type Fresh = ReadonlySet<string>;

/** The index of a number in a list that rises; −1 when it is not there. */
function indexIn(length: number, at: (index: number) => number, value: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low < length && at(low) === value ? low : -1;
}

/** Whether a candidate may take a replica, or may once less critical ones make room there, as far as their sizes tell. */
function mayTake(run: Run, group: Tested, { level }: AppSpec, row: number): boolean {
  const { table } = run;
  if (obstacle(table, group, row) === undefined) return true;
  if (!lacksOnlyRoom(table, group, row)) return false;
  const below = roomBelowAt(run, level, row);
  return demandsAt(table, group, row).some((demand) =>
    asked(demand).every((key) => (table.free[key][row] ?? 0) + amountOf(below, key) >= amountOf(demand, key)),
  );
}

/** What is found once a host is looked at again that is no candidate; the same object where nothing else is to be said. */
function noteNearly(
  run: Run,
  group: Tested,
  app: App,
  { candidates }: Pick<Roomless, 'candidates'>,
  found: Found,
  row: number,
): Found {
  const { nearly } = candidates;
  const index = indexIn(nearly.length, (at) => nearly[at]?.row ?? 0, row);
  if (index < 0 || index > found.nearly) return found;
  return { ...found, nearly: nearlyFrom(run.input.catalog, run.table, group, app, candidates, index) };
}

/** One that found no room, after a look at the hosts of which anything has changed; undefined where one of them may have some. */
function stillRoomless(run: Run, app: App, waiter: Roomless, fresh: Fresh): Roomless | undefined {
  const { table, book } = run;
  const { candidates } = waiter;
  const { rows } = candidates;
  const placed = [...run.placed(app.name)].flatMap((replica) => book.placements.get(replica) ?? []);
  const group = testedOf(table, app.spec, { rows, around: undefined }, placed);
  let { found } = waiter;
  for (const host of fresh) {
    const row = table.rows.get(host);
    if (row === undefined) return undefined;
    const index = indexIn(rows.length, (at) => rows[at] ?? 0, row);
    if (index >= 0 && mayTake(run, group, app.spec, row)) return undefined;
    if (found)
      found = index < 0 ? noteNearly(run, group, app, waiter, found, row) : noteMiss(table, group, found, index);
  }
  if (!found || found === waiter.found) return waiter;
  return { ...waiter, found, why: nowhere(run.input.catalog, table, group, app, candidates, found) };
}

/** Until when a Network that has no address left has none, unless something of it is changed. Blocks become free by what is in them. */
export function dryUntil({ networks }: Pick<Catalog, 'networks'>, network: string, pool: AddressPool): Dry {
  const leases = networks.get(network)?.spec.blockSize !== undefined;
  return { network, until: leases ? 0 : (pool.count().nextAt ?? Infinity) };
}

/** What is to be remembered of an App whose Network has no address left, though a host has the room. */
export function unaddressed({ input, table }: Run, app: App, host: string, pool: AddressPool): Unaddressed {
  const { network } = app.spec;
  const why = noAddress(input.catalog, network, pool.count(), table);
  return { lacks: 'address', apps: [app], host, why, dry: [dryUntil(input.catalog, network, pool)] };
}

/** The same for one of which this is remembered: undefined once there is an address, or its host may have the room no more. */
function stillUnaddressed(run: Run, app: App, { host }: Unaddressed, fresh: Fresh): Unaddressed | undefined {
  const pool = run.pool(app.spec.network, app.spec.zone);
  return !pool || pool.next() || fresh.has(host) ? undefined : unaddressed(run, app, host, pool);
}

/**
 * Why an App that found no place finds none now, by a look at those hosts only of which anything has changed since; in the words of a look at all, or, where
 * these are made anew in turns, of the last one. Undefined when it is not remembered, or may find one.
 */
export function stillNowhere(run: Run, app: App): Why | undefined {
  const look = (waiter: Waiter, fresh: Fresh): Waiter | undefined => {
    if (waiter.lacks === 'room') return stillRoomless(run, app, waiter, fresh);
    return waiter.lacks === 'address' ? stillUnaddressed(run, app, waiter, fresh) : undefined;
  };
  const waiter = run.waiting?.still([app], look);
  return waiter && waiter.lacks !== 'gang' ? waiter.why : undefined;
}

/** The same for a gang: what is said of each replica that found nothing. Undefined when it has to be looked for. */
export function stillApart(run: Run, members: readonly App[]): readonly Unplaceable[] | undefined {
  const waiter = run.waiting?.still(members, () => undefined);
  return waiter?.lacks === 'gang' ? waiter.failed : undefined;
}

/** Whether a host that may run an App has anything that is less critical. */
function hasBelow(run: Run, { spec }: App): boolean {
  return run.candidates(spec).rows.some((row) => asked(roomBelowAt(run, spec.level, row)).length > 0);
}

/**
 * Remembers a gang that found no place, for which nobody can make room: where others are less critical, it depends on more than hosts tell whether these may, or
 * may together.
 */
export function keepGang(run: Run, members: readonly App[], failed: readonly Unplaceable[]): void {
  if (members.some((app) => hasBelow(run, app))) return;
  const { catalog } = run.input;
  const isShort = failed.some(({ reasons }) => reasons.some(({ filter }) => filter === 'address'));
  const dry = members.flatMap(({ spec: { network, zone } }): readonly Dry[] => {
    const pool = run.pool(network, zone);
    return pool && (isShort || !pool.next()) ? [dryUntil(catalog, network, pool)] : [];
  });
  const gang: Gang = { lacks: 'gang', apps: members, failed, dry };
  run.waiting?.keep(gang);
}
