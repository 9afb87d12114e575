import type { PlumbError } from '../../reconciler/model/errors.ts';
import { openConnection, stopped, unavailable, type Connection, type ConnectionOptions } from './connection.ts';
import { COLUMNS, applyUpdates, emptyTables, type RowChange, type Tables } from './rows.ts';

/** One operation of a transaction (RFC 7047, 5.2). */
export type Operation = Readonly<Record<string, unknown>>;
/** What one operation gave, or why it failed. */
export interface OperationResult {
  readonly error?: string;
  readonly details?: string;
  readonly count?: number;
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
}

/** What happened to the replica: rows changed, or a full dump took its place, or it was lost. */
export type ReplicaEvent =
  | { readonly type: 'rows'; readonly changes: readonly RowChange[]; readonly tables: Tables }
  | { readonly type: 'loaded' }
  | { readonly type: 'lost' };

/** ovsdb-server as it is used: a replica of the followed tables, and transactions. */
export interface OvsdbClient {
  /** The replica, once its first dump is in; connects where that is needed. Throws OVS_UNAVAILABLE, CANCELLED. */
  tables(signal: AbortSignal): Promise<Tables>;
  /** The replica with all that was committed before the call. Throws also TIMEOUT, when the server hangs. */
  fresh(signal: AbortSignal): Promise<Tables>;
  /** The results, one an operation, and one more if the commit failed. Throws OVS_UNAVAILABLE, TIMEOUT, CANCELLED. */
  transact(operations: readonly Operation[], signal: AbortSignal): Promise<readonly OperationResult[]>;
  /** Calls back on every event until the signal aborts, and keeps connected meanwhile. */
  follow(listener: (event: ReplicaEvent) => void, signal: AbortSignal): void;
}

interface Link {
  readonly connection: Connection;
  readonly loaded: Promise<Tables>;
  readonly now: () => Tables | undefined;
}

const DATABASE = 'Open_vSwitch';
const FIRST_BACKOFF = 50;
const MAX_BACKOFF = 2000;
const REQUESTS = Object.fromEntries(
  Object.entries(COLUMNS).map(([table, columns]) => [table, [{ columns: Object.keys(columns) }]]),
);

/** A client of ovsdb-server (RFC 7047, monitor_cond). It connects when first used, and again after a loss while someone follows. */
export function ovsdbClient(options: ConnectionOptions): OvsdbClient {
  const { socket: path, timeout } = options;
  const followers = new Set<(event: ReplicaEvent) => void>();
  let link: Link | undefined;
  let backoff = FIRST_BACKOFF;
  let retry: NodeJS.Timeout | undefined;

  const tell = (event: ReplicaEvent): void => {
    for (const follower of followers) follower(event);
  };

  function connect(): Link {
    const tables = emptyTables();
    let full = false;
    let resolve: (tables: Tables) => void;
    let reject: (error: Error) => void;
    const loaded = new Promise<Tables>((done, failed) => {
      resolve = done;
      reject = failed;
    });
    loaded.catch(() => undefined); // nobody may be waiting
    const load = (dump: unknown): void => {
      applyUpdates(tables, dump);
      full = true;
      backoff = FIRST_BACKOFF;
      resolve(tables);
      tell({ type: 'loaded' });
    };
    const connection = openConnection(options, {
      open: () => {
        connection
          .call('monitor_cond', [DATABASE, 'replica', REQUESTS], AbortSignal.timeout(timeout), load)
          .catch((error: unknown) => {
            connection.close(error instanceof Error ? error.message : String(error));
          });
      },
      notified: (method, params) => {
        if (method === 'update2' && Array.isArray(params))
          tell({ type: 'rows', changes: applyUpdates(tables, params[1]), tables });
      },
      closed: (error: PlumbError) => {
        reject(error);
        if (link === made) link = undefined;
        if (full) tell({ type: 'lost' });
        reconnectLater();
      },
    });
    connection.hold(followers.size > 0);
    const made: Link = { connection, loaded, now: () => (full ? tables : undefined) };
    return made;
  }

  function reconnectLater(): void {
    if (followers.size === 0 || retry !== undefined) return;
    retry = setTimeout(() => {
      retry = undefined;
      link ??= connect();
    }, backoff);
    backoff = Math.min(backoff * 2, MAX_BACKOFF);
  }

  async function ready(signal: AbortSignal): Promise<{ readonly connection: Connection; readonly tables: Tables }> {
    link ??= connect();
    const { connection, loaded, now } = link;
    return { connection, tables: now() ?? (await within(loaded, signal, timeout, path)) };
  }

  return {
    tables: async (signal) => (await ready(signal)).tables,
    async fresh(signal) {
      const { connection, tables } = await ready(signal);
      // the server sends updates that are due before it reads the next request
      return connection.call('echo', [], signal, () => tables);
    },
    async transact(operations, signal) {
      const { connection } = await ready(signal);
      return connection.call('transact', [DATABASE, ...operations], signal, (reply) => {
        if (!Array.isArray(reply)) throw unavailable(path, `an odd reply to a transaction: ${JSON.stringify(reply)}`);
        return reply.map((result: unknown) => (result ?? {}) as OperationResult);
      });
    },
    follow(listener, signal) {
      if (signal.aborted) return;
      followers.add(listener);
      link ??= connect();
      link.connection.hold(true);
      const leave = (): void => {
        followers.delete(listener);
        if (followers.size > 0) return;
        clearTimeout(retry);
        retry = undefined;
        link?.connection.hold(false);
      };
      signal.addEventListener('abort', leave, { once: true });
    },
  };
}

/** Waits for the dump no longer than the signal and the time limit (milliseconds) allow. */
function within<T>(promise: Promise<T>, signal: AbortSignal, limit: number, path: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => {
      reject(stopped(signal, `connecting to ${path}`));
    };
    const timer = setTimeout(() => {
      reject(unavailable(path, 'no answer in time'));
    }, limit);
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
    });
  });
}
