import { PlumbError } from '../../model/errors.ts';
import type { Entry, EntryQuery } from '../../model/journal.ts';
import type { LostHost, SourceStatus } from '../../model/notice.ts';
import type { RolloutRecord } from '../../model/release.ts';
import type { Journal, Journals } from '../../model/store.ts';
import { kindOf } from '../../model/ref.ts';
import { createDoorbell } from '../doorbell.ts';
import type { Hidden } from '../mail.ts';
import { pause } from '../pause.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { Snapshot } from '../../model/reservations.ts';
import type { Status } from './status.ts';

/** What a plan needs to know of the world, as plain data. */
export interface Known {
  readonly snapshot: Snapshot;
  readonly assignments: readonly Assignment[];
  /** The last of each host; of what it observed only what a controller keeps. */
  readonly reports: readonly Report[];
  /** Hosts that cannot see all of their things. */
  readonly hidden: readonly Hidden[];
  /** What is remembered of changes under way. */
  readonly rollouts?: readonly RolloutRecord[];
  /** Hosts of a fleet that are not heard of. */
  readonly lost?: readonly LostHost[];
  /** Where nothing is placed until hosts have told a store that was emptied what they run, in words; absent when it knows all there is. */
  readonly closed?: string;
  /** Where its manifests come from, once a controller has said so. */
  readonly source?: SourceStatus;
}

/** What a running `up` tells and does for other commands, through its socket or in the same process. */
export interface LocalView {
  status(): Promise<Status>;
  known(): Promise<Known>;
  /** What these hosts last said, with all that they observed. */
  reports(hosts: readonly string[]): Promise<readonly Report[]>;
  journal(query: EntryQuery, follow: boolean, signal: AbortSignal): AsyncIterable<Entry>;
  /**
   * Looks at Git and at the host now; resolves when all is done that can be, or the signal aborts. `allowDeletions` lets any
   * number of replicas go for the revision that Git has then.
   */
  settle(signal: AbortSignal, allowDeletions?: boolean): Promise<Status>;
}

/** The reason of an event that nobody wrote: a journal is broken. */
export const JOURNAL_CORRUPT = 'JournalCorrupt';
/** What the name of a controller's journal begins with. */
export const CONTROLLER_WRITER = 'controller-';

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

/** The same of the writers of a fleet, by time. Whose journal is broken is told last, as an event that nobody wrote. */
export async function* readJournals(
  journals: Journals,
  query: EntryQuery,
  follow: boolean,
  signal: AbortSignal,
): AsyncIterable<Entry> {
  const all: Entry[] = [];
  const lasts = new Map<string, Mark>();
  const broken: { readonly writer: string; readonly message: string }[] = [];
  for (const writer of await writersOf(journals, query))
    try {
      for await (const entry of journals.of(writer).read()) {
        lasts.set(writer, entry);
        if (asked(entry, query)) all.push(entry);
      }
    } catch (error) {
      // that of one writer keeps nobody from those of all others
      if (!isCorrupt(error)) throw error;
      broken.push({ writer, message: error.message });
    }
  all.sort((a, b) => a.at - b.at);
  const { at } = all.at(-1) ?? NOTHING;
  yield* query.last === undefined ? all : query.last === 0 ? [] : all.slice(-query.last);
  const told = { type: 'event', level: 'error', reason: JOURNAL_CORRUPT, at, seq: 0, prev: '', hash: '' } as const;
  for (const { writer: host, message } of broken) yield { ...told, host, message };
  if (follow) yield* together(journals, query, lasts, signal);
}

function isCorrupt(error: unknown): error is PlumbError {
  return error instanceof PlumbError && error.code === 'JOURNAL_CORRUPT';
}

/** Kinds that controllers alone tell of: of a fleet's journals only theirs need to be read for them. */
const OF_CONTROLLERS: readonly string[] = ['app', 'host', 'replica'];

async function writersOf(journals: Journals, { host, ref }: EntryQuery): Promise<readonly string[]> {
  const writers = (await journals.writers()).filter((writer) => host === undefined || writer === host);
  const theirs = ref !== undefined && OF_CONTROLLERS.includes(kindOf(ref));
  return theirs ? writers.filter((writer) => writer.startsWith(CONTROLLER_WRITER)) : writers;
}

/** The entry of a writer that was seen last. */
type Mark = Pick<Entry, 'at' | 'seq'>;

/** Of a writer that had written nothing. */
const NOTHING: Mark = { at: 0, seq: 0 };

/** Whether an entry comes after a mark. By time first: an emptied store begins to count anew. */
function isAfter(entry: Entry, mark: Mark): boolean {
  return entry.at > mark.at || (entry.at === mark.at && entry.seq > mark.seq);
}

/** What all write from now on, as it comes: who begins to write later, and what was written while the store was away, too. */
async function* together(
  journals: Journals,
  query: EntryQuery,
  lasts: ReadonlyMap<string, Mark>,
  signal: AbortSignal,
): AsyncIterable<Entry> {
  const come: Entry[] = [];
  const bell = createDoorbell();
  const heard = new Set<string>();
  const hear = (entry: Entry): void => {
    if (!asked(entry, query)) return;
    come.push(entry);
    bell.ring();
  };
  while (!signal.aborted) {
    for (const writer of await writersOf(journals, query).catch(() => [])) {
      if (heard.has(writer)) continue;
      heard.add(writer);
      void tail(journals.of(writer), lasts.get(writer) ?? NOTHING, hear, signal);
    }
    yield* come.splice(0).sort((a, b) => a.at - b.at);
    await bell.wait(AGAIN, signal);
  }
}

/** Hears one writer for ever: what breaks off is taken up again where it was. */
async function tail(reader: Readable, from: Mark, hear: (entry: Entry) => void, signal: AbortSignal): Promise<void> {
  let last = from;
  const take = (entry: Entry): void => {
    if (!isAfter(entry, last)) return;
    last = entry;
    hear(entry);
  };
  while (!signal.aborted) {
    try {
      // listening begins before the look back, so that nothing falls between them
      const news = reader.follow(signal)[Symbol.asyncIterator]();
      const first = news.next();
      first.catch(() => undefined);
      try {
        for await (const entry of reader.read()) take(entry);
      } catch (error) {
        // a broken one stays so: what comes from now on is shown
        if (!isCorrupt(error)) throw error;
      }
      for (let item = await first; item.done !== true; item = await news.next()) take(item.value);
    } catch {
      // it is tried again
    }
    await pause(AGAIN, signal);
  }
}

/** New writers are looked for, and what broke off is taken up, this often, milliseconds. */
const AGAIN = 2_000;

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
