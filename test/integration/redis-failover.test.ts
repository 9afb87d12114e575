import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBook } from '../../reconciler/model/book.ts';
import type { CommitReply } from '../../reconciler/model/reservations.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { NO_REDIS, NO_TLS, sentinels, until } from '../support/redis.ts';
import type { Running } from '../support/redis.ts';
import { hostRecord, place, plain } from '../support/reservations.ts';

const HOSTS = 8;
const PATIENCE = { attempt: 500, total: 30_000 };

for (const tls of [false, true])
  describe(`the store under Sentinel${tls ? ' over TLS' : ''}`, { skip: tls ? NO_TLS : NO_REDIS }, () => {
    let running: Running;
    before(async () => {
      running = await sentinels(['acks=1'], { tls });
    });
    after(() => running.home.close());

    it('loses nothing it acknowledged when the master is killed, and counts nothing twice', async () => {
      const store = await openRedis(running.url, { clock: () => 1000, patience: PATIENCE });
      const quick = await openRedis(running.url.replace(/[?&]acks=1/, ''), { clock: () => 1000, patience: PATIENCE });
      const hosts = Array.from(
        { length: HOSTS },
        (_, at) => ({ op: 'host', record: hostRecord(`h${String(at)}`) }) as const,
      );
      await store.reservations.commit({ id: 'hosts', now: 1000, proposals: hosts });

      // everything the deltas said, to be what is there in the end
      const told = createBook();
      const stop = new AbortController();
      let last = 0;
      const following = (async () => {
        for await (const { cursor, deltas } of store.reservations.follow(0, stop.signal)) {
          assert.equal(cursor, last + 1);
          last = cursor;
          told.apply(deltas);
        }
      })();

      const replies = new Map<string, CommitReply>();
      let going = true;
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let number = 0; going || number < 20; number++) {
          const replica = `w${String(writer)}-${String(number)}`;
          const asked = place(
            replica,
            `h${String((writer * 2 + number) % HOSTS)}`,
            `10.${String(writer)}.${String(number >> 8)}.${String(number & 255)}`,
          );
          const small = { ...asked, placement: { ...asked.placement, demand: { cpu: 1, memory: 1, pids: 0 } } };
          const reply = await store.reservations.commit({ id: replica, now: 1000, proposals: [small] });
          replies.set(replica, reply);
        }
      });
      await until('commits are under way', async () => replies.size > 50);
      const [master, replica] = running.servers;
      await master?.kill();
      await until('the replica is master', async () =>
        ((await replica?.admin.info('replication')) ?? '').includes('role:master'),
      );
      // who wants no copies goes on at once
      const lone = await quick.reservations.commit({
        id: 'lone',
        now: 1000,
        proposals: [{ op: 'host', record: hostRecord('lone') }],
      });
      assert.deepEqual(lone.verdicts, [{ accepted: true }]);
      await sleep(100);
      const paused = replies.size;
      // the others wait for a copy: the old master comes back as a replica
      await master?.start();
      // as Sentinel does after ten seconds
      await master?.admin.replicaof('127.0.0.1', replica?.port ?? 0);
      await until('commits are under way again', async () => replies.size > paused + 50);
      going = false;
      await Promise.all(writers);

      const snapshot = await store.reservations.snapshot();
      for (const [id, reply] of replies) {
        assert.deepEqual(reply.verdicts, [{ accepted: true }], id);
        assert.ok(snapshot.placements.has(id), `${id} was acknowledged and is lost`);
      }
      assert.equal(snapshot.placements.size, replies.size);
      // one for the hosts, one for the lone host, one for each placement
      assert.equal(snapshot.cursor, replies.size + 2);
      await until('the follower is there', async () => last === snapshot.cursor);
      assert.deepEqual(plain(told), plain(snapshot));
      stop.abort();
      await following;
      await Promise.all([store.close(), quick.close()]);
    });
  });

describe('the store under Sentinel', { skip: NO_REDIS }, () => {
  it('follows the new master when the old one hangs, which takes connections all the same', async (t) => {
    // so long that somebody connects to the old one once more before Sentinel has judged it
    const { url, servers, home } = await sentinels([], { patience: 6000 });
    const store = await openRedis(url, { clock: () => 1000, patience: { attempt: 500, total: 90_000 } });
    t.after(async () => {
      await store.close();
      await home.close();
    });
    let told = 0;
    store.onBack(() => (told += 1));
    assert.ok(await store.leases.acquire('before', 'a', 1000));
    servers[0]?.hang();
    assert.equal((await store.leases.acquire('after', 'a', 600_000))?.holder, 'a');
    assert.match((await servers[1]?.admin.info('replication')) ?? '', /role:master/);
    await until('it is told that what was written last may be gone', () => Promise.resolve(told > 0));
    servers[0]?.goOn();
    await until('the old master follows the new one', async () =>
      ((await servers[0]?.admin.info('replication')) ?? '').includes('role:slave'),
    );
    assert.equal((await store.leases.get('after'))?.holder, 'a');
  });
});
