import { PlumbError } from '../../model/errors.ts';
import type { Entry, EntryDraft, EntryFilter } from '../../model/journal.ts';
import type { Journal } from '../../model/store.ts';
import { isOver } from '../bell.ts';
import { createGroup } from '../group.ts';
import { chained, checkLink, corrupt, GENESIS, lineOf, parseLine, traceOf } from '../journal/chain.ts';
import type { Head } from '../journal/chain.ts';
import { wanted } from '../journal/read.ts';
import { fieldsOf } from './context.ts';
import type { Context, StreamReply } from './context.ts';

/** A journal that its one writer keeps. */
export interface OwnJournal extends Journal {
  close(): Promise<void>;
}

/** Entries read at once. */
const READ = 500;
/** How often an append goes behind another head, when processes share a writer's name against the rule. */
const TRIES = 5;

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

/** Outcomes for the intents that no outcome closed: their process ended in between. */
async function openIntents(context: Context, key: string): Promise<readonly EntryDraft[]> {
  const open = new Map<string, string>();
  for await (const line of linesFrom(context, key, 0)) {
    const found = traceOf(line);
    if (found?.type === 'intent') open.set(found.trace, line);
    else if (found) open.delete(found.trace);
  }
  return [...open.values()].flatMap((line): readonly EntryDraft[] => {
    const entry = parseLine(line, key);
    if (entry.type !== 'intent') return [];
    const { trace, host, ref } = entry;
    return [{ type: 'outcome', trace, host, ref, result: 'interrupted' }];
  });
}

/** The end of a chain, where entries are added. */
function createAppend(
  context: Context,
  writer: string,
  listed: boolean,
): (drafts: readonly EntryDraft[]) => Promise<readonly Entry[]> {
  const { calls, keys, keep, scripts, clock } = context;
  const key = keys.entries(writer);
  const touched = [key, keys.start(writer)];
  let head: Head | undefined;

  async function add(drafts: readonly EntryDraft[]): Promise<readonly Entry[]> {
    if (drafts.length === 0) return [];
    for (let tries = 0; tries < TRIES; tries++) {
      const behind: Head = head ?? (await lastHead(context, key));
      // not known until the reply is there
      head = undefined;
      const entries: Entry[] = [];
      for (const draft of drafts) entries.push(chained(draft, entries.at(-1) ?? behind, clock()));
      const words = entries.flatMap((entry) => [entry.hash, lineOf(entry).slice(0, -1)]);
      const args = [behind.seq, behind.hash, keep.entries, keys.onEntry(writer), '', ...words];
      const [other] = await calls.write({ script: scripts.append, keys: touched, args });
      if (!Array.isArray(other)) {
        head = entries.at(-1);
        return entries;
      }
      head = { seq: Number(other[0]), hash: String(other[1]) };
    }
    throw new PlumbError('CONFLICT', `Several processes write the journal ${writer}; each needs a name of its own`, {
      writer,
    });
  }

  let closed = false;
  return async (drafts) => {
    if (!closed) {
      if (listed) await calls.write(['sadd', keys.writers, writer]);
      await add(await openIntents(context, key));
    }
    closed = true;
    return add(drafts);
  };
}

interface Job {
  readonly drafts: readonly EntryDraft[];
  entries: readonly Entry[];
}

/**
 * The journal of one writer on Redis: a stream that holds the same lines as the files do. Before the first append of a
 * process, intents that its forerunner left open get the outcome `interrupted`. Appends that come together share one write.
 * `listed` puts the writer on the list of those who have one; hosts are known by their Reports.
 */
export function createJournal(context: Context, writer: string, listed: boolean): OwnJournal {
  const append = createAppend(context, writer, listed);
  const group = createGroup<Job>(async (jobs) => {
    const entries = await append(jobs.flatMap((job) => job.drafts));
    let at = 0;
    for (const job of jobs) job.entries = entries.slice(at, (at += job.drafts.length));
  });

  return {
    append: async (drafts) => {
      const job: Job = { drafts, entries: [] };
      await group.add(job);
      return job.entries;
    },
    ...readerOf(context, writer),
    close: () => group.close(),
  };
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
