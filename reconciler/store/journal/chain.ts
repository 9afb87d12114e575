import { hash } from 'node:crypto';
import { PlumbError } from '../../model/errors.ts';
import { canonical } from '../../model/fingerprint.ts';
import type { Entry, EntryDraft } from '../../model/journal.ts';

/** Where a chain stands: the number and hash of its last entry. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** The head of a chain without entries. */
export const GENESIS: Head = { seq: 0, hash: '0'.repeat(64) };

function hashOf(entry: object): string {
  return hash('sha256', canonical(entry), 'hex');
}

/** The draft as the entry behind a head. Members that JSON cannot hold are as JSON makes them. */
export function chained(draft: EntryDraft, head: Head, at: number): Entry {
  const plain = JSON.parse(JSON.stringify(draft)) as EntryDraft;
  const entry = { ...plain, seq: head.seq + 1, at, prev: head.hash };
  return { ...entry, hash: hashOf(entry) };
}

/** One line of a segment. Type and trace come first, so that open intents are found without parsing all. */
export function lineOf(entry: Entry): string {
  const first = entry.type === 'event' ? { type: entry.type } : { type: entry.type, trace: entry.trace };
  return `${JSON.stringify({ ...first, ...entry })}\n`;
}

/** Type and trace of a line as `lineOf` wrote it; undefined for an event. */
export function traceOf(line: string): { readonly type: string; readonly trace: string } | undefined {
  const match = /^\{"type":"(intent|outcome)","trace":"((?:[^"\\]|\\.)*)"/.exec(line);
  return match ? { type: match[1] ?? '', trace: match[2] ?? '' } : undefined;
}

/** Parses a line. Throws JOURNAL_CORRUPT. */
export function parseLine(line: string, where: string): Entry {
  try {
    const entry = JSON.parse(line) as Entry;
    const { seq, at, hash, prev } = entry;
    const numbers = typeof seq === 'number' && typeof at === 'number';
    if (numbers && typeof hash === 'string' && typeof prev === 'string') return entry;
  } catch {
    // said below
  }
  throw corrupt(where, 'it is not an entry');
}

/** Checks that an entry is whole and follows the head. Throws JOURNAL_CORRUPT. */
export function checkLink(entry: Entry, head: Head, where: string): void {
  const { hash, ...rest } = entry;
  const at = `${where}, entry ${String(entry.seq)}`;
  if (hashOf(rest) !== hash) throw corrupt(at, 'its content does not match its hash');
  if (entry.seq !== head.seq + 1) throw corrupt(at, `entry ${String(head.seq + 1)} is missing before it`);
  if (entry.prev !== head.hash) throw corrupt(at, 'it does not follow the entry before it');
}

/** JOURNAL_CORRUPT with the place. */
export function corrupt(where: string, why: string): PlumbError {
  return new PlumbError(
    'JOURNAL_CORRUPT',
    `The audit chain is broken at ${where}: ${why}. Keep what is there for inquiry and move it away to go on`,
    { where },
  );
}
