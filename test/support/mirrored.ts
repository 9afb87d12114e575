import assert from 'node:assert/strict';
import type { Entry } from '../../reconciler/model/journal.ts';
import type { FleetStore, Journal, Store } from '../../reconciler/model/store.ts';
import { chained } from '../../reconciler/store/journal/chain.ts';

/** A fleet's journal as one that is written where it is read: each append is chained behind the copy's end, and copied at once. */
function mirrored({ journals }: Pick<FleetStore, 'journals'>, clock: () => number, writer = 'controller'): Journal {
  let last: Promise<unknown> = Promise.resolve();
  return {
    append: (drafts) => {
      const done = last.then(async () => {
        const entries: Entry[] = [];
        const head = await journals.head();
        for (const draft of drafts) entries.push(chained(draft, entries.at(-1) ?? head, clock()));
        if (entries.length === 0) return entries;
        assert.equal((await journals.mirror(entries)).hash, entries.at(-1)?.hash, 'somebody else writes this journal');
        return entries;
      });
      last = done.catch(() => undefined);
      return done;
    },
    ...journals.of(writer),
  };
}

/** A fleet's store as the laws of all stores know one. */
export function withJournal(store: FleetStore, clock: () => number, writer?: string): Store & FleetStore {
  return { ...store, journal: mirrored(store, clock, writer) };
}
