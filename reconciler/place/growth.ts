import type { AppSpec, Resource } from '../model/catalog.ts';
import { amountOf, DIMENSIONS } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { coresOf } from './cores.ts';
import { forgoGrowth, preemptedText, preemptGrowth } from './preempt.ts';
import { noGrowth } from './reasons.ts';
import { grown, resize } from './resize.ts';
import type { Run, Unplaceable } from './run.ts';
import type { Resize } from './survey.ts';

/** Whether one that was to grow where it was has made room for others meanwhile. */
function isElsewhere(run: Run, placement: Placement): boolean {
  if (run.book.placements.get(placement.replica) === placement) return false;
  forgoGrowth(run, placement.replica);
  return true;
}

/** Gives what is to take more or less of its host what that has for it; `freed` when some of it is given back. */
export function resizeAll(
  run: Run,
  resizes: readonly Resize[],
): { readonly left: readonly Resize[]; readonly freed: boolean } {
  const left: Resize[] = [];
  let freed = false;
  for (const item of resizes) {
    const { placement } = item;
    if (isElsewhere(run, placement)) continue;
    // which node has the cores is asked when those before have got theirs
    const demand = grown(run, item);
    if (resize(run, placement, demand)) {
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
    const failed = noGrowth(run.book, placement, demand, coresOf(app.spec));
    resizes.push(item);
    unplaceable.push({ ...failed, ...preemptedText(failed, made) });
  }
  return { resizes, unplaceable };
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
