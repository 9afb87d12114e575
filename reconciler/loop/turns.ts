import { setImmediate } from 'node:timers/promises';

/** What is given after which others have their turn. */
const TURN = 500;

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

/** All that a generator gives, and what it returns, for a process that has to keep its leases and to answer meanwhile, however much that is. */
export async function inTurns<T, R>(
  source: Iterator<T, R>,
): Promise<{ readonly given: readonly T[]; readonly returned: R }> {
  const given: T[] = [];
  for (;;) {
    const next = source.next();
    if (next.done === true) return { given, returned: next.value };
    given.push(next.value);
    if (given.length % TURN === 0) await setImmediate();
  }
}
