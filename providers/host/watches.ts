import type { Context } from '../../reconciler/model/provider.ts';
import { createHints, type Hints } from '../../reconciler/model/hints.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { Files } from './files.ts';

/** The refs that a provider was asked for, and the files of each that are watched while somebody listens. */
export interface Watches {
  /** All that were asked for. */
  refs(): Iterable<Ref>;
  /** Remembers a ref, and has its files watched from now on. */
  add(ref: Ref): void;
  /** Forgets all refs but these. */
  keep(refs: readonly Ref[]): void;
  /** Counts as if one of its files had changed. */
  tell(ref: Ref): void;
  /** A ref whenever one of its files changes, until the signal aborts. */
  hints(ctx: Context): AsyncIterable<Ref>;
}

/** Watches by `pathsOf` a ref: absolute paths. A file that cannot be watched (not there, no inotify watch left) is tried again when its ref is added again. */
export function createWatches(files: Pick<Files, 'watch'>, pathsOf: (ref: Ref) => readonly string[]): Watches {
  const listeners = new Set<Hints>();
  const watched = new Map<Ref, (() => void) | undefined>();

  function watchOne(ref: Ref): void {
    if (listeners.size === 0 || watched.get(ref)) return;
    const ends: (() => void)[] = [];
    for (const path of pathsOf(ref)) {
      try {
        const changed = (): void => {
          for (const hints of listeners) hints.add(ref);
        };
        ends.push(files.watch(path, changed));
      } catch {
        // the resync sees it
      }
    }
    if (ends.length > 0)
      watched.set(ref, () => {
        for (const end of ends) end();
      });
  }

  return {
    refs: () => watched.keys(),
    add(ref) {
      if (!watched.has(ref)) watched.set(ref, undefined);
      watchOne(ref);
    },
    keep(refs) {
      const kept = new Set(refs);
      for (const [ref, end] of watched) {
        if (kept.has(ref)) continue;
        end?.();
        watched.delete(ref);
      }
    },
    tell(ref) {
      for (const hints of listeners) hints.add(ref);
    },
    async *hints(ctx) {
      const hints = createHints(ctx.signal);
      listeners.add(hints);
      for (const ref of watched.keys()) watchOne(ref);
      try {
        yield* hints;
      } finally {
        listeners.delete(hints);
        if (listeners.size === 0)
          for (const [ref, end] of watched) {
            end?.();
            watched.set(ref, undefined);
          }
      }
    },
  };
}
