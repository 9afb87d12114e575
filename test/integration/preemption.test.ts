import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { knownOf, statusFrom } from '../../reconciler/loop/control.ts';
import type { Status } from '../../reconciler/loop/status.ts';
import type { FleetStore } from '../../reconciler/model/store.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { createReopening } from '../../reconciler/store/reopening.ts';
import { NO_REDIS, Servers } from '../support/redis.ts';

const PLUMB = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'bin', 'plumb');
const CORES = { batch: 2, db: 3 } as const;
const HOSTS = 6;

const manifest = (kind: string, name: string, rest: string): string =>
  `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${rest}`;
const app = (name: keyof typeof CORES, replicas: number, level: number, more = ''): string =>
  manifest(
    'App',
    name,
    `spec:
  image: registry.example/${name}:1
  replicas: ${String(replicas)}
  level: ${String(level)}
  zone: main
  network: { name: net }
  resources: { cpu: { cores: ${String(CORES[name])} }, memory: { limit: 64Mi } }
${more}`,
  );

describe('preemption on six hosts over Redis', { skip: NO_REDIS }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-preemption-'));
  const repo = join(dir, 'repo');
  const servers = new Servers();
  const children = new Set<ChildProcess>();
  let url = '';
  let store: FleetStore;

  const git = (...argv: string[]): string => execFileSync('git', ['-C', repo, ...argv], { encoding: 'utf8' }).trim();
  const commit = (): string => {
    git('add', '-A');
    git('-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', 'commit', '-qm', 'Change');
    return git('rev-parse', 'HEAD');
  };
  const start = (...argv: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [PLUMB, ...argv, '--store', url, '--quiet'], { stdio: 'ignore' });
    children.add(child);
    return child;
  };
  const control = (name: string): ChildProcess =>
    start('controller', '--name', name, '--repo', repo, '--state-dir', join(dir, name));
  const kill = async (child: ChildProcess): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    children.delete(child);
    child.kill('SIGKILL');
    await ended;
  };
  const status = async (): Promise<Status> => statusFrom(await knownOf(store), await store.bulletin.read());

  /** No host says that it runs more than it has, whoever comes and goes there. */
  const roomKept = async (): Promise<void> => {
    for (const { host, replicas } of await store.mailbox.reports(await store.mailbox.reporting())) {
      const run = replicas.filter(({ phase }) => phase !== 'Placed' && phase !== 'Gone');
      const cores = run.reduce((sum, { id }) => sum + CORES[id.startsWith('db') ? 'db' : 'batch'], 0);
      assert.ok(cores <= 4, `${host} runs ${run.map(({ id }) => id).join(', ')}`);
    }
  };
  const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    for (const end = Date.now() + 120_000; Date.now() < end; await sleep(50)) {
      const found = await look().catch((error: unknown) => {
        if (error instanceof assert.AssertionError) throw error;
        return undefined;
      });
      if (found !== undefined) return found;
    }
    return assert.fail(`${what}: not within two minutes: ${JSON.stringify((await status()).items.slice(0, 20))}`);
  };
  const converged = (revision: string): Promise<Status> =>
    until('converged', async () => {
      await roomKept();
      const now = await status();
      return now.sync === 'Synced' && now.health === 'Healthy' && now.revision === revision ? now : undefined;
    });
  const told = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const writer of ['controller-c1', 'controller-c2'])
      for await (const entry of store.journals.of(writer).read())
        if (entry.type === 'event') found.push(`${entry.reason} ${entry.message}`);
    return found;
  };

  before(async () => {
    mkdirSync(repo);
    git('init', '-q', '-b', 'main');
    const hosts = Array.from({ length: HOSTS }, (_, at) =>
      manifest('Host', `sim-000${String(at)}`, '  labels: { pool: main }\nspec: { capacity: { cpu: 4 } }\n'),
    );
    const files = {
      'fleet.yaml': manifest('Fleet', 'test', 'spec:\n  intervals: { poll: 1s }\n  budget: { deletions: 50% }\n'),
      'zone.yaml': manifest('Zone', 'main', 'spec: { runtime: simulated, hosts: { matchLabels: { pool: main } } }\n'),
      'net.yaml': manifest('Network', 'net', 'spec: { vlan: 10, cidr: 10.1.0.0/16, gateway: 10.1.0.1 }\n'),
      'hosts.yaml': hosts.join('---\n'),
      'batch.yaml': app('batch', 2 * HOSTS, 3, '  update: { maxUnavailable: 4 }\n'),
    };
    for (const [path, text] of Object.entries(files)) writeFileSync(join(repo, path), text);
    const redis = await servers.start();
    url = `redis://127.0.0.1:${String(redis.port)}`;
    store = createReopening(() => openRedis(url, { clock: Date.now, writer: 'test' }));
    start('agent', '--simulated', String(HOSTS), '--latency', '2s..3s', '--every', '200ms');
  });
  after(async () => {
    await Promise.all([...children].map(kill));
    await store.close();
    await servers.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('a controller that is killed while places are given away leaves it to the next, and hosts never run both', async () => {
    const first = control('c1');
    await converged(commit());
    writeFileSync(join(repo, 'db.yaml'), app('db', 2, 0));
    commit();
    const given = await until('places are given away', async () => {
      const { placements } = await store.reservations.snapshot();
      const all = [...placements.values()].filter(({ yields }) => yields !== undefined);
      return all.length > 0 ? all : undefined;
    });
    await kill(first);
    for (const { app: name, yields = '' } of given) assert.match(`${name} ${yields}`, /^batch db-[01]$/);
    control('c2');
    const now = await until('db serves', async () => {
      await roomKept();
      const seen = await status();
      const serving = seen.items.filter(({ ref, health }) => ref.startsWith('replica/db-') && health === 'Healthy');
      const whole = seen.items.filter(({ ref, health }) => ref.startsWith('replica/batch-') && health === 'Healthy');
      return serving.length === 2 && whole.length === 8 ? seen : undefined;
    });
    const homes = new Set(now.items.filter(({ ref }) => ref.startsWith('replica/db-')).map(({ host }) => host));
    assert.equal(homes.size, 2);
    const waiting = now.items.filter(({ host }) => host === '');
    assert.equal(waiting.length, 4);
    for (const { ref, reason } of waiting)
      assert.match(
        `${ref} ${reason}`,
        /^replica\/batch-\d+ Unplaceable: .*Its place on sim-000\d went to db-[01] \(level 0\)$/,
      );
    const events = (await told()).filter((text) => text.startsWith('Preempted '));
    assert.equal(new Set(events).size, 4, events.join('\n'));
    const { placements } = await store.reservations.snapshot();
    for (const { replica, yields } of placements.values()) assert.equal(yields, undefined, replica);
  });

  it('whoever gave up a place comes back once there is room', async () => {
    rmSync(join(repo, 'db.yaml'));
    const { items } = await converged(commit());
    assert.equal(items.length, 2 * HOSTS);
  });
});
