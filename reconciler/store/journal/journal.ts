import { rm } from 'node:fs/promises';
import { PlumbError } from '../../model/errors.ts';
import type { Entry, EntryDraft, EntryFilter } from '../../model/journal.ts';
import type { Journal } from '../../model/store.ts';
import { createBell, isOver } from '../bell.ts';
import { diskError, openDurable } from '../durable.ts';
import { createGroup } from '../group.ts';
import { chained, checkLink, lineOf, parseLine, traceOf } from './chain.ts';
import type { Head } from './chain.ts';
import {
  dropBefore,
  isDropped,
  linesOf,
  listSegments,
  rangesOf,
  readStart,
  segmentAt,
  segmentText,
} from './segments.ts';
import type { Segment } from './segments.ts';

export interface JournalOptions {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Bytes of one segment and of all; whole segments are removed, oldest first. */
  readonly segmentBytes?: number;
  readonly totalBytes?: number;
}

/** A journal that its one writer keeps. */
export interface OwnJournal extends Journal {
  close(): Promise<void>;
}

const SEGMENT_BYTES: number = 4 * 1024 * 1024;
const TOTAL_BYTES: number = 64 * 1024 * 1024;
/** Entries kept in memory for those who follow. */
const RECENT = 1000;

function wanted(entry: Entry, { from = 0, ref, types }: EntryFilter): boolean {
  return entry.seq >= from && (ref === undefined || entry.ref === ref) && (types?.includes(entry.type) ?? true);
}

async function* readSegment(segment: Segment, filter: EntryFilter): AsyncGenerator<Entry> {
  const text = await segmentText(segment);
  if (!text) return;
  if (filter.ref === undefined) {
    for (const { line } of linesOf(text)) {
      const entry = parseLine(line, segment.path);
      if (wanted(entry, filter)) yield entry;
    }
    return;
  }
  const ranges = [...rangesOf(segment, text, filter.ref)];
  for (let at = 0; at < ranges.length; at += 2) {
    const entry = parseLine(text.toString('utf8', ranges[at], ranges[at + 1]), segment.path);
    if (wanted(entry, filter)) yield entry;
  }
}

async function* readSegments(segments: readonly Segment[], filter: EntryFilter): AsyncGenerator<Entry> {
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]?.first;
    if (next !== undefined && next <= (filter.from ?? 0)) continue;
    yield* readSegment(segment, filter);
  }
}

async function verifySegments(segments: readonly Segment[], start: Head): Promise<Head> {
  let head = start;
  for (const segment of segments)
    for (const { line } of linesOf((await segmentText(segment)) ?? Buffer.alloc(0))) {
      const entry = parseLine(line, segment.path);
      checkLink(entry, head, segment.path);
      head = entry;
    }
  return { seq: head.seq, hash: head.hash };
}

/** Number and hash of the last entry that is there. Throws JOURNAL_CORRUPT when that entry is not whole. */
async function lastHead(segments: readonly Segment[], start: Head): Promise<Head> {
  const last = segments.findLast(({ size }) => size > 0);
  if (!last) return start;
  const text = (await segmentText(last)) ?? Buffer.alloc(0);
  const line = text.toString('utf8', text.lastIndexOf(10, -2) + 1, text.length - 1);
  const entry = parseLine(line, last.path);
  checkLink(entry, { seq: entry.seq - 1, hash: entry.prev }, last.path);
  return { seq: entry.seq, hash: entry.hash };
}

/** Intents that no outcome closed. */
async function openIntents(segments: readonly Segment[]): Promise<readonly Entry[]> {
  const open = new Map<string, string>();
  for (const segment of segments)
    for (const { line } of linesOf((await segmentText(segment)) ?? Buffer.alloc(0))) {
      const found = traceOf(line);
      if (found?.type === 'intent') open.set(found.trace, line);
      else if (found) open.delete(found.trace);
    }
  return [...open.values()].map((line) => parseLine(line, 'an open intent'));
}

async function keptSegments(directory: string, start: Head): Promise<Segment[]> {
  const all = await listSegments(directory);
  return all.filter((segment, index) => !isDropped(segment, all[index + 1], start));
}

/** Reads the journal that another process may be writing. */
export async function* readJournal(directory: string, filter: EntryFilter = {}): AsyncGenerator<Entry> {
  yield* readSegments(await keptSegments(directory, await readStart(directory)), filter);
}

/** Checks a chain on disk from its recorded start; throws JOURNAL_CORRUPT naming the first bad entry. */
export async function verifyJournal(directory: string): Promise<{ readonly entries: number; readonly head: string }> {
  const start = await readStart(directory);
  const head = await verifySegments(await keptSegments(directory, start), start);
  return { entries: head.seq - start.seq, head: head.hash };
}

/**
 * Opens a writer's journal: hash-chained JSON lines in numbered segments. A torn last line is cut off; intents that a
 * crash left open get the outcome `interrupted`. Throws JOURNAL_CORRUPT, DISK_FULL.
 */
export async function openJournal(directory: string, options: JournalOptions): Promise<OwnJournal> {
  const { clock, segmentBytes = SEGMENT_BYTES, totalBytes = TOTAL_BYTES } = options;
  let start = await readStart(directory);
  let segments = await keptSegments(directory, start);
  let head = await lastHead(segments, start);
  let active = segments.at(-1) ?? segmentAt(directory, 1);
  if (segments.length === 0) segments = [active];
  // what a killed retention left, once more
  for (const segment of (await listSegments(directory)).filter(({ number }) => number < (segments[0]?.number ?? 0)))
    await rm(segment.path, { force: true });
  let file = await openDurable(active.path, active.size);
  const recent: Entry[] = [];
  const bell = createBell();

  async function rotate(): Promise<void> {
    const next = segmentAt(directory, active.number + 1);
    const opened = await openDurable(next.path, 0);
    await file.close();
    [active, file] = [next, opened];
    segments = [...segments, next];
    let total = segments.reduce((sum, { size }) => sum + size, 0);
    const gone: Segment[] = [];
    for (const segment of segments.slice(0, -1)) {
      if (total <= totalBytes) break;
      total -= segment.size;
      gone.push(segment);
    }
    if (gone.length > 0) await retire(gone);
  }

  async function retire(gone: readonly Segment[]): Promise<void> {
    const begin = await lastHead(gone, start);
    await dropBefore(directory, begin, gone);
    start = begin;
    segments = segments.filter((segment) => !gone.includes(segment));
  }

  async function commit(jobs: readonly Job[]): Promise<void> {
    let next: Head = head;
    const at = clock();
    const all: Entry[] = [];
    for (const job of jobs) {
      const entries: Entry[] = [];
      for (const draft of job.drafts) {
        const entry = chained(draft, next, at);
        entries.push(entry);
        next = entry;
      }
      job.entries = entries;
      all.push(...entries);
    }
    if (all.length === 0) return;
    if (active.size >= segmentBytes) {
      // a full disk may refuse a new segment; the old one then goes on
      await rotate().catch((error: unknown) => {
        if (diskError(error, directory).code !== 'DISK_FULL') throw diskError(error, directory);
      });
    }
    await file.append(all.map(lineOf).join(''));
    active.first ??= head.seq + 1;
    active.size = file.size;
    head = { seq: next.seq, hash: next.hash };
    recent.push(...all);
    if (recent.length > 2 * RECENT) recent.splice(0, recent.length - RECENT);
    bell.ring();
  }

  const group = createGroup<Job>(commit);
  async function append(drafts: readonly EntryDraft[]): Promise<readonly Entry[]> {
    const job: Job = { drafts, entries: [] };
    await group.add(job);
    return job.entries;
  }

  async function* since(from: number): AsyncGenerator<Entry> {
    const first = recent[0]?.seq;
    if (first !== undefined && first <= from) yield* recent.filter(({ seq }) => seq >= from);
    else yield* readSegments(segments, { from });
  }

  async function* following(start: number, signal: AbortSignal): AsyncGenerator<Entry> {
    for (let from = start; !isOver(signal);) {
      if (head.seq < from) {
        await bell.next(signal);
        continue;
      }
      for await (const entry of since(from)) {
        if (isOver(signal)) return;
        from = entry.seq + 1;
        yield entry;
      }
    }
  }

  const journal: OwnJournal = {
    append,
    read: (filter = {}) => readSegments([...segments], filter),
    follow: (signal) => following(head.seq + 1, signal),
    verify: async () => {
      const end = await verifySegments([...segments], start);
      return { entries: end.seq - start.seq, head: end.hash };
    },
    close: async () => {
      await group.close();
      await file.close();
    },
  };
  await closeIntents(journal, segments);
  return journal;
}

interface Job {
  readonly drafts: readonly EntryDraft[];
  entries: readonly Entry[];
}

async function closeIntents(journal: Journal, segments: readonly Segment[]): Promise<void> {
  const drafts = (await openIntents(segments)).flatMap((entry): readonly EntryDraft[] =>
    entry.type === 'intent'
      ? [{ type: 'outcome', trace: entry.trace, host: entry.host, ref: entry.ref, result: 'interrupted' }]
      : [],
  );
  try {
    if (drafts.length > 0) await journal.append(drafts);
  } catch (error) {
    // a full disk must not keep the repairs from starting; the next start closes them
    if (!(error instanceof PlumbError) || error.code !== 'DISK_FULL') throw error;
  }
}
