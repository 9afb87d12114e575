import { createBell } from '../bell.ts';
import type { Bell } from '../bell.ts';
import { createGroup } from '../group.ts';
import type { Log } from './log.ts';
import { applyRecord, forgetReplies } from './memory.ts';
import type { Memory } from './memory.ts';
import type { Base, StoreRecord } from './records.ts';

type Change = Exclude<StoreRecord, Base>;

/** What a write does: its answer, and the records that make it so. */
export interface Step<T> {
  readonly answer: T;
  readonly records: readonly Change[];
  /** Not worth a write: kept in memory only, until something else about it is written. */
  readonly fleeting?: boolean;
}

/** The one way to the memory: writes are decided in order and seen by nobody before they are durable. */
export interface Ledger {
  /** Rings when something became durable. */
  readonly bell: Bell;
  /** Decides on the memory as it will be, and answers once that is durable. Throws DISK_FULL, and nothing happened. */
  write<T>(decide: (memory: Memory) => Step<T>): Promise<T>;
  /** Looks at what is durable. */
  read<T>(look: (memory: Memory) => T): Promise<T>;
  close(): Promise<void>;
}

type Job = { readonly decide: (memory: Memory) => Step<unknown> } | { readonly look: (memory: Memory) => void };

/** A ledger over a memory and its log. */
export function createLedger(memory: Memory, log: Log, clock: () => number): Ledger {
  const bell = createBell();

  async function write(jobs: readonly Job[]): Promise<void> {
    const undo: (() => void)[] = [];
    const kept: Change[] = [];
    try {
      for (const job of jobs) {
        if (!('decide' in job)) continue;
        const { records, fleeting = false } = job.decide(memory);
        for (const record of records) undo.push(applyRecord(memory, record));
        if (!fleeting) kept.push(...records);
      }
      if (kept.length > 0) await log.append(kept);
    } catch (error) {
      for (const back of undo.reverse()) back();
      throw error;
    }
    if (undo.length > 0) bell.ring();
    if (kept.length === 0) return;
    forgetReplies(memory, clock());
    // the write itself is durable, whatever becomes of this; compaction is tried again later
    await log.compact(memory).catch(() => undefined);
  }

  const group = createGroup<Job>(async (jobs) => {
    try {
      await write(jobs);
    } finally {
      for (const job of jobs) if ('look' in job) job.look(memory);
    }
  });

  return {
    bell,
    write: async (decide) => {
      const answers: ReturnType<typeof decide>['answer'][] = [];
      await group.add({
        decide: (now) => {
          const step = decide(now);
          answers.push(step.answer);
          return step;
        },
      });
      return answers[0] as ReturnType<typeof decide>['answer'];
    },
    read: async (look) => {
      const answers: ReturnType<typeof look>[] = [];
      const done = group.add({ look: (now) => answers.push(look(now)) });
      // a write that failed beside it does not concern a reader
      await done.catch((error: unknown) => {
        if (answers.length === 0) throw error;
      });
      return answers[0] as ReturnType<typeof look>;
    },
    close: async () => {
      await group.close();
      await log.close();
    },
  };
}
