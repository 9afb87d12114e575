import type { Entry } from '../model/journal.ts';

/** What became of one revision, from its first entry to its last. A revision that came back later has a row for each time. */
export interface RevisionRow {
  readonly revision: string;
  readonly author: string;
  /** Milliseconds since 1970 of its first and last entry. */
  readonly from: number;
  readonly to: number;
  /** Changes that were made for it, drift that was put back included. */
  readonly counts: {
    readonly add: number;
    readonly change: number;
    readonly replace: number;
    readonly destroy: number;
  };
  /** How many of them put drift back. */
  readonly repairs: number;
  /** Changes that ended in failure, conflict or interruption. */
  readonly failed: number;
  /**
   * `converged`: it was reached; `superseded`: another came first; `failing`: its last change failed; `held`: something of
   * it waits for a person; else `working`.
   */
  readonly result: 'converged' | 'failing' | 'working' | 'held' | 'superseded';
}

interface Row {
  readonly revision: string;
  author: string;
  readonly from: number;
  to: number;
  readonly counts: { add: number; change: number; replace: number; destroy: number };
  repairs: number;
  failed: number;
  result: RevisionRow['result'];
}

type Intent = Extract<Entry, { type: 'intent' }>;

const COUNTED = { create: 'add', adopt: 'add', update: 'change', replace: 'replace', delete: 'destroy' } as const;

/** Folds entries, oldest first, into rows. Memory grows with revisions and with changes under way, not with entries. */
export interface HistoryFold {
  add(entry: Entry): void;
  /** Oldest first. */
  rows(): readonly RevisionRow[];
}

/** A fold that has seen nothing. */
export function createHistory(): HistoryFold {
  const rows: Row[] = [];
  const latest = new Map<string, Row>();
  const open = new Map<string, { readonly row: Row; readonly intent: Intent }>();

  function begin(revision: string, author: string, at: number): Row {
    const before = rows.at(-1);
    if (before && before.result !== 'converged') before.result = 'superseded';
    const counts = { add: 0, change: 0, replace: 0, destroy: 0 };
    const row: Row = { revision, author, from: at, to: at, counts, repairs: 0, failed: 0, result: 'working' };
    rows.push(row);
    latest.set(revision, row);
    return row;
  }

  /** The row of a revision. What still belongs to an earlier one after the next has begun goes to its own row. */
  function rowOf(revision: string, author: string, at: number): Row {
    const row = latest.get(revision) ?? begin(revision, author, at);
    row.to = at;
    if (row.author === '') row.author = author;
    return row;
  }

  function settle(row: Row, result: 'converged' | 'failing' | 'held'): void {
    if (row.result !== 'superseded' && (row.result !== 'converged' || row === rows.at(-1))) row.result = result;
  }

  function addOutcome(entry: Extract<Entry, { type: 'outcome' }>): void {
    const pair = open.get(entry.trace);
    if (!pair) return;
    open.delete(entry.trace);
    const { row, intent } = pair;
    row.to = entry.at;
    if (entry.result === 'done') {
      row.counts[COUNTED[intent.verb]]++;
      if (intent.because !== 'new' && intent.because !== 'spec changed' && intent.because !== 'removed') row.repairs++;
    } else {
      row.failed++;
      if (entry.result === 'failed') settle(row, 'failing');
    }
  }

  return {
    add: (entry) => {
      if (entry.type === 'intent')
        open.set(entry.trace, { row: rowOf(entry.revision, entry.author, entry.at), intent: entry });
      else if (entry.type === 'outcome') addOutcome(entry);
      else if (entry.revision !== undefined) {
        const { revision, author = '', at } = entry;
        const synced = entry.reason === 'RevisionSynced' && rows.at(-1)?.revision !== revision;
        const row = synced ? begin(revision, author, at) : rowOf(revision, author, at);
        if (entry.reason === 'Converged') settle(row, 'converged');
        else if (entry.reason === 'Held') settle(row, 'held');
      } else if (entry.reason === 'Held') {
        // it names no revision: it tells of the one that is being worked on
        const row = rows.at(-1);
        if (row) settle(row, 'held');
      }
    },
    rows: () => rows.map((row) => ({ ...row, counts: { ...row.counts } })),
  };
}
