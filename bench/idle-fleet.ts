import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createController } from '../reconciler/loop/controller/controller.ts';
import { CONTROLLER_LEASE } from '../reconciler/loop/hearing.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import type { Ports } from '../reconciler/model/store.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { single } from '../test/support/redis.ts';
import { measure, quantile } from './bench.ts';
import type { BenchOptions, BenchResult, Measure } from './bench.ts';
import { fabric, HOMELESS, HOSTS, IDLE, REPLICAS } from './fabric.ts';
import { fromGit, POLL, type FromGit } from './idle-fleet-git.ts';
import { DURABLE, introduce, settle } from './idle-fleet-settle.ts';
import { takeOver } from './idle-fleet-takeover.ts';
import { ownJournal } from './own-journal.ts';

const SCRIPT = fileURLToPath(new URL('./idle-fleet-controller.js', import.meta.url));
/** Shares of the fleet of the other benches: 600, 6,000 and 12,000 hosts. */
const SCALES: readonly number[] = [0.1, 1, 2];
/** Of which a repository may have each App in a file of its own. */
const LARGEST = 1.5;

/** What a controller of the fleet measured, milliseconds and megabytes. */
export interface Told {
  /** From nothing to a fleet at rest: all is read, and looked at twice. */
  readonly takeover: number;
  readonly tick: readonly number[];
  /** Two bare calls as a tick makes. */
  readonly bare: readonly number[];
  /** A Report that says nothing new. */
  readonly report: readonly number[];
  /** One App has another image, until its host was told. */
  readonly change: readonly number[];
  /** Ticks and changes while many Apps find no room; and how many replicas find none. */
  readonly crowded: { readonly without: number; readonly tick: readonly number[]; readonly change: readonly number[] };
  readonly audit: readonly number[];
  /** One snapshot of all that is reserved. */
  readonly snapshot: readonly number[];
  /** The same in CPU time of the controller: what others on the machine do to it shows less. */
  readonly auditCpu: readonly number[];
  /** Resident at most during each audit; during the takeover; and what the heap holds after all that, catalog included. */
  readonly memory: readonly number[];
  readonly memoryOfTakeover: number;
  readonly heap: number;
}

async function answer(child: ChildProcess): Promise<Told> {
  const stop = new AbortController();
  const ended = once(child, 'exit', { signal: stop.signal }).then(() => undefined);
  ended.catch(() => undefined); // it has answered before
  const said = (await Promise.race([once(child, 'message'), ended])) as readonly unknown[] | undefined;
  stop.abort();
  if (!said) throw new Error('the controller ended early');
  return said[0] as Told;
}

interface Round extends Told {
  readonly scale: number;
  /** The same of a controller that reads Git; undefined where a repository must not hold so many files. */
  readonly git: FromGit | undefined;
  /** From the last word of a leader to the first Assignment of the controller that stood by, milliseconds. */
  readonly standby: number;
  /** From a commit to all Assignments, milliseconds. */
  readonly publish: number;
  readonly publishCpu: number;
  readonly placed: number;
}

/** A controller that places everything, another one that begins with nothing and has nothing to do, and one that has stood by. */
async function round(scale: number, ticks: number, signal: AbortSignal): Promise<Round> {
  const git = scale > LARGEST ? undefined : await fromGit(scale, ticks + 5, signal);
  const { catalog, reports } = fabric({ ...IDLE, scale });
  const { home, url } = await single(DURABLE);
  let child: ChildProcess | undefined;
  try {
    const store = await openRedis(url, { clock: Date.now, writer: 'first' });
    const presence = await introduce(store, reports);
    const all = await placeAll(store, catalog);
    await settle(store, reports);
    child = fork(SCRIPT, [url, String(scale), String(ticks)], { execArgv: ['--expose-gc'] });
    const told = await answer(child);
    const small = [...catalog.apps.keys()].at(-100) ?? ''; // of one replica, not among those that were changed
    const standby = await takeOver(url, scale, small, store);
    await presence.leave();
    await store.close();
    return { ...told, standby, scale, git, ...all };
  } finally {
    child?.kill('SIGKILL');
    await home.close();
  }
}

async function placeAll(store: Ports, catalog: Catalog): Promise<Pick<Round, 'publish' | 'publishCpu' | 'placed'>> {
  const journal = await ownJournal();
  let now: Catalog = { ...catalog, apps: new Map(), revision: 'none' };
  const term = await store.leases.acquire(CONTROLLER_LEASE, 'bench', 24 * 3_600_000);
  const controller = createController({
    repository: {
      fetch: () => Promise.resolve({ url: '', ref: 'main', revision: now.revision, fetchedAt: 0, notes: [] }),
      catalog: () => Promise.resolve(now),
      commit: () => Promise.resolve({ author: 'Ann', subject: 'all of it' }),
    },
    store: { ...store, journal },
    allowDeletions: true,
    clock: Date.now,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
    fleet: { term: () => term, holds: () => Promise.resolve(true) },
  });
  await controller.pass({ look: true, allow: true }); // the hosts
  now = catalog;
  const began = performance.now();
  const cpu = process.cpuUsage();
  await controller.pass({ look: true, allow: true });
  const publish = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  await journal.close();
  return { publish, publishCpu: (user + system) / 1000, placed: (await store.reservations.snapshot()).placements.size };
}

/** From a commit in Git to the last Assignment in Redis. */
function ofGit(
  { git, scale }: Round,
  promised: (limits: { readonly limit: number }) => { readonly limit?: number },
): readonly Measure[] {
  if (!git) return [];
  const hosts = String(HOSTS * scale);
  const yardstick = { name: 'git and Redis by hand', samples: git.bare };
  return [
    measure(`${hosts}: commit to all published`, 'ms', [git.publish], promised({ limit: 30_000 })),
    measure(`${hosts}: commit to one App published`, 'ms', git.change, { ...promised({ limit: 1_000 }), yardstick }),
    measure(`${hosts}: commit to one App, p95`, 'ms', [quantile(git.change, 0.95)], promised({ limit: 1_000 })),
  ];
}

function rows(rounds: readonly Round[]): readonly Measure[] {
  return rounds.flatMap((one) => {
    const hosts = String(HOSTS * one.scale);
    const whole = one.scale === 1;
    const promised = (limits: { readonly limit: number }): { readonly limit?: number } => (whole ? limits : {});
    const ofTick = { yardstick: { name: 'two bare calls', samples: one.bare } };
    const ofAudit = { yardstick: { name: 'a snapshot', samples: one.snapshot } };
    return [
      ...ofGit(one, promised),
      measure(`${hosts}: all published`, 'ms', [one.publish], promised({ limit: 30_000 })),
      measure(`${hosts}: all published, own CPU`, 'ms', [one.publishCpu]),
      measure(`${hosts}: takeover`, 'ms', [one.standby], promised({ limit: 10_000 })),
      measure(`${hosts}: takeover, from nothing`, 'ms', [one.takeover]),
      measure(`${hosts}: tick`, 'ms', one.tick, { ...promised({ limit: 100 }), ...ofTick }),
      measure(`${hosts}: a Report`, 'ms', one.report),
      measure(`${hosts}: one App, published`, 'ms', one.change, promised({ limit: 1_000 })),
      measure(`${hosts}: tick, Apps without room`, 'ms', one.crowded.tick, promised({ limit: 100 })),
      measure(`${hosts}: one App, Apps without room`, 'ms', one.crowded.change, promised({ limit: 1_000 })),
      measure(`${hosts}: audit`, 'ms', one.audit, { ...promised({ limit: 3_000 }), ...ofAudit }),
      measure(`${hosts}: audit, own CPU`, 'ms', one.auditCpu),
      measure(`${hosts}: memory`, 'MB', one.memory, promised({ limit: 250 })),
      measure(`${hosts}: memory, takeover from nothing`, 'MB', [one.memoryOfTakeover]),
      measure(`${hosts}: heap, kept`, 'MB', [one.heap]),
    ];
  });
}

/** A fleet with nothing to do, at three sizes or at the one that is asked for. */
export async function run({ signal, rounds: ticks = 15, hosts, log }: BenchOptions): Promise<BenchResult> {
  const done: Round[] = [];
  for (const scale of hosts === undefined ? SCALES : [hosts / HOSTS]) {
    if (signal.aborted) break;
    done.push(await round(scale, ticks, signal));
    log(`${String(HOSTS * scale)} hosts`);
  }
  const growth = (name: string, value: (one: Round) => readonly number[]): string => {
    const middle = (one: Round): number => value(one).toSorted((a, b) => a - b)[Math.floor(value(one).length / 2)] ?? 0;
    const [first] = done;
    const last = done.at(-1);
    if (!first || !last) return name;
    return `${name} ${(middle(last) / middle(first)).toFixed(1)}×`;
  };
  const grown = [
    growth('a tick', (one) => one.tick),
    growth('a Report', (one) => one.report),
    growth("one App's change", (one) => one.change),
    growth('an audit', (one) => one.audit),
  ];
  const placed = done.map((one) => `${String(one.placed)} of ${String(Math.round(REPLICAS * one.scale))}`).join(', ');
  const without = done.map(({ crowded }) => String(crowded.without)).join(', ');
  return {
    name: 'idle-fleet',
    measures: rows(done),
    notes: [
      `cost at ${String((done.at(-1)?.scale ?? 1) / (done[0]?.scale ?? 1))} times the hosts: ${grown.join(', ')}`,
      `without room: ${without} replicas of ${String(HOMELESS)} Apps of unlike sizes`,
      `replicas placed: ${placed}; one redis-server, AOF with fsync always; but for what begins with a commit Git is not asked, catalogs are made by hand`,
      `one App from a commit: all its replicas at once, ${done.map(({ git }) => String(git?.told ?? 0)).join(', ')} Assignments; poll of Git ${String(POLL / 1000)} s`,
    ],
  };
}
