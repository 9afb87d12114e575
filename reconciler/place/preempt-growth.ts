import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, demandFrom } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { resize } from './resize.ts';
import type { Run } from './run.ts';
import { outdatedIn } from '../model/pool.ts';
import { choice, victimsOn } from './victims.ts';
import { lacking } from './bids.ts';
import { NOBODY, act, whyNot, type Preempted } from './make-room.ts';

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
 * As `preempt` does for one without a place, for a replica that is to take more of its host than that has left: those who make room leave that host.
 * Nothing for one that is itself to leave it.
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
