import { plus, NOTHING } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import type { Run } from './run.ts';
import { hostName } from './table.ts';
import { countedLevels } from './victims.ts';

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
export function roomBelow(run: Run, level: number): Demand[] {
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
