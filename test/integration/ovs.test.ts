import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { ovsFacts } from '../../providers/ovs/facts.ts';
import { launcher } from '../../providers/exec/launcher.ts';
import { ovs } from '../../providers/ovs/index.ts';
import { FLEET, listens, ok, rig, sh, until, wantBridge, wantConfig, wantPort, type Rig } from '../support/ovs-rig.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const bridge = wantBridge({ name: 'br-test', datapath: 'netdev' });

function column(table: string, row: string, name: string): string {
  return sh('ovs-vsctl', 'get', table, row, name).trim();
}

describe('ports on a real Open vSwitch', { skip }, () => {
  let r: Rig;
  const exec = launcher();
  const a0 = wantPort('a-0', '10.9.0.1');
  const a1 = wantPort('a-1', '10.9.0.2', { gateway: '10.9.0.254', mtu: 1400 });
  const b0 = wantPort('b-0', '10.9.0.3', { vlan: 200 });
  before(async () => {
    // a busy machine may take longer to answer for an address than the quarter of a second that is waited for
    r = rig(ovs({ probeWindow: 1500, exec }));
    for (const replica of ['a-0', 'a-1', 'b-0']) await r.sandbox(replica);
    await r.converge(bridge);
    await r.converge(a0, a1, b0);
  });
  after(async () => {
    await r.clear();
    await exec.close();
  });

  it('joins the ports of one VLAN and keeps another apart', () => {
    assert.ok(r.pings('a-0', '10.9.0.2'));
    assert.ok(!r.pings('a-0', '10.9.0.3', 1));
  });

  it('leaves nothing to do, also for an agent that starts anew', async () => {
    assert.deepEqual(await r.changes(bridge, a0, a1, b0), []);
    const fresh = ovs();
    assert.deepEqual(fresh.diff([a0, a1, b0], await fresh.observe(r.ctx, [a0.ref, a1.ref, b0.ref])), []);
  });

  it('sets MAC, MTU, address and default route inside', () => {
    const link = r.inside('a-1', 'ip', 'link', 'show', 'eth0');
    assert.match(link, /mtu 1400/);
    assert.match(link, /02:64:0a:09:00:02/);
    assert.match(r.inside('a-1', 'ip', 'route'), /default via 10\.9\.0\.254 dev eth0/);
    assert.match(r.inside('a-1', 'ip', 'addr', 'show', 'lo'), /LOOPBACK,UP/);
  });

  it('carries TCP over the datapath of user space', async () => {
    const server = spawn('nsenter', [`--net=/proc/${String(r.pid('a-0'))}/ns/net`, 'busybox', 'nc', '-l', '-p', '80'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    server.stdin.end('hello');
    await listens(server.pid, 80);
    assert.equal(r.inside('a-1', 'timeout', '60', 'busybox', 'nc', '10.9.0.1', '80'), 'hello');
  });

  it('sees a tag set by hand and sets it back, in place', async () => {
    const { device } = (await r.port('a-0')).state;
    sh('ovs-vsctl', 'set', 'port', device, 'tag=999', 'trunks=7,8', 'vlan_mode=native-tagged');
    const made = await r.converge(a0);
    assert.deepEqual(
      made.map((change) => [change.verb, change.because, change.fields.map((field) => field.path)]),
      [['update', 'drift', ['/vlan']]],
    );
    assert.equal(column('port', device, 'tag'), '100');
    assert.equal(column('port', device, 'trunks'), '[]');
    assert.ok(r.pings('a-0', '10.9.0.2'));
  });

  it('hints at what a hand changes', async () => {
    const stop = new AbortController();
    const hints: string[] = [];
    const agent = ovs();
    const watching = (async () => {
      for await (const ref of agent.watch?.({ ...r.ctx, signal: stop.signal }) ?? []) hints.push(ref);
    })();
    await until(() => hints.includes('port/*'));
    // what comes before it has looked for the first time is seen by that look, and not hinted at
    await agent.observe(r.ctx, [b0.ref]);
    const { device } = (await r.port('b-0')).state;
    sh('ovs-vsctl', 'set', 'port', device, 'tag=201');
    await until(() => hints.includes('port/b-0'));
    await r.converge(b0);
    stop.abort();
    await watching;
  });

  it('puts back an address and a route that were deleted inside, in place', async () => {
    const { device } = (await r.port('a-1')).state;
    r.inside('a-1', 'ip', 'addr', 'flush', 'dev', 'eth0');
    const made = await r.converge(a1);
    assert.deepEqual(
      made.map((change) => change.verb),
      ['update'],
    );
    assert.equal((await r.port('a-1')).state.device, device);
    assert.match(r.inside('a-1', 'ip', 'route'), /default via 10\.9\.0\.254 dev eth0/);
    assert.ok(r.pings('a-1', '10.9.0.1'));
  });

  it('brings back a port that a hand moved to another bridge', async () => {
    const { device } = (await r.port('a-0')).state;
    sh('ovs-vsctl', 'add-br', 'br-other', '--', 'set', 'bridge', 'br-other', 'datapath_type=netdev');
    const uuid = column('port', device, '_uuid');
    sh('ovs-vsctl', 'remove', 'bridge', 'br-test', 'ports', uuid, '--', 'add', 'bridge', 'br-other', 'ports', uuid);
    assert.deepEqual(
      (await r.converge(a0)).map((change) => [change.verb, change.fields[0]?.path]),
      [['replace', '/bridge']],
    );
    assert.ok(r.pings('a-0', '10.9.0.2'));
    sh('ovs-vsctl', 'del-br', 'br-other');
  });

  it('makes the port anew when the peer was deleted inside', async () => {
    r.inside('a-0', 'ip', 'link', 'del', 'eth0');
    assert.match((await r.port('a-0')).state.broken ?? '', /vanished/);
    await r.converge(a0);
    assert.ok(r.pings('a-0', '10.9.0.2'));
    assert.deepEqual(await r.changes(a0), []);
  });

  it('makes the port anew for a new sandbox', async () => {
    await r.sandbox('a-0');
    assert.deepEqual(
      (await r.converge(a0)).map((change) => change.verb),
      ['replace'],
    );
    assert.ok(r.pings('a-0', '10.9.0.2'));
  });

  it('keeps the pings going while agents come and look', async () => {
    const ping = spawn('nsenter', [
      `--net=/proc/${String(r.pid('a-0'))}/ns/net`,
      ...['ping', '-q', '-i', '0.05', '-c', '40', '10.9.0.2'],
    ]);
    let text = '';
    ping.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    for (let i = 0; i < 5; i++) {
      const agent = ovs();
      assert.deepEqual(
        agent.diff([bridge, a0, a1, b0], await agent.observe(r.ctx, [bridge.ref, a0.ref, a1.ref, b0.ref])),
        [],
      );
      await sleep(200);
    }
    await until(() => ping.exitCode !== null);
    assert.match(text, / 0% packet loss/);
  });

  it('changes the address of a port in place, without the old one', async () => {
    const moved = wantPort('b-0', '10.9.0.33', { vlan: 200 });
    await r.converge(moved);
    const text = r.inside('b-0', 'ip', '-4', 'addr', 'show', 'eth0');
    assert.match(text, /10\.9\.0\.33\/24/);
    assert.doesNotMatch(text, /10\.9\.0\.3\//);
    await r.converge(b0);
  });

  it('removes a leftover eth0 of a run that was killed', async () => {
    const pid = await r.sandbox('k-0');
    sh('ip', 'link', 'add', 'plleftover', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
    const k0 = wantPort('k-0', '10.9.0.9');
    await r.converge(k0);
    assert.ok(r.pings('k-0', '10.9.0.1'));
    assert.ok(!ok('ip', 'link', 'show', 'plleftover'));
  });

  it('unplugs what is no longer wanted, with its veth, and what a dead host left', async () => {
    const { device } = (await r.port('k-0')).state;
    const seen = [await r.port('k-0')];
    for (const change of r.provider.diff([], seen)) await r.provider.apply(change, r.ctx);
    assert.ok(!ok('ip', 'link', 'show', device));
    assert.ok(!ok('ovs-vsctl', 'get', 'port', device, 'tag'));
    const mark = `external_ids={plumbline-fleet=${FLEET},plumbline-ref=port/dead-0,plumbline-sandbox=x}`;
    sh('ovs-vsctl', 'add-port', 'br-test', 'pldead', '--', 'set', 'port', 'pldead', mark);
    for (const change of r.provider.diff([], [await r.port('dead-0')])) await r.provider.apply(change, r.ctx);
    assert.ok(!ok('ovs-vsctl', 'get', 'port', 'pldead', 'tag'));
  });

  it('never looks at ports without its mark', async () => {
    sh('ovs-vsctl', 'add-port', 'br-test', 'stranger', '--', 'set', 'interface', 'stranger', 'type=internal');
    const seen = await r.provider.observe(r.ctx);
    assert.ok(!seen.some((one) => JSON.stringify(one).includes('port/stranger')));
    const bridgeNow = seen.find((one) => one.ref === 'bridge/br-test');
    assert.ok(bridgeNow?.known);
    assert.equal(r.provider.diff([], [bridgeNow]).length, 0, 'a bridge with a stranger on it stays');
    sh('ovs-vsctl', 'del-port', 'stranger');
  });

  it('refuses an address that another machine answers for, and says who', async () => {
    const other = '02:00:00:00:00:99';
    await r.sandbox('x-0');
    await r.converge(wantPort('x-0', '10.9.0.77', { mac: other }));
    assert.ok(r.pings('a-0', '10.9.0.77'), 'it answers before it is asked for');
    await r.sandbox('a-2');
    await assert.rejects(r.converge(wantPort('a-2', '10.9.0.77')), (error: unknown) => {
      assert.ok(error instanceof PlumbError);
      assert.equal(error.code, 'ADDRESS_IN_USE');
      assert.match(error.message, new RegExp(other));
      return true;
    });
    assert.equal((await r.provider.observe(r.ctx, ['port/a-2'])).length, 0, 'nothing is left of it');
    assert.ok(!ok('nsenter', `--net=/proc/${String(r.pid('a-2'))}/ns/net`, 'ip', 'link', 'show', 'eth0'));
  });

  it('asks before the sandbox is there, and says no without it', async () => {
    await r.sandbox('v-0');
    await r.sandbox('v-1');
    const taken = wantPort('v-0', '10.9.0.80', { vlan: 0, mac: '02:00:00:00:00:80' });
    await r.converge(taken);
    const [change] = await r.changes(wantPort('v-1', '10.9.0.80', { vlan: 0 }));
    assert.ok(change);
    const ready = (): Promise<void> => Promise.reject(new Error('it was to be known by now'));
    await assert.rejects(r.provider.apply(change, { ...r.ctx, ready }), { code: 'ADDRESS_IN_USE' });
  });

  it('hears a machine behind an uplink, in its own VLAN only', async () => {
    sh('ip', 'link', 'add', 'up-near', 'type', 'veth', 'peer', 'name', 'up-far');
    for (const end of ['up-near', 'up-far']) sh('ip', 'link', 'set', end, 'up');
    sh('ovs-vsctl', 'add-br', 'br-far', '--', 'set', 'bridge', 'br-far', 'datapath_type=netdev');
    sh('ovs-vsctl', 'add-port', 'br-far', 'up-far', '--', 'add-port', 'br-test', 'up-near');
    await r.sandbox('far-0');
    await r.converge(wantPort('far-0', '10.9.0.81', { bridge: 'br-far' }));
    assert.ok(r.pings('a-0', '10.9.0.81'), 'it answers before it is asked for');
    await r.sandbox('near-0');
    await assert.rejects(r.converge(wantPort('near-0', '10.9.0.81')), { code: 'ADDRESS_IN_USE' });
    await r.converge(wantPort('near-0', '10.9.0.81', { vlan: 101 }));
    sh('ovs-vsctl', 'del-port', 'up-near', '--', 'del-br', 'br-far');
    sh('ip', 'link', 'del', 'up-near');
  });

  it('finds its own address in use elsewhere although the MAC is the same', async () => {
    await r.sandbox('y-0');
    await r.sandbox('z-0');
    await r.converge(wantPort('y-0', '10.9.0.78'));
    assert.ok(r.pings('a-0', '10.9.0.78'), 'it answers before it is asked for');
    await assert.rejects(r.converge(wantPort('z-0', '10.9.0.78')), { code: 'ADDRESS_IN_USE' });
  });

  it('reports a change that came between as a conflict', async () => {
    const { device } = (await r.port('a-0')).state;
    sh('ovs-vsctl', 'set', 'port', device, 'tag=5');
    const [change] = await r.changes(a0);
    assert.ok(change);
    sh('ovs-vsctl', 'del-port', device);
    await assert.rejects(r.provider.apply(change, r.ctx), { code: 'CONFLICT' });
    await r.converge(a0);
    assert.ok(r.pings('a-0', '10.9.0.2'));
  });

  it('plugs in fifty at once', async () => {
    const many = Array.from({ length: 50 }, (_, i) =>
      wantPort(`m-${String(i)}`, `10.10.0.${String(i + 1)}`, { vlan: 300 }),
    );
    for (const want of many) await r.sandbox(want.ref.slice(5));
    assert.equal((await r.converge(...many)).length, 50);
    assert.deepEqual(await r.changes(...many), []);
    for (const i of [1, 25, 49]) assert.ok(r.pings('m-0', `10.10.0.${String(i + 1)}`));
    for (const change of r.provider.diff(
      [],
      await r.provider.observe(
        r.ctx,
        many.map((want) => want.ref),
      ),
    ))
      await r.provider.apply(change, r.ctx);
  });
});

describe('other_config', { skip }, () => {
  it('keeps the original and puts it back when the key leaves Git', async () => {
    const r = rig(ovs());
    const get = (key: string): string => column('Open_vSwitch', '.', `other_config:${key}`);
    sh('ovs-vsctl', 'set', 'Open_vSwitch', '.', 'other_config:max-idle=12000');
    const idle = wantConfig('max-idle', '30000');
    const limit = wantConfig('bundle-idle-timeout', '20');
    await r.converge(idle, limit);
    assert.equal(get('max-idle'), '"30000"');
    assert.deepEqual(await r.changes(idle, limit), []);
    sh('ovs-vsctl', 'set', 'Open_vSwitch', '.', 'other_config:max-idle=1');
    assert.deepEqual(
      (await r.converge(idle)).map((change) => [change.verb, change.because]),
      [['update', 'drift']],
    );
    // another agent, after the first has died, still knows the originals
    const next = rig(ovs());
    await next.converge(wantConfig('max-idle', '31000'));
    await next.clear();
    assert.equal(get('max-idle'), '"12000"');
    assert.ok(!ok('ovs-vsctl', 'get', 'Open_vSwitch', '.', 'other_config:bundle-idle-timeout'));
    assert.doesNotMatch(column('Open_vSwitch', '.', 'external_ids'), /plumbline/);
    sh('ovs-vsctl', 'remove', 'Open_vSwitch', '.', 'other_config', 'max-idle');
  });

  it('of a bridge is kept and put back as well, also of a bridge of the site, and waits for one that is not there', async () => {
    const r = rig(ovs());
    sh('ovs-vsctl', '--may-exist', 'add-br', 'br-site', '--', 'set', 'bridge', 'br-site', 'datapath_type=netdev');
    sh('ovs-vsctl', 'set', 'bridge', 'br-site', 'other_config:mac-table-size=3000');
    const size = wantConfig('mac-table-size[bridge=br-site]', '65536');
    const aging = wantConfig('mac-aging-time[bridge=br-site]', '600');
    const absent = wantConfig('mac-aging-time[bridge=br-none]', '600');
    assert.equal((await r.converge(size, aging, absent)).length, 2);
    assert.match(column('bridge', 'br-site', 'other_config'), /mac-aging-time="600".*mac-table-size="65536"/);
    assert.deepEqual(await r.changes(size, aging, absent), []);
    const [lacking] = await r.provider.observe(r.ctx, [absent.ref]);
    assert.deepEqual(lacking?.known && lacking.limitations?.map(({ state }) => state), ['Unsupported']);
    sh('ovs-vsctl', 'set', 'bridge', 'br-site', 'other_config:mac-table-size=1');
    assert.deepEqual(
      (await r.converge(size)).map((change) => [change.verb, change.because]),
      [['update', 'drift']],
    );
    await rig(ovs()).clear();
    assert.equal(column('bridge', 'br-site', 'other_config'), '{mac-table-size="3000"}');
    assert.equal(column('bridge', 'br-site', 'external_ids'), '{}');
    sh('ovs-vsctl', 'del-br', 'br-site');
  });

  it('that is read at the start needs a restart, and none when it is what was read then', async () => {
    const r = rig(ovs());
    const said = async (key: string) => {
      const [seen] = await r.provider.observe(r.ctx, [`ovs-config/${key}`]);
      return seen?.known ? (seen.limitations ?? []).map(({ state, want }) => [state, want]) : undefined;
    };
    const offload = (value: string) => wantConfig('hw-offload', value);
    await r.converge(offload('true'), wantConfig('n-handler-threads', '2'));
    assert.deepEqual(await said('hw-offload'), [['NeedsRestart', 'true']]);
    assert.deepEqual(await said('n-handler-threads'), []);
    // another agent knows as well
    const next = rig(ovs());
    await next.converge(offload('false'));
    assert.deepEqual(await said('hw-offload'), []);
    await next.converge(offload('true'));
    assert.deepEqual(await said('hw-offload'), [['NeedsRestart', 'true']]);
    // this Open vSwitch is the one of the distribution, without DPDK
    await r.converge(offload('true'), wantConfig('dpdk-extra', '-a 0000:3b:00.0'), wantConfig('dpdk-init', 'try'));
    assert.deepEqual(await said('dpdk-init'), [['Unsupported', 'try']]);
    assert.deepEqual(await said('dpdk-extra'), [['Unsupported', '-a 0000:3b:00.0']]);
    await next.clear();
    assert.ok(!ok('ovs-vsctl', 'get', 'Open_vSwitch', '.', 'other_config:hw-offload'));
  });

  it('says what it is', async () => {
    sh('ovs-vsctl', 'set', 'Open_vSwitch', '.', 'ovs-version=3.1.0');
    const { version, dpdk, datapaths } = await ovsFacts(AbortSignal.timeout(60_000));
    sh('ovs-vsctl', 'clear', 'Open_vSwitch', '.', 'ovs-version');
    assert.deepEqual([version, dpdk, datapaths.includes('netdev')], ['3.1.0', undefined, true]);
  });
});
