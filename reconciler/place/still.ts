import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, asked } from '../model/demand.ts';
import { demandsAt, lacksOnlyRoom } from './group.ts';
import type { Tested } from './group.ts';
import { nearlyFrom, noteMiss, onTable } from './misses.ts';
import { roomBelowAt } from './preempt.ts';
import { nowhere } from './reasons.ts';
import type { Why } from './reasons.ts';
import type { Run } from './run.ts';
import type { Waiter } from './waiting.ts';

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

/** Whether less critical replicas on the host of a row could make room for one of an App, as far as their sizes tell. */
function mayMakeRoom(run: Run, group: Tested, { level }: AppSpec, row: number): boolean {
  const { table } = run;
  if (!lacksOnlyRoom(table, group, row)) return false;
  const below = roomBelowAt(run, level, row);
  return demandsAt(table, group, row).some((demand) =>
    asked(demand).every((key) => (table.free[key][row] ?? 0) + amountOf(below, key) >= amountOf(demand, key)),
  );
}

/** What keeps hosts from taking a replica once this one is looked at again; undefined when it may take one, or others may make room there. */
function lookAgain(run: Run, app: Resource<AppSpec>, waiter: Waiter, host: string): Waiter | undefined {
  const { table, input } = run;
  const { group, candidates, misses } = waiter;
  const { rows } = group;
  const row = table.rows.get(host);
  if (row === undefined) return undefined;
  const index = indexIn(rows.length, (at) => rows[at] ?? 0, row);
  if (index >= 0) {
    noteMiss(table, group, misses, index);
    return misses.filters[index] === 0 || mayMakeRoom(run, group, app.spec, row) ? undefined : waiter;
  }
  const { nearly } = candidates;
  const near = indexIn(nearly.length, (at) => nearly[at]?.row ?? 0, row);
  if (near < 0 || near > waiter.nearly) return waiter;
  return { ...waiter, nearly: nearlyFrom(input.catalog, table, group, app, candidates, near) };
}

/**
 * Why an App that found no room finds none now, by a look at those hosts only of which anything has changed since; in the words of a look at all. Undefined
 * when it is not remembered, or may find some.
 */
export function stillNowhere(run: Run, app: Resource<AppSpec>): Why | undefined {
  const taken = run.waiting?.take(app);
  if (!taken) return undefined;
  let { waiter } = taken;
  if (taken.fresh.size > 0) {
    waiter = { ...waiter, group: onTable(run.table, waiter.group) };
    for (const host of taken.fresh) {
      const next = lookAgain(run, app, waiter, host);
      if (!next) return undefined;
      waiter = next;
    }
    const { group, candidates } = waiter;
    waiter = { ...waiter, why: nowhere(run.input.catalog, run.table, group, app, candidates, waiter) };
  }
  run.waiting?.keep(app.name, waiter);
  return waiter.why;
}
