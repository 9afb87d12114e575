import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../../disk/replace.ts';
import { errnoOf } from '../../model/errors.ts';
import type { Ref } from '../../model/ref.ts';
import { diskError } from '../durable.ts';
import { corrupt, GENESIS, parseLine } from './chain.ts';
import type { Head } from './chain.ts';

/** One file of the chain. Closed segments never change. */
export interface Segment {
  readonly number: number;
  readonly path: string;
  /** Durable bytes. */
  size: number;
  /** Number of its first entry; undefined while it has none. */
  first: number | undefined;
  /** Byte ranges of the entries of each ref; made when first asked for, up to `indexed`. */
  index: Map<Ref, number[]> | undefined;
  indexed: number;
}

const NAME = /^(\d{8})\.jsonl$/;

export function segmentAt(directory: string, number: number): Segment {
  const path = join(directory, `${String(number).padStart(8, '0')}.jsonl`);
  return { number, path, size: 0, first: undefined, index: undefined, indexed: 0 };
}

/** The segments of a directory in order, sizes and first entries filled in. A torn last line does not count. Throws JOURNAL_CORRUPT. */
export async function listSegments(directory: string): Promise<Segment[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw diskError(error, directory);
  }
  const numbers = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
  const segments: Segment[] = [];
  numbers.sort((a, b) => a - b);
  for (const number of numbers) {
    const segment = segmentAt(directory, number);
    const bytes = await readFile(segment.path);
    segment.size = bytes.lastIndexOf(10) + 1;
    if (bytes.length !== segment.size && number !== numbers.at(-1))
      throw corrupt(segment.path, 'its last line is torn');
    if (segment.size > 0) segment.first = parseLine(bytes.toString('utf8', 0, bytes.indexOf(10)), segment.path).seq;
    segments.push(segment);
  }
  return segments;
}

/** Whether all of a segment lies before the start: retention was killed between recording it and removing the file. */
export function isDropped(segment: Segment, next: Segment | undefined, start: Head): boolean {
  return segment.first !== undefined && next?.first !== undefined && next.first <= start.seq + 1;
}

/** Text of a segment's durable part; undefined when retention has removed it meanwhile. */
export async function segmentText(segment: Segment): Promise<Buffer | undefined> {
  const { size } = segment;
  try {
    return (await readFile(segment.path)).subarray(0, size);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, segment.path);
  }
}

/** Each line with the byte ranges it has in the text. */
export function* linesOf(
  text: Buffer,
  from = 0,
): Generator<{ readonly line: string; readonly start: number; readonly end: number }> {
  for (let start = from; start < text.length;) {
    const end = text.indexOf(10, start);
    if (end < 0) return;
    yield { line: text.toString('utf8', start, end), start, end };
    start = end + 1;
  }
}

/** Byte ranges (start, end, start, end …) of a ref's entries in a segment; each line is parsed once, whoever asks. */
export function rangesOf(segment: Segment, text: Buffer, ref: Ref): readonly number[] {
  const index = (segment.index ??= new Map<Ref, number[]>());
  for (const { line, start, end } of linesOf(text, segment.indexed)) {
    const entry = parseLine(line, segment.path);
    if (entry.ref !== undefined) {
      const ranges = index.get(entry.ref);
      if (ranges) ranges.push(start, end);
      else index.set(entry.ref, [start, end]);
    }
    segment.indexed = end + 1;
  }
  return index.get(ref) ?? [];
}

/** Where the kept part of the chain begins: the head that its first entry follows. */
export async function readStart(directory: string): Promise<Head> {
  const path = join(directory, 'start.json');
  try {
    const { seq, hash } = JSON.parse(await readFile(path, 'utf8')) as Partial<Head>;
    if (typeof seq === 'number' && typeof hash === 'string') return { seq, hash };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return GENESIS;
  }
  throw corrupt(path, 'it does not say where the chain begins');
}

/** Records a new beginning, durably: what lies before it may be removed then. */
export async function recordStart(directory: string, start: Head): Promise<void> {
  const path = join(directory, 'start.json');
  try {
    await replaceFile(path, JSON.stringify(start));
  } catch (error) {
    throw diskError(error, path);
  }
}
