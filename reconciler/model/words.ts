/** `1 problem`, `2 problems`: the word must be one that takes an s. */
export function counted(count: number, word: string): string {
  return `${String(count)} ${word}${count === 1 ? '' : 's'}`;
}

const collator = new Intl.Collator('en', { numeric: true });

/** Orders names as people count: `web-2` comes before `web-10`. */
export function compareNames(a: string, b: string): number {
  return collator.compare(a, b);
}
