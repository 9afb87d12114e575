import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, DIMENSIONS, sameDemand } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { preemptedText } from './make-room.ts';
import { forgoGrowth, hasRoom, preemptGrowth } from './preempt-growth.ts';
import { noGrowth } from './reasons.ts';
import { grown, resize } from './resize.ts';
import type { Run, Unplaceable } from './run.ts';
import type { Resize } from './resizes.ts';

/** Whether one that was to grow where it was has made room for others meanwhile. */
function isElsewhere(run: Run, placement: Placement): boolean {
  if (run.book.placements.get(placement.replica) === placement) return false;
  forgoGrowth(run, placement.replica);
  return true;
}

/** The same without the threads that make its cores whole, which Git does not ask for. */
function asAsked({ has, ...item }: Resize): Resize {
  return has === undefined ? item : { ...item, cores: has };
}

/** Gives what is to take more or less of its host what that has for it, as Git says; `freed` when some of it is given back. */
export function resizeAll(
  run: Run,
  resizes: readonly Resize[],
): { readonly left: readonly Resize[]; readonly freed: boolean } {
  const left: Resize[] = [];
  let freed = false;
  for (const item of resizes.map(asAsked)) {
    const { placement } = item;
    if (isElsewhere(run, placement)) continue;
    // which node has the cores is asked when those before have got theirs
    const demand = grown(run, item);
    if (sameDemand(demand, placement.demand)) forgoGrowth(run, placement.replica);
    else if (resize(run, placement, demand)) {
      forgoGrowth(run, placement.replica);
      freed ||= DIMENSIONS.some((key) => amountOf(demand, key) < amountOf(placement.demand, key));
    } else left.push(item);
  }
  return { left, freed };
}

/** Has others make room for the replicas of an App that are to grow. */
export function growApp(
  run: Run,
  app: Resource<AppSpec>,
  left: readonly Resize[],
): { readonly resizes: readonly Resize[]; readonly unplaceable: readonly Unplaceable[] } {
  const resizes: Resize[] = [];
  const unplaceable: Unplaceable[] = [];
  for (const item of left) {
    const { placement } = item;
    if (isElsewhere(run, placement)) continue;
    const demand = grown(run, item);
    const made = preemptGrowth(run, app, placement, demand);
    if (made.placed) continue;
    const failed = noGrowth(run.book, placement, demand);
    resizes.push(item);
    unplaceable.push({ ...failed, ...preemptedText(failed, made) });
  }
  return { resizes, unplaceable };
}

/**
 * Gives pinned replicas the threads that make their cores whole, where their hosts have them left when all else has its place: since a
 * host says how many threads its cores have, which Git does not know, nobody is stopped for that, and who has none is as Git says.
 */
export function makeWhole(run: Run, resizes: readonly Resize[]): void {
  for (const item of resizes) {
    if (item.has === undefined) continue;
    const placement = run.book.placements.get(item.placement.replica);
    if (placement?.host !== item.placement.host || placement.yields !== undefined) continue;
    const demand = grown(run, { ...item, placement });
    if (hasRoom(run, placement, demand)) resize(run, placement, demand);
  }
}

/** Those by App. */
export function growing(resizes: readonly Resize[]): ReadonlyMap<string, readonly Resize[]> {
  const byApp = new Map<string, Resize[]>();
  for (const one of resizes) {
    const mine = byApp.get(one.placement.app);
    if (mine) mine.push(one);
    else byApp.set(one.placement.app, [one]);
  }
  return byApp;
}
