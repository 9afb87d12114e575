import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { createCalls } from '../../../reconciler/store/redis/calls.ts';

const patience = { attempt: 1000, total: 40 };

/** A client that is connected, and whose server says this to each try; `meanwhile` is done right behind its answer. */
function saying(words: string, meanwhile: () => void): Redis {
  const client = new Redis({ lazyConnect: true });
  client.status = 'ready';
  client.pipeline = () => {
    const pipeline = Redis.prototype.pipeline.call(client);
    pipeline.exec = () => {
      setImmediate(meanwhile);
      return Promise.resolve([[new Error(words), undefined]]);
    };
    return pipeline;
  };
  return client;
}

describe('a call that is given up', () => {
  it('says what the last try said, also where there is no time for another because the machine stood still', async () => {
    const stall = (): void => {
      for (const end = performance.now() + patience.total; performance.now() < end;);
    };
    const calls = createCalls(saying('READONLY You write to a replica.', stall), { shown: 'here', acks: 0, patience });
    await assert.rejects(calls.ask(['get', 'x']), { code: 'STORE_UNAVAILABLE', message: /READONLY/ });
  });
});
