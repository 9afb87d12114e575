/** Edits between two words (insert, delete, replace, swap of neighbours); optimal string alignment. */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? Infinity) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** A word of fewer letters may begin anything. */
const BEGINNING = 3;

/** The candidate that was most likely meant: at most a third of its letters differ, or it is the only one that begins like that. Undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let least = Infinity;
  const longer = new Set<string>();
  for (const candidate of candidates) {
    if (word.length >= BEGINNING && candidate.toLowerCase().startsWith(wanted)) longer.add(candidate);
    const allowed = Math.max(1, Math.floor(Math.max(candidate.length, word.length) / 3));
    if (Math.abs(candidate.length - word.length) > allowed) continue;
    const edits = distance(wanted, candidate.toLowerCase());
    if (edits <= allowed && edits < least) {
      best = candidate;
      least = edits;
    }
  }
  return best ?? (longer.size === 1 ? [...longer][0] : undefined);
}

/** `did you mean "x"?`, else what there is (`one of: a, b`, at most a dozen), else nothing. */
export function suggestion(word: string, candidates: readonly string[], otherwise?: string): string | undefined {
  const near = nearest(word, candidates);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (otherwise === undefined || candidates.length === 0) return undefined;
  const shown = candidates.slice(0, 12).join(', ');
  return `${otherwise}: ${shown}${candidates.length > 12 ? ', …' : ''}`;
}
