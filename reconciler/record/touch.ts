import type { Entry } from '../model/journal.ts';

export type IntentEntry = Extract<Entry, { type: 'intent' }>;
export type OutcomeEntry = Extract<Entry, { type: 'outcome' }>;

/** A change of a ref as journaled; without outcome while it runs. */
export interface Touch {
  readonly intent: IntentEntry;
  readonly outcome?: OutcomeEntry;
}

/** Whether a change sets a field (`memory`, `rate/egress`): it names it, or it makes the whole thing. */
function sets({ verb, fields }: IntentEntry, field: string): boolean {
  const path = `/${field}`;
  return verb !== 'update' || fields.some((one) => one.path === path || one.path.startsWith(`${path}/`));
}

/** The last change of a ref, or of one of its fields, among the entries of that ref, oldest first. */
export function lastTouch(entries: Iterable<Entry>, field?: string): Touch | undefined {
  let last: Touch | undefined;
  for (const entry of entries)
    if (entry.type === 'intent') {
      if (field === undefined || sets(entry, field)) last = { intent: entry };
    } else if (entry.type === 'outcome' && entry.trace === last?.intent.trace) {
      last = { intent: last.intent, outcome: entry };
    }
  return last;
}
