import type { Entry } from '../model/journal.ts';
import { kindOf, nameOf, type Ref } from '../model/ref.ts';
import { appOf } from '../model/replica.ts';

/** An App that went back, or goes back, to what it ran before. */
export interface GoneBack {
  readonly app: string;
  /** The revision that it runs instead; absent in the journals of an older version. */
  readonly to?: string;
}

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
  /** Replicas that left a host which is drained. */
  readonly moved: number;
  /** How many of the changes put drift back. */
  readonly repairs: number;
  /** Changes that ended in failure, conflict or interruption. */
  readonly failed: number;
  /** Apps whose change was given up, and what they run instead. */
  readonly back: readonly GoneBack[];
  /**
   * `converged`: it was reached; `superseded`: another came first; `failing`: its last change failed; `held`: something of
   * it waits for a person; `reverting` and `reverted`: a change of it was given up, and its App goes or went back; `unknown`: what the
   * controllers told of it is not there; else `working`.
   */
  readonly result: Result;
}

export type Result = 'converged' | 'failing' | 'working' | 'held' | 'superseded' | 'reverting' | 'reverted' | 'unknown';

interface Row {
  readonly revision: string;
  author: string;
  readonly from: number;
  to: number;
  readonly counts: { add: number; change: number; replace: number; destroy: number };
  moved: number;
  repairs: number;
  failed: number;
  readonly back: Map<string, GoneBack>;
  result: Result;
  /** A controller told when it began, so that what became of it would be told as well. */
  told: boolean;
  /** Something of what is asked about was done for it. */
  touched: boolean;
}

type Intent = Extract<Entry, { type: 'intent' }>;
type Event = Extract<Entry, { type: 'event' }>;

const COUNTED = { create: 'add', adopt: 'add', update: 'change', replace: 'replace', delete: 'destroy' } as const;

/** Folds entries, oldest first, into rows. Memory grows with revisions and with changes under way, not with entries. */
export interface HistoryFold {
  add(entry: Entry): void;
  /** Oldest first. */
  rows(): readonly RevisionRow[];
}

/** What a row is called once another revision began, or while nothing ends it. */
function endOf({ result, told }: Pick<Row, 'result' | 'told'>, current: boolean): Result {
  if (result === 'converged' || result === 'reverted') return result;
  if (!told && result === 'working') return 'unknown';
  return current ? result : 'superseded';
}

/** Kinds of the things of a replica, and what is told of one. */
const OF_REPLICAS: readonly string[] = ['sandbox', 'port', 'container', 'cgroup', 'memory', 'replica'];

/** Whether an entry is about a thing, as container/web-0; about any of `replica/web-0` or `app/web`; or about `host/h1` or what was done there. */
export function changesOf(ref: Ref): (entry: Entry) => boolean {
  const kind = kindOf(ref);
  const name = nameOf(ref);
  const ofReplica = (other: Ref): boolean => OF_REPLICAS.includes(kindOf(other)) && /-\d+$/.test(other);
  return (entry) => {
    if (entry.ref === ref) return true;
    if (kind === 'host') return entry.host === name;
    if (entry.ref === undefined || !ofReplica(entry.ref)) return false;
    return (kind === 'replica' && nameOf(entry.ref) === name) || (kind === 'app' && appOf(nameOf(entry.ref)) === name);
  };
}

/** A fold that has seen nothing. Where it is `about` some entries, rows count these alone, and those for which nothing of it was done are left out. */
export function createHistory(about: (entry: Entry) => boolean = () => true): HistoryFold {
  const rows: Row[] = [];
  const latest = new Map<string, Row>();
  const open = new Map<string, { readonly row: Row; readonly intent: Intent }>();

  function begin(revision: string, author: string, at: number): Row {
    const before = rows.at(-1);
    if (before) before.result = endOf(before, false);
    const counts = { add: 0, change: 0, replace: 0, destroy: 0 };
    const none = { moved: 0, repairs: 0, failed: 0, back: new Map<string, GoneBack>() };
    const row: Row = {
      revision,
      author,
      from: at,
      to: at,
      counts,
      ...none,
      result: 'working',
      told: false,
      touched: false,
    };
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

  function settle(row: Row, result: Result): void {
    // what became of an earlier one is told already
    if (row === rows.at(-1)) row.result = result;
  }

  function addIntent(intent: Intent): void {
    const row = rowOf(intent.revision, intent.author, intent.at);
    row.touched ||= about(intent);
    open.set(intent.trace, { row, intent });
  }

  function addOutcome(entry: Extract<Entry, { type: 'outcome' }>): void {
    const pair = open.get(entry.trace);
    if (!pair) return;
    open.delete(entry.trace);
    const { row, intent } = pair;
    row.to = entry.at;
    const counted = about(intent);
    if (entry.result === 'done') {
      if (!counted) return;
      row.counts[COUNTED[intent.verb]]++;
      if (intent.because !== 'new' && intent.because !== 'spec changed' && intent.because !== 'removed') row.repairs++;
    } else if (entry.result !== 'conflict') {
      // a conflict is no failure: the next look plans from what is there
      if (counted) row.failed++;
      // that it was given up says more
      if (entry.result === 'failed' && row.back.size === 0) settle(row, 'failing');
    }
  }

  function addEvent(entry: Event, revision: string): void {
    const { author = '', at, reason, ref = '', back } = entry;
    const synced = reason === 'RevisionSynced' && rows.at(-1)?.revision !== revision;
    const row = synced ? begin(revision, author, at) : rowOf(revision, author, at);
    if (reason === 'RevisionSynced') row.told = true;
    const counted = about(entry);
    row.touched ||= counted;
    const app = ref.slice('app/'.length);
    switch (reason) {
      case 'Converged':
        return settle(row, 'converged');
      case 'Held':
        return settle(row, 'held');
      case 'ReplicaMoved':
        if (counted) row.moved++;
        return;
      case 'RolloutFailed':
      case 'RolloutReverted':
        if (reason === 'RolloutFailed' && back === undefined) return settle(row, 'failing');
        row.back.set(app, { app, ...(back === undefined ? {} : { to: back }) });
        return settle(row, reason === 'RolloutFailed' ? 'reverting' : 'reverted');
      case 'RolloutCanary':
      case 'RolloutStarted':
        // another try
        if (row.back.delete(app)) settle(row, 'working');
    }
  }

  return {
    add: (entry) => {
      if (entry.type === 'intent') addIntent(entry);
      else if (entry.type === 'outcome') addOutcome(entry);
      else if (entry.revision !== undefined) addEvent(entry, entry.revision);
      else if (entry.reason === 'Held') {
        // it names no revision: it tells of the one that is being worked on
        const row = rows.at(-1);
        if (row) settle(row, 'held');
      }
    },
    rows: () =>
      rows.flatMap(({ told, touched, ...row }, at) => {
        const result = at === rows.length - 1 ? endOf({ result: row.result, told }, true) : row.result;
        return touched ? [{ ...row, counts: { ...row.counts }, back: [...row.back.values()], result }] : [];
      }),
  };
}
