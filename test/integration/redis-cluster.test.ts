import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '../../reconciler/model/store.ts';
import { keysOf } from '../../reconciler/store/redis/keys.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { cluster, NO_REDIS, until } from '../support/redis.ts';
import type { Running, Server } from '../support/redis.ts';
import { hostRecord } from '../support/reservations.ts';

describe('the store on a Redis Cluster', { skip: NO_REDIS }, () => {
  let running: Running;
  before(async () => {
    running = await cluster();
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
  ): Promise<{ readonly slot: number; readonly owner: Server; readonly other: Server }> {
    const { incarnation } = keysOf(fleet);
    const slot = Number(await running.servers[0]?.admin.call('cluster', 'keyslot', incarnation));
    const at = Math.min(2, Math.floor((slot * 3) / 16_384));
    const [owner, other] = [running.servers[at], running.servers[(at + 1) % 3]];
    assert.ok(owner && other);
    return { slot, owner, other };
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
});
