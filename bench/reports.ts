import { rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry } from '../reconciler/model/journal.ts';
import type { ReplicaReport, Report } from '../reconciler/model/replica.ts';
import type { FleetStore } from '../reconciler/model/store.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { fleetApp, fleetDocuments, fleetProcesses, type FleetProcesses } from '../test/support/fleet-processes.ts';
import { simulatedHost, type SimulatedHost } from '../test/support/simulated-host.ts';
import { measure } from './bench.ts';
import type { BenchOptions, BenchResult, Measure } from './bench.ts';

const HOST = 'h1';
const REPLICAS = 20;
const ROUNDS = 60;
/** From an act to the store, milliseconds. */
const PROMISED = 1000;
/** Longest that is waited for, milliseconds. */
const IN_VAIN = 60_000;
/** One replica is touched this seldom: more often is a fight or a crash loop. Milliseconds. */
const REST = 6000;
const APP: string = fleetApp(
  'web',
  REPLICAS,
  ', restart: { backoff: 1s, resetAfter: 1s }, probes: { readiness: { tcp: { port: 80 }, period: 100ms, failures: 1 } }',
);

/** What a store hears of one host. */
interface Heard {
  /** Milliseconds until a Report, or an entry of the copy of the host's journal, says so. */
  report(says: (report: Report) => boolean): Promise<number>;
  entry(says: (entry: Entry) => boolean): Promise<number>;
}

/** Those who wait for something that comes in. */
function waiters<T>(): {
  readonly tell: (item: T) => void;
  readonly until: (says: (item: T) => boolean) => Promise<number>;
} {
  const looks = new Set<(item: T) => void>();
  return {
    tell: (item) => {
      for (const look of [...looks]) look(item);
    },
    until: (says) => {
      const began = performance.now();
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('the store is never told')), IN_VAIN);
        const look = (item: T): void => {
          if (!says(item)) return;
          looks.delete(look);
          clearTimeout(timer);
          resolve(performance.now() - began);
        };
        looks.add(look);
      });
    },
  };
}

/** Hears a host by those who follow the store. */
function hear({ mailbox, journals }: FleetStore, host: string, signal: AbortSignal): Heard {
  const [reports, entries] = [waiters<Report>(), waiters<Entry>()];
  void (async () => {
    for await (const { host: by, what } of mailbox.follow(signal)) {
      const [report] = by === host && what === 'report' ? await mailbox.reports([host]) : [];
      if (report) reports.tell(report);
    }
  })().catch(() => undefined);
  void (async () => {
    for await (const entry of journals.of(host).follow(signal)) entries.tell(entry);
  })().catch(() => undefined);
  return { report: reports.until, entry: entries.until };
}

/** One replica of the host in the hands of somebody. */
interface Hands {
  readonly host: SimulatedHost;
  readonly replica: string;
  /** Unlike in every other round. */
  readonly memory: number;
  /** A file that makes a change of its limits fail. */
  readonly failure: string;
}

/** What is done to a replica, and what the store says then. */
interface Act {
  readonly what: string;
  readonly act: (hands: Hands) => void;
  readonly told: (heard: Heard, replica: string, before: ReplicaReport | undefined) => Promise<number>;
  readonly after?: (hands: Hands) => void;
}

const of = ({ replicas }: Report, id: string): ReplicaReport | undefined => replicas.find((one) => one.id === id);

function serve({ host, replica }: Hands, ready: boolean): void {
  const thing = host.get(`container/${replica}`);
  if (thing) host.put({ ...thing, ready } as typeof thing);
}

function limit({ host, replica, memory }: Hands): void {
  host.edit(`cgroup/${replica}`, { memory });
}

const ACTS: readonly Act[] = [
  {
    what: 'killed, restarts',
    act: ({ host, replica }) => host.edit(`container/${replica}`, { status: 'exited', exitCode: 137 }),
    told: (heard, replica, before) =>
      heard.report((report) => (of(report, replica)?.restarts ?? 0) > (before?.restarts ?? 0)),
  },
  {
    what: 'probe fails, readiness',
    act: (hands) => serve(hands, false),
    told: (heard, replica) => heard.report((report) => of(report, replica)?.ready === false),
    after: (hands) => serve(hands, true),
  },
  {
    what: 'limit by hand, its repair',
    act: limit,
    told: (heard, replica) =>
      heard.entry((entry) => entry.type === 'intent' && entry.ref === `cgroup/${replica}` && entry.because === 'drift'),
  },
  {
    what: 'limit by hand, that stays',
    act: (hands) => {
      writeFileSync(hands.failure, 'it is not taken');
      limit(hands);
    },
    told: (heard, replica) =>
      heard.report(({ limitations }) => limitations.some(({ ref }) => ref === `cgroup/${replica}`)),
    after: ({ failure }) => rmSync(failure),
  },
];

/** One act after the other, each on another replica. */
async function samplesOf(
  { what, act, told, after }: Act,
  fleet: FleetProcesses,
  heard: Heard,
  { rounds = ROUNDS, signal, log }: BenchOptions,
): Promise<readonly number[]> {
  const host = simulatedHost(join(fleet.dir, HOST));
  const samples: number[] = [];
  for (let round = 0; round < rounds && !signal.aborted; round += 1) {
    const replica = `web-${String(round % REPLICAS)}`;
    const failure = join(fleet.dir, HOST, 'simulated', 'cgroup', `${replica}.fail`);
    const hands: Hands = { host, replica, memory: 100_000_000 + round * 4096, failure };
    const [report] = await fleet.store.mailbox.reports([HOST]);
    const found = told(heard, replica, report && of(report, replica));
    act(hands);
    samples.push(await found);
    after?.(hands);
    await sleep(REST / REPLICAS + Math.random() * 50, undefined, { signal }).catch(() => undefined);
  }
  log(`${what}: the longest of ${String(rounds)} took ${Math.max(...samples).toFixed(0)} ms`);
  return samples;
}

/** What is there without an agent: a file changes, somebody sees that and writes the same Report, and somebody hears of it. */
async function bare(fleet: FleetProcesses, rounds: number, signal: AbortSignal): Promise<readonly number[]> {
  const store = await openRedis(fleet.url, { clock: Date.now, fleet: 'bare', writer: 'bare' });
  const [report] = await fleet.store.mailbox.reports([HOST]);
  if (!report) throw new Error(`${HOST} has not reported`);
  const heard = hear(store, HOST, signal);
  const path = join(fleet.dir, 'bare');
  writeFileSync(path, '');
  let round = 0;
  const watcher = watch(path, () => void store.mailbox.report({ ...report, at: round }));
  const samples: number[] = [];
  await sleep(500);
  for (; round < rounds && !signal.aborted; round += 1) {
    const at = round;
    const found = heard.report((one) => one.at === at);
    writeFileSync(path, String(round));
    samples.push(await found);
    await sleep(50);
  }
  watcher.close();
  await store.close();
  return samples;
}

function rowsOf(what: string, samples: readonly number[], floor: readonly number[]): readonly Measure[] {
  return [
    measure(what, 'ms', samples, { yardstick: { name: 'a bare Report', samples: floor }, limit: PROMISED }),
    measure(`${what}: the longest`, 'ms', [Math.max(...samples)], { limit: PROMISED }),
  ];
}

/** From an act on a host to what the store says of it: an agent on a simulated host, and a controller, as processes over a redis-server. */
export async function run(options: BenchOptions): Promise<BenchResult> {
  const { signal, rounds = ROUNDS } = options;
  const fleet = await fleetProcesses();
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  try {
    writeFileSync(join(fleet.repo, 'base.yaml'), fleetDocuments([HOST]));
    const revision = fleet.commit('web.yaml', APP);
    fleet.controller('c1');
    fleet.agent(HOST);
    await fleet.converged(revision);
    const heard = hear(fleet.store, HOST, until);
    await sleep(3000);
    const floor = await bare(fleet, rounds, until);
    const measures: Measure[] = [measure('a bare Report', 'ms', floor)];
    for (const act of ACTS) measures.push(...rowsOf(act.what, await samplesOf(act, fleet, heard, options), floor));
    const notes = measures
      .filter(({ samples }) => samples > 1)
      .map(({ name, p95 }) => `${name}: p95 ${(p95 ?? 0).toFixed(1)} ms`);
    return { name: 'reports', measures, notes };
  } finally {
    over.abort();
    await fleet.close();
  }
}
