import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createBook } from '../reconciler/model/book.ts';
import { hostProposals, hostViews } from '../reconciler/place/hosts.ts';
import { commitAll } from '../reconciler/loop/controller/commits.ts';
import { keysOf } from '../reconciler/store/redis/keys.ts';
import { openRedis } from '../reconciler/store/redis/redis.ts';
import { single } from '../test/support/redis.ts';
import type { Server } from '../test/support/redis.ts';
import { measure } from './bench.ts';
import type { BenchOptions, BenchResult, Measure } from './bench.ts';
import { CROWDED, fabric, REPLICAS } from './fabric.ts';
import { usedByRedis } from './gauges.ts';

const SCHEDULERS = 8;
/** Beside those eight, to see what more of them bring. */
const FEWER = [1, 2];
const SCRIPT = fileURLToPath(new URL('./contention-scheduler.js', import.meta.url));

interface Told {
  readonly proposed: number;
  readonly conflicts: number;
  /** µs. */
  readonly cpu: number;
  /** Conflicts by their reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

interface Found {
  readonly placed: number;
  /** Share that is given out, percent. */
  readonly cpu: number;
  readonly memory: number;
  readonly overcommitted: number;
  readonly shared: number;
  readonly unspread: number;
}

type Fleet = ReturnType<typeof fabric>;

function counter(): { readonly add: (key: string, by?: number) => void; readonly all: Map<string, number> } {
  const all = new Map<string, number>();
  return { add: (key, by = 1) => void all.set(key, (all.get(key) ?? 0) + by), all };
}

/** The final state as it stands in Redis, judged by nothing but the catalog and plain sums. */
async function check({ admin }: Server, { catalog, reports }: Fleet): Promise<Found> {
  const keys = keysOf('default');
  const texts = Object.values(await admin.hgetall(keys.placements));
  const placements = texts.map(
    (text) => JSON.parse(text) as Record<'replica' | 'app' | 'host' | 'network' | 'address', string>,
  );
  const owners = await admin.hgetall(keys.addresses);
  const [cpu, memory, addresses, domains] = [counter(), counter(), counter(), counter()];
  for (const { app, host, network, address } of placements) {
    const { resources } = catalog.apps.get(app)?.spec ?? {};
    cpu.add(host, resources?.cpu);
    memory.add(host, resources?.memory);
    addresses.add(`${network}/${address}`);
    domains.add(`${app} host ${host}`);
    domains.add(`${app} rack ${catalog.hosts.get(host)?.spec.topology.rack ?? ''}`);
  }
  const capacity = new Map(reports.map(({ host, facts }) => [host, facts.capacity]));
  const over = [...capacity].filter(
    ([host, has]) => (cpu.all.get(host) ?? 0) > has.cpu || (memory.all.get(host) ?? 0) > has.memory,
  );
  const unowned = placements.filter(
    ({ replica, network, address }) => owners[`${network}/${address}`] !== JSON.stringify({ replica }),
  );
  const unspread = [...domains.all].filter(([key, count]) => {
    const [app = '', level] = key.split(' ');
    return count > (catalog.apps.get(app)?.spec.spread[level as 'rack' | 'host'] ?? Infinity);
  });
  const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
  return {
    placed: placements.length,
    cpu: (sum(cpu.all.values()) / sum([...capacity.values()].map((has) => has.cpu))) * 100,
    memory: (sum(memory.all.values()) / sum([...capacity.values()].map((has) => has.memory))) * 100,
    overcommitted: over.length,
    shared: [...addresses.all.values()].filter((count) => count > 1).length + unowned.length,
    unspread: unspread.length,
  };
}

async function message(child: ChildProcess): Promise<unknown> {
  const stop = new AbortController();
  const ended = once(child, 'exit', { signal: stop.signal }).then(() => undefined);
  ended.catch(() => undefined); // it has answered before
  const said = (await Promise.race([once(child, 'message'), ended])) as readonly unknown[] | undefined;
  stop.abort();
  if (!said) throw new Error('a scheduler ended early');
  return said[0];
}

interface Round extends Pick<Told, 'proposed' | 'conflicts'>, Found {
  readonly reasons: string;
  readonly ms: number;
  /** CPU that all schedulers took, and that Redis took, µs. */
  readonly schedulers: number;
  readonly redis: number;
}

async function contend(fleet: Fleet, of: number): Promise<Round> {
  const { home, servers, url } = await single(['appendonly yes', 'appendfsync always']);
  const [server] = servers;
  const children: ChildProcess[] = [];
  try {
    if (!server) throw new Error('no redis-server');
    const empty = createBook();
    const store = await openRedis(url, { clock: Date.now });
    const proposals = hostProposals(hostViews(fleet.catalog, fleet.reports, empty), empty, fleet.catalog);
    await commitAll(store.reservations, { id: 'hosts', now: Date.now(), proposals });
    await store.close();
    for (let part = 0; part < of; part += 1) children.push(fork(SCRIPT, [url, String(part), String(of)]));
    await Promise.all(children.map(message));
    const before = await usedByRedis(server);
    const began = performance.now();
    const told = (await Promise.all(
      children.map((child) => {
        const said = message(child);
        child.send('go');
        return said;
      }),
    )) as readonly Told[];
    const ms = performance.now() - began;
    const after = await usedByRedis(server);
    const sum = (key: 'proposed' | 'conflicts' | 'cpu'): number => told.reduce((total, one) => total + one[key], 0);
    const reasons = counter();
    for (const one of told) for (const [reason, count] of Object.entries(one.reasons)) reasons.add(reason, count);
    const listed = [...reasons.all].map(([reason, count]) => `${String(count)} ${reason}`).join(', ');
    return {
      reasons: listed,
      proposed: sum('proposed'),
      conflicts: sum('conflicts'),
      ...(await check(server, fleet)),
      ms,
      schedulers: sum('cpu'),
      redis: (after.cpu - before.cpu) * 1e6,
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await home.close();
  }
}

const scarcer = ({ cpu, memory }: Round): number => Math.max(cpu, memory);

/** What it costs to place one. */
function costs(of: number, rounds: readonly Round[]): readonly Measure[] {
  const each = (what: string, unit: string, value: (round: Round) => number): Measure =>
    measure(`${String(of)}: ${what}`, unit, rounds.map(value));
  return [
    each('placements', 'a second', ({ placed, ms }) => (placed / ms) * 1000),
    each('schedulers, CPU', 'µs each', ({ schedulers, placed }) => schedulers / placed),
    each('Redis, CPU', 'µs each', ({ redis, placed }) => redis / placed),
  ];
}

/** Eight schedulers that know of each other only by what Redis says, until the fleet is full; then fewer of them. */
export async function run({ signal, rounds = 1, log }: BenchOptions): Promise<BenchResult> {
  const fleet = fabric(CROWDED);
  const done = new Map<number, Round[]>([SCHEDULERS, ...FEWER].map((of) => [of, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [of, list] of done) {
      if (signal.aborted) break;
      const result = await contend(fleet, of);
      list.push(result);
      log(`round ${String(round + 1)}, ${String(of)} at once: ${JSON.stringify(result)}`);
    }
  const all = done.get(SCHEDULERS) ?? [];
  const each = (value: (round: Round) => number): readonly number[] => all.map(value);
  const share = ({ conflicts, proposed }: Round): number => (conflicts / proposed) * 100;
  const measures = [
    measure('conflicts', '% of proposals', each(share), { limit: 2 }),
    measure(
      'CPU given out',
      '%',
      each(({ cpu }) => cpu),
    ),
    measure(
      'memory given out',
      '%',
      each(({ memory }) => memory),
    ),
    measure('of the scarcer, in all', '%', each(scarcer), { least: 97 }),
    measure('the same, one alone', '%', (done.get(1) ?? []).map(scarcer)),
    measure(
      'hosts over-committed',
      'hosts',
      each(({ overcommitted }) => overcommitted),
      { limit: 0 },
    ),
    measure(
      'addresses given out twice',
      'addresses',
      each(({ shared }) => shared),
      { limit: 0 },
    ),
    measure(
      'hard spread broken',
      'places',
      each(({ unspread }) => unspread),
      { limit: 0 },
    ),
  ];
  const [first] = all;
  return {
    name: 'contention',
    measures: [...measures, ...[...done].flatMap(([of, list]) => costs(of, list))],
    notes: [
      `${String(SCHEDULERS)} processes; ${String(REPLICAS)} replicas wanted, ${String(first?.placed ?? 0)} placed; conflicts: ${first?.reasons ?? ''} (first round)`,
      'the last lines by how many schedulers work at once; the CPU of schedulers is that of all together',
    ],
  };
}
