import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Redis } from 'ioredis';
import type { Assignment } from '../../reconciler/model/replica.ts';
import type { FleetStore } from '../../reconciler/model/store.ts';
import { keysOf } from '../../reconciler/store/redis/keys.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import type { RedisOptions } from '../../reconciler/store/redis/redis.ts';
import { NO_REDIS, single } from '../support/redis.ts';
import type { Running } from '../support/redis.ts';

const assignment = (host: string, generation: number): Assignment => ({
  ...{ host, generation, fleet: 'f', revision: 'r', author: 'Ann', resync: 10 },
  ...{ replicas: [], networks: [], tuning: [], keep: { apps: [], owners: [] } },
});

describe('what an agent hears of Assignments on Redis', { skip: NO_REDIS }, () => {
  const fleet = 'mail';
  let running: Running;
  let redis: Redis;
  const opened: FleetStore[] = [];
  before(async () => {
    running = await single();
    redis = running.servers[0]?.admin ?? assert.fail();
  });
  after(() => running.home.close());
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await redis.flushall();
  });

  async function open(more: Partial<RedisOptions> = {}): Promise<FleetStore> {
    const store = await openRedis(running.url, { clock: () => 1000, fleet, ...more });
    opened.push(store);
    return store;
  }

  it('is told of its own host alone', async () => {
    const store = await open();
    const agent = await open({ host: 'h2', writer: 'h2' });
    const stop = new AbortController();
    const seen: unknown[] = [];
    const following = (async () => {
      for await (const mail of agent.mailbox.follow(stop.signal)) {
        seen.push(mail);
        stop.abort();
      }
    })();
    for (const host of ['h1', 'h2']) await store.mailbox.assign(assignment(host, 1));
    await following;
    assert.deepEqual(seen, [{ host: 'h2', what: 'assignment' }]);
  });

  it('ends when the store is closed, as one that was emptied is: who listens asks the one that is opened then', async () => {
    const agent = await open({ host: 'h1', writer: 'h1' });
    const news = agent.mailbox.follow(AbortSignal.timeout(120_000))[Symbol.asyncIterator]();
    const heard = news.next();
    await agent.mailbox.assignment('h1');
    await agent.close();
    await assert.rejects(heard, { code: 'STORE_UNAVAILABLE' });
  });

  it('is told of another Assignment under a number that was lost, and of one that only counts', async () => {
    const store = await open();
    const agent = await open({ host: 'h1', writer: 'h1' });
    const key = keysOf(fleet).assignment('h1');
    const news = agent.mailbox.follow(AbortSignal.timeout(120_000))[Symbol.asyncIterator]();
    await store.mailbox.assign(assignment('h1', 1));
    await news.next();
    const older = await redis.dumpBuffer(key);
    await store.mailbox.assign(assignment('h1', 2));
    await news.next();
    // as after a restart from an older copy, before the agent has looked
    await redis.restore(key, 0, older, 'REPLACE');
    await store.mailbox.assign({ ...assignment('h1', 2), revision: 'another' });
    const isNew = { done: false, value: { host: 'h1', what: 'assignment' } };
    assert.deepEqual(await news.next(), isNew);
    // as a controller of the version before writes
    await redis.hincrby(key, 'version', 1);
    await redis.publish(keysOf(fleet).onAssignment('h1'), 'h1');
    assert.deepEqual(await news.next(), isNew);
  });

  it('is written for many hosts by one script, which a disk that is waited for sees as one write', async () => {
    const store = await open();
    const many = ['h1', 'h2', 'h3'].map((host) => assignment(host, 1));
    await store.mailbox.assignAll(many); // the server learns the script
    await redis.config('RESETSTAT');
    await store.mailbox.assignAll(many.map((one) => ({ ...one, generation: 2 })));
    assert.match(await redis.info('commandstats'), /cmdstat_evalsha:calls=1,/);
    assert.equal((await store.mailbox.assignment('h3'))?.generation, 2);
  });
});
