import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { knownOf, statusFrom } from '../../reconciler/loop/control.ts';
import type { Tally } from '../../reconciler/loop/rehearsal/rehearsal.ts';
import type { Status } from '../../reconciler/loop/status.ts';
import type { FleetStore } from '../../reconciler/model/store.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { createReopening } from '../../reconciler/store/reopening.ts';
import { NO_REDIS, Servers, type Server } from '../support/redis.ts';

const PLUMB = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'bin', 'plumb');

describe('a rehearsal of fifty hosts over Redis', { skip: NO_REDIS }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-rehearsal-'));
  const repo = join(dir, 'repo');
  const servers = new Servers();
  const children = new Set<ChildProcess>();
  let redis: Server;
  let url = '';
  let store: FleetStore;
  let agent: ChildProcess;
  /** What the agent last told. */
  let tally: Tally | undefined;

  const git = (...argv: string[]): string => execFileSync('git', ['-C', repo, ...argv], { encoding: 'utf8' }).trim();
  const commit = (): string => {
    git('add', '-A');
    git('-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', 'commit', '-qm', 'Change');
    return git('rev-parse', 'HEAD');
  };
  const start = (...argv: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [PLUMB, ...argv, '--store', url], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.add(child);
    return child;
  };
  const rehearse = (...argv: readonly string[]): void => {
    tally = undefined;
    agent = start('agent', '--simulated', '50', '--latency', '50ms..500ms', '--every', '200ms', '-o', 'json', ...argv);
    let rest = '';
    agent.stdout?.on('data', (chunk) => {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) tally = JSON.parse(line) as Tally;
    });
  };
  const stop = async (child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> => {
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    children.delete(child);
    child.kill(signal);
    return ended;
  };
  const until = async (what: string, good: (now: Status) => boolean, seconds = 90): Promise<Status> => {
    let now: Status | undefined;
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(200)) {
      now = await knownOf(store)
        .then(async (known) => statusFrom(known, await store.bulletin.read()))
        .catch(() => undefined);
      if (now && good(now)) return now;
    }
    const { items = [], ...rest } = now ?? {};
    return assert.fail(
      `${what}: not within ${String(seconds)} s: ${JSON.stringify({ ...rest, items: items.slice(0, 3) })}`,
    );
  };
  const converged = (revision: string): Promise<Status> =>
    until('converged', (now) => now.sync === 'Synced' && now.health === 'Healthy' && now.revision === revision);
  const reasons = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for await (const entry of store.journals.of('controller-c1').read())
      if (entry.type === 'event') found.push(`${entry.reason} ${entry.message}`);
    return found;
  };

  before(async () => {
    execFileSync(process.execPath, [PLUMB, 'init', repo, '--simulated', '50', '--apps', '40', '--replicas', '3']);
    git('init', '-q', '-b', 'main');
    redis = await servers.start();
    url = `redis://127.0.0.1:${String(redis.port)}`;
    store = createReopening(() => openRedis(url, { clock: Date.now, writer: 'test' }));
    start('controller', '--name', 'c1', '--repo', repo, '--state-dir', join(dir, 'c1'), '--quiet');
    rehearse('--failures', '20%');
  });
  after(async () => {
    await Promise.all([...children].map((child) => stop(child, 'SIGKILL')));
    await store.close();
    await servers.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('what init writes converges on all of them, through starts that fail', async () => {
    const revision = commit();
    await until('a crash loop is told', ({ items }) => items.some(({ reason }) => reason.startsWith('CrashLoop')));
    const { items } = await converged(revision);
    assert.equal(items.length, 120);
    assert.ok(new Set(items.map(({ host }) => host)).size >= 40, 'spread');
    assert.ok(items.some(({ restarts }) => (restarts ?? 0) >= 3));
    const plan = spawnSync(process.execPath, [PLUMB, 'plan', '--store', url, '--repo', repo, '--state-dir', dir], {
      encoding: 'utf8',
    });
    assert.equal(plan.status, 0, `${plan.stdout}${plan.stderr}`);
  });

  it('hosts acknowledge each Assignment, and an older one changes nothing', async () => {
    const file = join(repo, 'apps/team-000/app-0007.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(':1\n', ':2\n'));
    const { items } = await converged(commit());
    assert.deepEqual(
      items.filter(({ ref }) => ref.startsWith('replica/app-0007-')).map(({ image }) => image),
      Array.from({ length: 3 }, () => 'registry.example/app-0007:2'),
    );
    for (const { host, generation } of await store.mailbox.reports(await store.mailbox.reporting()))
      assert.equal(generation, (await store.mailbox.assignment(host))?.generation, host);
  });

  it('killed and started again it converges, and its hosts are not another agent’s', async () => {
    await stop(agent, 'SIGKILL');
    rehearse();
    await until('not all of it', ({ health }) => health !== 'Healthy');
    await converged(git('rev-parse', 'HEAD'));
    // what the killed one said is believed for a while: a host whose lease has not run out yet is anybody's
    await until('all leases are its own', () => tally?.heard === 50);
    const twin = spawnSync(process.execPath, [PLUMB, 'agent', '--store', url, '--simulated', '3', '--quiet'], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.equal(twin.status, 1);
    assert.match(twin.stderr, /speaks for host sim-000\d already.*\[STORE_LOCKED\]/);
  });

  it('hosts that fall silent are lost, and back again', async () => {
    assert.equal(await stop(agent, 'SIGINT'), 0);
    const names = Array.from({ length: 50 }, (_, at) => `host/sim-${String(at).padStart(4, '0')}`);
    assert.deepEqual(await store.leases.held(names), [], 'the leases are let go');
    const missing = ({ messages }: Status): readonly string[] =>
      messages.filter((text) => /^host sim-\d+ is not heard of/.test(text));
    await until('all are lost', (now) => missing(now).length === 50);
    rehearse('--silent', '40%', '--silence', '15s..20s');
    await until('most are back', (now) => missing(now).length < 25);
    const silent = (): number => tally?.silent ?? 0;
    const lost = await until('some are silent and lost', (now) => missing(now).length > 0 && silent() > 0);
    assert.equal(lost.health, 'Degraded');
    assert.ok(missing(lost).length < 25, 'not all of them');
    const name = /sim-\d+/.exec(missing(lost)[0] ?? '')?.[0] ?? '';
    await until('back', ({ messages }) => messages.every((text) => !text.startsWith(`host ${name} `)));
    assert.ok((await reasons()).some((text) => text.startsWith(`HostBack ${name} `)));
  });

  it('hears of a Redis that is back, and of an emptied one nothing moves', async () => {
    await stop(agent, 'SIGINT');
    rehearse();
    const before = await converged(git('rev-parse', 'HEAD'));
    await redis.kill();
    await sleep(3000);
    await redis.start();
    // without a file it comes back empty
    const homes = ({ items }: Status): readonly string[] =>
      items.map(({ ref, host, address }) => `${ref} ${host} ${String(address)}`);
    assert.deepEqual(homes(await converged(git('rev-parse', 'HEAD'))), homes(before));
  });
});
