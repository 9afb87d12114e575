import type { Ref } from '../../model/ref.ts';
import type { Settled } from '../../model/store.ts';

/** As what each ref was last seen just as it is asked for, as the fingerprint of that spec. */
export interface Settling {
  /** As this process saw it. */
  get(ref: Ref): string | undefined;
  /** As this process saw it or, where it has not yet, one before it. */
  readonly last: { get(ref: Ref): string | undefined };
  set(ref: Ref, fingerprint: string): void;
  delete(ref: Ref): void;
  /** What processes before this one saw. */
  recall(before: ReadonlyMap<Ref, string>): void;
  /** Forgets all but these. */
  keep(refs: { has(ref: Ref): boolean }): void;
  /** Has what is new remembered for the next process; nothing is written where nothing is. */
  save(remember: Settled['note']): Promise<void>;
}

/** Nothing was seen yet. */
export function settling(): Settling {
  const seen = new Map<Ref, string>();
  const last = new Map<Ref, string>();
  const unsaved = new Set<Ref>();

  function forget(ref: Ref): void {
    seen.delete(ref);
    if (last.delete(ref)) unsaved.add(ref);
  }

  return {
    get: (ref) => seen.get(ref),
    last,
    set: (ref, fingerprint) => {
      seen.set(ref, fingerprint);
      if (last.get(ref) === fingerprint) return;
      last.set(ref, fingerprint);
      unsaved.add(ref);
    },
    delete: forget,
    recall: (before) => {
      for (const [ref, fingerprint] of before) last.set(ref, fingerprint);
    },
    keep: (refs) => {
      for (const ref of last.keys()) if (!refs.has(ref)) forget(ref);
    },
    save: async (remember) => {
      if (unsaved.size === 0) return;
      const news = new Map([...unsaved].map((ref) => [ref, last.get(ref)]));
      unsaved.clear();
      try {
        await remember(news);
      } catch (error) {
        for (const ref of news.keys()) unsaved.add(ref);
        throw error;
      }
    },
  };
}
