import type { Entry, EntryQuery } from '../model/journal.ts';
import type { RolloutRecord } from '../model/release.ts';
import type { Journal, Journals } from '../model/store.ts';
import { createDoorbell } from './doorbell.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { Snapshot } from '../model/reservations.ts';
import type { Status } from './status.ts';

/** What a plan needs to know of the world, as plain data. */
export interface Known {
  readonly snapshot: Snapshot;
  readonly assignments: readonly Assignment[];
  readonly reports: readonly Report[];
  /** What is remembered of changes under way. */
  readonly rollouts?: readonly RolloutRecord[];
}

/** What a running `up` tells and does for other commands, through its socket or in the same process. */
export interface LocalView {
  status(): Promise<Status>;
  known(): Promise<Known>;
  journal(query: EntryQuery, follow: boolean, signal: AbortSignal): AsyncIterable<Entry>;
  /**
   * Looks at Git and at the host now; resolves when all is done that can be, or the signal aborts. `allowDeletions` lets any
   * number of replicas go for the revision that Git has then.
   */
  settle(signal: AbortSignal, allowDeletions?: boolean): Promise<Status>;
}

type Readable = Pick<Journal, 'read' | 'follow'>;

function asked(entry: Entry, { ref, types }: EntryQuery): boolean {
  return (ref === undefined || ('ref' in entry && entry.ref === ref)) && (types?.includes(entry.type) ?? true);
}

/** The last so many of what comes, once it has ended; all, as they come, where no number is given. */
export async function* lastOf<T>(entries: AsyncIterable<T>, last: number | undefined): AsyncIterable<T> {
  if (last === undefined) {
    yield* entries;
    return;
  }
  const kept: T[] = [];
  for await (const entry of entries) {
    kept.push(entry);
    if (kept.length > last) kept.shift();
  }
  yield* kept;
}

/** Entries of a journal, and with `follow` those to come, without a gap or a double between them. */
export async function* readJournal(
  journal: Readable,
  query: EntryQuery,
  follow: boolean,
  signal: AbortSignal,
): AsyncIterable<Entry> {
  const { last, host: _all, ...filter } = query;
  let next = 0;
  // whoever follows reads all: it goes on behind the last of the journal, whichever refs that is about
  const past = async function* (): AsyncGenerator<Entry> {
    for await (const entry of journal.read(follow ? {} : filter)) {
      next = entry.seq + 1;
      if (asked(entry, query)) yield entry;
    }
  };
  yield* lastOf(past(), last);
  if (!follow) return;
  for await (const entry of journal.follow(signal)) if (entry.seq >= next && asked(entry, query)) yield entry;
}

/** The same of the writers of a fleet, by time. */
export async function* readJournals(
  journals: Journals,
  query: EntryQuery,
  follow: boolean,
  signal: AbortSignal,
): AsyncIterable<Entry> {
  const writers = (await journals.writers()).filter((writer) => query.host === undefined || writer === query.host);
  const readers = writers.map((writer) => journals.of(writer));
  const all: Entry[] = [];
  const nexts = new Map<Readable, number>();
  for (const reader of readers)
    for await (const entry of reader.read()) {
      nexts.set(reader, entry.seq + 1);
      if (asked(entry, query)) all.push(entry);
    }
  all.sort((a, b) => a.at - b.at);
  yield* query.last === undefined ? all : query.last === 0 ? [] : all.slice(-query.last);
  if (follow) yield* together(readers, nexts, query, signal);
}

/** What all write from now on, as it comes. */
async function* together(
  readers: readonly Readable[],
  nexts: ReadonlyMap<Readable, number>,
  query: EntryQuery,
  signal: AbortSignal,
): AsyncIterable<Entry> {
  const come: Entry[] = [];
  const bell = createDoorbell();
  for (const reader of readers)
    void (async () => {
      for await (const entry of reader.follow(signal)) {
        if (entry.seq < (nexts.get(reader) ?? 0) || !asked(entry, query)) continue;
        come.push(entry);
        bell.ring();
      }
    })().catch(() => undefined); // its writer is told of a store that is away
  while (!signal.aborted) {
    yield* come.splice(0).sort((a, b) => a.at - b.at);
    await bell.wait(QUIET, signal);
  }
}

/** Longest wait for news before the signal is looked at again, milliseconds. */
const QUIET = 10_000;

type Pairs<T> = readonly (readonly [string, T])[];

/** A Snapshot with its maps as lists of pairs, for JSON. */
export interface SnapshotJson {
  readonly cursor: number;
  readonly hosts: Pairs<Snapshot['hosts'] extends ReadonlyMap<string, infer V> ? V : never>;
  readonly placements: Pairs<Snapshot['placements'] extends ReadonlyMap<string, infer V> ? V : never>;
  readonly addresses: Pairs<Snapshot['addresses'] extends ReadonlyMap<string, infer V> ? V : never>;
}

/** For JSON. */
export function snapshotToJson({ cursor, hosts, placements, addresses }: Snapshot): SnapshotJson {
  return { cursor, hosts: [...hosts], placements: [...placements], addresses: [...addresses] };
}

/** From JSON. */
export function snapshotFromJson({ cursor, hosts, placements, addresses }: SnapshotJson): Snapshot {
  return { cursor, hosts: new Map(hosts), placements: new Map(placements), addresses: new Map(addresses) };
}
