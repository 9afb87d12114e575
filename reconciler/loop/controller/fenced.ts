import { PlumbError } from '../../model/errors.ts';
import type { Hold, Store } from '../../model/store.ts';

/** A store as a leader uses it: what it commits, assigns and posts goes under its lease. Throws CONFLICT when it holds none. */
export function underLease(store: Store, term: () => Hold | undefined): Store {
  const { reservations, mailbox, bulletin } = store;
  const held = (): Hold => {
    const hold = term();
    if (!hold) throw new PlumbError('CONFLICT', 'it leads no longer, and another controller may');
    return hold;
  };
  return {
    ...store,
    reservations: {
      commit: async (request) => reservations.commit(request, held()),
      snapshot: () => reservations.snapshot(),
      differing: (kept) => reservations.differing(kept),
      since: (cursor) => reservations.since(cursor),
      follow: (cursor, signal) => reservations.follow(cursor, signal),
    },
    mailbox: {
      assign: async (assignment) => mailbox.assign(assignment, held()),
      assignAll: async (assignments) => mailbox.assignAll(assignments, held()),
      assignment: (...args) => mailbox.assignment(...args),
      assignments: (known) => mailbox.assignments(known),
      report: (report) => mailbox.report(report),
      reporting: () => mailbox.reporting(),
      reports: (hosts) => mailbox.reports(hosts),
      news: (since) => mailbox.news(since),
      follow: (signal) => mailbox.follow(signal),
    },
    bulletin: {
      post: async (notice) => bulletin.post(notice, held()),
      read: () => bulletin.read(),
    },
  };
}
