import { makeDirectory } from '../../../disk/directory.ts';
import { sweepDrafts } from '../../../disk/replace.ts';
import { PlumbError } from '../../model/errors.ts';
import type { Entry, EntryDraft, EntryFilter } from '../../model/journal.ts';
import type { Journal } from '../../model/store.ts';
import { createBell, isOver } from '../bell.ts';
import { createGroup } from '../group.ts';
import type { Head } from './chain.ts';
import { keptSegments, openIntents, readSegments, verifySegments, wanted } from './read.ts';
import { readStart, recordStart } from './segments.ts';
import { openWriter } from './writer.ts';
import type { ChainWriter, Limits } from './writer.ts';

export interface JournalOptions extends Partial<Limits> {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** What a journal that holds nothing yet goes on behind: the head of a copy of it that its disk has lost. */
  readonly behind?: () => Promise<Head>;
}

/** A journal that its one writer keeps. */
export interface OwnJournal extends Journal {
  close(): Promise<void>;
}

const SEGMENT_BYTES: number = 4 * 1024 * 1024;
const TOTAL_BYTES: number = 64 * 1024 * 1024;
/** Entries kept in memory for those who read on from where they were. */
const RECENT = 1000;

interface Job {
  readonly drafts: readonly EntryDraft[];
  entries: readonly Entry[];
}

/** Outcomes for the intents that a crash left open. */
async function closeIntents(writer: ChainWriter, at: number): Promise<void> {
  const drafts = (await openIntents(writer.segments)).flatMap((entry): readonly EntryDraft[] => {
    if (entry.type !== 'intent') return [];
    const { trace, host, ref } = entry;
    return [{ type: 'outcome', trace, host, ref, result: 'interrupted' }];
  });
  try {
    await writer.write(drafts, at);
  } catch (error) {
    // a full disk must not keep the repairs from starting; the next start closes them
    if (!(error instanceof PlumbError) || error.code !== 'DISK_FULL') throw error;
  }
}

async function beginBehind(directory: string, behind: () => Promise<Head>): Promise<void> {
  if ((await keptSegments(directory, await readStart(directory))).some(({ size }) => size > 0)) return;
  const head = await behind();
  await makeDirectory(directory, 0o700);
  await recordStart(directory, head);
}

/** Verifies what is kept, again when retention removed a segment under it. */
async function verifyKept(writer: ChainWriter): Promise<{ readonly entries: number; readonly head: string }> {
  for (;;) {
    const { start, segments } = writer;
    try {
      const end = await verifySegments(segments, start);
      return { entries: end.seq - start.seq, head: end.hash };
    } catch (error) {
      if (writer.start === start) throw error;
    }
  }
}

/**
 * Opens a writer's journal: hash-chained JSON lines in numbered segments. A torn last line is cut off; intents that a
 * crash left open get the outcome `interrupted`. Appends that come together share one write. Throws JOURNAL_CORRUPT, DISK_FULL.
 */
export async function openJournal(directory: string, options: JournalOptions): Promise<OwnJournal> {
  await sweepDrafts(directory);
  const { clock, segmentBytes = SEGMENT_BYTES, totalBytes = TOTAL_BYTES } = options;
  if (options.behind) await beginBehind(directory, options.behind);
  const writer = await openWriter(directory, { segmentBytes, totalBytes });
  await closeIntents(writer, clock());
  const recent: Entry[] = [];
  const bell = createBell();

  const group = createGroup<Job>(async (jobs) => {
    const drafts = jobs.flatMap((job) => job.drafts);
    const entries = await writer.write(drafts, clock());
    let at = 0;
    for (const job of jobs) job.entries = entries.slice(at, (at += job.drafts.length));
    for (const entry of entries) recent.push(entry);
    if (recent.length > 2 * RECENT) recent.splice(0, recent.length - RECENT);
    bell.ring();
  });

  async function* read(filter: EntryFilter = {}): AsyncGenerator<Entry> {
    const { from = 0 } = filter;
    const first = recent[0]?.seq;
    if (first === undefined || first > from) yield* readSegments(writer.segments, filter);
    else for (const entry of recent.slice(from - first)) if (wanted(entry, filter)) yield entry;
  }

  async function* following(start: number, signal: AbortSignal): AsyncGenerator<Entry> {
    for (let from = start; !isOver(signal);) {
      if (writer.head.seq < from) {
        await bell.next(signal);
        continue;
      }
      for await (const entry of read({ from })) {
        if (isOver(signal)) return;
        from = entry.seq + 1;
        yield entry;
      }
    }
  }

  return {
    append: async (drafts) => {
      const job: Job = { drafts, entries: [] };
      await group.add(job);
      return job.entries;
    },
    read,
    follow: (signal) => following(writer.head.seq + 1, signal),
    verify: () => verifyKept(writer),
    close: async () => {
      await group.close();
      await writer.close();
    },
  };
}
