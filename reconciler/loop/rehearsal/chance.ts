/** A number from 0 up to 1 that looks random and is the same for the same words (FNV-1a, and the mixing steps of MurmurHash3). */
export function chance(...words: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of words.join(' ')) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** One between two others, by such a number. */
export function between([least, most]: readonly [number, number], part: number): number {
  return least + (most - least) * part;
}
