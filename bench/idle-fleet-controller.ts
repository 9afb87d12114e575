import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AFTER_WORK, keepHeapSmall } from '../cli/heap.ts';
import { createController } from '../reconciler/loop/controller/controller.ts';
import { CONTROLLER_LEASE } from '../reconciler/loop/hearing.ts';
import { createBook } from '../reconciler/model/book.ts';
import type { AppSpec, Catalog, Resource } from '../reconciler/model/catalog.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { fabric, HOMELESS, IDLE } from './fabric.ts';
import { settle } from './idle-fleet-settle.ts';
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

/** Resident at most since the start, or since this was asked last: megabytes. */
function peak(): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  writeFileSync('/proc/self/clear_refs', '5');
  return Number(kilobytes) / 1024;
}

const pass = (look = false): Promise<void> => controller.pass({ look, allow: true });

/** Git says something else. */
let revisions = 0;
function says(apps: Catalog['apps']): void {
  revisions += 1;
  catalog = { ...catalog, revision: `r${String(revisions)}`, apps };
}

/** The hosts of an App serve what they were told, one replica after the other, until all of it runs as Git says. */
async function rollOut(name: string): Promise<void> {
  for (let isLast = false; !isLast;) {
    isLast = controller.view().notice?.waiting === 0;
    const { placements } = (await controller.sight()) ?? {};
    const hosts = [...(placements?.values() ?? [])].filter(({ app }) => app === name).map(({ host }) => host);
    await settle(store, await store.mailbox.reports(hosts));
    await pass();
  }
}

/** One of the small Apps gets another image, once nothing is under way of the last one. */
const there = catalog.apps.size;
let changes = 0;
async function change(): Promise<void> {
  if (changes > 0) await rollOut(`a${String(there - 1 - changes)}`);
  changes += 1;
  const app = catalog.apps.get(`a${String(there - 1 - changes)}`);
  if (!app) throw new Error('no App is left to change');
  const next = { ...app, spec: { ...app.spec, image: `other:${String(changes)}` } };
  says(new Map([...catalog.apps, [app.name, next]]));
}

/** Apps of unlike sizes, each larger than what any host has left, for which nobody makes room. */
async function homeless(): Promise<Catalog['apps']> {
  const book = createBook(await store.reservations.snapshot());
  const most = Math.max(...[...book.hosts.values()].map((of) => of.allocatable.cpu - book.used(of.host).cpu));
  const [like] = catalog.apps.values();
  if (!like) throw new Error('there are no Apps');
  const more = Array.from({ length: HOMELESS }, (_, at): readonly [string, Resource<AppSpec>] => {
    const resources = { ...like.spec.resources, cpu: most + 1 + 10 * at };
    const name = `homeless${String(at)}`;
    return [name, { ...like, name, spec: { ...like.spec, level: 3, replicas: 3, resources } }];
  });
  return new Map([...catalog.apps, ...more]);
}

const takeover = await timed(async () => {
  await pass(true);
  await pass();
});
const memoryOfTakeover = peak();
await pass();
const tick = await several(rounds, pass);
const [one] = [...catalog.hosts.keys()];
const [said] = await store.mailbox.reports(one === undefined ? [] : [one]);
const report = await several(rounds, pass, () => (said ? store.mailbox.report({ ...said, at: Date.now() }) : pass()));
const changed = await several(rounds, () => pass(true), change);
await rollOut(`a${String(there - 1 - changes)}`);
await pass();
const auditCpu: number[] = [];
const memory: number[] = [];
async function audited(): Promise<void> {
  ahead += 700_000;
  peak();
  const before = process.cpuUsage();
  await pass();
  const { user, system } = process.cpuUsage(before);
  auditCpu.push((user + system) / 1000);
  memory.push(peak());
}
// an audit comes every ten minutes, and a fleet with nothing to do is left alone in between
const audit = await several(3, audited, () => sleep(AFTER_WORK * 1_000));
global.gc?.();
const heap = process.memoryUsage().heapUsed / 2 ** 20;
// what only the bench asks for comes last: it is not what a controller keeps
const snapshot = await several(3, () => store.reservations.snapshot());
const { cursor } = await store.reservations.snapshot();
const { mark } = await store.mailbox.news();
const bare = await several(rounds, () => Promise.all([store.reservations.since(cursor), store.mailbox.news(mark)]));
const before = catalog.apps;
says(await homeless());
for (let settling = 0; settling < 3; settling += 1) await pass(true);
const without = controller.view().notice?.unplaceable.length ?? 0;
const crowded = { without, tick: await several(rounds, pass), change: await several(rounds, () => pass(true), change) };
says(new Map([...catalog.apps].filter(([name]) => before.has(name))));
await pass(true);
const told: Told = {
  ...{
    takeover,
    tick,
    bare,
    report,
    change: changed,
    audit,
    auditCpu,
    snapshot,
    memory,
    memoryOfTakeover,
    heap,
    crowded,
  },
};
await journal.close();
process.send?.(told);
await store.close();
process.disconnect();
