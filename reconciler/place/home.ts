import type { AppSpec, Resource } from '../model/catalog.ts';
import type { Placement } from '../model/replica.ts';
import type { Single } from '../model/reservations.ts';
import { neighboursOf } from './affinity.ts';
import type { Offer } from './addresses.ts';
import { demandAt } from './asks.ts';
import { choose } from './choose.ts';
import { obstacle } from './fit.ts';
import { count, openHost, seat, tookOther } from './group.ts';
import type { Group } from './group.ts';
import { isUnused } from './packing.ts';
import { propose, release } from './run.ts';
import type { Run } from './run.ts';
import type { Wish } from './wishes.ts';
import { hostName } from './table.ts';

/** Takes a replica out of its place, or puts it back, in table and counters. */
export function lift({ table }: Run, group: Group, from: Placement, sign: 1 | -1): void {
  const row = table.rows.get(from.host);
  if (row !== undefined) seat(table, group, row, from.demand, sign);
}

/** Where a replica goes: one that must leave its place stays on its host if it can. */
function rowFor({ table }: Run, group: Group, { from }: Wish): number | undefined {
  const row = from && table.rows.get(from.host);
  const stays = row !== undefined && group.rows.includes(row) && obstacle(table, group, row) === undefined;
  return stays ? row : choose(table, group);
}

/** Places one replica, where `find` says once it is out of its place; false when it finds no host or no address. */
export function settle(
  run: Run,
  app: Resource<AppSpec>,
  group: Group,
  wish: Wish,
  find: () => number | undefined = () => rowFor(run, group, wish),
): boolean {
  const { table } = run;
  const { replica, from, moves } = wish;
  // somebody else has placed it meanwhile: the next survey says what is to be done
  if (run.book.placements.get(replica) !== from) return true;
  if (from) lift(run, group, from, -1);
  const row = find();
  const offer: Offer | undefined = moves
    ? from && { address: from.address }
    : run.pool(app.spec.network, app.spec.zone)?.next();
  if (row === undefined || !offer) {
    if (from) lift(run, group, from, 1);
    return false;
  }
  if (from && !moves) propose(run, release(run, from));
  const { zone, network, spread } = app.spec;
  const demand = demandAt(table, group, row);
  const epoch = (from?.epoch ?? 0) + 1;
  const { address, block } = offer;
  const home = { replica, app: app.name, zone, host: hostName(table, row), network, address, demand, epoch };
  const placement: Placement = from && moves ? { ...home, from: from.host } : home;
  const hostEpoch = table.views[row]?.record.epoch ?? 0;
  const plain = { op: moves ? 'move' : 'place', placement, hostEpoch, spread } as const;
  const beside = group.around && neighboursOf(group.around.rules);
  const proposal: Single =
    beside || block !== undefined ? { ...plain, ...(beside ? { beside } : {}), ...(block ? { block } : {}) } : plain;
  const unused = isUnused(table, row);
  if (!propose(run, proposal)) {
    if (from) lift(run, group, from, 1);
    return false;
  }
  count(table, group, row, 1);
  if (unused) openHost(table, group, row);
  tookOther(group, demand);
  // what it left is room again; and where it is counts for the next, if they are to be near to each other or apart
  const isOwn = group.around?.rules.some((rule) => rule.app === app.name) === true;
  if ((from && group.pack) || isOwn) run.turn.group = undefined;
  return true;
}
