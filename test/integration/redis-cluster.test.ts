import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '../../reconciler/model/store.ts';
import { keysOf } from '../../reconciler/store/redis/keys.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { openProxy } from '../support/proxy.ts';
import { cluster, NO_REDIS, NO_TLS, until } from '../support/redis.ts';
import type { Running, Server } from '../support/redis.ts';
import { hostRecord } from '../support/reservations.ts';

for (const tls of [false, true])
  describe(`the store on a Redis Cluster${tls ? ' over TLS' : ''}`, { skip: tls ? NO_TLS : NO_REDIS }, () => {
    let running: Running;
    before(async () => {
      running = await cluster({ tls });
    });
    after(() => running.home.close());

    /** Commits one host after the other while something happens to the Cluster. */
    async function commitDuring(store: Ports, act: (count: () => number) => Promise<void>): Promise<number> {
      let going = true;
      let count = 0;
      const writing = (async () => {
        for (; going; count++) {
          const proposals = [{ op: 'host', record: hostRecord(`h${String(count)}`) } as const];
          const { verdicts, cursor } = await store.reservations.commit({ id: String(count), now: 1, proposals });
          assert.deepEqual([verdicts, cursor], [[{ accepted: true }], count + 1]);
        }
      })();
      await until('commits are under way', async () => count > 10);
      await act(() => count);
      going = false;
      await writing;
      const { hosts, cursor } = await store.reservations.snapshot();
      assert.deepEqual([hosts.size, cursor], [count, count]);
      return count;
    }

    const options = { clock: () => 1000, patience: { attempt: 400, total: 15_000 } };

    async function slotOf(
      fleet: string,
      { servers }: Running = running,
    ): Promise<{ readonly slot: number; readonly owner: Server; readonly other: Server; readonly copy?: Server }> {
      const { incarnation } = keysOf(fleet);
      const slot = Number(await servers[0]?.admin.call('cluster', 'keyslot', incarnation));
      const at = Math.min(2, Math.floor((slot * 3) / 16_384));
      const [owner, other, copy] = [servers[at], servers[(at + 1) % 3], servers[at + 3]];
      assert.ok(owner && other);
      return { slot, owner, other, ...(copy ? { copy } : {}) };
    }

    it('counts a request once when its node hangs', async () => {
      const store = await openRedis(running.url, { ...options, fleet: 'hanging' });
      const { owner } = await slotOf('hanging');
      await commitDuring(store, async (count) => {
        owner.hang();
        await sleep(900);
        owner.goOn();
        const before = count();
        await until('commits go on', async () => count() > before + 10);
      });
      await store.close();
    });

    it('follows the fleet to another node', async () => {
      const store = await openRedis(running.url, { ...options, fleet: 'moving' });
      const { slot, owner, other } = await slotOf('moving');
      const id = async (server: Server): Promise<string> => String(await server.admin.call('cluster', 'myid'));
      const [from, to] = [await id(owner), await id(other)];
      await commitDuring(store, async (count) => {
        await other.admin.call('cluster', 'setslot', slot, 'importing', from);
        await owner.admin.call('cluster', 'setslot', slot, 'migrating', to);
        for (;;) {
          const keys = (await owner.admin.call('cluster', 'getkeysinslot', slot, 100)) as string[];
          if (keys.length === 0) break;
          // one by one, so that there is a time when scripts find half of them
          for (const key of keys) await owner.admin.call('migrate', '127.0.0.1', other.port, key, 0, 5000);
        }
        for (const server of [other, owner, ...running.servers])
          await server.admin.call('cluster', 'setslot', slot, 'node', to);
        const before = count();
        await until('commits go on', async () => count() > before + 10);
      });
      assert.equal(await owner.admin.call('cluster', 'countkeysinslot', slot), 0);
      await store.close();
    });

    it('tells that what was written last may be gone when its node is started anew', async () => {
      const store = await openRedis(running.url, { ...options, fleet: 'anew' });
      let told = 0;
      store.onBack(() => (told += 1));
      assert.equal(await store.leases.get('x'), undefined);
      assert.equal(told, 0);
      const { owner } = await slotOf('anew');
      await owner.kill();
      await owner.start();
      await until('it is told', () => Promise.resolve(told > 0));
      await store.close();
    });

    it('follows the replica that takes over from its node, and has all that was acknowledged', async (t) => {
      const copied = await cluster({ tls, replicas: true });
      const patient = { clock: () => 1000, patience: { attempt: 400, total: 90_000 }, fleet: 'failing' };
      const acks = `${copied.url}${tls ? '&' : '?'}acks=1`;
      const [store, quick] = [await openRedis(acks, patient), await openRedis(copied.url, patient)];
      t.after(async () => {
        await Promise.all([store.close(), quick.close()]);
        await copied.home.close();
      });
      let told = 0;
      quick.onBack(() => (told += 1));
      const host = (name: string) => [{ op: 'host', record: hostRecord(name) } as const];
      for (let at = 0; at < 20; at += 1)
        await store.reservations.commit({ id: String(at), now: 1, proposals: host(`h${String(at)}`) });
      const { owner, copy } = await slotOf('failing', copied);
      await owner.kill();
      const { verdicts, cursor } = await quick.reservations.commit({ id: 'last', now: 1, proposals: host('last') });
      assert.deepEqual([verdicts, cursor], [[{ accepted: true }], 21]);
      assert.match((await copy?.admin.info('replication')) ?? '', /role:master/);
      // who asks again for what was acknowledged gets its reply
      assert.equal((await quick.reservations.commit({ id: '19', now: 1, proposals: host('h19') })).cursor, 20);
      assert.equal((await quick.reservations.snapshot()).hosts.size, 21);
      await until('it is told that what was written last may be gone', () => Promise.resolve(told > 0));
    });

    it('tells that what was written last may be gone when its node goes on as a replica', async (t) => {
      const copied = await cluster({ tls, replicas: true });
      const store = await openRedis(copied.url, { ...options, fleet: 'demoted' });
      t.after(async () => {
        await store.close();
        await copied.home.close();
      });
      let told = 0;
      store.onBack(() => (told += 1));
      const { owner, copy } = await slotOf('demoted', copied);
      assert.ok(copy);
      const commit = (name: string) =>
        store.reservations.commit({ id: name, now: 1, proposals: [{ op: 'host', record: hostRecord(name) }] });
      await commit('h1');
      await owner.admin.call('wait', 1, 10_000);
      // what is written from now on reaches no replica, though no client notices
      await owner.admin.call('acl', 'setuser', 'default', '>secret');
      await copy.admin.call('client', 'kill', 'type', 'master');
      await commit('h2');
      await copy.admin.call('cluster', 'failover', 'takeover');
      await owner.admin.call('acl', 'setuser', 'default', 'nopass');
      await until('it is a replica', async () => (await owner.admin.info('replication')).includes('role:slave'));
      assert.equal(told, 0);
      // a read of which a part is about no key
      const { hosts } = await store.reservations.snapshot();
      assert.deepEqual([...hosts.keys()], ['h1']);
      await until('it is told', () => Promise.resolve(told > 0));
    });
  });

describe('a way to a node of a Cluster that goes bad', { skip: NO_REDIS }, () => {
  it('is given up and made anew as often as that happens, and each request counts once', async (t) => {
    const { servers, home } = await cluster();
    const [owner, other] = servers;
    assert.ok(owner && other);
    const proxy = await openProxy(owner.port);
    t.after(async () => {
      await proxy.close();
      await home.close();
    });
    await owner.admin.config('SET', 'cluster-announce-bus-port', owner.port + 10_000);
    await owner.admin.config('SET', 'cluster-announce-port', proxy.port);
    const slots = async (): Promise<string> => JSON.stringify(await other.admin.call('cluster', 'slots'));
    await until('clients are sent there', async () => (await slots()).includes(String(proxy.port)));
    const names = Array.from({ length: 100 }, (_, at) => `fleet${String(at)}`);
    const slotOf = async (fleet: string): Promise<number> =>
      Number(await other.admin.call('cluster', 'keyslot', keysOf(fleet).incarnation));
    let fleet = '';
    for (const name of names) if ((await slotOf(name)) * 3 < 16_384) fleet = name;
    const url = `redis+cluster://127.0.0.1:${String(other.port)}`;
    const store = await openRedis(url, { clock: () => 1000, patience: { attempt: 400, total: 10_000 }, fleet });
    for (const [at, id] of ['one', 'two', 'three'].entries()) {
      proxy.swallowReplyTo(id);
      const proposals = [{ op: 'host', record: hostRecord(id) } as const];
      assert.equal((await store.reservations.commit({ id, now: 1, proposals })).cursor, at + 1);
      assert.equal(proxy.swallowed, at + 1);
    }
    await until('connections that hang are reset, not closed', () => Promise.resolve(proxy.resets >= 3));
    await store.close();
  });
});
