import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { app, base, itemOf, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

describe('bad days', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage('bad-days', {
      ...base({ fleet: ', budget: { deletions: 100% }' }),
      'web.yaml': app('web', '  replicas: 2'),
    });
    await stage.up();
    await stage.converged();
  });
  after(async () => {
    await stage.down();
  });

  const text = async (...argv: string[]): Promise<string> => (await stage.sh(...argv)).out.trim();
  const started = (name: string): Promise<string> => text('docker', 'inspect', '-f', '{{.State.StartedAt}}', name);
  /** Whether one reaches the other, within ten seconds: it pings once a second. */
  const reaches = async (): Promise<boolean> =>
    (await stage.sh('docker', 'exec', 'plumb-web-1', 'ping', '-c', '1', '-w', '10', '10.1.0.10')).code === 0;
  const becomes = async (what: string, look: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + 120_000; !(await look()); await sleep(100))
      assert.ok(Date.now() < end, `${what}: not within 120 s:\n${stage.said()}`);
  };
  const veths = (): Promise<string> => text('ip', '-o', 'link', 'show', 'type', 'veth');
  const healthy = (replica: string): Promise<unknown> =>
    stage.until(`${replica} healthy`, (status) => itemOf(status, replica)?.health === 'Healthy');

  it('an image that does not exist is named, and holds up nobody else', async () => {
    stage.commit({ 'ghost.yaml': app('ghost', '  image: registry.invalid/ghost:9'), 'more.yaml': app('more') });
    await healthy('more-0');
    const status = await stage.until(
      'told',
      (s) => itemOf(s, 'ghost-0')?.reason.startsWith('ImageUnavailable') === true,
    );
    assert.match(itemOf(status, 'ghost-0')?.reason ?? '', /registry\.invalid\/ghost:9/);
    assert.equal(itemOf(status, 'ghost-0')?.health, 'Degraded');
    stage.commit({ 'ghost.yaml': undefined, 'more.yaml': undefined });
    await stage.converged();
    assert.equal(await text('docker', 'ps', '-aq', '--filter', 'name=ghost'), '');
  });

  it('a bad image in a rollout takes nothing away, and a good one mends it', async () => {
    stage.commit({ 'web.yaml': app('web', '  replicas: 2\n  image: registry.invalid/web:2') });
    await stage.until('stuck', (s) => s.items.some(({ reason }) => reason.startsWith('ImageUnavailable')));
    await sleep(2000);
    assert.equal((await stage.status()).items.filter(({ health }) => health === 'Healthy').length, 2);
    stage.commit({ 'web.yaml': app('web', '  replicas: 2') });
    await stage.converged();
  });

  it('an image that never gets ready stays with maxUnavailable replicas, says why, and a good one mends it', async () => {
    const probes = '  probes: { readiness: { tcp: { port: 9 }, period: 500ms, failures: 1 } }';
    stage.commit({ 'web.yaml': app('web', `  replicas: 2\n  image: plumbline/busybox:2\n${probes}`) });
    const status = await stage.until('told', (s) => s.items.some(({ reason }) => reason.startsWith('ProbeFailed')));
    assert.match(status.items.map(({ reason }) => reason).join(), /ProbeFailed: .*(refused|111)/i);
    await sleep(4000);
    assert.equal((await stage.status()).items.filter(({ health }) => health === 'Healthy').length, 1);
    stage.commit({ 'web.yaml': app('web', '  replicas: 2') });
    await stage.converged();
  });

  it('a replica whose liveness fails is made anew', async () => {
    const probe = '  probes: { liveness: { exec: { command: [test, -e, /alive] }, period: 500ms, failures: 2 } }';
    const command = '  command: [sh, -c, "touch /alive; trap exit TERM; while :; do sleep 0.2; done"]';
    stage.commit({ 'live.yaml': app('live', `${command}\n${probe}`) });
    await stage.converged();
    const id = await text('docker', 'inspect', '-f', '{{.Id}}', 'plumb-live-0');
    await stage.sh('docker', 'exec', 'plumb-live-0', 'rm', '/alive');
    await becomes('made anew', async () => {
      const { code, out } = await stage.sh('docker', 'inspect', '-f', '{{.Id}}', 'plumb-live-0');
      return code === 0 && out.trim() !== id;
    });
    await stage.converged();
    stage.commit({ 'live.yaml': undefined });
    await stage.converged();
  });

  it('a container that exits at once is a crash loop with growing pauses', async () => {
    const revision = stage.commit({ 'crash.yaml': app('crash', '  command: [sh, -c, "exit 3"]') });
    const status = await stage.until(
      'crash loop',
      (s) => itemOf(s, 'crash-0')?.reason.startsWith('CrashLoop') === true,
    );
    assert.match(itemOf(status, 'crash-0')?.reason ?? '', /status 3/);
    assert.ok((itemOf(status, 'crash-0')?.restarts ?? 0) >= 2);
    await sleep(4000);
    const entries = await stage.journal('container/crash-0');
    const starts = entries.flatMap((entry) =>
      entry.type === 'intent' && entry.because === 'exited'
        ? [{ at: entry.at, done: entries.find((one) => one.type === 'outcome' && one.trace === entry.trace)?.at }]
        : [],
    );
    // a pause counts from the end of the container, which comes about when its start is done; on this machine that takes as long
    const slow = Math.max(...starts.map(({ at, done = at }) => done - at));
    for (const [n, { at }] of starts.slice(1).entries()) {
      const { at: began = 0, done = began } = starts[n] ?? {};
      assert.ok(at - began >= 1000 * 2 ** n, `restart ${String(n)} came ${String(at - began)} ms after the one before`);
      const pause = at - done;
      assert.ok(pause < 1600 * 2 ** n + 1000 + slow, `restart ${String(n)} came after a pause of ${String(pause)} ms`);
    }
    const all = await stage.journal();
    // on a slow machine it may be seen to run before it ends for the first time
    assert.deepEqual(
      all.filter(
        (entry) =>
          entry.type === 'event' &&
          entry.reason === 'Converged' &&
          entry.revision === revision &&
          entry.at > (starts[0]?.at ?? 0),
      ),
      [],
      'never called well once it has ended',
    );
    const told = (await stage.journal('container/crash-0')).filter(
      (entry) => entry.type === 'event' && entry.reason === 'CrashLoop',
    );
    assert.equal(told.length, 1);
    assert.match(told[0]?.type === 'event' ? told[0].message : '', /ended with status 3, 3 times in a row/);
    stage.commit({ 'crash.yaml': app('crash') });
    await stage.converged();
    stage.commit({ 'crash.yaml': undefined });
    await stage.converged();
  });

  it('one that ends after a while is not called well between two ends', async () => {
    stage.commit({ 'crash.yaml': app('crash', '  command: [sh, -c, "sleep 0.5; exit 3"]') });
    await stage.until('crash loop', (s) => itemOf(s, 'crash-0')?.reason.startsWith('CrashLoop') === true);
    const seen = new Set<string>();
    for (const end = Date.now() + 6000; Date.now() < end; await sleep(30)) {
      const { health, reason } = itemOf(await stage.status(), 'crash-0') ?? {};
      seen.add(`${String(health)} ${String(reason).replace(/:.*/, '')}`);
    }
    assert.deepEqual([...seen], ['Degraded CrashLoop']);
    stage.commit({ 'crash.yaml': undefined });
    await stage.converged();
  });

  it('one whose liveness fails again and again is made anew after growing pauses', async () => {
    const probe = '  probes: { liveness: { exec: { command: ["false"] }, period: 200ms, failures: 1 } }';
    stage.commit({ 'ill.yaml': app('ill', probe) });
    const status = await stage.until(
      'crash loop',
      (s) => itemOf(s, 'ill-0')?.reason.startsWith('CrashLoop: was unhealthy') === true,
    );
    assert.equal(itemOf(status, 'ill-0')?.health, 'Degraded');
    const at = (await stage.journal('container/ill-0')).flatMap((entry) =>
      entry.type === 'intent' && entry.because === 'unhealthy' ? [entry.at] : [],
    );
    assert.ok(at.length >= 2 && (at[1] ?? 0) - (at[0] ?? 0) >= 1000, at.join());
    stage.commit({ 'ill.yaml': undefined });
    await stage.converged();
  });

  it('an address in use on the VLAN is not taken', async () => {
    const bridge = [
      'ovs-vsctl',
      'add-port',
      'br-int',
      'squat0',
      'tag=100',
      '--',
      'set',
      'Interface',
      'squat0',
      'type=internal',
    ];
    await stage.sh(...bridge);
    await stage.sh('ip', 'addr', 'add', '10.1.0.50/24', 'dev', 'squat0');
    await stage.sh('ip', 'link', 'set', 'squat0', 'up');
    const network = base()['network.yaml'] ?? '';
    stage.commit({
      'network.yaml': network.replace('10.1.0.10-10.1.0.99', '10.1.0.10-10.1.0.11, 10.1.0.50'),
      'third.yaml': app('third'),
    });
    const status = await stage.until(
      'refused',
      (s) => itemOf(s, 'third-0')?.reason.startsWith('AddressInUse') === true,
    );
    assert.match(itemOf(status, 'third-0')?.reason ?? '', /10\.1\.0\.50.*([0-9a-f]{2}:){5}/i);
    assert.equal(await text('docker', 'ps', '-q', '--filter', 'name=^/plumb-third-0$'), '');
    await stage.sh('ovs-vsctl', 'del-port', 'squat0');
    await healthy('third-0');
    stage.commit({ 'network.yaml': network, 'third.yaml': undefined });
    await stage.converged();
  });

  it('Docker down: nothing is touched, Unknown is said; back again: all is well, nothing restarted', async () => {
    const before = await started('plumb-web-0');
    await stage.lab.daemon('h1', 'dockerd', 'stop');
    await stage.plumb('apply', '--timeout', '5');
    await stage.until('blind', (s) => s.messages.some((message) => /containers|[Dd]ocker/.test(message)));
    assert.ok(await stage.lab.exec('h1', ['true']));
    await stage.lab.daemon('h1', 'dockerd', 'start');
    await stage.converged();
    assert.equal(await started('plumb-web-0'), before);
    assert.equal(await reaches(), true);
  });

  it('ovsdb-server down: nothing is touched; back again: all is well', async () => {
    const [before, since] = [await veths(), await started('plumb-web-0')];
    await stage.lab.daemon('h1', 'ovsdb-server', 'stop');
    await stage.plumb('apply', '--timeout', '5');
    await stage.until('blind', (s) => s.messages.some((message) => /ovs|Open vSwitch|OVSDB/i.test(message)));
    // the userspace datapath forwards nothing while its daemon has no database, so only what stands is looked at here
    assert.equal(await veths(), before);
    assert.equal(await started('plumb-web-0'), since);
    await stage.lab.daemon('h1', 'ovsdb-server', 'start');
    // vswitchd looks for its database again within seconds
    await becomes('traffic flows', reaches);
    await stage.converged();
    assert.equal(await reaches(), true);
  });

  it('ovs-vswitchd restarted: traffic flows again', async () => {
    await stage.lab.daemon('h1', 'ovs-vswitchd', 'restart');
    await stage.converged();
    assert.equal(await reaches(), true);
  });

  it('a knob that the kernel lacks and one that it refuses are told, the rest is set', async () => {
    const knobs = (sysctls: string): Record<string, string> => ({
      'tuning.yaml': `apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: t }\nspec: { hosts: {}, sysctls: { ${sysctls} } }\n`,
    });
    stage.commit(knobs('net.ipv4.no_such_knob: 1, net.ipv4.tcp_keepalive_time: 613, net.ipv4.tcp_syn_retries: 9999'));
    // it fails once; then it is told as what it is, and not tried again
    const status = await stage.until('told', (s) =>
      s.limitations.some(({ ref, why }) => ref === 'sysctl/net.ipv4.tcp_syn_retries' && why.startsWith('9999: ')),
    );
    assert.deepEqual(status.limitations.map(({ ref, state, why }) => [ref, state, why]).sort(), [
      ['sysctl/net.ipv4.no_such_knob', 'Unsupported', 'this kernel has no such knob'],
      [
        'sysctl/net.ipv4.tcp_syn_retries',
        'Refused',
        '9999: EINVAL, the kernel does not take this value; it takes 1 to 127',
      ],
    ]);
    assert.equal(await text('cat', '/proc/sys/net/ipv4/tcp_keepalive_time'), '613');
    assert.equal(itemOf(status, 'web-0')?.health, 'Healthy');
    stage.commit({ 'tuning.yaml': undefined });
    await stage.converged();
    assert.equal(await text('cat', '/proc/sys/net/ipv4/tcp_keepalive_time'), '7200');
  });

  it('a second up on the host refuses and names the first', async () => {
    const { code, err } = await stage.sh(
      process.execPath,
      'bin/plumb',
      'up',
      '--repo',
      stage.repo,
      '--host',
      'h1',
      '--state-dir',
      `${stage.dir}/second`,
    );
    assert.equal(code, 1);
    assert.match(err, /STORE_LOCKED/);
    assert.equal((await stage.status()).health, 'Healthy');
  });

  it('a branch that vanishes and one that is rewritten are told; the last good revision stays', async () => {
    const head = (await stage.status()).revision;
    await stage.sh('git', '-C', stage.repo, 'branch', '-m', 'main', 'gone');
    await stage.until('stale', (s) => s.source?.error !== undefined || s.revision === head);
    const told = async (reason: string): Promise<boolean> =>
      (await stage.journal()).some((entry) => entry.type === 'event' && entry.reason === reason);
    await becomes('RefVanished is told', () => told('RefVanished'));
    assert.equal((await stage.status()).revision, head);
    await stage.sh('git', '-C', stage.repo, 'branch', '-m', 'gone', 'main');
    await stage.sh(
      'git',
      '-C',
      stage.repo,
      '-c',
      'user.name=Eve',
      '-c',
      'user.email=eve@example.com',
      'commit',
      '-q',
      '--amend',
      '-m',
      'Rewritten',
    );
    await becomes('ForcePush is told', () => told('ForcePush'));
  });
});
