import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, asked, demandFrom, plus, NOTHING } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import { hasLetGo } from '../model/handover.ts';
import type { Placement } from '../model/replica.ts';
import { incarnationOf } from '../model/rollout.ts';
import { demandsAt } from './asks.ts';
import { choose, compareScores, scoreOf } from './choose.ts';
import { lacksOnlyRoom } from './fit.ts';
import type { Group } from './group.ts';
import { lift, settle } from './home.ts';
import { marksFor } from './marks.ts';
import { resize } from './resize.ts';
import { groupIn, propose, release } from './run.ts';
import type { Run } from './run.ts';
import type { Wish } from './wishes.ts';
import { outdatedIn } from './misplaced.ts';
import { hostName } from './table.ts';
import { choice, countedLevels, obstacleTo, victimsOn } from './victims.ts';
import type { Bidder, Victim } from './victims.ts';

/** What became of a replica that found no room. */
export interface Preempted {
  readonly placed: boolean;
  /** It gets its place once those who have it have left. */
  readonly waits?: string;
  /** Why nobody makes room; neither where nobody could. */
  readonly why?: string;
}

const NOBODY = { placed: false } as const;

/** A host with those who would make room there. */
export interface Bid {
  readonly row: number;
  /** What the bidder takes there, or takes more. */
  readonly demand: Demand;
  readonly victims: readonly Victim[];
}

/** Hosts on which room can be made, of which the best is taken: enough for a good one, however large the fleet is. */
const ENOUGH = 100;

const lacking = ({ table }: Run, demand: Demand, row: number): ReadonlyMap<Dimension, number> =>
  new Map(
    asked(demand)
      .map((key) => [key, amountOf(demand, key) - (table.free[key][row] ?? 0)] as const)
      .filter(([, amount]) => amount > 0),
  );

/** Whether as much as is missing on a host of what a replica takes can be taken away there at all: most hosts need no other look. */
function isWithin({ table }: Run, demand: Demand, keys: readonly Dimension[], most: Demand, row: number): boolean {
  for (const key of keys) if (amountOf(demand, key) - (table.free[key][row] ?? 0) > amountOf(most, key)) return false;
  return true;
}

/** What all that is less critical than a level takes on a host: never less than can be taken away there. */
function sumBelow(run: Run, level: number, host: string): Demand {
  const counted = countedLevels(run);
  let sum = NOTHING;
  const there = run.survey.witness.whereabouts.on(host).map(({ replica }) => replica);
  for (const id of new Set([...there, ...(run.preempting.arrived.get(host) ?? [])])) {
    const now = run.book.placements.get(id);
    if (now && counted(now.app) > level) sum = plus(sum, now.demand);
  }
  return sum;
}

/** The same for each host, by row. */
function roomBelow(run: Run, level: number): Demand[] {
  const { below } = run.preempting;
  const known = below.get(level);
  if (known) return known;
  const made = run.table.views.map(({ record: { host } }) => sumBelow(run, level, host));
  below.set(level, made);
  return made;
}

/** The same for the host of a row. */
export function roomBelowAt(run: Run, level: number, row: number): Demand {
  return run.preempting.below.get(level)?.[row] ?? sumBelow(run, level, hostName(run.table, row));
}

/** Notes that a replica has come to a host in this run. */
export function arrive(run: Run, { replica, app, host, demand }: Placement): void {
  const { arrived, below } = run.preempting;
  const there = arrived.get(host);
  if (there) there.push(replica);
  else arrived.set(host, [replica]);
  if (below.size === 0) return;
  const row = run.table.rows.get(host) ?? -1;
  const level = countedLevels(run)(app);
  for (const [least, rooms] of below) if (level > least) rooms[row] = plus(rooms[row] ?? NOTHING, demand);
}

/** All of them, each far from the one before. */
function* scattered(rows: Int32Array): Generator<number> {
  const count = rows.length;
  const divides = (a: number, b: number): number => (b === 0 ? a : divides(b, a % b));
  let step = Math.max(1, Math.floor(count * 0.618));
  while (divides(count, step) > 1) step += 1;
  for (let at = 0; at < count; at += 1) yield rows[(at * step) % count] ?? 0;
}

/** The hosts that only lack room, those first that make room for the bidder already, then all over the racks. */
function* rowsFor(run: Run, group: Group, { replica }: Bidder): Generator<number> {
  const { table } = run;
  const first = new Set(marksFor(run, [replica]).map(({ host }) => table.rows.get(host) ?? -1));
  const rows = [...[...first].filter((row) => group.rows.includes(row)), ...scattered(group.rows)];
  for (const [at, row] of rows.entries())
    if ((at < first.size || !first.has(row)) && lacksOnlyRoom(table, group, row)) yield row;
}

/** Negative when the first bid is better: it takes away the less critical, then fewer of them. */
function compare({ table }: Run, group: Group, a: Bid, b: Bid): number {
  const fresh = ({ victims }: Bid): readonly Victim[] =>
    victims.filter(({ footing }) => footing !== 'leaves' && footing !== 'yields');
  const worst = (bid: Bid): number => Math.min(4, ...fresh(bid).map(({ level }) => level));
  const serving = ({ victims }: Bid): number => victims.filter(({ footing }) => footing === 'serves').length;
  return (
    worst(b) - worst(a) ||
    serving(a) - serving(b) ||
    fresh(a).length - fresh(b).length ||
    compareScores(scoreOf(table, group, a.row), scoreOf(table, group, b.row)) ||
    a.row - b.row
  );
}

/** The best bid; or else one that only budgets, bars or the Zone keep from being made. */
export function search(run: Run, group: Group, bidder: Bidder): { readonly best?: Bid; readonly barred?: Bid } {
  const below = roomBelow(run, bidder.app.spec.level);
  // what it takes wherever it goes; cores of its own come on top
  const plain = group.asks.map(({ key }) => key);
  let best: Bid | undefined;
  let barred: Bid | undefined;
  let found = 0;
  for (const row of rowsFor(run, group, bidder)) {
    const most = below[row] ?? NOTHING;
    for (const demand of demandsAt(run.table, group, row)) {
      if (!isWithin(run, demand, plain, most, row)) continue;
      const lack = lacking(run, demand, row);
      if ([...lack].some(([key, amount]) => amountOf(most, key) < amount)) continue;
      const victims = victimsOn(run, bidder, hostName(run.table, row));
      const chosen = choice(run, bidder, lack, victims);
      if (chosen) {
        const bid = { row, demand, victims: chosen };
        if (!best || compare(run, group, bid, best) < 0) best = bid;
        found += 1;
      } else if (!barred) {
        const bold = choice(run, bidder, lack, victims, true);
        if (bold) barred = { row, demand, victims: bold };
      }
    }
    if (found >= ENOUGH) break;
  }
  return { ...(best ? { best } : {}), ...(barred ? { barred } : {}) };
}

/** `batch-1 (level 3)`, as many as a person wants to read. */
function namesOf(run: Run, victims: readonly Victim[]): string {
  const names = victims.map(({ placement: { replica, app } }) => {
    const level = run.input.catalog.apps.get(app)?.spec.level;
    return level === undefined ? replica : `${replica} (level ${String(level)})`;
  });
  if (names.length > 3) return `${names.slice(0, 2).join(', ')} and ${String(names.length - 2)} more`;
  return names.length === 1 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

/** Whether nothing of a victim is on its host any more. */
export function isGone({ input, survey }: Run, { placement: { replica, host }, footing }: Victim): boolean {
  if (footing === 'leaves') return false;
  const { assignments, reports } = survey.witness;
  return input.preempts === 'at once' || hasLetGo(replica, assignments.get(host), reports.get(host));
}

/** Moves a victim elsewhere with its address, or has it give up its place. */
export function relocate(run: Run, { placement }: Victim): void {
  const { replica, app: name, host } = placement;
  const { displaced } = run.preempting;
  const app = run.input.catalog.apps.get(name);
  if (!app) return;
  const group = groupIn(run, app);
  const elsewhere = (): number | undefined => {
    const row = choose(run.table, group);
    return row === run.table.rows.get(host) ? undefined : row;
  };
  const keeps = !outdatedIn(run.input.catalog, app.spec)(placement);
  if (keeps && settle(run, app, group, { replica, from: placement, moves: 'free' }, elsewhere)) {
    const now = run.book.placements.get(replica);
    if (now) arrive(run, now);
    return;
  }
  propose(run, release(run, placement));
  run.turn.group = undefined; // it still counts the place that is given up
  displaced.set(name, [...(displaced.get(name) ?? []), { replica }]);
}

/** Those who made room go, and the bidder comes or grows, in one commit. */
function swap(run: Run, { replica }: Bidder, { row, demand, victims }: Bid, come: () => boolean): boolean {
  const host = hostName(run.table, row);
  // nobody takes what is made free here meanwhile
  run.promise(replica, { host, demand });
  for (const victim of victims) relocate(run, victim);
  run.promise(replica);
  run.preempting.slack.clear();
  const came = come();
  // who comes to nothing at the expense of others gives nobody a reason to ask again
  if (came) run.preempting.swaps += 1;
  return came;
}

/** Has those stopped who are to make room; the room is theirs until they are gone, and what else of it is used is kept free. */
export function mark(run: Run, { replica }: Bidder, { row, demand, victims }: Bid): void {
  const { turns, disruption, preempting } = run;
  for (const { placement, footing } of victims) {
    if (footing === 'leaves' || footing === 'yields') continue;
    const { replica: other, epoch, app, zone } = placement;
    if (!propose(run, { op: 'yield', replica: other, epoch, to: replica })) continue;
    preempting.marked.push(other);
    if (footing === 'down') continue;
    disruption.spend(zone);
    turns.set(app, (turns.get(app) ?? 0) - 1);
  }
  preempting.slack.clear();
  const given = victims.reduce((sum, { placement }) => plus(sum, placement.demand), NOTHING);
  const rest = demandFrom((key) => Math.max(0, amountOf(demand, key) - amountOf(given, key)));
  run.promise(replica, { host: hostName(run.table, row), demand: rest });
}

/** What a bidder does once it has the room, and in words. */
interface Aim {
  readonly come: () => boolean;
  readonly text: string;
}

const COMES = 'gets its place';
const MOVES = 'moves to its new place';

/** Claims those who are to make room for a bidder; gives in words what it waits for. */
export function claim(run: Run, { replica }: Bidder, { row, victims }: Bid, text: string = COMES): string {
  const host = hostName(run.table, row);
  const stopped = victims.filter(({ footing }) => footing !== 'leaves').map(({ placement }) => placement.replica);
  run.preempting.claims.set(replica, { host, victims: stopped });
  return `${replica} ${text} on ${host} once ${namesOf(run, victims)} ${victims.length === 1 ? 'has' : 'have'} left it`;
}

function act(run: Run, bidder: Bidder, bid: Bid, { come, text }: Aim): Preempted {
  const waits = claim(run, bidder, bid, text);
  if (bid.victims.every((victim) => isGone(run, victim))) return { placed: swap(run, bidder, bid, come), waits };
  mark(run, bidder, bid);
  return { placed: false, waits };
}

/** Whether replicas of an App are being made anew, each at its turn: one that moves would have to wait for them, while others are stopped for it. */
function isChanging({ input, survey }: Run, { name, spec }: Resource<AppSpec>): boolean {
  if (input.changing?.has(name)) return true;
  // while it stands still none has a turn
  if (spec.frozen === true) return false;
  const told = survey.witness.whereabouts.told(name);
  return told.some((one) => one.spec !== spec && incarnationOf(one) !== incarnationOf({ ...one, spec }));
}

/** Looks while a replica is out of the place that it has. */
function without<T>(run: Run, app: Resource<AppSpec>, from: Placement | undefined, look: (group: Group) => T): T {
  const group = groupIn(run, app);
  if (from) lift(run, group, from, -1);
  const found = look(group);
  if (from) lift(run, group, from, 1);
  return found;
}

/**
 * Finds room for a replica that has none, or that is to leave a host that is drained, at the expense of replicas of strictly lower levels: within the
 * budgets, on a host that no other filter removes, the least critical and the fewest that do. They are stopped first; once their host has let go of
 * them, in this run or a later one, they move elsewhere or give up their places, and the replica comes. Asked again, it goes on with what was begun.
 */
export function preempt(run: Run, app: Resource<AppSpec>, wish: Wish): Preempted {
  const { input, preempting } = run;
  const { replica, from, moves } = wish;
  preempting.claims.delete(replica);
  const zone = input.catalog.zones.get(app.spec.zone)?.spec;
  // a gang does so together
  if (!zone || input.preempts === 'never' || app.spec.gang !== undefined) return NOBODY;
  const { hopeless } = preempting;
  if (hopeless && !from && marksFor(run, [replica]).length === 0) return { placed: false, ...hopeless };
  if (!from && !run.pool(app.spec.network, app.spec.zone)?.next()) return NOBODY;
  const bidder = { replica, app, inTurn: moves === 'in turn' && !preempting.turned.has(replica) };
  const { best, barred } = without(run, app, from, (group) => search(run, group, bidder));
  const come = (): boolean => settle(run, app, groupIn(run, app), wish, () => best?.row);
  const changes = from && isChanging(run, app) ? `App ${app.name} is in the middle of a change` : undefined;
  if (best && zone.preemption && changes === undefined)
    return act(run, bidder, best, { come, text: from ? MOVES : COMES });
  const why = whyNot(run, bidder, best ?? barred, changes);
  // what one that moves leaves behind may make another place possible for the next
  if (!from) preempting.hopeless = why === undefined ? {} : { why };
  return { placed: false, ...(why === undefined ? {} : { why }) };
}

/** What was promised to a replica that is to grow, and claimed for it, counts no more: it has what it asked for, has moved, or is asked again. */
export function forgoGrowth(run: Run, replica: string): void {
  run.promise(replica);
  run.preempting.claims.delete(replica);
}

/** What a replica that is to take so much takes more than now. */
function moreOf({ demand: have }: Placement, demand: Demand): Demand {
  return demandFrom((key) => Math.max(0, amountOf(demand, key) - amountOf(have, key)));
}

/** Whether the host of a replica has what that is to take more, beside what is promised to others there. */
export function hasRoom(run: Run, placement: Placement, demand: Demand): boolean {
  const row = run.table.rows.get(placement.host);
  return row !== undefined && lacking(run, moreOf(placement, demand), row).size === 0;
}

/**
 * The same for a replica that is to take more of its host than that has left: those who make room leave that host. Nothing for one that is itself to
 * leave it.
 */
export function preemptGrowth(run: Run, app: Resource<AppSpec>, placement: Placement, demand: Demand): Preempted {
  const { input, table } = run;
  const { replica, host, yields } = placement;
  forgoGrowth(run, replica);
  const zone = input.catalog.zones.get(app.spec.zone)?.spec;
  const row = table.rows.get(host) ?? -1;
  const leaves = yields !== undefined || outdatedIn(input.catalog, app.spec)(placement);
  const stays = !leaves && table.views[row]?.record.state === 'open';
  if (!zone || input.preempts === 'never' || !stays) return NOBODY;
  const bidder = { replica, app };
  const more = moreOf(placement, demand);
  const lack = lacking(run, more, row);
  const come = (): boolean => resize(run, placement, demand);
  if (lack.size === 0) return { placed: come() };
  const there = victimsOn(run, bidder, host);
  const chosen = choice(run, bidder, lack, there);
  if (chosen && zone.preemption)
    return act(run, bidder, { row, demand: more, victims: chosen }, { come, text: 'gets what it asks for' });
  const victims = chosen ?? choice(run, bidder, lack, there, true);
  const why = whyNot(run, bidder, victims && { row, demand: more, victims });
  return { placed: false, ...(why === undefined ? {} : { why }) };
}

/** Why those who could make room do not. */
export function whyNot(run: Run, bidder: Bidder, bid: Bid | undefined, bar?: string): string | undefined {
  if (!bid) return undefined;
  const { zone } = bidder.app.spec;
  const open = run.input.catalog.zones.get(zone)?.spec.preemption;
  const why = open ? (bar ?? obstacleTo(run, bidder, bid.victims)) : `Zone ${zone} has preemption: false`;
  const on = hostName(run.table, bid.row);
  return why === undefined ? undefined : `${namesOf(run, bid.victims)} could make room on ${on}, but ${why}`;
}

/** Why a replica has no place: what stands in the way, or what it waits for. */
export function preemptedText(
  { message }: { readonly message: string },
  made: Omit<Preempted, 'placed'>,
): { readonly message: string } {
  return { message: made.waits ?? (made.why === undefined ? message : `${message}. ${made.why}`) };
}
