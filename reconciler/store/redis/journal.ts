import type { Entry, EntryFilter } from '../../model/journal.ts';
import type { Journal } from '../../model/store.ts';
import { isOver } from '../bell.ts';
import { checkLink, corrupt, GENESIS, parseLine } from '../journal/chain.ts';
import type { Head } from '../journal/chain.ts';
import { wanted } from '../journal/read.ts';
import { fieldsOf } from './context.ts';
import type { Context, StreamReply } from './context.ts';

/** Entries read at once. */
const READ = 500;

function headOf(reply: StreamReply): Head | undefined {
  const [last] = reply;
  return last && { seq: Number.parseInt(last[0]), hash: fieldsOf(last[1])['hash'] ?? '' };
}

/** Lines from a number on, as they are kept. */
async function* linesFrom({ calls }: Context, key: string, from: number): AsyncGenerator<string> {
  for (let next = Math.max(from, 0); ;) {
    const [reply] = await calls.ask(['xrange', key, `${String(next)}-0`, '+', 'COUNT', READ]);
    const some = reply as StreamReply;
    for (const [, list] of some) yield fieldsOf(list)['line'] ?? '';
    const last = some.at(-1);
    if (some.length < READ || !last) return;
    next = Number.parseInt(last[0]) + 1;
  }
}

async function* readEntries(context: Context, key: string, filter: EntryFilter): AsyncGenerator<Entry> {
  for await (const line of linesFrom(context, key, filter.from ?? 0)) {
    const entry = parseLine(line, key);
    if (wanted(entry, filter)) yield entry;
  }
}

async function startOf({ calls, keys }: Context, writer: string): Promise<Head> {
  const [reply] = await calls.ask(['hmget', keys.start(writer), 'seq', 'hash']);
  const [seq, hash] = reply as readonly (string | null)[];
  return typeof seq === 'string' && typeof hash === 'string' ? { seq: Number(seq), hash } : GENESIS;
}

async function lastHead({ calls }: Context, key: string): Promise<Head> {
  const [reply] = await calls.ask(['xrevrange', key, '+', '-', 'COUNT', 1]);
  return headOf(reply as StreamReply) ?? GENESIS;
}

/** Recomputes the chain as it is kept now, also that nothing was taken from its end. */
async function verifyFrom(context: Context, key: string, start: Head): Promise<Head> {
  let head = start;
  for await (const line of linesFrom(context, key, 0)) {
    const entry = parseLine(line, key);
    checkLink(entry, head, key);
    head = entry;
  }
  const [exists] = await context.calls.ask(['exists', key]);
  if (exists !== 1) return head;
  const [last, info] = await context.calls.ask(['xrevrange', key, '+', '-', 'COUNT', 1], ['xinfo', 'STREAM', key]);
  const list = (info as readonly unknown[]).map(String);
  const given = Number.parseInt(list[list.indexOf('last-generated-id') + 1] ?? '');
  if (given !== headOf(last as StreamReply)?.seq) throw corrupt(key, `entry ${String(given)} is missing at its end`);
  return head;
}

/** Where a writer's journal ends. */
export function headOfJournal(context: Context, writer: string): Promise<Head> {
  return lastHead(context, context.keys.entries(writer));
}

/** A writer's journal, to be read by anybody who may. */
export function readerOf(context: Context, writer: string): Pick<Journal, 'read' | 'follow' | 'verify'> {
  const { ears, keys } = context;
  const key = keys.entries(writer);

  async function* following(start: Promise<Head>, signal: AbortSignal): AsyncGenerator<Entry> {
    const ear = ears.on(keys.onEntry(writer));
    for (let from = (await start).seq + 1; !isOver(signal);) {
      const rung = ear.next(signal);
      ear.check();
      let more = false;
      for await (const entry of readEntries(context, key, { from })) {
        if (isOver(signal)) return;
        more = true;
        from = entry.seq + 1;
        yield entry;
      }
      if (!more) await rung;
    }
  }

  return {
    read: (filter = {}) => readEntries(context, key, filter),
    follow: (signal) => {
      const start = lastHead(context, key);
      start.catch(() => undefined); // thrown where it is awaited
      return following(start, signal);
    },
    verify: async () => {
      for (;;) {
        const start = await startOf(context, writer);
        try {
          const head = await verifyFrom(context, key, start);
          return { entries: head.seq - start.seq, head: head.hash };
        } catch (error) {
          // what was verified may have been dropped meanwhile, being old
          if ((await startOf(context, writer)).seq === start.seq) throw error;
        }
      }
    },
  };
}
