import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { app, base, itemOf, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

const web = (spec: string): Record<string, string> => ({ 'apps/web.yaml': app('web', spec) });
const LIMITED = `  replicas: 2
  sysctls: { net.core.somaxconn: 777 }
  resources: { cpu: { cores: 100m, quota: 500m }, memory: { limit: 64Mi }, pids: 50 }`;

describe('from a commit to running, wired, limited containers', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage('converge', {
      ...base(),
      ...web(LIMITED),
      'tuning.yaml': `apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: base }\nspec:\n  hosts: {}\n  sysctls: { net.ipv4.tcp_keepalive_time: 611 }\n  ovs: { otherConfig: { max-idle: 20000 } }\n`,
    });
    await stage.up();
  });
  after(async () => {
    await stage.down();
  });
  const docker = async (...argv: string[]): Promise<string> => (await stage.sh('docker', ...argv)).out.trim();
  const cgroup = async (name: string, file: string): Promise<string> => {
    const pid = await docker('inspect', '-f', '{{.State.Pid}}', name);
    const { out } = await stage.sh('cat', `/proc/${pid}/cgroup`);
    const [controller = ''] = file.split('.');
    const path =
      out
        .split('\n')
        .find((line) => line.split(':')[1]?.split(',').includes(controller))
        ?.split(':')[2] ?? '';
    return (await stage.sh('cat', `/sys/fs/cgroup/${controller}${path}/${file}`)).out.trim();
  };

  it('converges', async () => {
    const status = await stage.converged();
    assert.deepEqual(
      status.items.map(({ ref, address }) => `${ref} ${address ?? ''}`),
      ['replica/web-0 10.1.0.10', 'replica/web-1 10.1.0.11'],
    );
    const { out } = await stage.plumb('plan', '--repo', stage.repo, '--host', 'h1');
    assert.match(out, /Nothing to do/);
    const made = (await stage.journal()).flatMap((entry) => (entry.type === 'intent' ? [entry] : []));
    assert.deepEqual(
      made.filter(({ because }) => because !== 'new').map(({ ref, because }) => `${ref} ${because}`),
      [],
      'nothing is put right of what was just made',
    );
  });
  it('gave each its address, and a way to the other', async () => {
    const { code } = await stage.sh('docker', 'exec', 'plumb-web-0', 'ping', '-c', '1', '-W', '2', '10.1.0.11');
    assert.equal(code, 0);
    assert.match(await docker('exec', 'plumb-web-0', 'ip', '-o', 'addr', 'show', 'eth0'), /10\.1\.0\.10\/24/);
    assert.equal(await docker('exec', 'plumb-web-0', 'cat', '/proc/sys/net/core/somaxconn'), '777');
  });
  it('tagged the port', async () => {
    const { out } = await stage.sh(
      'ovs-vsctl',
      '--bare',
      '--columns=tag',
      'find',
      'Port',
      'external_ids:plumbline-ref="port/web-0"',
    );
    assert.equal(out.trim(), '100');
  });
  it('set knobs of the host', async () => {
    assert.equal((await stage.sh('cat', '/proc/sys/net/ipv4/tcp_keepalive_time')).out.trim(), '611');
    assert.match((await stage.sh('ovs-vsctl', 'get', 'Open_vSwitch', '.', 'other_config:max-idle')).out, /20000/);
  });
  it('changes limits in place', async () => {
    const id = await docker('inspect', '-f', '{{.Id}}', 'plumb-web-0');
    assert.equal(await cgroup('plumb-web-0', 'memory.limit_in_bytes'), String(64 * 2 ** 20));
    stage.commit(web(LIMITED.replace('64Mi', '96Mi').replace('500m', '250m')), 'More memory, less time');
    await stage.converged();
    assert.equal(await cgroup('plumb-web-0', 'memory.limit_in_bytes'), String(96 * 2 ** 20));
    const quota =
      Number(await cgroup('plumb-web-0', 'cpu.cfs_quota_us')) /
      Number(await cgroup('plumb-web-0', 'cpu.cfs_period_us'));
    assert.equal(quota, 0.25);
    assert.equal(await docker('inspect', '-f', '{{.Id}}', 'plumb-web-0'), id);
  });
  it('explains a value down to the author', async () => {
    const { out, code, err } = await stage.plumb('why', 'container/web-0', 'memory', '-o', 'json');
    assert.equal(code, 0, err);
    const [answer] = (
      JSON.parse(out) as { answers: { file: string; line: number; author: string; subject: string; want: number }[] }
    ).answers;
    assert.equal(answer?.file, 'apps/web.yaml');
    assert.equal(answer.author, 'Ann <ann@example.com>');
    assert.equal(answer.subject, 'More memory, less time');
    assert.equal(answer.want, 96 * 2 ** 20);
  });
  it('rolls a new image out without ever taking more than maxUnavailable away', async () => {
    const addresses = (await stage.status()).items.map(({ address }) => address);
    const target = stage.commit(web(`${LIMITED}\n  image: plumbline/busybox:2`), 'Next image');
    let fewest = 2;
    await stage.until('rolled out', (status) => {
      fewest = Math.min(fewest, status.items.filter(({ health }) => health === 'Healthy').length);
      return status.revision === target && status.sync === 'Synced' && status.health === 'Healthy';
    });
    assert.ok(fewest >= 1, `only ${String(fewest)} were healthy at once`);
    assert.equal(await docker('inspect', '-f', '{{.Config.Image}}', 'plumb-web-1'), 'plumbline/busybox:2');
    assert.deepEqual(
      (await stage.status()).items.map(({ address }) => address),
      addresses,
    );
  });
  it('scales out and in; a released address rests', async () => {
    stage.commit(web(LIMITED.replace('replicas: 2', 'replicas: 4')));
    assert.equal(itemOf(await stage.converged(), 'web-3')?.address, '10.1.0.13');
    stage.commit(web(LIMITED.replace('replicas: 2', 'replicas: 3')));
    await stage.converged();
    assert.equal(await docker('ps', '-aq', '--filter', 'name=plumb-web-3'), '');
    await stage.until('released', (status) => status.items.length === 3);
    stage.commit(web(LIMITED.replace('replicas: 2', 'replicas: 4')));
    assert.equal(itemOf(await stage.converged(), 'web-3')?.address, '10.1.0.14');
  });
  it('holds more deletions than the budget allows, and says how to go on', async () => {
    stage.commit({ 'apps/web.yaml': undefined, 'apps/other.yaml': app('other') }, 'Drop web');
    const status = await stage.until('held', ({ held }) => held.length > 0);
    assert.match(status.held[0] ?? '', /4 of \d replicas would go.*--allow-deletions/);
    assert.equal((await docker('ps', '-q', '--filter', 'name=plumb-web')).split('\n').length, 8);
    stage.commit({ 'apps/web.yaml': app('web', LIMITED) }, 'Keep web');
    await stage.converged();
  });
  it('keeps what runs when its file is broken, and says so', async () => {
    stage.commit(
      { 'apps/web.yaml': 'apiVersion: plumbline/v1\nkind: App\nmetadata: { name: web }\nspec: { image: 3' },
      'Oops',
    );
    const status = await stage.until('told of the problem', ({ problems }) => problems > 0);
    assert.equal(itemOf(status, 'web-0')?.health, 'Healthy');
    const { code } = await stage.plumb('status');
    assert.equal(code, 2);
    stage.commit(web(LIMITED));
    await stage.converged();
  });
  it('puts the original back when a knob leaves Git', async () => {
    stage.commit({ 'tuning.yaml': undefined });
    await stage.converged();
    assert.equal((await stage.sh('cat', '/proc/sys/net/ipv4/tcp_keepalive_time')).out.trim(), '7200');
    assert.equal((await stage.sh('ovs-vsctl', 'get', 'Open_vSwitch', '.', 'other_config')).out.trim(), '{}');
  });
  it('shows what a change would do before it is merged', async () => {
    const change = web(LIMITED.replace('replicas: 2', 'replicas: 3'));
    stage.propose('more', change);
    const { out, code } = await stage.plumb('plan', 'main..more', '--repo', stage.repo, '-o', 'json');
    assert.equal(code, 2);
    const plan = JSON.parse(out) as { changes: { ref: string; verb: string }[]; summary: { add: number } };
    assert.deepEqual(
      plan.changes
        .map(({ ref }) => ref)
        .filter((ref) => !ref.startsWith('image/'))
        .sort(),
      ['container/web-2', 'port/web-2', 'sandbox/web-2'],
    );
  });
});
