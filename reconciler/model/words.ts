/** `1 problem`, `2 problems`: the word must be one that takes an s. */
export function counted(count: number, word: string): string {
  return `${String(count)} ${word}${count === 1 ? '' : 's'}`;
}
