import type { AppSpec, Resource } from '../model/catalog.ts';
import { settle } from './home.ts';
import { claim, isGone, mark, relocate, whyNot } from './make-room.ts';
import type { Preempted } from './make-room.ts';
import { search } from './bids.ts';
import type { Bid } from './bids.ts';
import { attempt, groupIn, propose, release, supposition } from './run.ts';
import type { Run } from './run.ts';
import type { Wish } from './wishes.ts';
import { hostName } from './table.ts';
import type { Bidder } from './victims.ts';

/** A replica of a gang, the host that it is to have, and those who make room there. */
interface Seat {
  readonly bidder: Bidder;
  readonly bid: Bid;
}

/** A place for each of a gang, or the first that finds none and who could make room for it. */
type Seating = { readonly seats: readonly Seat[] } | { readonly replica: string; readonly why?: string };

/** What became of a gang that found no room. */
export interface GangPreempted {
  readonly placed: boolean;
  /** Replica → what it waits for, or why nobody makes room for it. */
  readonly told: ReadonlyMap<string, Preempted>;
}

/** The host of a bidder as things stand in a supposition, which then counts it there. */
function seatOne(run: Run, bidder: Bidder): Seat | { readonly why?: string } {
  const { replica, app } = bidder;
  const wish = { replica };
  if (settle(run, app, groupIn(run, app), wish)) {
    const home = run.book.placements.get(replica);
    const row = run.table.rows.get(home?.host ?? '');
    return !home || row === undefined ? {} : { bidder, bid: { row, demand: home.demand, victims: [] } };
  }
  const { best, barred } = search(run, groupIn(run, app), bidder);
  const open = run.input.catalog.zones.get(app.spec.zone)?.spec.preemption;
  if (!best || open !== true) {
    const why = whyNot(run, bidder, best ?? barred);
    return why === undefined ? {} : { why };
  }
  for (const { placement, footing } of best.victims) {
    if (!propose(run, release(run, placement))) return {};
    if (footing === 'serves') run.disruption.spend(placement.zone);
  }
  run.preempting.slack.clear();
  return settle(run, app, groupIn(run, app), wish, () => best.row) ? { bidder, bid: best } : {};
}

/** Where all would have their places if those who can made room. Nothing is changed. */
function seating(run: Run, bidders: readonly Bidder[]): Seating {
  const supposed = supposition(run);
  const seats: Seat[] = [];
  try {
    for (const bidder of bidders) {
      const leaving = seats.flatMap(({ bid }) => bid.victims);
      const found = seatOne(supposed.run, { ...bidder, leaving });
      if (!('bid' in found)) return { replica: bidder.replica, ...found };
      seats.push(found);
    }
    return { seats };
  } finally {
    supposed.undo();
  }
}

/** Those who made room go, and all of the gang come, in one commit. */
function swapAll(run: Run, seats: readonly Seat[]): boolean {
  const victims = seats.flatMap(({ bid }) => bid.victims);
  // nobody takes what is made free, nor what is free already
  for (const { bidder, bid } of seats)
    run.promise(bidder.replica, { host: hostName(run.table, bid.row), demand: bid.demand });
  for (const victim of victims) relocate(run, victim);
  for (const { bidder } of seats) run.promise(bidder.replica);
  run.preempting.slack.clear();
  const trial = attempt(run);
  const all = seats.every(({ bidder: { replica, app }, bid }) =>
    settle(trial.run, app, groupIn(trial.run, app), { replica }, () => bid.row),
  );
  if (all) {
    trial.keep();
    run.preempting.swaps += 1;
  } else trial.undo();
  return all;
}

/** Finds room for all of a gang that have no place, at the expense of strictly less critical replicas, as `preempt` does for one; for all or for none. */
export function preemptGang(
  run: Run,
  members: readonly Resource<AppSpec>[],
  wishesOf: (app: Resource<AppSpec>) => readonly Wish[],
): GangPreempted {
  const { input, preempting } = run;
  const bidders = members.flatMap((app) => wishesOf(app).map(({ replica }) => ({ replica, app })));
  for (const { replica } of bidders) {
    preempting.claims.delete(replica);
    run.promise(replica);
  }
  if (input.preempts === 'never') return { placed: false, told: new Map() };
  const found = seating(run, bidders);
  if (!('seats' in found)) {
    const { replica, ...why } = found;
    return { placed: false, told: new Map([[replica, { placed: false, ...why }]]) };
  }
  const waits = found.seats.flatMap(({ bidder, bid }): (readonly [string, Preempted])[] =>
    bid.victims.length === 0 ? [] : [[bidder.replica, { placed: false, waits: claim(run, bidder, bid) }]],
  );
  const gone = found.seats.every(({ bid }) => bid.victims.every((victim) => isGone(run, victim)));
  if (gone) return { placed: swapAll(run, found.seats), told: new Map(waits) };
  for (const { bidder, bid } of found.seats) mark(run, bidder, bid);
  return { placed: false, told: new Map(waits) };
}
