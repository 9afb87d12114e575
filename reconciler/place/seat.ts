import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, NODES, NOTHING, pinnedIn } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import type { Single } from '../model/reservations.ts';
import { neighboursOf } from './affinity.ts';
import type { Offer } from './addresses.ts';
import { nodeFor, onNode } from './cores.ts';
import { choose, count, demandAt, obstacle, openHost, seat } from './group.ts';
import type { Group } from './group.ts';
import { gaveUp, isUnused } from './packing.ts';
import { noAddress, nowhere } from './reasons.ts';
import { groupIn, propose, release } from './run.ts';
import type { Run, Unplaceable } from './run.ts';
import type { Survey, Wish } from './survey.ts';
import { hostName } from './table.ts';

/** Takes a replica out of its place, or puts it back, in table and counters. */
function lift({ table }: Run, group: Group, from: Placement, sign: 1 | -1): void {
  const row = table.rows.get(from.host);
  if (row !== undefined) seat(table, group, row, from.demand, sign);
}

/** Where a replica goes: one that must leave its place stays on its host if it can. */
function rowFor({ table }: Run, group: Group, { from }: Wish): number | undefined {
  const row = from && table.rows.get(from.host);
  const stays = row !== undefined && group.rows.includes(row) && obstacle(table, group, row) === undefined;
  return stays ? row : choose(table, group);
}

/** Places one replica; false when it finds no host or no address. */
function settle(run: Run, app: Resource<AppSpec>, group: Group, wish: Wish): boolean {
  const { table } = run;
  const { replica, from, moves } = wish;
  // somebody else has placed it meanwhile: the next survey says what is to be done
  if (run.book.placements.get(replica) !== from) return true;
  if (from) lift(run, group, from, -1);
  const row = rowFor(run, group, wish);
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
  if (!propose(run, proposal)) return false;
  count(table, group, row, 1);
  if (unused) openHost(table, group, row);
  // what it left is room again
  if (from && group.pack) run.turn.group = undefined;
  return true;
}

function failure(run: Run, app: Resource<AppSpec>, group: Group): Omit<Unplaceable, 'replica'> {
  const { table, input } = run;
  const pool = run.pool(app.spec.network, app.spec.zone);
  const dry = pool !== undefined && pool.next() === undefined && choose(table, group) !== undefined;
  const why = dry
    ? noAddress(input.catalog, app.spec.network, pool.count(), table)
    : nowhere(input.catalog, table, group, app, run.candidates(app.spec));
  return { app: app.name, ...why };
}

/** Keeps count of what is still wanted. */
function hadTurn({ wanted }: Run, { spec }: Resource<AppSpec>, { pack, demand }: Group, failed: boolean): void {
  const sum = wanted.get(spec.zone);
  if (sum) {
    sum.cpu -= demand.cpu;
    sum.memory -= demand.memory;
  }
  if (failed && pack) gaveUp(pack, demand);
}

/** What became of the wishes of one App. */
export interface Settled {
  readonly failed: readonly Unplaceable[];
  /** Replicas whose turn to move has not come. */
  readonly waiting: ReadonlySet<string>;
}

/** How many more replicas of an App may be moved. */
function turnsLeft({ turns, disruption }: Run, { name, spec }: Resource<AppSpec>): number {
  return Math.min(turns.get(name) ?? 0, disruption.left(spec.zone));
}

/** Places the replicas of one App, each at its turn; tells of those that found nothing. */
export function* settleApp(
  run: Run,
  app: Resource<AppSpec>,
  wishes: readonly Wish[],
): Generator<{ readonly run: Run; readonly app: Resource<AppSpec> }, Settled> {
  const unplaceable: Unplaceable[] = [];
  const waiting = new Set<string>();
  const turn = { run, app };
  let failed: Omit<Unplaceable, 'replica'> | undefined;
  for (const wish of wishes) {
    if (wish.moves === 'in turn' && turnsLeft(run, app) <= 0) {
      waiting.add(wish.replica);
      continue;
    }
    yield turn;
    const group = groupIn(run, app);
    // once one finds nothing, the next would not either, unless it brings its own room
    if (!failed || wish.from) failed = settle(run, app, group, wish) ? undefined : failure(run, app, group);
    hadTurn(run, app, group, failed !== undefined);
    if (failed) unplaceable.push({ ...failed, replica: wish.replica });
    else if (wish.moves === 'in turn') {
      run.turns.set(app.name, turnsLeft(run, app) - 1);
      run.disruption.spend(app.spec.zone);
    }
  }
  return { failed: unplaceable, waiting };
}

/** What a placed replica is to take of its host: cores of its own that are more than it has are of the node where it has some, or that suits best. */
export function grown({ book, table }: Run, { placement, demand, cores }: Survey['resizes'][number]): Demand {
  if (cores === 0) return demand;
  const { host, demand: have } = placement;
  const row = table.rows.get(host);
  const most = book.hosts.get(host)?.allocatable ?? NOTHING;
  const used = book.used(host);
  const left = (node: number): number =>
    amountOf(most, NODES[node] ?? 'node0') - amountOf(used, NODES[node] ?? 'node0');
  const node = pinnedIn(have)?.node ?? nodeFor(left, cores);
  const { cpu } = onNode(demand, cores, node, row === undefined ? 1 : (table.worth[row] ?? 1));
  return { ...onNode(demand, cores, node, 1), cpu: Math.max(cpu, demand.cpu) };
}

/** Changes what a replica takes of its host; false when the host has no room for more. */
export function resize(run: Run, { replica }: Placement, demand: Demand): boolean {
  return propose(run, { op: 'resize', replica, demand });
}
