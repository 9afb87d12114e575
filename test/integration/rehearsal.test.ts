import assert from 'node:assert/strict';
import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tally } from '../../reconciler/loop/rehearsal/rehearsal.ts';
import type { Status } from '../../reconciler/loop/status/status.ts';
import { fleetProcesses, homes, PLUMB, type FleetProcesses } from '../support/fleet-processes.ts';
import { NO_REDIS } from '../support/redis.ts';

describe('a rehearsal of fifty hosts over Redis', { skip: NO_REDIS }, () => {
  let fleet: FleetProcesses;
  let agent: ChildProcess;
  /** What the agent last told. */
  let tally: Tally | undefined;

  const rehearse = (...argv: readonly string[]): void => {
    tally = undefined;
    const times = ['--latency', '50ms..500ms', '--every', '200ms', '-o', 'json'];
    agent = fleet.add('agent', 'agent', '--simulated', '50', ...times, ...argv);
    let rest = '';
    agent.stdout?.on('data', (chunk) => {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) tally = JSON.parse(line) as Tally;
    });
  };
  const reasons = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for await (const entry of fleet.store.journals.of('controller-c1').read())
      if (entry.type === 'event') found.push(`${entry.reason} ${entry.message}`);
    return found;
  };

  /** Waits until all hosts have said something since it was called. */
  const heardAnew = async (): Promise<void> => {
    const since = Date.now();
    await fleet.until('heard anew', async () => {
      const { mailbox } = fleet.store;
      const reports = await mailbox.reports(await mailbox.reporting());
      return reports.length === 50 && reports.every(({ at }) => at >= since);
    });
  };

  before(async () => {
    fleet = await fleetProcesses();
    execFileSync(process.execPath, [PLUMB, 'init', fleet.repo, '--simulated', '50', '--apps', '40', '--replicas', '3']);
    fleet.controller('c1');
    rehearse('--failures', '20%');
  });
  after(() => fleet.close());

  it('what init writes converges on all of them, through starts that fail', async () => {
    const revision = fleet.commit('note.txt', 'First');
    await fleet.until('a crash loop is told', ({ items }) =>
      items.some(({ reason }) => reason.startsWith('CrashLoop')),
    );
    const { items } = await fleet.converged(revision);
    assert.equal(items.length, 120);
    assert.ok(new Set(items.map(({ host }) => host)).size >= 40, 'spread');
    assert.ok(items.some(({ restarts }) => (restarts ?? 0) >= 3));
    const plan = spawnSync(
      process.execPath,
      [PLUMB, 'plan', '--store', fleet.url, '--repo', fleet.repo, '--state-dir', fleet.dir],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(plan.status, 0, `${plan.stdout}${plan.stderr}`);
  });

  it('hosts acknowledge each Assignment, and an older one changes nothing', async () => {
    const file = 'apps/team-000/app-0007.yaml';
    const text = readFileSync(join(fleet.repo, file), 'utf8').replace(':1\n', ':2\n');
    const { items } = await fleet.converged(fleet.commit(file, text));
    assert.deepEqual(
      items.filter(({ ref }) => ref.startsWith('replica/app-0007-')).map(({ image }) => image),
      Array.from({ length: 3 }, () => 'registry.example/app-0007:2'),
    );
    const { mailbox } = fleet.store;
    for (const { host, generation } of await mailbox.reports(await mailbox.reporting()))
      assert.equal(generation, (await mailbox.assignment(host))?.generation, host);
  });

  it('killed and started again it converges, and its hosts are not another agent’s', async () => {
    await fleet.stop('agent', 'SIGKILL');
    rehearse();
    await heardAnew();
    await fleet.converged(fleet.git('rev-parse', 'HEAD'));
    // what the killed one said is believed for a while: a host whose lease has not run out yet is anybody's
    await fleet.until('all leases are its own', () => tally?.heard === 50);
    const twin = spawnSync(process.execPath, [PLUMB, 'agent', '--store', fleet.url, '--simulated', '3', '--quiet'], {
      encoding: 'utf8',
      timeout: 120_000,
    });
    assert.equal(twin.status, 1);
    assert.match(twin.stderr, /speaks for host sim-000\d already.*\[STORE_LOCKED\]/);
  });

  it('hosts that fall silent are lost, and back again', async () => {
    await fleet.stop('agent', 'SIGINT');
    assert.equal(agent.exitCode, 0);
    const names = Array.from({ length: 50 }, (_, at) => `host/sim-${String(at).padStart(4, '0')}`);
    assert.deepEqual(await fleet.store.leases.held(names), [], 'the leases are let go');
    const missing = ({ messages }: Status): readonly string[] =>
      messages.filter((text) => /^host sim-\d+ is not heard of/.test(text));
    await fleet.until('all are lost', (now) => missing(now).length === 50);
    rehearse('--silent', '40%', '--silence', '15s..20s');
    await fleet.until('most are back', (now) => missing(now).length < 25);
    const silent = (): number => tally?.silent ?? 0;
    const lost = await fleet.until('some are silent and lost', (now) => missing(now).length > 0 && silent() > 0);
    assert.equal(lost.health, 'Degraded');
    assert.ok(missing(lost).length < 25, 'not all of them');
    const name = /sim-\d+/.exec(missing(lost)[0] ?? '')?.[0] ?? '';
    await fleet.until('back', ({ messages }) => messages.every((text) => !text.startsWith(`host ${name} `)));
    // the copy of a journal follows what it tells
    await fleet.until('told', async () => (await reasons()).some((text) => text.startsWith(`HostBack ${name} `)));
  });

  it('hears of a Redis that is back, and of an emptied one nothing moves', async () => {
    await fleet.stop('agent', 'SIGINT');
    rehearse();
    await heardAnew();
    const before = await fleet.converged(fleet.git('rev-parse', 'HEAD'));
    await fleet.redis.kill();
    await sleep(3000);
    await fleet.redis.start();
    // without a file it comes back empty
    assert.deepEqual(homes(await fleet.converged(fleet.git('rev-parse', 'HEAD'))), homes(before));
  });
});
