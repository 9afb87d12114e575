import { rm } from 'node:fs/promises';
import { PlumbError } from '../../model/errors.ts';
import type { Entry, EntryDraft } from '../../model/journal.ts';
import { openDurable } from '../durable.ts';
import { chained, lineOf } from './chain.ts';
import type { Head } from './chain.ts';
import { keptSegments, lastHead } from './read.ts';
import { listSegments, readStart, recordStart, segmentAt } from './segments.ts';
import type { Segment } from './segments.ts';

/** The end of a chain, where entries are added. */
export interface ChainWriter {
  /** The head that the first kept entry follows. */
  readonly start: Head;
  readonly head: Head;
  /** What can be read, the active segment last. */
  readonly segments: readonly Segment[];
  /** Chains the drafts behind the head, in one durable write: all of them or, with an error, none. Never call it twice at once. */
  write(drafts: readonly EntryDraft[], at: number): Promise<readonly Entry[]>;
  close(): Promise<void>;
}

export interface Limits {
  /** A segment that has reached it is followed by a new one. */
  readonly segmentBytes: number;
  /** Whole segments are removed, oldest first, until all together are no larger. */
  readonly totalBytes: number;
}

/** The oldest segments that have to go; the active one, which is last, stays. */
function surplus(segments: readonly Segment[], totalBytes: number): readonly Segment[] {
  let total = segments.reduce((sum, { size }) => sum + size, 0);
  return segments.slice(0, -1).filter(({ size }) => {
    const goes = total > totalBytes;
    if (goes) total -= size;
    return goes;
  });
}

/** Opens the end of a chain; a torn last line is cut off. Throws JOURNAL_CORRUPT, DISK_FULL. */
export async function openWriter(directory: string, { segmentBytes, totalBytes }: Limits): Promise<ChainWriter> {
  let start = await readStart(directory);
  let segments: readonly Segment[] = await keptSegments(directory, start);
  let head = await lastHead(segments, start);
  let active = segments.at(-1) ?? segmentAt(directory, 1);
  if (segments.length === 0) segments = [active];
  // what a killed retention left, once more
  const oldest = segments[0]?.number ?? 0;
  for (const { number, path } of await listSegments(directory)) if (number < oldest) await rm(path, { force: true });
  let file = await openDurable(active.path, active.size);

  async function rotate(): Promise<void> {
    const next = segmentAt(directory, active.number + 1);
    const opened = await openDurable(next.path, 0);
    await file.close();
    [active, file] = [next, opened];
    segments = [...segments, next];
    const gone = surplus(segments, totalBytes);
    if (gone.length === 0) return;
    const begin = await lastHead(gone, start);
    await recordStart(directory, begin);
    start = begin;
    segments = segments.filter((segment) => !gone.includes(segment));
    // last, so that whoever misses a file sees that the chain begins elsewhere now
    for (const { path } of gone) await rm(path, { force: true });
  }

  return {
    get start() {
      return start;
    },
    get head() {
      return head;
    },
    get segments() {
      return segments;
    },
    write: async (drafts, at) => {
      if (active.size >= segmentBytes)
        await rotate().catch((error: unknown) => {
          // a full disk may refuse a new segment: the old one goes on
          if (!(error instanceof PlumbError) || error.code !== 'DISK_FULL') throw error;
        });
      const entries: Entry[] = [];
      for (const draft of drafts) entries.push(chained(draft, entries.at(-1) ?? head, at));
      const last = entries.at(-1);
      if (!last) return entries;
      await file.append(entries.map(lineOf).join(''));
      active.first ??= head.seq + 1;
      active.size = file.size;
      head = { seq: last.seq, hash: last.hash };
      return entries;
    },
    close: () => file.close(),
  };
}
