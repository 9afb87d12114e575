import { amountOf, asked, NOTHING } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import { demandsAt } from './asks.ts';
import { compareScores, scoreOf } from './choose.ts';
import { lacksOnlyRoom } from './fit.ts';
import type { Group } from './group.ts';
import { marksFor } from './marks.ts';
import type { Run } from './run.ts';
import { hostName } from './table.ts';
import { choice, victimsOn } from './victims.ts';
import type { Bidder, Victim } from './victims.ts';
import { roomBelow } from './room-below.ts';

/** A host with those who would make room there. */
export interface Bid {
  readonly row: number;
  /** What the bidder takes there, or takes more. */
  readonly demand: Demand;
  readonly victims: readonly Victim[];
}

/** Hosts on which room can be made, of which the best is taken: enough for a good one, however large the fleet is. */
const ENOUGH = 100;

/** What a host lacks of what a replica is to take there, beside what is promised to others. */
export const lacking = ({ table }: Run, demand: Demand, row: number): ReadonlyMap<Dimension, number> =>
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
  const marked = marksFor(run, [replica]).map(({ host }) => table.rows.get(host) ?? -1);
  const first = new Set(marked.filter((row) => group.rows.includes(row)));
  for (const row of first) if (lacksOnlyRoom(table, group, row)) yield row;
  for (const row of scattered(group.rows)) if (!first.has(row) && lacksOnlyRoom(table, group, row)) yield row;
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
