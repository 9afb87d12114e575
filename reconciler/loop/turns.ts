import { setImmediate } from 'node:timers/promises';

/** After so much work others have their turn, milliseconds. */
const TURN = 20;

/** The same iterator, which says again what it came to when it is asked behind its end. */
export function resumable<T, R>(source: Iterator<T, R>): Iterator<T, R> {
  let last: IteratorResult<T, R> | undefined;
  return { next: () => (last = last?.done === true ? last : source.next()) };
}

/** The next few that it gives. */
export function* upTo<T>(source: Iterator<T>, count: number): Generator<T, void> {
  for (let left = count; left > 0; left -= 1) {
    const next = source.next();
    if (next.done === true) return;
    yield next.value;
  }
}

/**
 * What an iterator returns, for a process that has to keep its leases and to answer meanwhile, however long it takes: others have their turn between its
 * steps. What it gives on the way goes to `take`.
 */
export async function inTurns<T, R>(source: Iterator<T, R>, take: (given: T) => void = () => undefined): Promise<R> {
  for (let began = performance.now(); ;) {
    const next = source.next();
    if (next.done === true) return next.value;
    take(next.value);
    if (performance.now() - began < TURN) continue;
    await setImmediate();
    began = performance.now();
  }
}
