import type { Entry, EntryFilter } from '../model/journal.ts';
import type { RolloutRecord } from '../model/release.ts';
import type { Journal } from '../model/store.ts';
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
  journal(filter: EntryFilter, follow: boolean, signal: AbortSignal): AsyncIterable<Entry>;
  /**
   * Looks at Git and at the host now; resolves when all is done that can be, or the signal aborts. `allowDeletions` lets any
   * number of replicas go for the revision that Git has then.
   */
  settle(signal: AbortSignal, allowDeletions?: boolean): Promise<Status>;
}

/** Entries of a journal, and with `follow` those to come, without a gap or a double between them. */
export async function* readJournal(
  journal: Pick<Journal, 'read' | 'follow'>,
  filter: EntryFilter,
  follow: boolean,
  signal: AbortSignal,
): AsyncIterable<Entry> {
  let next = filter.from ?? 0;
  for await (const entry of journal.read(filter)) {
    next = entry.seq + 1;
    yield entry;
  }
  if (!follow) return;
  for await (const entry of journal.follow(signal)) {
    const wanted = filter.types?.includes(entry.type) ?? true;
    const about = filter.ref === undefined || ('ref' in entry && entry.ref === filter.ref);
    if (entry.seq >= next && wanted && about) yield entry;
  }
}

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
