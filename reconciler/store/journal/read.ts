import type { Entry, EntryFilter } from '../../model/journal.ts';
import { checkLink, parseLine, traceOf } from './chain.ts';
import type { Head } from './chain.ts';
import { isDropped, linesOf, listSegments, rangesOf, readStart, segmentText } from './segments.ts';
import type { Segment } from './segments.ts';

/** Whether an entry passes a filter. */
export function wanted(entry: Entry, { from = 0, ref, types }: EntryFilter): boolean {
  return entry.seq >= from && (ref === undefined || entry.ref === ref) && (types?.includes(entry.type) ?? true);
}

/** Where a segment's first entry with at least this number begins: numbers rise, and few of those before it are looked at. */
function offsetOf({ path, first = 0 }: Segment, text: Buffer, from: number): number {
  let [low, high] = [0, from <= first ? 0 : text.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const start = text.subarray(0, middle).lastIndexOf(10) + 1;
    const end = text.indexOf(10, start);
    if (parseLine(text.toString('utf8', start, end), path).seq < from) low = end + 1;
    else high = start;
  }
  return low;
}

async function* readSegment(segment: Segment, filter: EntryFilter): AsyncGenerator<Entry> {
  const text = await segmentText(segment);
  if (!text) return;
  if (filter.ref === undefined) {
    for (const { line } of linesOf(text, offsetOf(segment, text, filter.from ?? 0))) {
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

/** Entries of some segments, in order. */
export async function* readSegments(segments: readonly Segment[], filter: EntryFilter): AsyncGenerator<Entry> {
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]?.first;
    if (next !== undefined && next <= (filter.from ?? 0)) continue;
    yield* readSegment(segment, filter);
  }
}

/** Recomputes the chain from its start and gives its head. Throws JOURNAL_CORRUPT. */
export async function verifySegments(segments: readonly Segment[], start: Head): Promise<Head> {
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
export async function lastHead(segments: readonly Segment[], start: Head): Promise<Head> {
  const last = segments.findLast(({ size }) => size > 0);
  if (!last) return start;
  const text = (await segmentText(last)) ?? Buffer.alloc(0);
  const line = text.toString('utf8', text.lastIndexOf(10, -2) + 1, text.length - 1);
  const entry = parseLine(line, last.path);
  checkLink(entry, { seq: entry.seq - 1, hash: entry.prev }, last.path);
  return { seq: entry.seq, hash: entry.hash };
}

/** Intents that no outcome closed. */
export async function openIntents(segments: readonly Segment[]): Promise<readonly Entry[]> {
  const open = new Map<string, string>();
  for (const segment of segments)
    for (const { line } of linesOf((await segmentText(segment)) ?? Buffer.alloc(0))) {
      const found = traceOf(line);
      if (found?.type === 'intent') open.set(found.trace, line);
      else if (found) open.delete(found.trace);
    }
  return [...open.values()].map((line) => parseLine(line, 'an open intent'));
}

/** The segments of a directory that belong to the chain as it is kept now. */
export async function keptSegments(directory: string, start: Head): Promise<Segment[]> {
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
