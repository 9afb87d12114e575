import { keepHeapSmall } from '../cli/heap.ts';
import { createController } from '../reconciler/loop/controller.ts';
import { CONTROLLER_LEASE } from '../reconciler/loop/hearing.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { fabric, IDLE } from './fabric.ts';
import type { Told } from './idle-fleet.ts';
import { ownJournal } from './own-journal.ts';

keepHeapSmall(); // as `plumb controller` does

/** The controller of `idle-fleet`: `URL SCALE TICKS`. Takes over a fleet that is at rest, says what its passes cost, and ends. */
const [url = '', scale = '1', ticks = '1'] = process.argv.slice(2);
const rounds = Number(ticks);
let { catalog }: { catalog: Catalog } = fabric({ ...IDLE, scale: Number(scale) });
/** Added to the clock, so that audits are due. */
let ahead = 0;
const store = await openRedis(url, { clock: Date.now, writer: 'second' });
const journal = await ownJournal();
const term = await store.leases.acquire(CONTROLLER_LEASE, 'bench', 24 * 3_600_000);
const controller = createController({
  repository: {
    fetch: () => Promise.resolve({ url: '', ref: 'main', revision: catalog.revision, fetchedAt: 0, notes: [] }),
    catalog: () => Promise.resolve(catalog),
    commit: () => Promise.resolve({ author: 'Ann', subject: 'one App' }),
  },
  store: { ...store, journal },
  allowDeletions: true,
  clock: () => Date.now() + ahead,
  log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
  fleet: { term: () => term, holds: () => Promise.resolve(true) },
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function several(
  count: number,
  work: () => Promise<unknown>,
  before?: () => Promise<unknown>,
): Promise<number[]> {
  const samples: number[] = [];
  for (let at = 0; at < count; at += 1) {
    await before?.();
    samples.push(await timed(work));
  }
  return samples;
}

const pass = (look = false): Promise<void> => controller.pass({ look, allow: true });

/** One of the small Apps gets another image. */
let changes = 0;
function change(): Promise<void> {
  changes += 1;
  const app = catalog.apps.get(`a${String(catalog.apps.size - 1 - changes)}`);
  if (!app) throw new Error('no App is left to change');
  const next = { ...app, spec: { ...app.spec, image: `other:${String(changes)}` } };
  catalog = { ...catalog, revision: `r${String(changes)}`, apps: new Map([...catalog.apps, [app.name, next]]) };
  return Promise.resolve();
}

const takeover = await timed(async () => {
  await pass(true);
  await pass();
});
await pass();
const tick = await several(rounds, pass);
const [one] = [...catalog.hosts.keys()];
const [said] = await store.mailbox.reports(one === undefined ? [] : [one]);
const report = await several(rounds, pass, () => (said ? store.mailbox.report({ ...said, at: Date.now() }) : pass()));
const changed = await several(rounds, () => pass(true), change);
await pass();
const auditCpu: number[] = [];
const audit = await several(3, async () => {
  ahead += 700_000;
  const before = process.cpuUsage();
  await pass();
  const { user, system } = process.cpuUsage(before);
  auditCpu.push((user + system) / 1000);
});
const memory = process.resourceUsage().maxRSS / 1024;
global.gc?.();
const heap = process.memoryUsage().heapUsed / 2 ** 20;
// what only the bench asks for comes last: it is not what a controller keeps
const snapshot = await several(3, () => store.reservations.snapshot());
const { cursor } = await store.reservations.snapshot();
const { mark } = await store.mailbox.news();
const bare = await several(rounds, () => Promise.all([store.reservations.since(cursor), store.mailbox.news(mark)]));
const told: Told = { takeover, tick, bare, report, change: changed, audit, auditCpu, snapshot, memory, heap };
await journal.close();
process.send?.(told);
await store.close();
process.disconnect();
