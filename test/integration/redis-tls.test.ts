import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { NO_TLS, secured, HASTY, coded } from '../support/redis.ts';

describe('the store on Redis over TLS', { skip: NO_TLS }, () => {
  it('is used with a certificate of its own where the server wants one, and refused without', async () => {
    const { url, ca, cert, key, home } = await secured('yes');
    try {
      const options = { clock: () => 1000, patience: HASTY };
      const store = await openRedis(`${url}?ca=${ca}&cert=${cert}&key=${key}`, options);
      assert.equal((await store.reservations.snapshot()).cursor, 0);
      await store.close();
      await assert.rejects(openRedis(`${url}?ca=${ca}`, options), coded('STORE_REFUSED', 'certificate'));
    } finally {
      await home.close();
    }
  });

  it('is used with the CA that the URL names, and refused without', async () => {
    const running = await secured();
    try {
      const options = { clock: () => 1000, patience: HASTY };
      const store = await openRedis(`${running.url}?ca=${running.ca}`, options);
      assert.equal((await store.reservations.snapshot()).cursor, 0);
      await store.close();
      await assert.rejects(openRedis(running.url, options), coded('STORE_REFUSED', 'certificate'));
      const plain = running.url.replace('rediss', 'redis');
      await assert.rejects(
        openRedis(plain, { ...options, patience: { attempt: 200, total: 500 } }),
        coded('STORE_UNAVAILABLE'),
      );
    } finally {
      await running.home.close();
    }
  });
});
