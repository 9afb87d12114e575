import { PlumbError, asPlumbError } from '../../reconciler/model/errors.ts';
import type { Operation, OperationResult, OvsdbClient } from './client.ts';
import { stopped, words } from './connection.ts';
import { gathered } from '../exec/gather.ts';
import type { Tables } from './rows.ts';

/** A part of a shared transaction. Its named-uuids begin with the given prefix, so that parts cannot clash. */
export interface Part {
  readonly operations: (prefix: string) => readonly Operation[];
  /** Wait until ovs-vswitchd has put it into effect, not only until it is in the database. */
  readonly effective: boolean;
}

/** Commits parts from many callers in as few transactions as the flow allows; each learns of its own part alone. */
export interface Commits {
  /** Throws CONFLICT when a `wait` of the part does not hold, PORT_FAILED when the database refuses it, OVS_UNAVAILABLE, TIMEOUT. */
  commit(part: Part, signal: AbortSignal): Promise<Tables>;
}

interface Queued {
  readonly part: Part;
  readonly signal: AbortSignal;
  readonly done: (tables: Tables) => void;
  readonly failed: (error: unknown) => void;
}

const GLOBAL = 'Open_vSwitch';

/** A `wait` that holds only if the row still has these columns. */
export function guard(table: string, where: readonly unknown[], row: Operation): Operation {
  return { op: 'wait', table, where, columns: Object.keys(row), until: '==', rows: [row], timeout: 0 };
}

function refusal(result: OperationResult): PlumbError {
  return result.error === 'timed out'
    ? new PlumbError('CONFLICT', 'Open vSwitch has changed since it was observed')
    : new PlumbError('PORT_FAILED', `Open vSwitch refused the change: ${words(result)}`);
}

/** Group commit: what arrives while a transaction is on its way shares the next one. */
export function groupCommits(client: OvsdbClient, limit: number): Commits {
  let serial = 0;

  async function reached(column: 'cur_cfg' | 'next_cfg', number: number): Promise<Tables> {
    const stop = new AbortController();
    const tables = await client.tables(AbortSignal.timeout(limit));
    const isReached = (): boolean => [...tables[GLOBAL].values()].some((row) => row[column] >= number);
    return new Promise<Tables>((resolve, reject) => {
      const settle = (why?: string): void => {
        clearTimeout(timer);
        stop.abort();
        if (why === undefined) resolve(tables);
        else reject(new PlumbError('OVS_UNAVAILABLE', why));
      };
      const timer = setTimeout(() => {
        settle(`ovs-vswitchd has not taken the change in ${String(limit)} ms: is it running?`);
      }, limit);
      if (isReached()) {
        settle();
        return;
      }
      client.follow((event) => {
        if (event.type === 'lost') settle('ovsdb-server went away before the change was in effect');
        else if (isReached()) settle();
      }, stop.signal);
    });
  }

  async function transact(batch: readonly Queued[]): Promise<void> {
    const operations: Operation[] = [];
    const owners: Queued[] = [];
    for (const queued of batch) {
      for (const operation of queued.part.operations(`n${String((serial += 1))}`)) {
        operations.push(operation);
        owners.push(queued);
      }
    }
    operations.push(
      { op: 'mutate', table: GLOBAL, where: [], mutations: [['next_cfg', '+=', 1]] },
      { op: 'select', table: GLOBAL, where: [], columns: ['next_cfg'] },
    );
    // not a caller's signal: one that gives up must not undo the others' parts
    const results = await client.transact(operations, AbortSignal.timeout(limit));
    const bad = results.findIndex((result) => result.error !== undefined);
    if (bad >= 0) {
      const culprit = batch.length === 1 ? batch[0] : owners[bad];
      if (culprit) {
        culprit.failed(refusal(results[bad] ?? {}));
        await attempt(batch.filter((queued) => queued !== culprit));
      } else {
        // the commit as a whole was refused: alone, each learns whether it was to blame
        for (const queued of batch) await attempt([queued]);
      }
      return;
    }
    const number = Number(results.at(-1)?.rows?.[0]?.['next_cfg']);
    const settle = async (column: 'cur_cfg' | 'next_cfg', parts: readonly Queued[]): Promise<void> => {
      if (parts.length === 0) return;
      const tables = await reached(column, number);
      for (const queued of parts) queued.done(tables);
    };
    await settle(
      'next_cfg',
      batch.filter((queued) => !queued.part.effective),
    );
    await settle(
      'cur_cfg',
      batch.filter((queued) => queued.part.effective),
    );
  }

  async function attempt(batch: readonly Queued[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      await transact(batch);
    } catch (error) {
      for (const queued of batch) queued.failed(error);
    }
  }

  const enqueue = gathered<Queued, undefined>(async (queue) => {
    await attempt(queue.filter((queued) => !queued.signal.aborted)); // the others have been told already
    return queue.map(() => undefined);
  });

  return {
    commit: (part, signal) =>
      new Promise((resolve, reject) => {
        const cancel = (): void => {
          reject(stopped(signal, 'waiting for Open vSwitch'));
        };
        signal.addEventListener('abort', cancel, { once: true });
        const done = (tables: Tables): void => {
          signal.removeEventListener('abort', cancel);
          resolve(tables);
        };
        const failed = (error: unknown): void => {
          signal.removeEventListener('abort', cancel);
          reject(asPlumbError(error));
        };
        void enqueue({ part, signal, done, failed });
      }),
  };
}
