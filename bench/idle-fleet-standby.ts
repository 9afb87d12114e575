import { keepHeapSmall } from '../cli/heap.ts';
import { createFleetController } from '../reconciler/loop/fleet-controller.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { fabric, IDLE } from './fabric.ts';
import { ownJournal } from './own-journal.ts';

keepHeapSmall(); // as `plumb controller` does

/**
 * The controller of `idle-fleet` that stands by: `URL SCALE`. Sends `ready` once it follows; told the name of an App it finds another image of
 * it in Git. Ends when it is told to.
 */
const [url = '', scale = '1'] = process.argv.slice(2);
const POLL = 1_000;
const made = fabric({ ...IDLE, scale: Number(scale) }).catalog;
let catalog: Catalog = { ...made, fleet: { ...made.fleet, spec: { ...made.fleet.spec, poll: POLL } } };
let looks = 0;
const store = await openRedis(url, { clock: Date.now, writer: 'standby' });
const journal = await ownJournal();
const controller = createFleetController({
  holder: 'standby/bench',
  repository: {
    fetch: () => {
      looks += 1;
      // the second look comes after the first turn
      if (looks === 2) process.send?.('ready');
      return Promise.resolve({ url: '', ref: 'main', revision: catalog.revision, fetchedAt: 0, notes: [] });
    },
    catalog: () => Promise.resolve(catalog),
    commit: () => Promise.resolve({ author: 'Ann', subject: 'one App' }),
  },
  store,
  journal,
  allowDeletions: true,
  clock: Date.now,
  log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
});
const stop = new AbortController();
process.on('message', (name: string) => {
  const app = catalog.apps.get(name);
  if (!app) return stop.abort();
  const next = { ...app, spec: { ...app.spec, image: 'other' } };
  catalog = { ...catalog, revision: 'another', apps: new Map([...catalog.apps, [name, next]]) };
});
await controller.run(stop.signal);
await journal.close();
await store.close();
process.disconnect();
