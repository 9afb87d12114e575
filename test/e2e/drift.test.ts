import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry } from '../../reconciler/model/journal.ts';
import { app, base, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

const SPEC = '  replicas: 2\n  resources: { memory: { limit: 64Mi }, pids: 50 }';

describe('what is broken by hand is put back', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage('drift', {
      ...base(),
      'web.yaml': app('web', SPEC),
      'tuning.yaml':
        'apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: base }\nspec: { hosts: {}, sysctls: { net.ipv4.tcp_keepalive_time: 611 } }\n',
    });
    await stage.up();
    await stage.converged();
  });
  after(async () => {
    await stage.down();
  });

  const text = async (...argv: string[]): Promise<string> => (await stage.sh(...argv)).out.trim();
  const port = (column: string, table = 'Port'): Promise<string> =>
    text('ovs-vsctl', '--bare', `--columns=${column}`, 'find', table, 'external_ids:plumbline-ref="port/web-0"');
  const reaches = async (): Promise<boolean> =>
    (await stage.sh('docker', 'exec', 'plumb-web-1', 'ping', '-c', '1', '-W', '1', '10.1.0.10')).code === 0;
  /** Waits until the text is as wanted. */
  const becomes = async (what: string, look: () => Promise<boolean>, seconds = 60): Promise<void> => {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) if (await look()) return;
    assert.fail(`${what}: not within ${String(seconds)} s`);
  };

  it('a killed container starts again in its sandbox, with its address', async () => {
    const sandbox = await text('docker', 'inspect', '-f', '{{.Id}}', 'plumb-web-0-sandbox');
    await stage.sh('docker', 'kill', 'plumb-web-0');
    await becomes(
      'running',
      async () => (await text('docker', 'inspect', '-f', '{{.State.Running}}', 'plumb-web-0')) === 'true',
    );
    assert.equal(await text('docker', 'inspect', '-f', '{{.Id}}', 'plumb-web-0-sandbox'), sandbox);
    await becomes('reached', reaches);
    await stage.converged();
  });
  it('a removed container is made again', async () => {
    await stage.sh('docker', 'rm', '-f', 'plumb-web-0');
    await becomes(
      'running',
      async () => (await text('docker', 'inspect', '-f', '{{.State.Running}}', 'plumb-web-0')) === 'true',
    );
    await becomes('reached', reaches);
    await stage.converged();
  });
  it('a sandbox killed under its container is rebuilt with all that lives in it', async () => {
    await stage.sh('docker', 'kill', 'plumb-web-0-sandbox');
    await becomes('reached', reaches);
    await stage.converged();
    assert.equal(await text('docker', 'exec', 'plumb-web-0', 'hostname'), 'web-0');
  });
  it('a VLAN tag', async () => {
    await stage.sh('ovs-vsctl', 'set', 'Port', await port('name'), 'tag=999');
    await becomes('tag', async () => (await port('tag')) === '100');
    await becomes('reached', reaches);
  });
  it('the peer of a veth', async () => {
    await stage.sh('ip', 'link', 'del', await port('name'));
    await becomes('reached', reaches);
    await stage.converged();
  });
  it('a port moved to another bridge', async () => {
    const name = await port('name');
    await stage.sh('ovs-vsctl', 'add-br', 'br-other', '--', 'set', 'Bridge', 'br-other', 'datapath_type=netdev');
    await stage.sh(
      'ovs-vsctl',
      'del-port',
      name,
      '--',
      'add-port',
      'br-other',
      name,
      'tag=100',
      '--',
      'set',
      'Interface',
      name,
      'external_ids:plumbline-ref="port/web-0"',
    );
    await becomes('reached', reaches);
    await stage.sh('ovs-vsctl', '--if-exists', 'del-br', 'br-other');
    await stage.converged();
    assert.equal(await text('ovs-vsctl', 'port-to-br', await port('name')), 'br-int');
  });
  it('a limit of a running container', async () => {
    const id = await text('docker', 'inspect', '-f', '{{.Id}}', 'plumb-web-0');
    const path = await text('sh', '-c', `find /sys/fs/cgroup/pids -type d -name ${id} 2>/dev/null || true`);
    await stage.sh('sh', '-c', `echo 7 > ${path}/pids.max`);
    await becomes('pids.max', async () => (await text('cat', `${path}/pids.max`)) === '50');
  });
  it('a sysctl', async () => {
    await stage.sh('sysctl', '-w', 'net.ipv4.tcp_keepalive_time=99');
    await becomes('sysctl', async () => (await text('cat', '/proc/sys/net/ipv4/tcp_keepalive_time')) === '611');
  });
  it('leaves alone what carries no mark', async () => {
    await stage.sh(
      'docker',
      'run',
      '-d',
      '--network',
      'none',
      '--name',
      'stranger',
      'plumbline/busybox:1',
      'sleep',
      '1000',
    );
    await stage.sh('ovs-vsctl', 'add-port', 'br-int', 'stray0', '--', 'set', 'Interface', 'stray0', 'type=internal');
    await stage.plumb('apply');
    assert.equal(await text('docker', 'inspect', '-f', '{{.State.Running}}', 'stranger'), 'true');
    assert.match(await text('ovs-vsctl', 'list-ports', 'br-int'), /stray0/);
  });
  it('an App that Git has stand still, which a hand lets go on, and that stops in its own way', async () => {
    const statusOf = (): Promise<string> => text('docker', 'inspect', '-f', '{{.State.Status}}', 'plumb-web-0');
    const id = await text('docker', 'inspect', '-f', '{{.Id}}', 'plumb-web-0');
    stage.commit({ 'web.yaml': app('web', `${SPEC}\n  frozen: true`) });
    const frozen = await stage.converged();
    assert.deepEqual(
      frozen.items.map(({ health, reason }) => [health, reason]),
      Array(2).fill(['Healthy', 'Frozen']),
    );
    assert.equal(await statusOf(), 'paused');
    await stage.sh('docker', 'unpause', 'plumb-web-0');
    await becomes('paused again', async () => (await statusOf()) === 'paused');
    stage.commit({ 'web.yaml': app('web', SPEC) });
    await stage.converged();
    assert.deepEqual(
      [await statusOf(), await text('docker', 'inspect', '-f', '{{.Id}}', 'plumb-web-0')],
      ['running', id],
    );
    await becomes('reached', reaches);
  });
  it('names a fight and backs off', async () => {
    const name = await port('name');
    let fight: string | undefined;
    const told = async (): Promise<boolean> => {
      const all = await stage.journal('port/web-0');
      fight = all.flatMap((entry) => (entry.type === 'event' && entry.reason === 'Fight' ? [entry.message] : []))[0];
      return fight !== undefined;
    };
    for (let n = 0; n < 12 && !(await told()); n += 1) {
      await stage.sh('ovs-vsctl', 'set', 'Port', name, 'tag=999');
      await becomes('put back, or told', async () => (await port('tag')) === '100' || told());
    }
    assert.match(fight ?? '', /port\/web-0.*999.*100/);
    await becomes('tag', async () => (await port('tag')) === '100', 120);
  });
  it('left an intent and an outcome for everything it did', async () => {
    let open: readonly Entry[] = [];
    const all = async (): Promise<boolean> => {
      const entries = await stage.journal();
      const ends = new Set(entries.flatMap((entry) => (entry.type === 'outcome' ? [entry.trace] : [])));
      const intents = entries.filter((entry) => entry.type === 'intent');
      assert.ok(intents.length > 15);
      open = intents.filter(({ trace }) => !ends.has(trace));
      return open.length === 0;
    };
    // what was just seen repaired has its outcome a moment later
    await becomes('every intent has an outcome', all).catch(() => undefined);
    assert.deepEqual(open, []);
  });
});
