import { PlumbError } from '../model/errors.ts';
import type { FleetStore } from '../model/store.ts';

/**
 * Puts a store behind one that may not answer yet, or is emptied: it is opened when it is first needed, and no call fails for good,
 * each next one tries to open it anew. Once `stop` aborts, nobody waits for it to be opened.
 */
export function createReopening(open: () => Promise<FleetStore>, stop?: AbortSignal): FleetStore {
  let opening: Promise<FleetStore> | undefined;
  let ready: FleetStore | undefined;
  let wasEmptied = false;
  let closed = false;
  const listeners: (() => void)[] = [];

  function current(): Promise<FleetStore> {
    if (closed) return Promise.reject(isClosed());
    opening ??= open().then(
      (store) => {
        ready = store;
        const tell = (): void => listeners.forEach((call) => call());
        store.onBack(tell);
        if (wasEmptied) tell();
        wasEmptied = false;
        return store;
      },
      (error: unknown) => {
        opening = undefined;
        throw error;
      },
    );
    return ready || !stop ? opening : orStopped(opening, stop);
  }

  /** The next call opens it again. */
  async function heed(error: unknown, store: FleetStore): Promise<void> {
    if (!(error instanceof PlumbError) || error.code !== 'STORE_EMPTIED') return;
    if ((await opening?.catch(() => undefined)) !== store) return;
    opening = ready = undefined;
    wasEmptied = true;
    await store.close().catch(() => undefined);
  }

  async function ask<T>(work: (store: FleetStore) => Promise<T>): Promise<T> {
    const store = await current();
    try {
      return await work(store);
    } catch (error) {
      await heed(error, store);
      throw error;
    }
  }

  async function* hear<T>(work: (store: FleetStore) => AsyncIterable<T>): AsyncGenerator<T> {
    const store = await current();
    try {
      yield* work(store);
    } catch (error) {
      await heed(error, store);
      throw error;
    }
  }

  return {
    reservations: {
      commit: (...args) => ask(({ reservations }) => reservations.commit(...args)),
      snapshot: () => ask(({ reservations }) => reservations.snapshot()),
      differing: (kept) => ask(({ reservations }) => reservations.differing(kept)),
      since: (cursor) => ask(({ reservations }) => reservations.since(cursor)),
      follow: (cursor, signal) => hear(({ reservations }) => reservations.follow(cursor, signal)),
    },
    leases: {
      acquire: (...args) => ask(({ leases }) => leases.acquire(...args)),
      acquireAll: (...args) => ask(({ leases }) => leases.acquireAll(...args)),
      release: (lease) => ask(({ leases }) => leases.release(lease)),
      get: (...args) => ask(({ leases }) => leases.get(...args)),
      held: (...args) => ask(({ leases }) => leases.held(...args)),
    },
    mailbox: {
      assign: (...args) => ask(({ mailbox }) => mailbox.assign(...args)),
      assignAll: (...args) => ask(({ mailbox }) => mailbox.assignAll(...args)),
      assignment: (...args) => ask(({ mailbox }) => mailbox.assignment(...args)),
      assignments: (known) => ask(({ mailbox }) => mailbox.assignments(known)),
      report: (report) => ask(({ mailbox }) => mailbox.report(report)),
      reporting: () => ask(({ mailbox }) => mailbox.reporting()),
      reports: (hosts) => ask(({ mailbox }) => mailbox.reports(hosts)),
      news: (since) => ask(({ mailbox }) => mailbox.news(since)),
      follow: (signal) => hear(({ mailbox }) => mailbox.follow(signal)),
    },
    bulletin: {
      post: (...args) => ask(({ bulletin }) => bulletin.post(...args)),
      read: () => ask(({ bulletin }) => bulletin.read()),
    },
    journals: {
      writers: () => ask(({ journals }) => journals.writers()),
      of: (writer) => ({
        read: (filter) => hear(({ journals }) => journals.of(writer).read(filter)),
        follow: (signal) => hear(({ journals }) => journals.of(writer).follow(signal)),
        verify: () => ask(({ journals }) => journals.of(writer).verify()),
      }),
      head: () => ask(({ journals }) => journals.head()),
      mirror: (entries, anew) => ask(({ journals }) => journals.mirror(entries, anew)),
    },
    onBack: (call) => {
      listeners.push(call);
    },
    // one that is still being opened is closed when it has been, which nobody waits for
    close: async () => {
      closed = true;
      if (!ready) void opening?.then((store) => store.close()).catch(() => undefined);
      await ready?.close();
    },
  };
}

function isClosed(): PlumbError {
  return new PlumbError('STORE_UNAVAILABLE', 'the store is closed');
}

function orStopped<T>(opening: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const quit = (): void => {
      reject(isClosed());
    };
    if (stop.aborted) quit();
    stop.addEventListener('abort', quit);
    const over = (): void => {
      stop.removeEventListener('abort', quit);
    };
    opening.then(resolve, reject).finally(over);
  });
}
