import { isDeepStrictEqual } from 'node:util';

/** A rule over two values that never change, asked once for each pair. The answers stay with the first: name the one first that goes, which is what was told before. */
export function oncePerPair<T extends object>(rule: (a: T, b: T) => boolean): (a: T, b: T) => boolean {
  const known = new WeakMap<T, WeakMap<T, boolean>>();
  return (a, b) => {
    const mine = known.get(a) ?? new WeakMap<T, boolean>();
    known.set(a, mine);
    const answer = mine.get(b) ?? rule(a, b);
    mine.set(b, answer);
    return answer;
  };
}

const sameSpec = oncePerPair<object>(isDeepStrictEqual);

/** What a part of an Assignment says only of where it is written. */
const isAbout = (key: string): boolean => key === 'origin' || key === 'fields';

/** Whether two parts of an Assignment (replicas, Networks, knobs) ask for the same, whichever lines and revisions say so. */
export function sameItem(a: object, b: object): boolean {
  if (a === b) return true;
  const [one, other] = [a, b] as readonly Readonly<Record<string, unknown>>[];
  if (!one || !other) return false;
  // as many members count in both; one that is undefined does
  let more = 0;
  for (const key in one) {
    if (!sameMember(key, one[key], other[key])) return false;
    if (!isAbout(key)) more += 1;
  }
  for (const key in other) if (!isAbout(key)) more -= 1;
  return more === 0;
}

function sameMember(key: string, have: unknown, want: unknown): boolean {
  if (have === want || isAbout(key)) return true;
  return key === 'spec' ? sameSpec(have as object, want as object) : isDeepStrictEqual(have, want);
}

/** The same of lists of them, one by one. */
export function sameItems(a: readonly object[], b: readonly object[]): boolean {
  return a === b || (a.length === b.length && a.every((one, at) => sameItem(one, b[at] ?? {})));
}
