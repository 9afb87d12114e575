/** Hosts that are asked about at once: what they said and were told takes much more room than what is kept of it. */
const LOT = 25;

/** The items in order, so many at a time. */
export function* inLots<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += LOT) yield items.slice(at, at + LOT);
}

/** Answers in order; the next is asked for before the last is looked at, so that who answers makes it meanwhile. */
export async function* oneAhead<T, A>(questions: Iterable<T>, ask: (question: T) => Promise<A>): AsyncGenerator<A> {
  let last: Promise<A> | undefined;
  for (const question of questions) {
    const next = ask(question);
    next.catch(() => undefined); // whoever waits for it hears of it
    if (last) yield await last;
    last = next;
  }
  if (last) yield await last;
}
