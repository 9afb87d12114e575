import { amountOf, demandFrom, plus, NOTHING } from '../model/demand.ts';
import { hasLetGo } from '../model/handover.ts';
import { choose } from './choose.ts';
import { settle } from './home.ts';
import { groupIn, propose, release } from './run.ts';
import type { Run } from './run.ts';
import { outdatedIn } from '../model/pool.ts';
import { hostName } from './table.ts';
import { joined, obstacleTo } from './victims.ts';
import type { Bidder, Victim } from './victims.ts';
import { arrive } from './room-below.ts';
import type { Bid } from './bids.ts';

/** What became of a replica that found no room. */
export interface Preempted {
  readonly placed: boolean;
  /** It gets its place once those who have it have left. */
  readonly waits?: string;
  /** Why nobody makes room; neither where nobody could. */
  readonly why?: string;
}

/** Nobody is to make room. */
export const NOBODY = { placed: false } as const;

/** `batch-1 (level 3)`, as many as a person wants to read. */
function namesOf(run: Run, victims: readonly Victim[]): string {
  const names = victims.map(({ placement: { replica, app } }) => {
    const level = run.input.catalog.apps.get(app)?.spec.level;
    return level === undefined ? replica : `${replica} (level ${String(level)})`;
  });
  return joined(names);
}

/** Whether nothing of a victim is on its host any more. */
export function isGone({ input, survey }: Run, { placement: { replica, host }, footing }: Victim): boolean {
  if (footing === 'leaves') return false;
  const { assignments, reports } = survey.witness;
  return typeof input.preempts === 'object' || hasLetGo(replica, assignments.get(host), reports.get(host));
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

/** What a bidder does once it has the room, and in words where it does not just come. */
interface Aim {
  readonly come: () => boolean;
  readonly text?: string;
}

/** Claims those who are to make room for a bidder; gives in words what it waits for. */
export function claim(run: Run, { replica }: Bidder, { row, victims }: Bid, text = 'gets its place'): string {
  const host = hostName(run.table, row);
  const stopped = victims.filter(({ footing }) => footing !== 'leaves').map(({ placement }) => placement.replica);
  run.preempting.claims.set(replica, { host, victims: stopped });
  return `${replica} ${text} on ${host} once ${namesOf(run, victims)} ${victims.length === 1 ? 'has' : 'have'} left it`;
}

/** Has those stopped who are to make room for a bidder, or, where all of them are gone, has it come. */
export function act(run: Run, bidder: Bidder, bid: Bid, { come, text }: Aim): Preempted {
  const waits = claim(run, bidder, bid, text);
  if (bid.victims.every((victim) => isGone(run, victim))) return { placed: swap(run, bidder, bid, come), waits };
  mark(run, bidder, bid);
  return { placed: false, waits };
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
