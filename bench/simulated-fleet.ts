import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { rehearsalFiles } from '../cli/init-rehearsal.ts';
import type { Tally } from '../reconciler/loop/rehearsal/rehearsal.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { single } from '../test/support/redis.ts';
import type { Server } from '../test/support/redis.ts';
import { watchMail } from './acknowledged.ts';
import type { Watcher } from './acknowledged.ts';
import { measure, quantile } from './bench.ts';
import type { BenchOptions, BenchResult, Measure } from './bench.ts';
import { committerOf } from './committer.ts';
import type { Committer } from './committer.ts';
import { writeFiles } from './fleet.ts';
import { usedBy, usedByRedis } from './gauges.ts';
import type { RedisUsed, Used } from './gauges.ts';
import { PLUMB } from './rig.ts';
import { growth, hourly, LONG, troughs } from './steady.ts';

const MB = 2 ** 20;
const HOSTS = 6000;
const SECONDS = 600;
/** Changes of one App each a second, and commits that carry them. */
const RATE = 20;
const COMMITS = 4;
/** Seconds of the phases around the changes. */
const IDLE = 15;
const OUTAGE = 5;
const RETURN = 25;
/** How long the fleet may take until all serves, and the last changes until they are acknowledged, milliseconds. */
const CONVERGE = 900_000;
const REST = 60_000;

/** Times of the beginning that the end of a steady run may be: of memory, and of what the load of the machine bears upon. */
const MEMORY_GROWTH = 1.1;
const PACE_GROWTH = 1.5;

/** What all processes have used. */
interface Taken {
  readonly controller: Used;
  readonly agents: Used;
  readonly redis: RedisUsed;
}

/** What a second took, and how many changes were under way at its end. */
interface Second extends Taken {
  readonly underway: number;
}

/** The processes of the fleet. */
interface Stage {
  readonly server: Server;
  readonly controller: ChildProcess;
  readonly agents: ChildProcess;
  readonly tally: () => Tally | undefined;
}

/** What was used and done in each of so many seconds; memory as it is at their end. */
function rates(is: Taken, was: Taken, seconds: number): Taken {
  const used = (now: Used, before: Used): Used => ({ cpu: (now.cpu - before.cpu) / seconds, rss: now.rss });
  const done = (key: Exclude<keyof RedisUsed, keyof Used>): number => (is.redis[key] - was.redis[key]) / seconds;
  return {
    controller: used(is.controller, was.controller),
    agents: used(is.agents, was.agents),
    redis: {
      ...used(is.redis, was.redis),
      commands: done('commands'),
      connections: done('connections'),
      bytesIn: done('bytesIn'),
      bytesOut: done('bytesOut'),
      scripts: done('scripts'),
    },
  };
}

/** Samples of every second while something goes on: what was used within it. */
async function perSecond(
  stage: Stage,
  seconds: number,
  underway: () => number,
  signal: AbortSignal,
): Promise<readonly Second[]> {
  const look = async (): Promise<Taken> => ({
    controller: usedBy(stage.controller.pid ?? 0),
    agents: usedBy(stage.agents.pid ?? 0),
    redis: await usedByRedis(stage.server),
  });
  const samples: Second[] = [];
  let before = await look();
  let began = performance.now();
  for (const end = began + seconds * 1000; performance.now() < end - 500 && !signal.aborted;) {
    await sleep(Math.min(1000, end - performance.now()), undefined, { signal }).catch(() => undefined);
    const now = await look();
    const took = (performance.now() - began) / 1000;
    began = performance.now();
    samples.push({ ...rates(now, before, took), underway: underway() });
    before = now;
  }
  return samples;
}

/** Gives one App after the other another image, at the rate, in commits of a few; gives how many, and the seconds that it took. */
async function change(
  committer: Committer,
  files: readonly (readonly [path: string, text: string])[],
  watcher: Watcher,
  seconds: number,
  signal: AbortSignal,
): Promise<{ readonly changed: number; readonly took: number }> {
  const began = performance.now();
  let changed = 0;
  for (let nth = 0; nth < seconds * COMMITS && !signal.aborted; nth += 1) {
    const due = began + (nth * 1000) / COMMITS;
    await sleep(Math.max(0, due - performance.now()));
    const some = new Map<string, string>();
    const expected: (readonly [app: string, image: string])[] = [];
    for (let at = 0; at < RATE / COMMITS; at += 1, changed += 1) {
      // neighbours in name share files' folders and hosts: go by leaps
      const [path = '', text = ''] = files[(changed * 3571) % files.length] ?? [];
      const app = /name: (\S+)/.exec(text)?.[1] ?? '';
      const image = `registry.example/${app}:${String(changed + 2)}`;
      some.set(path, text.replace(/image: \S+/, `image: ${image}`));
      expected.push([app, image]);
    }
    await committer.commit(some);
    for (const each of expected) watcher.expect(...each);
  }
  return { changed, took: Math.max(seconds, (performance.now() - began) / 1000) };
}

/** What happened in each tenth of a second after an outage. */
interface Return {
  readonly connections: number[];
  readonly scripts: number[];
  /** Hosts that were taken for lost. */
  readonly lost: number[];
}

/** Kills Redis for a while, and watches how the fleet comes back. */
async function outage({ server }: Stage, url: string, signal: AbortSignal): Promise<Return> {
  await server.kill();
  await sleep(OUTAGE * 1000, undefined, { signal }).catch(() => undefined);
  await server.start();
  const store = await openRedis(url, { clock: Date.now, writer: 'bench' });
  const found: Return = { connections: [], scripts: [], lost: [] };
  // a new process counts from nothing
  let before: Pick<RedisUsed, 'connections' | 'scripts'> = { connections: 0, scripts: 0 };
  for (const end = performance.now() + RETURN * 1000; performance.now() < end && !signal.aborted;) {
    await sleep(100);
    const now = await usedByRedis(server);
    found.connections.push(now.connections - before.connections);
    found.scripts.push(now.scripts - before.scripts);
    found.lost.push((await store.bulletin.read())?.lost.length ?? 0);
    before = now;
  }
  await store.close();
  return found;
}

function start(argv: readonly string[], url: string): ChildProcess {
  return spawn(process.execPath, [PLUMB, ...argv, '--store', url], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(8000)]);
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}

async function converged(stage: Stage, replicas: number, signal: AbortSignal): Promise<void> {
  for (const end = performance.now() + CONVERGE; ; await sleep(250)) {
    const now = stage.tally();
    if (now && now.replicas === replicas && now.ready === replicas) return;
    signal.throwIfAborted();
    for (const child of [stage.controller, stage.agents])
      if (child.exitCode !== null) throw new Error(`a process of the fleet ended with ${String(child.exitCode)}`);
    if (performance.now() > end) throw new Error(`not within ${String(CONVERGE / 60_000)} min: ${JSON.stringify(now)}`);
  }
}

function usage(seconds: readonly Second[], idle: readonly Second[]): readonly Measure[] {
  const each = (from: readonly Second[], value: (second: Second) => number): readonly number[] => from.map(value);
  const both = (name: string, unit: string, value: (second: Second) => number): Measure =>
    measure(name, unit, each(seconds, value), {
      yardstick: { name: 'the same without changes', samples: each(idle, value) },
    });
  return [
    both('controller, CPU', '% of a core', ({ controller }) => controller.cpu * 100),
    both('agents, CPU', '% of a core', ({ agents }) => agents.cpu * 100),
    both('Redis, CPU', '% of a core', ({ redis }) => redis.cpu * 100),
    both('controller, memory', 'MB', ({ controller }) => controller.rss / MB),
    both('agents, memory', 'MB', ({ agents }) => agents.rss / MB),
    both('Redis, memory', 'MB', ({ redis }) => redis.rss / MB),
    both('Redis, commands', 'a second', ({ redis }) => redis.commands),
    both('Redis, received', 'kB a second', ({ redis }) => redis.bytesIn / 1000),
    both('Redis, sent', 'kB a second', ({ redis }) => redis.bytesOut / 1000),
  ];
}

/** Whether the end of the run is as its beginning: memory, what a change costs and how long it takes. */
function steadiness(busy: readonly Second[], acknowledged: readonly number[], seconds: number): readonly Measure[] {
  const memory = (name: string, value: (second: Second) => number): Measure =>
    growth(`${name}, memory`, 'MB', troughs(busy.map(value)), { ratioLimit: MEMORY_GROWTH, seconds });
  const pace = (name: string, unit: string, samples: readonly number[]): Measure =>
    growth(name, unit, samples, { ratioLimit: PACE_GROWTH, seconds });
  return [
    pace(
      'changes under way',
      'changes',
      busy.map(({ underway }) => underway),
    ),
    pace('commit to acknowledged', 'ms', acknowledged),
    pace(
      'controller, CPU',
      '% of a core',
      busy.map(({ controller }) => controller.cpu * 100),
    ),
    pace(
      'Redis, received',
      'kB a second',
      busy.map(({ redis }) => redis.bytesIn / 1000),
    ),
    memory('controller', ({ controller }) => controller.rss / MB),
    memory('agents', ({ agents }) => agents.rss / MB),
    memory('Redis', ({ redis }) => redis.rss / MB),
  ];
}

/** Memory that each process would gain in an hour as it did here, for people. */
function hourlyText(busy: readonly Second[], seconds: number): string {
  const each = (['controller', 'agents', 'redis'] as const).map((name) => {
    const more = hourly(troughs(busy.map((second) => second[name].rss / MB)), seconds);
    return `${name} ${more.toFixed(0)} MB`;
  });
  return `memory gained in an hour at the pace of this run: ${each.join(', ')}`;
}

/** A fleet of simulated hosts under steady change: what it costs, how soon a commit is acknowledged, whether the end is as the beginning, and how it comes back after an outage. */
export async function run({ signal, log, seconds = SECONDS, hosts = HOSTS }: BenchOptions): Promise<BenchResult> {
  const dir = mkdtempSync('/var/tmp/plumb-bench-simulated-');
  const repo = join(dir, 'repo');
  const { home, servers, url } = await single([
    'appendonly yes',
    'appendfsync everysec',
    'auto-aof-rewrite-percentage 100',
  ]);
  const children: ChildProcess[] = [];
  const over = new AbortController();
  try {
    const [server] = servers;
    if (!server) throw new Error('no redis-server');
    const files = new Map(Object.entries(rehearsalFiles({ hosts, apps: hosts, replicas: 1 })));
    writeFiles(repo, files);
    const git = (...argv: string[]): void => {
      const who = ['-c', 'user.name=Bench', '-c', 'user.email=bench@localhost'];
      execFileSync('git', ['-C', repo, ...who, ...argv], { stdio: 'ignore' });
    };
    git('init', '-q', '-b', 'main');
    git('add', '-A');
    git('commit', '-q', '-m', 'Bench');
    let tally: Tally | undefined;
    const began = performance.now();
    const controller = start(['controller', '--repo', repo, '--state-dir', join(dir, 'state'), '--quiet'], url);
    const agents = start(['agent', '--simulated', String(hosts), '--every', '500ms', '-o', 'json'], url);
    children.push(controller, agents);
    if (agents.stdout)
      createInterface({ input: agents.stdout }).on('line', (line) => (tally = JSON.parse(line) as Tally));
    const stage: Stage = { server, controller, agents, tally: () => tally };
    await converged(stage, hosts, signal);
    const first = (performance.now() - began) / 1000;
    log(`${String(hosts)} replicas serve after ${first.toFixed(0)} s`);
    const store = await openRedis(url, { clock: Date.now, writer: 'bench' });
    const watcher = watchMail(store, over.signal);
    await sleep(10_000);
    const idle = await perSecond(stage, IDLE, watcher.waiting, signal);
    log(
      `idle for ${String(IDLE)} s; now ${String(RATE)} changes a second for ${String(seconds)} s, load average ${loadavg()
        .map((load) => load.toFixed(1))
        .join(' ')}`,
    );
    const committer = committerOf(repo, 'main');
    const apps = [...files].filter(([path]) => path.startsWith('apps/'));
    const { acknowledged, assigned } = watcher.done;
    const sampled = perSecond(stage, seconds, watcher.waiting, signal);
    const [{ busy, within }, { changed, took }] = await Promise.all([
      sampled.then((samples) => ({ busy: samples, within: acknowledged.length })),
      change(committer, apps, watcher, seconds, signal),
    ]);
    for (const end = performance.now() + REST; watcher.waiting() > 0 && performance.now() < end;) await sleep(200);
    committer.close();
    log(
      `${String(changed)} changes, ${String(within)} acknowledged meanwhile, ${String(watcher.waiting())} never; Redis goes away for ${String(OUTAGE)} s`,
    );
    over.abort();
    await store.close();
    const back = await outage(stage, url, signal);
    return {
      name: 'simulated-fleet',
      measures: [
        measure('all serve, from nothing', 's', [first]),
        measure('changes committed', 'a second', [changed / took], { least: RATE * 0.95 }),
        measure('changes acknowledged', 'a second', [within / seconds], { least: RATE * 0.9 }),
        measure('changes never acknowledged', 'changes', [watcher.waiting() + watcher.overtaken()], { limit: 0 }),
        measure('commit to Assignment', 'ms', assigned),
        measure('commit to Assignment, p95', 'ms', [p95(assigned)]),
        measure('commit to acknowledged', 'ms', acknowledged),
        measure('commit to acknowledged, p95', 'ms', [p95(acknowledged)]),
        ...usage(busy, idle),
        ...steadiness(busy, acknowledged, seconds),
        measure('back: connections, most', 'a second', [Math.max(...back.connections) * 10]),
        measure('back: leases, most', 'a second', [Math.max(...back.scripts) * 10]),
        measure('back: hosts taken for lost', 'hosts', [Math.max(...back.lost)], { limit: 0 }),
      ],
      notes: [
        `${String(hosts)} hosts in ${String(Math.ceil(hosts / 100))} racks, as many Apps of one replica, ${String(RATE)} Apps a second given another image for ${String(seconds)} s in ${String(COMMITS)} commits a second; poll of Git 1 s; one Redis, AOF each second`,
        `ratios of what is used are to ${String(IDLE)} s of the same fleet without changes, those of the end to the first third of the changes (memory: the least of each ${String(Math.max(1, Math.floor(seconds / 30)))} s); load average ${loadavg()
          .map((load) => load.toFixed(1))
          .join(' ')}`,
        ...(seconds < LONG ? [] : [hourlyText(busy, seconds)]),
        `back: after an outage of ${String(OUTAGE)} s; most in a tenth of a second, times ten`,
      ],
    };
  } finally {
    over.abort();
    await Promise.all(children.map(stop));
    await home.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function p95(samples: readonly number[]): number {
  return quantile(samples, 0.95);
}
