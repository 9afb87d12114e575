import { after, before, describe } from 'node:test';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { withJournal } from '../support/mirrored.ts';
import { cluster, NO_REDIS, NO_TLS, secured, sentinels, single } from '../support/redis.ts';
import type { Running } from '../support/redis.ts';
import { storeConforms } from './store.ts';
import type { OpenStore } from './store.ts';

/** Who has no certificate of its CA is refused. */
async function certified(): Promise<Running> {
  const { ca, cert, key, ...running } = await secured('yes');
  return { ...running, url: `${running.url}?ca=${ca}&cert=${cert}&key=${key}` };
}

const FORMS = [
  { name: 'a Redis server', start: single, skip: NO_REDIS },
  { name: 'Redis over TLS with certificates of both sides', start: certified, skip: NO_TLS },
  { name: 'Redis under Sentinel', start: sentinels, skip: NO_REDIS },
  { name: 'Redis under Sentinel over TLS', start: () => sentinels([], { tls: true }), skip: NO_TLS },
  { name: 'a Redis Cluster', start: cluster, skip: NO_REDIS },
  { name: 'a Redis Cluster over TLS', start: () => cluster({ tls: true }), skip: NO_TLS },
];

for (const { name, start, skip } of FORMS)
  describe(name, { skip }, () => {
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
