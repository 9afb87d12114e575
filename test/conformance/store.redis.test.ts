import { after, before, describe } from 'node:test';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { withJournal } from '../support/mirrored.ts';
import { cluster, NO_REDIS, sentinels, single } from '../support/redis.ts';
import type { Running } from '../support/redis.ts';
import { storeConforms } from './store.ts';
import type { OpenStore } from './store.ts';

const FORMS = { 'a Redis server': single, 'Redis under Sentinel': sentinels, 'a Redis Cluster': cluster };

for (const [name, start] of Object.entries(FORMS))
  describe(name, { skip: NO_REDIS }, () => {
    let running: Running;
    let fleets = 0;
    before(async () => {
      running = await start();
    });
    after(() => running.home.close());

    storeConforms(name, async (clock): Promise<OpenStore> => {
      const fleet = `f${String(fleets++)}`;
      const make = async () => withJournal(await openRedis(running.url, { clock, fleet, leaseTime: 'clock' }), clock);
      let store = await make();
      return {
        store,
        reopen: async () => {
          await store.close();
          store = await make();
          return store;
        },
        close: () => store.close(),
      };
    });
  });
