import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Entry } from '../../reconciler/model/journal.ts';
import {
  fleetApp,
  fleetDocuments,
  fleetProcesses,
  homes,
  PLUMB,
  type FleetProcesses,
} from '../support/fleet-processes.ts';
import { NO_REDIS } from '../support/redis.ts';

const app = (replicas: number): string => fleetApp('web', replicas);

describe('a fleet over Redis, its controllers and agents as processes', { skip: NO_REDIS }, () => {
  let fleet: FleetProcesses;
  before(async () => {
    fleet = await fleetProcesses();
  });
  after(() => fleet.close());
  const plumb = (...argv: readonly string[]): string =>
    execFileSync(process.execPath, [PLUMB, ...argv, '--store', fleet.url], { encoding: 'utf8' });

  it('converges on three hosts, and says where', async () => {
    writeFileSync(join(fleet.repo, 'base.yaml'), fleetDocuments(['h1', 'h2', 'h3']));
    fleet.commit('web.yaml', app(6));
    fleet.controller('c1');
    for (const name of ['h1', 'h2', 'h3']) fleet.agent(name);
    const now = await fleet.converged(fleet.git('rev-parse', 'HEAD'));
    assert.match(plumb('status'), /Synced, Healthy\n[^]*\ncontroller \S+ leads\n/);
    const tellers = (): readonly string[] => {
      const entries = plumb('events', '-n', '1000', '-o', 'json').trim().split('\n');
      return [...new Set(entries.map((line) => (JSON.parse(line) as Entry).host))].sort();
    };
    // the copies of journals follow what they tell
    await fleet.until('controller and every host tell', () => isDeepStrictEqual(tellers(), ['', 'h1', 'h2', 'h3']));
    await fleet.until('convergence is told', () => /converged/.test(plumb('history')));
    const on = now.items.find(({ ref }) => ref === 'replica/web-0')?.host ?? '';
    assert.match(plumb('events', 'container/web-0'), new RegExp(`container/web-0.*# new on ${on}\n`));
    assert.match(plumb('why', 'container/web-0', 'image'), new RegExp(`on ${on}\n[^]*applied .*create \\(new\\) done`));
    assert.deepEqual([...new Set(now.items.map((item) => item.host))].sort(), ['h1', 'h2', 'h3']);
  });

  /** The revisions of `plumb history`, with what became of them. */
  function told(): readonly string[] {
    const { revisions } = JSON.parse(plumb('history', '-o', 'json')) as {
      readonly revisions: readonly { readonly revision: string; readonly result: string }[];
    };
    return revisions.map(({ revision, result }) => `${revision} ${result}`);
  }

  async function known(revisions: readonly string[]): Promise<void> {
    await fleet.until(`history is ${revisions.join(', ')}`, () => isDeepStrictEqual(told(), revisions));
  }

  it('an emptied Redis learns from the hosts who is where: nothing moves, nothing is made anew', async () => {
    // addresses that placing from nothing would give to others
    await fleet.converged(fleet.commit('web.yaml', app(2)));
    await fleet.converged(fleet.commit('web.yaml', app(5)));
    const before = homes(await fleet.status());
    assert.ok(
      before.some((home) => home.endsWith('10.1.0.18')),
      before.join(),
    );
    const running = ['h1', 'h2', 'h3'].flatMap((name) => fleet.containers(name));
    const revisions = told();
    await fleet.redis.admin.flushall();
    await fleet.until('told again', ({ items }) => items.length > 0);
    assert.deepEqual(homes(await fleet.converged(fleet.git('rev-parse', 'HEAD'))), before);
    assert.deepEqual(
      ['h1', 'h2', 'h3'].flatMap((name) => fleet.containers(name)),
      running,
    );
    // the copies of the journals come again, also of what controllers told before
    await known(revisions);
    await fleet.converged(fleet.commit('web.yaml', app(6)));
  });

  /** How long a change takes until all is as it says, milliseconds. */
  async function takes(text: string): Promise<number> {
    const began = Date.now();
    await fleet.converged(fleet.commit('web.yaml', text));
    return Date.now() - began;
  }

  it('a killed controller is taken over within ten seconds, and a killed Redis is no reason to touch anything', async () => {
    fleet.controller('c2');
    await fleet.until('c2 stands by', async () => (await fleet.store.leases.get('controller/c2')) !== undefined);
    const usual = await takes(app(7));
    await fleet.stop('c1', 'SIGKILL');
    const took = await takes(app(8));
    // the lease of eight seconds, the next try for it, and what placing and starting take on this machine
    assert.ok(took < 12_000 + 4 * usual, `taken over after ${String(took)} ms, and ${String(usual)} ms are usual`);
    const running = ['h1', 'h2', 'h3'].flatMap((name) => fleet.containers(name));
    await fleet.redis.kill();
    await sleep(3000);
    // an agent that starts meanwhile works from what it was last told
    await fleet.stop('h1', 'SIGKILL');
    rmSync(join(fleet.dir, 'h1', 'simulated', 'container'), { recursive: true });
    fleet.agent('h1');
    const gone = running.filter(
      (line) => !['h2', 'h3'].flatMap((name) => fleet.containers(name)).includes(line),
    ).length;
    const made = (): number =>
      existsSync(join(fleet.dir, 'h1/simulated/container')) ? fleet.containers('h1').length : 0;
    for (const end = Date.now() + 120_000; made() !== gone; await sleep(100))
      assert.ok(Date.now() < end, 'the agent did nothing without Redis');
    await fleet.redis.start();
    const after = await fleet.converged(fleet.commit('web.yaml', app(9)));
    assert.equal(after.items.length, 9);
  });

  it('says of a host that is not heard of that it is lost, places nothing there, and has it back', async () => {
    await fleet.stop('h3', 'SIGKILL');
    const lost = await fleet.until('lost', ({ messages }) => messages.some((text) => text.startsWith('host h3')));
    assert.equal(lost.health, 'Degraded');
    assert.ok(lost.items.filter(({ host: on }) => on === 'h3').every(({ reason }) => reason.startsWith('Lost: h3')));
    fleet.commit('web.yaml', app(12));
    const more = await fleet.until('placed', ({ items }) => items.length === 12);
    const before = new Set(lost.items.map(({ ref }) => ref));
    assert.deepEqual(
      more.items.filter(({ ref, host: on }) => !before.has(ref) && on === 'h3'),
      [],
    );
    fleet.agent('h3');
    await fleet.converged(fleet.git('rev-parse', 'HEAD'));
  });

  it('a second agent for a host, and a second controller of a name, end and leave everything as it is', async () => {
    const said = async (): Promise<unknown> => {
      const [report] = await fleet.store.mailbox.reports(['h2']);
      return { generation: report?.generation, replicas: report?.replicas };
    };
    const before = await said();
    for (const [argv, words] of [
      [['agent', '--simulated', '--host', 'h2'], /speaks for host h2 already.*\[STORE_LOCKED\]/],
      [
        ['controller', '--name', 'c2', '--repo', fleet.repo],
        /a controller c2 \(c2\/.*\) runs already.*\[STORE_LOCKED\]/,
      ],
      [['agent', '--store', 'redis://127.0.0.1:99999'], /is no host and port.*\[USAGE\]/],
    ] as const) {
      const flags = [
        '--state-dir',
        join(fleet.dir, 'twin'),
        ...(argv.includes('--store' as never) ? [] : ['--store', fleet.url]),
      ];
      const twin = spawnSync(process.execPath, [PLUMB, ...argv, ...flags], { encoding: 'utf8', timeout: 60_000 });
      assert.equal(twin.status, 1);
      assert.match(twin.stderr, words);
    }
    assert.deepEqual(await said(), before);
    const up = spawnSync(process.execPath, [PLUMB, 'apply', '--simulated', '--host', 'h1', '--repo', fleet.repo], {
      encoding: 'utf8',
      env: { ...process.env, PLUMB_STORE: fleet.url, PLUMB_STATE_DIR: join(fleet.dir, 'alone') },
    });
    assert.match(up.stderr, /PLUMB_STORE is set.*\[USAGE\]/);
  });

  it('who follows hears a controller that comes later; without any, status says so', async () => {
    const listening = async (): Promise<number> => (await fleet.redis.admin.pubsub('CHANNELS')).length;
    const others = await listening();
    const follower = fleet.add('follower', 'events', '-f', '-n', '0');
    let heard = '';
    follower.stdout?.on('data', (chunk) => (heard += String(chunk)));
    await fleet.until('it listens', async () => (await listening()) > others);
    await fleet.stop('c2', 'SIGKILL');
    await fleet.until('nobody leads', async () => (await fleet.store.leases.get('controller')) === undefined);
    const argv = [PLUMB, 'status', '--store', fleet.url];
    const alone = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    assert.equal(alone.status, 2);
    assert.match(alone.stdout, /Unknown, Degraded[^]*no controller leads/);
    fleet.controller('c9');
    await fleet.until('heard', () => /Leading c9 leads/.test(heard));
    await fleet.converged(fleet.git('rev-parse', 'HEAD'));
  });
});
