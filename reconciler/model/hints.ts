import type { Ref } from './ref.ts';

/** Hints on their way from a provider's watch to the loop. A ref that waits is not queued twice. */
export interface Hints extends AsyncIterable<Ref> {
  add(ref: Ref): void;
}

/** An empty queue that ends when the signal aborts. For one reader. */
export function createHints(signal: AbortSignal): Hints {
  const waiting = new Set<Ref>();
  let wake: (() => void) | undefined;
  signal.addEventListener('abort', () => wake?.(), { once: true });
  return {
    add(ref) {
      waiting.add(ref);
      wake?.();
    },
    async *[Symbol.asyncIterator]() {
      while (!signal.aborted) {
        const [next] = waiting;
        if (next !== undefined) {
          waiting.delete(next);
          yield next;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    },
  };
}
