import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createBook } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Notice } from '../../reconciler/model/notice.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import type { PlaceProposal, Proposal } from '../../reconciler/model/reservations.ts';
import type { Store } from '../../reconciler/model/store.ts';
import { hostRecord, place, plain } from '../support/reservations.ts';
import { fencingConforms } from './fencing.ts';
import { journalConforms } from './journal.ts';
import { mailboxConforms, take } from './mailbox.ts';

/** A store under test. Its clock is the test's. */
export interface OpenStore {
  readonly store: Store;
  /** The same store as a process that starts now sees it. The old one is not used any more. */
  reopen(): Promise<Store>;
  /** Ends it and removes what it kept. */
  close(): Promise<void>;
}

function notice(revision: string): Notice {
  const source = { url: 'u', ref: 'main', revision, fetchedAt: 1 };
  const lost = [{ host: 'h9', since: 7 }];
  return { source, problems: 1, unplaceable: [], held: ['a'], published: revision, waiting: 0, lost, awaited: [] };
}

/** The laws of a store, for every implementation. `open` gives an empty store that reads time from `clock`. */
export function storeConforms(name: string, open: (clock: () => number) => Promise<OpenStore>): void {
  describe(`${name} as a store`, () => {
    let now = 1_000_000;
    let opened: OpenStore;
    let store: Store;
    beforeEach(async () => {
      now = 1_000_000;
      opened = await open(() => now);
      ({ store } = opened);
    });
    afterEach(() => opened.close());
    const reopen = async (): Promise<void> => {
      store = await opened.reopen();
    };
    let id = 0;
    const commit: (
      ...proposals: Parameters<Store['reservations']['commit']>[0]['proposals']
    ) => ReturnType<Store['reservations']['commit']> = (...proposals) =>
      store.reservations.commit({ id: `c${String(id++)}`, now, proposals });
    const host = (name: string) => ({ op: 'host', record: hostRecord(name) }) as const;

    describe('reservations', () => {
      it('commit what decide accepts, and it survives', async () => {
        const { verdicts } = await commit(
          host('h1'),
          place('web-0', 'h1', '10.0.0.2'),
          place('web-1', 'h2', '10.0.0.3'),
        );
        assert.deepEqual(verdicts, [{ accepted: true }, { accepted: true }, { accepted: false, reason: 'no-host' }]);
        for (const again of [false, true]) {
          if (again) await reopen();
          const snapshot = await store.reservations.snapshot();
          assert.deepEqual([...snapshot.hosts.keys()], ['h1']);
          assert.deepEqual(snapshot.placements.get('web-0')?.address, '10.0.0.2');
          assert.deepEqual(snapshot.addresses.get('n/10.0.0.2'), { replica: 'web-0' });
          assert.equal(snapshot.placements.size, 1);
        }
      });

      it('decide placings that have much in common as each says it', async () => {
        const first = place('web-0', 'h1', '10.0.0.1');
        const like = (replica: string, host: string, last: number, more: Partial<Placement> = {}): PlaceProposal => ({
          ...first,
          placement: { ...first.placement, replica, host, address: `10.0.0.${String(last)}`, ...more },
        });
        const limited: PlaceProposal = { ...like('web-4', 'h1', 5), spread: { host: 1 } };
        const large = { demand: { cpu: 50_000, memory: 1, pids: 1 } };
        const wide = { allocatable: { cpu: 9000, memory: 9000, pids: 2000, disk: 1 } };
        const hosts = ['h1', 'h2', 'h3'].map((name) => ({ op: 'host', record: hostRecord(name, wide) }) as const);
        // each is as the one before it but for one thing
        const proposals: readonly Proposal[] = [
          ...[...hosts, first, like('web-1', 'h2', 2), like('web-2', 'h2', 3, { epoch: 7 })],
          ...[like('web-3', 'h1', 4), limited, like('web-5', 'h1', 6), like('web-6', 'h1', 7, large)],
          ...[like('web-7', 'h3', 8, { from: 'h"9' }), like('web-8', 'h3', 9, { from: 'h8' })],
          ...[like('web-9', 'h3', 10), like('web-10', 'h3', 11, { yields: 'a-0' }), like('far-0', 'h1', 12)],
          ...[like('far-1', 'h2', 13, { app: 'far' }), like('web-11', 'h2', 14, { network: 'm' })],
          ...[like('web-12', 'h2', 15), like('web-13', 'h2', 16, { zone: 'y' })],
          { op: 'release', replica: 'web-8', quarantineUntil: 0 },
          { op: 'gang', places: [like('web-14', 'h2', 17), like('far-2', 'h3', 18, { app: 'far' })] },
          { op: 'gang', places: [like('far-3', 'h3', 19, { app: 'far' }), like('web-14', 'h3', 17)] },
          { ...like('web-0', 'h3', 1, { epoch: 2, from: 'h1' }), op: 'move' },
          { op: 'resize', replica: 'web-0', demand: { cpu: 10, memory: 10, pids: 10, disk: 0.5 } },
        ];
        const book = createBook();
        const { verdicts, deltas } = decide(book, { id: 'all', now, proposals });
        book.apply(deltas);
        assert.deepEqual((await commit(...proposals)).verdicts, verdicts);
        assert.deepEqual(plain(await store.reservations.snapshot()), plain(book));
        const reasons = verdicts.flatMap((verdict) => (verdict.accepted ? [] : [verdict.reason]));
        assert.deepEqual(reasons, ['spread', 'capacity', 'wrong-zone', 'gang']);
      });

      it('give a repeated request the same reply and change nothing', async () => {
        await commit(host('h1'));
        const request = {
          id: 'same',
          now,
          proposals: [place('web-0', 'h1', '10.0.0.2'), place('web-1', 'h1', '10.0.0.2')],
        };
        const first = await store.reservations.commit(request);
        assert.equal(first.verdicts[1]?.accepted, false);
        await commit({ op: 'release', replica: 'web-0', quarantineUntil: 0 });
        assert.deepEqual(await store.reservations.commit(request), first);
        await reopen();
        assert.deepEqual(await store.reservations.commit(request), first);
        assert.equal((await store.reservations.snapshot()).placements.size, 0);
      });

      it('let exactly one of two that want the same win', async () => {
        await commit(host('h1'));
        const replies = await Promise.all(
          Array.from({ length: 8 }, (_, index) => commit(place(`web-${String(index)}`, 'h1', '10.0.0.9'))),
        );
        const verdicts = replies.map(({ verdicts: [verdict] }) => verdict);
        assert.equal(verdicts.filter((verdict) => verdict?.accepted).length, 1);
        const winner = verdicts.findIndex((verdict) => verdict?.accepted);
        for (const verdict of verdicts)
          if (!verdict?.accepted)
            assert.deepEqual(verdict, { accepted: false, reason: 'address-owned', current: `web-${String(winner)}` });
      });

      it('never overcommit a host, however many ask at once', async () => {
        await commit(host('h1'));
        await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            commit(place(`web-${String(index)}`, 'h1', `10.0.0.${String(index)}`)),
          ),
        );
        assert.equal((await store.reservations.snapshot()).placements.size, 4);
      });

      it('raise the cursor with each change and with nothing else', async () => {
        const first = await commit(host('h1'));
        const idle = await commit(host('h1'));
        assert.equal(idle.cursor, first.cursor);
        const second = await commit(host('h2'));
        assert.ok(second.cursor > first.cursor);
        assert.equal((await store.reservations.snapshot()).cursor, second.cursor);
      });

      it('hand a follower every delta after its cursor, in order, until it stops', async () => {
        await commit(host('h0'));
        const { cursor } = await store.reservations.snapshot();
        await commit(host('h1'));
        const stop = new AbortController();
        const seen = take(store.reservations.follow(cursor, stop.signal), 3, stop);
        await commit(host('h2'), place('web-0', 'h2', '10.0.0.2'));
        await commit({ op: 'release', replica: 'web-0', quarantineUntil: now + 5 });
        const names = (await seen).map(({ deltas }) => deltas.map((delta) => delta.type));
        assert.deepEqual(names, [['host'], ['host', 'placement', 'address'], ['placement', 'address']]);
        assert.deepEqual(
          (await seen).map((one) => one.cursor),
          [1, 2, 3].map((step) => cursor + step),
        );
      });

      it('tell a follower whose cursor is not known to take a snapshot', async () => {
        await commit(host('h0'));
        const follower = store.reservations.follow(1000, new AbortController().signal)[Symbol.asyncIterator]();
        await assert.rejects(
          () => follower.next(),
          (error) => error instanceof PlumbError && error.code === 'CONFLICT',
        );
      });

      it('tell what was committed since a cursor, and when that is not known', async () => {
        await commit(host('h0'));
        const { cursor } = await store.reservations.snapshot();
        assert.deepEqual(await store.reservations.since(cursor), []);
        await commit(host('h1'));
        await commit(host('h1'));
        await commit(place('web-0', 'h1', '10.0.0.2'));
        const news = await store.reservations.since(cursor);
        assert.deepEqual(
          news.map((one) => [one.cursor, one.deltas.map(({ type }) => type)]),
          [
            [cursor + 1, ['host']],
            [cursor + 2, ['placement', 'address']],
          ],
        );
        assert.deepEqual(await store.reservations.since(cursor + 2), []);
        await assert.rejects(
          () => store.reservations.since(1000),
          (error) => error instanceof PlumbError && error.code === 'CONFLICT',
        );
      });

      it('tell what they hold otherwise than a snapshot that was kept', async () => {
        const { reservations } = store;
        await commit(host('h1'), host('h2'), place('web-0', 'h1', '10.0.0.2'), place('web-1', 'h2', '10.0.0.3'));
        const kept = await reservations.snapshot();
        assert.deepEqual(await reservations.differing(kept), []);
        const web0 = kept.placements.get('web-0') ?? assert.fail('not placed');
        const changes: readonly [string, Partial<typeof kept>][] = [
          ['placements/web-0', { placements: new Map([...kept.placements, ['web-0', { ...web0, epoch: 7 }]]) }],
          ['placements/web-2', { placements: new Map([...kept.placements, ['web-2', web0]]) }],
          ['placements/web-1', { placements: new Map([['web-0', web0]]) }],
          ['addresses/n/10.0.0.3', { addresses: new Map([['n/10.0.0.2', { replica: 'web-0' }]]) }],
          ['hosts/h2', { hosts: new Map([...kept.hosts, ['h2', { ...hostRecord('h2'), state: 'closed' }]]) }],
        ];
        for (const [name, change] of changes)
          assert.deepEqual(await reservations.differing({ ...kept, ...change }), [name]);
        assert.equal(await reservations.differing({ ...kept, cursor: kept.cursor - 1 }), undefined);
        await commit(host('h3'));
        assert.equal(await reservations.differing(kept), undefined, 'the cursor is another');
      });

      it('give a snapshot that later commits leave alone', async () => {
        await commit(host('h1'));
        const before = await store.reservations.snapshot();
        await commit(host('h2'));
        assert.equal(before.hosts.size, 1);
      });
    });

    describe('leases', () => {
      it('go to one holder until they run out, and the fence rises with each new holder', async () => {
        const first = await store.leases.acquire('controller', 'a', 8000);
        assert.deepEqual(first, { name: 'controller', holder: 'a', fence: 1, expires: now + 8000 });
        assert.equal(await store.leases.acquire('controller', 'b', 8000), undefined);
        now += 7999;
        const renewed = await store.leases.acquire('controller', 'a', 8000);
        assert.deepEqual(renewed, { name: 'controller', holder: 'a', fence: 1, expires: now + 8000 });
        now += 8000;
        assert.equal(await store.leases.get('controller'), undefined);
        assert.deepEqual(await store.leases.get('controller', 'lapsed'), renewed, 'who had it last');
        const again = await store.leases.acquire('controller', 'a', 8000);
        assert.deepEqual(
          again,
          { name: 'controller', holder: 'a', fence: 1, expires: now + 8000 },
          'nobody else had it',
        );
        now += 8000;
        const second = await store.leases.acquire('controller', 'b', 8000);
        assert.equal(second?.fence, 2);
        assert.equal(await store.leases.acquire('controller', 'a', 8000), undefined);
        assert.deepEqual(await store.leases.get('controller'), second);
      });

      it('come free when released by their fence only, and the fence still rises, also after a restart', async () => {
        const first = (await store.leases.acquire('x', 'a', 8000)) ?? assert.fail('not given');
        await store.leases.release({ ...first, fence: 7 });
        assert.ok(await store.leases.get('x'));
        await store.leases.release(first);
        assert.equal(await store.leases.get('x', 'lapsed'), undefined);
        await reopen();
        assert.equal((await store.leases.acquire('x', 'b', 8000))?.fence, 2);
        await reopen();
        assert.equal(await store.leases.acquire('x', 'c', 8000), undefined);
      });

      it('last no longer than they are asked for, whatever the clock that gave them said', async () => {
        now += 3_600_000;
        const first = (await store.leases.acquire('controller', 'gone', 8000)) ?? assert.fail('not given');
        now -= 3_600_000;
        assert.equal(await store.leases.acquire('controller', 'next', 8000), undefined);
        now += 7999;
        assert.equal(await store.leases.acquire('controller', 'next', 8000), undefined);
        now += 1;
        assert.equal((await store.leases.acquire('controller', 'next', 8000))?.fence, first.fence + 1);
      });

      it('are held by nobody for longer than anybody asks, whatever the clock that gave them said', async () => {
        const heard = async (): Promise<readonly string[]> =>
          (await store.leases.held(['host/a'], 8000)).map(({ holder }) => holder);
        now += 3_600_000;
        await store.leases.acquire('host/a', 'a', 8000);
        assert.deepEqual(await heard(), ['a']);
        now -= 3_600_000;
        assert.deepEqual(await heard(), []);
        assert.equal((await store.leases.held(['host/a'])).length, 1);
        await store.leases.acquire('host/a', 'a', 8000);
        assert.deepEqual(await heard(), ['a'], 'it was renewed by the clock that counts');
      });

      it('go to exactly one of many that ask at once', async () => {
        const given = await Promise.all(
          Array.from({ length: 8 }, (_, index) => store.leases.acquire('x', String(index), 8000)),
        );
        assert.equal(given.filter((lease) => lease !== undefined).length, 1);
      });
    });

    it('gives many leases at once, each as if it were asked for alone', async () => {
      const { leases } = store;
      await leases.acquire('host/b', 'other', 100);
      const fences = async (): Promise<readonly (number | undefined)[]> =>
        (await leases.acquireAll(['host/a', 'host/b', 'host/c'], 'x', 8000)).map((lease) => lease?.fence);
      assert.deepEqual(await fences(), [1, undefined, 1]);
      now += 100;
      assert.deepEqual(await fences(), [1, 2, 1]);
      assert.deepEqual(
        (await leases.held(['host/c', 'host/a', 'host/b'])).map(({ name, holder, expires }) => [name, holder, expires]),
        ['host/c', 'host/a', 'host/b'].map((name) => [name, 'x', now + 8000]),
      );
      assert.deepEqual(await leases.acquireAll([], 'x', 8000), []);
    });

    it('tells which of many leases are held', async () => {
      for (const [name, ttl] of [
        ['host/a', 8000],
        ['host/b', 1000],
        ['controller', 8000],
      ] as const)
        await store.leases.acquire(name, 'x', ttl);
      now += 1000;
      assert.deepEqual(
        (await store.leases.held(['host/a', 'host/b', 'host/c'])).map(({ name }) => name),
        ['host/a'],
      );
    });

    it('keeps the last notice', async () => {
      assert.equal(await store.bulletin.read(), undefined);
      await store.bulletin.post(notice('r1'));
      await store.bulletin.post(notice('r2'));
      await reopen();
      assert.deepEqual(await store.bulletin.read(), notice('r2'));
    });

    mailboxConforms(() => store, reopen);
    fencingConforms(() => store, { now: () => now, pass: (ms) => (now += ms) }, reopen);

    journalConforms(
      () => store,
      () => now,
      reopen,
    );

    it('ends every follower when the signal aborts', async () => {
      const stop = new AbortController();
      const followers = [
        take<unknown>(store.journal.follow(stop.signal), 1, stop),
        take<unknown>(store.mailbox.follow(stop.signal), 1, stop),
        take<unknown>(store.reservations.follow(0, stop.signal), 1, stop),
      ];
      stop.abort();
      assert.deepEqual(await Promise.all(followers), [[], [], []]);
    });
  });
}
