import { PlumbError } from '../model/errors.ts';

/** Lets many callers share one durable write: what arrives while a write runs goes into the next one, in order. */
export interface Group<Job> {
  /** Resolves when the batch with this job was committed, rejects with what the commit threw. */
  add(job: Job): Promise<void>;
  /** Waits for what was added, and refuses more. */
  close(): Promise<void>;
}

interface Waiting<Job> {
  readonly job: Job;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A group over a commit function, which is never run twice at once. */
export function createGroup<Job>(commit: (jobs: readonly Job[]) => Promise<void>): Group<Job> {
  let waiting: Waiting<Job>[] = [];
  let running: Promise<void> | undefined;
  let closed = false;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await commit(batch.map(({ job }) => job));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = undefined;
  }

  return {
    add: (job) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new PlumbError('STORE_UNAVAILABLE', 'The store is closed'));
          return;
        }
        waiting.push({ job, resolve, reject });
        // started behind this turn, so that callers of one turn share a write
        running ??= Promise.resolve().then(run);
      }),
    close: async () => {
      closed = true;
      await running;
    },
  };
}
