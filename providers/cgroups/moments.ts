import { setTimeout as sleep } from 'node:timers/promises';
import type { Observed } from '../../reconciler/model/change.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import { PAUSED } from './knob.ts';

/** How long an engine (runc before 1.1) may freeze a container while it sets its limits, milliseconds. */
export const MOMENT = 300;

/** Containers that stand still without Docker's word: an engine may have frozen one for a moment, so that only what lasts counts. */
export interface Moments {
  /** What was seen; of what stands still without Docker's word, and did not before, what `again` sees of it a moment later. */
  settled(
    seen: readonly Observed<CgroupState>[],
    again: (refs: readonly Ref[]) => readonly Observed<CgroupState>[],
  ): Promise<readonly Observed<CgroupState>[]>;
  /** Whether a container was seen to stand still for longer than a moment. */
  lasts(id: string): boolean;
  /** It has ended. */
  forget(id: string): void;
}

function isUnspoken({ frozen, raw }: CgroupState): boolean {
  return frozen === true && raw?.[PAUSED] === undefined;
}

/** None that stands still yet. */
export function createMoments(): Moments {
  const lasting = new Set<string>();
  return {
    async settled(seen, again) {
      if (lasting.size > 0)
        for (const item of seen) if (item.known && !isUnspoken(item.state)) lasting.delete(item.state.id);
      const doubts = seen
        .filter((item) => item.known && isUnspoken(item.state) && !lasting.has(item.state.id))
        .map(({ ref }) => ref);
      if (doubts.length === 0) return seen;
      await sleep(MOMENT);
      const later = new Map(again(doubts).map((item) => [item.ref, item] as const));
      for (const item of later.values()) if (item.known && isUnspoken(item.state)) lasting.add(item.state.id);
      const doubted = new Set(doubts);
      return seen.flatMap((item) => (doubted.has(item.ref) ? (later.get(item.ref) ?? []) : [item]));
    },
    lasts: (id) => lasting.has(id),
    forget: (id) => void lasting.delete(id),
  };
}
