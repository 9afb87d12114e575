import type { Assignment, Report } from './replica.ts';
import type { CommitReply, CommitRequest, Delta, Snapshot } from './reservations.ts';
import type { Entry, EntryDraft, EntryFilter } from './journal.ts';
import type { Notice } from './notice.ts';
import type { Ref } from './ref.ts';

/** What one commit changed, and the cursor behind it. */
export interface Committed {
  readonly cursor: number;
  readonly deltas: readonly Delta[];
}

/** Who is where: decided atomically by `decide`. */
export interface Reservations {
  commit(request: CommitRequest, under?: Hold): Promise<CommitReply>;
  snapshot(): Promise<Snapshot>;
  /**
   * Names what differs between the store and a snapshot that the caller has kept up to date, as `placements/web-0`; undefined if the
   * store is at another cursor. Costs little if nothing differs.
   */
  differing(kept: Snapshot): Promise<readonly string[] | undefined>;
  /** What was committed after the cursor, none at the end. Throws CONFLICT when that is not kept any more: take a snapshot. */
  since(cursor: number): Promise<readonly Committed[]>;
  /** Deltas after the cursor, as they come, until the signal aborts. */
  follow(cursor: number, signal: AbortSignal): AsyncIterable<Committed>;
}

/** The right to act for a while. The fencing number rises with every new holder. */
export interface Lease {
  readonly name: string;
  readonly holder: string;
  readonly fence: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/**
 * A lease as it was given. What is written under one is refused, in the step that would write it, once the lease was given up or
 * given to another: CONFLICT then, and nothing was written.
 */
export type Hold = Pick<Lease, 'name' | 'holder' | 'fence'>;

export interface Leases {
  /**
   * The lease for `ttl` milliseconds, or undefined while another holds it, from now on for so long at most. The holder's own call renews it
   * and keeps the fence, also when it ran out and nobody else had it since.
   */
  acquire(name: string, holder: string, ttl: number): Promise<Lease | undefined>;
  /** The same for many names, in one go: the leases in order of the names, undefined where another holder has one. */
  acquireAll(names: readonly string[], holder: string, ttl: number): Promise<readonly (Lease | undefined)[]>;
  /** Gives it up, if it is still held with that fence. */
  release(lease: Lease): Promise<void>;
  /** The lease while it is held; with `lapsed` also the last one, where it ran out and was neither given up nor given anew. */
  get(name: string, lapsed?: 'lapsed'): Promise<Lease | undefined>;
  /**
   * Those of the named ones that are held now. Of leases that nobody asks for longer than for `ttl` milliseconds one that is to last longer is
   * left out: a clock that went ahead gave it, and its holder has not renewed it since.
   */
  held(names: readonly string[], ttl?: number): Promise<readonly Lease[]>;
}

/** Of which host something is new. */
export interface Mail {
  readonly host: string;
  readonly what: 'assignment' | 'report';
}

/** What is new in the mailbox, up to a mark that only the store can read. */
export interface News {
  readonly mark: string;
  /** Each host's once; undefined when not all is kept: look at every host. */
  readonly mails: readonly Mail[] | undefined;
}

/** What controllers and agents tell each other; the last word of each counts. */
export interface Mailbox {
  /** Stores it, unless the store has a newer generation, or other content under the same one: false then, and nothing was changed. */
  assign(assignment: Assignment, under?: Hold): Promise<boolean>;
  /** The same for many, in one go: the answers in their order. */
  assignAll(assignments: readonly Assignment[], under?: Hold): Promise<readonly boolean[]>;
  /** What the host was last told. `known`, where given, is a generation that need not be read again: undefined when it is that one. */
  assignment(host: string, known?: number): Promise<Assignment | undefined>;
  /** The same of many hosts, each with the generation that need not be read again. Hosts that were told nothing, or nothing else, are left out. */
  assignments(known: ReadonlyMap<string, number | undefined>): Promise<readonly Assignment[]>;
  report(report: Report): Promise<void>;
  /** The hosts that have reported. */
  reporting(): Promise<readonly string[]>;
  /** Their last reports. */
  reports(hosts: readonly string[]): Promise<readonly Report[]>;
  /** What is new since a mark; without one only the mark, to be asked for before all is read. */
  news(since?: string): Promise<News>;
  /** Hosts whose assignment or report changed, until the signal aborts. */
  follow(signal: AbortSignal): AsyncIterable<Mail>;
}

/** What the controller says of the whole; the last word counts. */
export interface Bulletin {
  post(notice: Notice, under?: Hold): Promise<void>;
  read(): Promise<Notice | undefined>;
}

/**
 * As what each thing of this machine was last seen just as it is asked for, as the fingerprint of that spec: by it a process that has just
 * started tells a change in Git from drift.
 */
export interface Settled {
  read(): Promise<ReadonlyMap<Ref, string>>;
  /** Remembers what is new, in one write; forgets what is undefined. */
  note(news: ReadonlyMap<Ref, string | undefined>): Promise<void>;
}

/** The audit chain of one writer. */
export interface Journal {
  /** Durable when it returns. Throws DISK_FULL and then nothing was kept. */
  append(drafts: readonly EntryDraft[]): Promise<readonly Entry[]>;
  /** Entries in order of writing. */
  read(filter?: EntryFilter): AsyncIterable<Entry>;
  follow(signal: AbortSignal): AsyncIterable<Entry>;
  /** Recomputes the chain; throws JOURNAL_CORRUPT naming the first bad entry. Gives the number of entries and the head. */
  verify(): Promise<{ readonly entries: number; readonly head: string }>;
}

/** What stands last in a journal; number 0 where nothing does. */
export interface JournalHead {
  readonly seq: number;
  readonly hash: string;
}

/** The copies of all journals of a fleet, for who looks at the whole. */
export interface Journals {
  /** Who has written one: controllers and hosts. */
  writers(): Promise<readonly string[]>;
  /** Another's, to be read. */
  of(writer: string): Pick<Journal, 'read' | 'follow' | 'verify'>;
  /** Where the copy of this process's own journal ends. */
  head(): Promise<JournalHead>;
  /**
   * Adds entries of this process's own journal to its copy, as they are chained, behind those that are there; with `anew` in place
   * of them. Gives where the copy ends then: entries that do not follow the last one there are not added.
   */
  mirror(entries: readonly Entry[], anew?: boolean): Promise<JournalHead>;
}

/**
 * What controllers and agents talk through; every store has it. Calls throw STORE_UNAVAILABLE when the store does not answer, DISK_FULL,
 * and on Redis STORE_REFUSED without the right and STORE_EMPTIED once it was emptied.
 */
export interface Ports {
  readonly reservations: Reservations;
  readonly leases: Leases;
  readonly mailbox: Mailbox;
  readonly bulletin: Bulletin;
  close(): Promise<void>;
}

/** The store of one machine: the one process that works with it keeps its journal there. */
export interface Store extends Ports {
  readonly journal: Journal;
}

/** The same, of a machine on which an agent works. */
export interface HostStore extends Store {
  readonly settled: Settled;
}

/** The store of a fleet: many processes write it. Each keeps its journal on its own disk, and a copy of it here. */
export interface FleetStore extends Ports {
  readonly journals: Journals;
  /**
   * Calls back whenever what was written last may be gone, although it was acknowledged: the store has failed over, was restarted or
   * was emptied.
   */
  onBack(call: () => void): void;
}
