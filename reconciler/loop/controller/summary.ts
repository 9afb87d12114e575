import type { LostHost, Notice } from '../../model/notice.ts';
import { appOf } from '../../model/replica.ts';
import type { Whereabouts } from '../../model/whereabouts.ts';
import type { Image } from './image.ts';
import { NOTHING, sumOf, totalsOf, verdictOf, type Totals, type Verdict } from '../status/verdict.ts';
import { hostItems, unplaceableItems } from '../status/items.ts';

/** How the whole is, kept host by host: the cost grows with the hosts of which something is new. */
export interface Summary {
  /** Takes in what is new in an image, and which hosts are not heard of. */
  follow(image: Pick<Image, 'touched' | 'whereabouts'>, lost: readonly LostHost[]): void;
  /** With the number of replicas. */
  verdict(notice: Notice): Verdict & { readonly items: number };
  forget(): void;
}

/** A summary of nothing. */
export function createSummary(): Summary {
  const known = new Map<string, Totals>();
  let sum = NOTHING;
  let where: Whereabouts | undefined;
  /** Hosts that were lost by then. */
  let before: ReadonlySet<string> = new Set();
  return {
    follow: (image, lost) => {
      const at = image.whereabouts;
      where = at;
      const silent = new Set(lost.map(({ host }) => host));
      const lostOrBack = [...before, ...silent].filter((host) => before.has(host) !== silent.has(host));
      before = silent;
      for (const host of new Set([...image.touched(), ...lostOrBack])) {
        const { assignments, reports } = at;
        const [assignment, report] = [assignments.get(host), reports.get(host)];
        const items = hostItems({ lost, assignments, reports }, at.on(host));
        const totals = totalsOf(items, assignment ? [assignment] : [], new Map(report ? [[host, report]] : []));
        sum = sumOf(sumOf(sum, known.get(host) ?? NOTHING, -1), totals, 1);
        known.set(host, totals);
      }
    },
    verdict: (notice) => {
      const isPlaced = (replica: string): boolean => where?.placed(appOf(replica)).get(replica) !== undefined;
      const homeless = totalsOf(unplaceableItems(notice, isPlaced), [], new Map());
      const cramped = notice.unplaceable.length - homeless.items;
      const all = sumOf(sum, { ...homeless, unsynced: homeless.unsynced + cramped }, 1);
      return { ...verdictOf(notice, all), items: all.items };
    },
    forget: () => {
      known.clear();
      before = new Set();
      sum = NOTHING;
      where = undefined;
    },
  };
}
