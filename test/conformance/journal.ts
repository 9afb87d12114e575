import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Entry, EntryDraft } from '../../reconciler/model/journal.ts';
import type { Store } from '../../reconciler/model/store.ts';
import { take } from './mailbox.ts';

const event = (message: string, more: Partial<EntryDraft & { type: 'event' }> = {}): EntryDraft => ({
  type: 'event',
  host: 'h1',
  level: 'info',
  reason: 'Test',
  message,
  ...more,
});

async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const list: Entry[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

/** The laws of the journal of a store. */
export function journalConforms(store: () => Store, now: () => number, reopen: () => Promise<void>): void {
  describe('journal', () => {
    it('chains entries from the first one on, over a restart', async () => {
      const written = await store().journal.append([event('one'), event('two')]);
      assert.deepEqual([written[0]?.seq, written[0]?.prev, written[0]?.at], [1, '0'.repeat(64), now()]);
      assert.equal(written[1]?.prev, written[0]?.hash);
      await reopen();
      const [third] = await store().journal.append([event('three')]);
      assert.equal(third?.prev, written[1]?.hash);
      assert.deepEqual(await all(store().journal.read()), [...written, third]);
      assert.deepEqual(await store().journal.verify(), { entries: 3, head: third?.hash });
    });

    it('keeps entries of many writers at once whole and in one order', async () => {
      const batches = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store().journal.append([event(String(index)), event(`${String(index)}b`)]),
        ),
      );
      const entries = await all(store().journal.read());
      assert.deepEqual(
        entries.map(({ seq }) => seq),
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
      for (const [first, second] of batches) assert.equal(second?.seq, (first?.seq ?? 0) + 1);
      assert.equal((await store().journal.verify()).entries, 100);
    });

    it('filters by number, ref and type', async () => {
      await store().journal.append([
        event('a', { ref: 'container/web-0' }),
        event('b'),
        { type: 'outcome', trace: 't', host: 'h1', ref: 'container/web-0', result: 'done' },
        event('c', { ref: 'container/web-0' }),
      ]);
      const seqs = async (filter: Parameters<Store['journal']['read']>[0]): Promise<number[]> =>
        (await all(store().journal.read(filter))).map(({ seq }) => seq);
      assert.deepEqual(await seqs({ from: 3 }), [3, 4]);
      assert.deepEqual(await seqs({ ref: 'container/web-0' }), [1, 3, 4]);
      assert.deepEqual(await seqs({ ref: 'container/web-0', types: ['event'], from: 2 }), [4]);
      assert.deepEqual(await seqs({ types: ['outcome'] }), [3]);
      assert.deepEqual(await seqs({ ref: 'container/other' }), []);
    });

    it('shows followers what is appended from now on', async () => {
      await store().journal.append([event('before')]);
      const stop = new AbortController();
      const seen = take(store().journal.follow(stop.signal), 3, stop);
      await store().journal.append([event('one'), event('two')]);
      await store().journal.append([event('three')]);
      assert.deepEqual(
        (await seen).map((entry) => entry.type === 'event' && entry.message),
        ['one', 'two', 'three'],
      );
    });
  });
}
