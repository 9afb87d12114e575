import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { knownOf, statusFrom } from '../../reconciler/loop/control.ts';
import type { Status } from '../../reconciler/loop/status.ts';
import type { Entry } from '../../reconciler/model/journal.ts';
import type { Store } from '../../reconciler/model/store.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { createReopening } from '../../reconciler/store/reopening.ts';
import { NO_REDIS, Servers, type Server } from '../support/redis.ts';

const PLUMB = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'bin', 'plumb');

const DOCUMENTS = `apiVersion: plumbline/v1
kind: Fleet
metadata: { name: f }
spec: { intervals: { poll: 1s }, budget: { deletions: 100% } }
---
apiVersion: plumbline/v1
kind: Zone
metadata: { name: main }
spec: { hosts: { matchLabels: { pool: main } } }
---
apiVersion: plumbline/v1
kind: Network
metadata: { name: front }
spec: { vlan: 100, cidr: 10.1.0.0/24, ranges: [10.1.0.10-10.1.0.99], quarantine: 1h }
`;
const host = (name: string): string =>
  `---\napiVersion: plumbline/v1\nkind: Host\nmetadata: { name: ${name}, labels: { pool: main } }\nspec: {}\n`;
const app = (replicas: number): string =>
  `apiVersion: plumbline/v1\nkind: App\nmetadata: { name: web }\nspec: { image: plumbline/busybox:1, zone: main, network: { name: front }, replicas: ${String(replicas)} }\n`;

describe('a fleet over Redis, its controllers and agents as processes', { skip: NO_REDIS }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-fleet-redis-'));
  const repo = join(dir, 'repo');
  const servers = new Servers();
  const children = new Map<string, ChildProcess>();
  let redis: Server;
  let url = '';
  let store: Store;

  const git = (...argv: string[]): string => execFileSync('git', ['-C', repo, ...argv], { encoding: 'utf8' }).trim();
  const commit = (file: string, text: string): string => {
    writeFileSync(join(repo, file), text);
    git('add', '-A');
    git('-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', 'commit', '-qm', 'Change');
    return git('rev-parse', 'HEAD');
  };
  const start = (name: string, ...argv: readonly string[]): void => {
    const flags = ['--store', url, '--state-dir', join(dir, name), '--quiet'];
    const child = spawn(process.execPath, [PLUMB, ...argv, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.resume();
    children.set(name, child);
  };
  const agent = (name: string): void => {
    start(name, 'agent', '--simulated', '--host', name);
  };
  const controller = (name: string): void => {
    start(name, 'controller', '--name', name, '--repo', repo);
  };
  const stop = async (name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const child = children.get(name);
    children.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  /** What `plumb status --store` shows, without a process for each look. */
  const status = async (): Promise<Status> => statusFrom(await knownOf(store), await store.bulletin.read());
  const until = async (what: string, good: (now: Status) => boolean, seconds = 90): Promise<Status> => {
    let now: Status | undefined;
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(200)) {
      now = await status().catch(() => undefined);
      if (now && good(now)) return now;
    }
    return assert.fail(`${what}: not within ${String(seconds)} s: ${JSON.stringify(now, null, 1)}`);
  };
  const converged = (revision: string): Promise<Status> =>
    until(
      'converged',
      ({ sync, health, ...now }) => sync === 'Synced' && health === 'Healthy' && now.revision === revision,
    );
  const homes = ({ items }: Status): readonly string[] =>
    items.map(({ ref, host: on, address }) => `${ref} ${on} ${String(address)}`);
  /** The containers that run on a host, each with the time it was made. */
  const containers = (name: string): readonly string[] => {
    const folder = join(dir, name, 'simulated', 'container');
    return readdirSync(folder).map((file) => {
      const { state } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
        readonly state: { readonly id: string };
      };
      return `${file} ${state.id}`;
    });
  };

  before(async () => {
    execFileSync('git', ['init', '-q', '-b', 'main', repo]);
    redis = await servers.start();
    url = `redis://127.0.0.1:${String(redis.port)}`;
    store = createReopening(() => openRedis(url, { clock: Date.now, writer: 'test' }));
  });
  after(async () => {
    await Promise.all([...children.keys()].map((name) => stop(name, 'SIGKILL')));
    await store.close();
    await servers.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('converges on three hosts, and says where', async () => {
    writeFileSync(join(repo, 'base.yaml'), DOCUMENTS + ['h1', 'h2', 'h3'].map(host).join(''));
    commit('web.yaml', app(6));
    controller('c1');
    for (const name of ['h1', 'h2', 'h3']) agent(name);
    const now = await converged(git('rev-parse', 'HEAD'));
    const shown = execFileSync(process.execPath, [PLUMB, 'status', '--store', url], { encoding: 'utf8' });
    assert.match(shown, /Synced, Healthy/);
    const plumb = (...argv: readonly string[]): string =>
      execFileSync(process.execPath, [PLUMB, ...argv, '--store', url], { encoding: 'utf8' });
    const entries = plumb('events', '-n', '1000', '-o', 'json').trim().split('\n');
    const told = entries.map((line) => JSON.parse(line) as Entry);
    assert.deepEqual(
      [...new Set(told.map((entry) => entry.host))].sort(),
      ['', 'h1', 'h2', 'h3'],
      'the controller and every host',
    );
    const on = now.items.find(({ ref }) => ref === 'replica/web-0')?.host ?? '';
    assert.match(plumb('events', 'container/web-0'), new RegExp(`container/web-0.*# new on ${on}\n`));
    assert.match(plumb('why', 'container/web-0', 'image'), new RegExp(`on ${on}\n[^]*applied .*create \\(new\\) done`));
    assert.match(plumb('history'), /converged/);
    assert.deepEqual([...new Set(now.items.map((item) => item.host))].sort(), ['h1', 'h2', 'h3']);
  });

  it('an emptied Redis learns from the hosts who is where: nothing moves, nothing is made anew', async () => {
    // addresses that placing from nothing would give to others
    await converged(commit('web.yaml', app(2)));
    await converged(commit('web.yaml', app(5)));
    const before = homes(await status());
    assert.ok(
      before.some((home) => home.endsWith('10.1.0.18')),
      before.join(),
    );
    const running = ['h1', 'h2', 'h3'].flatMap(containers);
    await redis.admin.flushall();
    await until('told again', ({ items }) => items.length > 0);
    assert.deepEqual(homes(await converged(git('rev-parse', 'HEAD'))), before);
    assert.deepEqual(['h1', 'h2', 'h3'].flatMap(containers), running);
    await converged(commit('web.yaml', app(6)));
  });

  it('a killed controller is taken over within ten seconds, and a killed Redis is no reason to touch anything', async () => {
    controller('c2');
    await sleep(1500);
    await stop('c1', 'SIGKILL');
    const at = Date.now();
    const revision = commit('web.yaml', app(7));
    await converged(revision);
    // the lease of eight seconds, and what placing and starting take
    assert.ok(Date.now() - at < 20_000, `taken over after ${String(Date.now() - at)} ms`);
    const running = ['h1', 'h2', 'h3'].flatMap(containers);
    await redis.kill();
    await sleep(3000);
    // an agent that starts meanwhile works from what it was last told
    await stop('h1', 'SIGKILL');
    rmSync(join(dir, 'h1', 'simulated', 'container'), { recursive: true });
    agent('h1');
    const gone = running.filter((line) => !['h2', 'h3'].flatMap(containers).includes(line)).length;
    for (const end = Date.now() + 20_000; ; await sleep(100)) {
      const made = readdirSync(join(dir, 'h1', 'simulated')).includes('container') ? containers('h1').length : 0;
      if (made === gone) break;
      assert.ok(Date.now() < end, 'the agent did nothing without Redis');
    }
    await redis.start();
    const after = await converged(commit('web.yaml', app(8)));
    assert.equal(after.items.length, 8);
  });

  it('says of a host that is not heard of that it is lost, places nothing there, and has it back', async () => {
    await stop('h3', 'SIGKILL');
    const lost = await until('lost', ({ messages }) => messages.some((text) => text.startsWith('host h3')));
    assert.equal(lost.health, 'Degraded');
    assert.ok(lost.items.filter(({ host: on }) => on === 'h3').every(({ reason }) => reason.startsWith('Lost: h3')));
    commit('web.yaml', app(12));
    const more = await until('placed', ({ items }) => items.length === 12);
    const before = new Set(lost.items.map(({ ref }) => ref));
    assert.deepEqual(
      more.items.filter(({ ref, host: on }) => !before.has(ref) && on === 'h3'),
      [],
    );
    agent('h3');
    await converged(git('rev-parse', 'HEAD'));
  });

  it('a second agent for a host, and a second controller of a name, end and leave everything as it is', async () => {
    const before = await redis.admin.get('plumb:{default}:report:h2');
    for (const [argv, words] of [
      [['agent', '--simulated', '--host', 'h2'], /speaks for host h2 already.*\[STORE_LOCKED\]/],
      [['controller', '--name', 'c2', '--repo', repo], /a controller c2 \(c2\/.*\) runs already.*\[STORE_LOCKED\]/],
      [['agent', '--store', 'redis://127.0.0.1:99999'], /is no host and port.*\[USAGE\]/],
    ] as const) {
      const flags = ['--state-dir', join(dir, 'twin'), ...(argv.includes('--store' as never) ? [] : ['--store', url])];
      const twin = spawnSync(process.execPath, [PLUMB, ...argv, ...flags], { encoding: 'utf8', timeout: 60_000 });
      assert.equal(twin.status, 1);
      assert.match(twin.stderr, words);
    }
    assert.equal(await redis.admin.get('plumb:{default}:report:h2'), before);
    const up = spawnSync(process.execPath, [PLUMB, 'apply', '--simulated', '--host', 'h1', '--repo', repo], {
      encoding: 'utf8',
      env: { ...process.env, PLUMB_STORE: url, PLUMB_STATE_DIR: join(dir, 'alone') },
    });
    assert.match(up.stderr, /PLUMB_STORE is set.*\[USAGE\]/);
  });

  it('who follows hears a controller that comes later; without any, status says so', async () => {
    const follower = spawn(process.execPath, [PLUMB, 'events', '-f', '-n', '0', '--store', url]);
    children.set('follower', follower);
    let heard = '';
    follower.stdout.on('data', (chunk) => (heard += String(chunk)));
    await sleep(2000);
    await stop('c2', 'SIGKILL');
    await sleep(9000);
    const argv = [PLUMB, 'status', '--store', url];
    const alone = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    assert.equal(alone.status, 2);
    assert.match(alone.stdout, /Unknown, Degraded[^]*no controller leads/);
    controller('c9');
    for (const end = Date.now() + 60_000; !/Leading c9 leads/.test(heard); await sleep(200))
      assert.ok(Date.now() < end, heard);
    await converged(git('rev-parse', 'HEAD'));
  });
});
