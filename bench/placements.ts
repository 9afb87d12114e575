import { createBook } from '../reconciler/model/book.ts';
import { canonical } from '../reconciler/model/fingerprint.ts';
import type { CommitRequest, Proposal } from '../reconciler/model/reservations.ts';
import { commitAll } from '../reconciler/loop/controller/commits.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import { place, startPlacing } from '../reconciler/place/place.ts';
import type { ScriptCall } from '../reconciler/store/redis/calls.ts';
import { keysOf } from '../reconciler/store/redis/keys.ts';
import { KEEP, openRedis } from '../reconciler/store/redis/redis.ts';
import { commitCommand } from '../reconciler/store/redis/reservations.ts';
import { loadScripts } from '../reconciler/store/redis/scripts.ts';
import { single } from '../test/support/redis.ts';
import type { Server } from '../test/support/redis.ts';
import { measure } from './bench.ts';
import type { BenchOptions, BenchResult } from './bench.ts';
import { fabric, REPLICAS } from './fabric.ts';
import { sendCommits } from './floor/placements.ts';

const DURABLE = ['appendonly yes', 'appendfsync always'];
const NOW = 1_000_000;

/** CPU time of a server in µs, and how many commands it has run, those of scripts among them. */
async function spent({ admin }: Server): Promise<{ readonly cpu: number; readonly commands: number }> {
  const info = `${await admin.info('cpu')}${await admin.info('stats')}`;
  const number = (key: string): number => Number(new RegExp(`^${key}:(.*)`, 'm').exec(info)?.[1]);
  const cpu = number('used_cpu_sys') + number('used_cpu_user');
  return { cpu: cpu * 1e6, commands: number('total_commands_processed') };
}

interface Round {
  /** Milliseconds from the catalog to the last commit, and those of them in which a host was looked for. */
  readonly all: number;
  readonly place: number;
  readonly placed: number;
  readonly requests: readonly CommitRequest[];
  readonly redis: { readonly cpu: number; readonly commands: number };
}

/** The proposals as they come, with the milliseconds that it takes to find them added to the clock. */
function* timed(proposals: Iterator<Proposal>, clock: { place: number }): Generator<Proposal> {
  for (;;) {
    const began = performance.now();
    const next = proposals.next();
    clock.place += performance.now() - began;
    if (next.done === true) return;
    yield next.value;
  }
}

/** Our scheduler: from a catalog and an empty fleet to the last commit. */
async function ours({ catalog, reports }: ReturnType<typeof fabric>): Promise<Round> {
  const { home, servers, url } = await single(DURABLE);
  const [server] = servers;
  try {
    if (!server) throw new Error('no redis-server');
    const store = await openRedis(url, { clock: () => NOW });
    const nobody = { ...catalog, apps: new Map() };
    const hosts = hostViews(catalog, reports, createBook());
    const input = { reports, assignments: [], now: NOW, hosts };
    const known = place({ ...input, catalog: nobody, snapshot: createBook() });
    await commitAll(store.reservations, { id: 'hosts', now: NOW, proposals: known.proposals });
    const snapshot = await store.reservations.snapshot();
    const before = await spent(server);
    const requests: CommitRequest[] = [];
    const clock = { place: 0 };
    const commit = (request: CommitRequest): ReturnType<typeof store.reservations.commit> => {
      requests.push(request);
      return store.reservations.commit(request);
    };
    const began = performance.now();
    const proposals = timed(startPlacing({ ...input, catalog, snapshot }).proposals(), clock);
    const verdicts = await commitAll({ commit }, { id: 'rev', now: NOW, proposals });
    const all = performance.now() - began;
    const after = await spent(server);
    await store.close();
    return {
      all,
      place: clock.place,
      placed: verdicts.filter(({ accepted }) => accepted).length,
      requests,
      redis: { cpu: after.cpu - before.cpu, commands: after.commands - before.commands },
    };
  } finally {
    await home.close();
  }
}

/** The floor: the same commits to a server that knows the same hosts. Gives milliseconds. */
async function floor(requests: readonly CommitRequest[], hosts: readonly Proposal[]): Promise<number> {
  const { home, servers, url } = await single(DURABLE);
  const [server] = servers;
  try {
    if (!server) throw new Error('no redis-server');
    const store = await openRedis(url, { clock: () => NOW });
    await commitAll(store.reservations, { id: 'hosts', now: NOW, proposals: hosts });
    await store.close();
    const keys = keysOf('default');
    const incarnation = (await server.admin.get(keys.incarnation)) ?? '';
    const context = { keys, keep: KEEP, scripts: loadScripts(), incarnation };
    const calls = requests.map((request): ScriptCall => commitCommand(context, request));
    const ms = await sendCommits(server.port, calls);
    const placed = await server.admin.hlen(keys.placements);
    const wanted = requests.reduce((sum, { proposals }) => sum + proposals.length, 0);
    if (placed !== wanted)
      throw new Error(`the floor placed ${String(placed)} of ${String(wanted)}: ${canonical(keys)}`);
    return ms;
  } finally {
    await home.close();
  }
}

/** Placements a second of the whole scheduler, beside the bare commits. */
export async function run({ signal, rounds = 3, log }: BenchOptions): Promise<BenchResult> {
  const fleet = fabric({ fill: 0.67, strategy: 'spread', hard: true });
  const hosts = hostViews(fleet.catalog, fleet.reports, createBook()).map(({ record }): Proposal => ({
    op: 'host',
    record,
  }));
  const done: (Round & { readonly floor: number })[] = [];
  for (let round = 0; round < rounds && !signal.aborted; round += 1) {
    const result = await ours(fleet);
    done.push({ ...result, floor: await floor(result.requests, hosts) });
    log(`round ${String(round + 1)} of ${String(rounds)}`);
  }
  const each = (value: (round: Round & { readonly floor: number }) => number): readonly number[] => done.map(value);
  const bare = each((round) => (round.placed / round.floor) * 1000);
  return {
    name: 'placements',
    measures: [
      measure('floor: bare commits', 'a second', bare),
      measure(
        'placements',
        'a second',
        each(({ placed, all }) => (placed / all) * 1000),
        {
          least: 10_000,
          ratioLeast: 0.7,
          yardstick: { name: 'floor', samples: bare },
        },
      ),
      measure(
        'looking for a place',
        'µs each',
        each(({ place: ms, placed }) => (ms / placed) * 1000),
      ),
      measure(
        'committing, waiting',
        'µs each',
        each(({ all, place: ms, placed }) => ((all - ms) / placed) * 1000),
      ),
      measure(
        'Redis, CPU',
        'µs each',
        each(({ redis, placed }) => redis.cpu / placed),
      ),
      measure(
        'Redis, commands',
        'each',
        each(({ redis, placed }) => redis.commands / placed),
      ),
    ],
    notes: [
      `${String(REPLICAS)} replicas wanted, ${String(done[0]?.placed ?? 0)} placed; commits of 100, AOF with fsync always; commands count those of the script`,
    ],
  };
}
