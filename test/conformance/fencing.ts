import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Notice } from '../../reconciler/model/notice.ts';
import type { Hold, Lease, Store } from '../../reconciler/model/store.ts';
import { hostRecord, plain } from '../support/reservations.ts';
import { assignment } from './mailbox.ts';

function notice(revision: string): Notice {
  const source = { url: 'u', ref: 'main', revision, fetchedAt: 1 };
  return { source, problems: 0, unplaceable: [], held: [], published: revision, waiting: 0, lost: [], awaited: [] };
}

const lapsed = (error: unknown): boolean => error instanceof PlumbError && error.code === 'CONFLICT';

/** The laws of what is written under a lease, of whichever store is open. */
export function fencingConforms(
  store: () => Store,
  time: { readonly now: () => number; readonly pass: (ms: number) => void },
  reopen: () => Promise<void>,
): void {
  describe('what is written under a lease', () => {
    const acquire = async (holder: string): Promise<Lease> =>
      (await store().leases.acquire('controller', holder, 8000)) ?? assert.fail(`not given to ${holder}`);
    const addHost = (name: string, id: string): Parameters<Store['reservations']['commit']>[0] => ({
      id,
      now: time.now(),
      proposals: [{ op: 'host', record: hostRecord(name) }],
    });
    const all = async (): Promise<unknown> => {
      const { reservations, mailbox, bulletin } = store();
      const [snapshot, first] = [await reservations.snapshot(), await mailbox.assignment('h1')];
      return [plain(snapshot), snapshot.cursor, first, await mailbox.assignment('h2'), await bulletin.read()];
    };
    const writes = (under: Hold, generation: number, id = `by ${under.holder}`): readonly Promise<unknown>[] => [
      store().reservations.commit(addHost(id.replace(/\W/g, ''), id), under),
      store().mailbox.assign(assignment('h1', generation, id), under),
      store().mailbox.assignAll([assignment('h1', generation, id), assignment('h2', generation, id)], under),
      store().bulletin.post(notice(id), under),
    ];

    it('is written while its holder has it, also when it ran out and nobody else took it, and after its holder took it again', async () => {
      const hold = await acquire('a');
      const { verdicts, cursor } = await store().reservations.commit(addHost('h1', 'one'), hold);
      assert.deepEqual([verdicts, cursor], [[{ accepted: true }], 1]);
      assert.equal(await store().mailbox.assign(assignment('h1', 1), hold), true);
      assert.equal(await store().mailbox.assign(assignment('h1', 0), hold), false, 'an older one');
      await store().bulletin.post(notice('one'), hold);
      time.pass(9000);
      await reopen();
      await Promise.all(writes(hold, 2));
      assert.equal((await store().mailbox.assignment('h1'))?.generation, 2);
      assert.equal((await store().bulletin.read())?.published, 'by a');
      await acquire('a');
      await Promise.all(writes(hold, 3, 'late'));
    });

    it('is refused, and nothing is written, once another has had it, and once it was given up', async () => {
      const first = await acquire('a');
      await Promise.all(writes(first, 1, 'first'));
      time.pass(9000);
      const other = await acquire('b');
      const before = await all();
      for (const write of writes(first, 2)) await assert.rejects(write, lapsed);
      // of another's name, or of another's number
      for (const write of writes({ ...other, holder: 'a' }, 2)) await assert.rejects(write, lapsed);
      for (const write of writes({ ...other, fence: other.fence + 1 }, 2)) await assert.rejects(write, lapsed);
      for (const write of writes({ ...other, name: 'never-given' }, 2)) await assert.rejects(write, lapsed);
      assert.deepEqual(await all(), before);
      await reopen();
      for (const write of writes(first, 2)) await assert.rejects(write, lapsed);
      assert.deepEqual(await all(), before);
      await Promise.all(writes(other, 2));
      time.pass(9000);
      const last = await acquire('a');
      for (const write of writes(first, 3, 'had anew')) await assert.rejects(write, lapsed);
      await store().leases.release(last);
      for (const write of writes(last, 3, 'given up')) await assert.rejects(write, lapsed);
    });

    it('leaves a refused request to be asked for again, and a done one as it was answered', async () => {
      const first = await acquire('a');
      const done = await store().reservations.commit(addHost('h1', 'done'), first);
      time.pass(9000);
      const other = await acquire('b');
      assert.deepEqual(await store().reservations.commit(addHost('h1', 'done'), first), done);
      await assert.rejects(store().reservations.commit(addHost('h2', 'again'), first), lapsed);
      const { verdicts } = await store().reservations.commit(addHost('h3', 'again'), other);
      assert.deepEqual(verdicts, [{ accepted: true }]);
      assert.deepEqual([...(await store().reservations.snapshot()).hosts.keys()].sort(), ['h1', 'h3']);
    });

    it('fails alone: what others write beside it is written', async () => {
      const first = await acquire('a');
      time.pass(9000);
      await acquire('b');
      const ends = await Promise.allSettled([
        store().reservations.commit(addHost('h1', 'one')),
        store().reservations.commit(addHost('h2', 'two'), first),
        store().mailbox.assign(assignment('h1', 1), first),
        store().mailbox.assign(assignment('h2', 1)),
      ]);
      assert.deepEqual(
        ends.map(({ status }) => status),
        ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
      );
      assert.deepEqual([...(await store().reservations.snapshot()).hosts.keys()], ['h1']);
      assert.equal(await store().mailbox.assignment('h1'), undefined);
    });
  });
}
