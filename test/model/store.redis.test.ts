import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import fc from 'fast-check';
import { createBook } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import { canonical } from '../../reconciler/model/fingerprint.ts';
import type { CommitReply, CommitRequest, Delta } from '../../reconciler/model/reservations.ts';
import type { Hold, Store } from '../../reconciler/model/store.ts';
import { lapsed } from '../../reconciler/store/lapsed.ts';
import { keysOf } from '../../reconciler/store/redis/keys.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import type { OpenStore } from '../conformance/store.ts';
import { NO_REDIS, single } from '../support/redis.ts';
import type { Running } from '../support/redis.ts';
import { withJournal } from '../support/mirrored.ts';
import { storeIsModel } from '../support/store-model.ts';

describe('the store on Redis', { skip: NO_REDIS }, () => {
  let running: Running;
  let redis: Redis;
  let fleets = 0;
  before(async () => {
    running = await single();
    redis = running.servers[0]?.admin ?? assert.fail();
  });
  after(() => running.home.close());

  /** An empty store; `change` may put something else in its place. */
  async function open(
    clock: () => number,
    change = (store: Store, _fleet: string): Store => store,
  ): Promise<OpenStore> {
    const fleet = `m${String(fleets++)}`;
    const make = async (): Promise<Store> =>
      withJournal(await openRedis(running.url, { clock, fleet, leaseTime: 'clock' }), clock);
    let store = await make();
    return {
      store: change(store, fleet),
      reopen: async () => {
        await store.close();
        store = await make();
        return change(store, fleet);
      },
      close: () => store.close(),
    };
  }

  it('is what a simple model says, over restarts', () =>
    fc.assert(
      storeIsModel((clock) => open(clock)),
      { numRuns: 60 },
    ));

  const kept = new Map<string, Map<string, CommitReply>>();
  /** A commit that reads, decides here and then writes: what a script makes one step. */
  function torn(store: Store, fleet: string): Store {
    const keys = keysOf(fleet);
    const replies = kept.get(fleet) ?? new Map<string, CommitReply>();
    kept.set(fleet, replies);
    const write = (key: string, field: string, value: unknown): Promise<unknown> =>
      value === undefined ? redis.hdel(key, field) : redis.hset(key, field, canonical(value));
    const writeDelta = (delta: Delta): Promise<unknown> => {
      if (delta.type === 'host') return write(keys.hosts, delta.host, delta.record);
      if (delta.type === 'address') return write(keys.addresses, delta.key, delta.record);
      return write(keys.placements, delta.replica, delta.placement);
    };
    async function commit(request: CommitRequest, under?: Hold): Promise<CommitReply> {
      const known = replies.get(request.id);
      if (known) return known;
      const lease = under && (await redis.hmget(keys.lease(under.name), 'holder', 'fence'));
      if (lease && lease.join() !== `${under.holder},${String(under.fence)}`) throw lapsed(under);
      const snapshot = await store.reservations.snapshot();
      const { verdicts, deltas } = decide(createBook(snapshot), request);
      const cursor = snapshot.cursor + (deltas.length > 0 ? 1 : 0);
      for (const delta of deltas) await writeDelta(delta);
      if (deltas.length > 0) {
        await redis.xadd(keys.log, `${String(cursor)}-0`, 's', 'ab', 'd', JSON.stringify(deltas)).catch(() => '');
        await redis.set(keys.cursor, `${String(cursor)} ab`);
      }
      const reply = { verdicts, cursor };
      replies.set(request.id, reply);
      return reply;
    }
    return { ...store, reservations: { ...store.reservations, commit } };
  }

  it('is not what the model says once a commit is not one step, though one alone is', async () => {
    const openTorn = (clock: () => number): Promise<OpenStore> => open(clock, torn);
    await fc.assert(storeIsModel(openTorn, { alone: true }), { numRuns: 20 });
    const found = await fc.check(storeIsModel(openTorn), { numRuns: 60, endOnFailure: true });
    assert.ok(found.failed, 'sixty schedules did not notice');
  });
});
