import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Desired } from '../../reconciler/model/change.ts';
import { ovs, type OvsSpec } from '../../providers/ovs/index.ts';
import { listens, ok, rig, sh, until, wantBridge, wantPort, type Rig } from '../support/ovs-rig.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const RUN = '/run/openvswitch';
const bridge = wantBridge({ name: 'br-test', datapath: 'netdev' });

interface Daemon {
  readonly argv: readonly string[];
  readonly pid: number;
}

function daemon(name: string): Daemon {
  const pid = Number(readFileSync(`${RUN}/${name}.pid`, 'utf8'));
  return {
    pid,
    argv: readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
      .split('\0')
      .slice(0, -1),
  };
}

async function stop({ pid }: Daemon, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  process.kill(pid, signal);
  await until(() => !existsSync(`/proc/${String(pid)}/exe`));
}

function start({ argv: [file = '', ...args] }: Daemon): void {
  execFileSync(file, args, { stdio: 'ignore' });
}

/** What a loop does: hints lead to observing, differing and applying, one after another. */
function keep(r: Rig, wanted: readonly Desired<OvsSpec>[], signal: AbortSignal): Promise<void> {
  return (async () => {
    for await (const hint of r.provider.watch?.({ ...r.ctx, signal }) ?? []) {
      const touched = wanted.filter((want) => hint === want.ref || hint === `${want.ref.split('/')[0] ?? ''}/*`);
      await r.converge(...touched).catch(() => undefined); // as the loop would, it tries again at the next hint
    }
  })();
}

/** Bits a second that get from one sandbox to another within some seconds. */
async function rate(r: Rig, from: string, to: string, address: string): Promise<number> {
  const at = (replica: string): string => `--net=/proc/${String(r.pid(replica))}/ns/net`;
  const sink = spawn('nsenter', [at(to), 'busybox', 'nc', '-l', '-p', '5001'], { stdio: ['pipe', 'pipe', 'ignore'] });
  let bytes = 0;
  let first = 0;
  let last = 0;
  sink.stdout.on('data', (chunk: Buffer) => {
    // what the first instant lets through is the burst, not the rate
    first ||= performance.now();
    last = performance.now();
    if (last - first > 500) bytes += chunk.length;
  });
  await listens(sink.pid, 5001);
  const source = spawn('nsenter', [at(from), 'timeout', '4', 'busybox', 'nc', address, '5001'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const zeros = Buffer.alloc(65_536);
  const pump = (): void => {
    while (source.stdin.writable && source.stdin.write(zeros));
  };
  source.stdin.on('drain', pump).on('error', () => undefined);
  pump();
  await new Promise((resolve) => source.once('close', resolve));
  sink.kill();
  return (bytes * 8) / ((last - first - 500) / 1000);
}

describe('rates', { skip }, () => {
  let r: Rig;
  before(async () => {
    r = rig(ovs());
    for (const replica of ['a-0', 'a-1']) await r.sandbox(replica);
    await r.converge(bridge);
  });
  after(() => r.clear());

  for (const [title, egress, ingress, from, to] of [
    ['holds what a replica sends', 20e6, undefined, 'a-0', 'a-1'],
    ['holds what a replica receives', undefined, 20e6, 'a-1', 'a-0'],
  ] as const) {
    it(title, async () => {
      const limited = wantPort('a-0', '10.9.0.1', {
        ...(egress === undefined ? {} : { egress }),
        ...(ingress === undefined ? {} : { ingress }),
      });
      const free = wantPort('a-1', '10.9.0.2');
      await r.converge(limited, free);
      assert.deepEqual(await r.changes(limited, free), []);
      assert.equal((await r.port('a-0')).limitations, undefined);
      const measured = await rate(r, from, to, to === 'a-0' ? '10.9.0.1' : '10.9.0.2');
      assert.ok(measured > 12e6 && measured < 24e6, `${String(Math.round(measured / 1e6))} Mbit/s of 20`);
      const other = await rate(r, to, from, from === 'a-0' ? '10.9.0.1' : '10.9.0.2');
      assert.ok(other > 40e6, `the other way is free: ${String(Math.round(other / 1e6))} Mbit/s`);
    });
  }

  it('lifts a rate, and puts one back that a hand changed', async () => {
    const limited = wantPort('a-0', '10.9.0.1', { egress: 20e6, ingress: 20e6 });
    await r.converge(limited);
    const { device } = (await r.port('a-0')).state;
    const qos = sh('ovs-vsctl', 'get', 'port', device, 'qos').trim();
    sh('ovs-vsctl', 'set', 'qos', qos, 'other_config:max-rate=1000');
    sh('ovs-vsctl', 'set', 'interface', device, 'ingress_policing_rate=100');
    const [change] = await r.converge(limited);
    assert.deepEqual(
      change?.fields.map((field) => field.path),
      ['/egress', '/ingress'],
    );
    assert.match(sh('tc', 'class', 'show', 'dev', device), /ceil 20Mbit/);
    await r.converge(wantPort('a-0', '10.9.0.1'));
    assert.doesNotMatch(sh('tc', 'qdisc', 'show', 'dev', device), /htb/);
    assert.doesNotMatch(r.inside('a-0', 'tc', 'qdisc', 'show', 'dev', 'eth0'), /htb/);
    assert.equal(sh('ovs-vsctl', '--bare', '--columns=_uuid', 'list', 'qos').trim(), '', 'no QoS row is left');
  });

  it('says so when the kernel does not hold a rate', async () => {
    const limited = wantPort('a-1', '10.9.0.2', { ingress: 20e6 });
    await r.converge(limited);
    const { device } = (await r.port('a-1')).state;
    sh('tc', 'qdisc', 'del', 'dev', device, 'root');
    const fresh = rig(ovs());
    const [seen] = await fresh.provider.observe(r.ctx, [limited.ref]);
    assert.ok(seen?.known);
    assert.deepEqual(
      seen.limitations?.map((one) => [one.path, one.state]),
      [['/ingress', 'Unsupported']],
    );
  });
});

describe('anti-spoofing and restarts', { skip }, () => {
  let r: Rig;
  const a0 = wantPort('a-0', '10.9.0.1', { antiSpoofing: true });
  const a1 = wantPort('a-1', '10.9.0.2');
  const wanted = [bridge, a0, a1];
  const flows = (): string => sh('ovs-ofctl', 'dump-flows', 'br-test');
  before(async () => {
    r = rig(ovs());
    for (const replica of ['a-0', 'a-1']) await r.sandbox(replica);
    await r.converge(bridge);
    await r.converge(a0, a1);
  });
  after(() => r.clear());

  it('drops frames with another address or MAC, and only those', async () => {
    assert.ok(r.pings('a-0', '10.9.0.2'));
    r.inside('a-0', 'ip', 'addr', 'add', '10.9.0.66/24', 'dev', 'eth0');
    const at = `--net=/proc/${String(r.pid('a-0'))}/ns/net`;
    assert.ok(!ok('nsenter', at, 'ping', '-q', '-c', '2', '-i', '0.1', '-W', '1', '-I', '10.9.0.66', '10.9.0.2'));
    assert.ok(!ok('nsenter', at, 'arping', '-q', '-c', '1', '-w', '1', '-s', '10.9.0.66', '-I', 'eth0', '10.9.0.2'));
    // nor is it believed when it claims that address
    await r.sandbox('a-3');
    await r.converge(wantPort('a-3', '10.9.0.66'));
    await r.sandbox('a-4');
    await assert.rejects(r.converge(wantPort('a-4', '10.9.0.1')), { code: 'ADDRESS_IN_USE' }, 'of its own it is');
    r.inside('a-0', 'ip', 'addr', 'del', '10.9.0.66/24', 'dev', 'eth0');
    r.inside('a-0', 'ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:66');
    assert.ok(!r.pings('a-0', '10.9.0.2', 1));
    r.inside('a-0', 'ip', 'link', 'set', 'eth0', 'address', '02:64:0a:09:00:01');
    assert.ok(r.pings('a-0', '10.9.0.2'));
  });

  it("keeps the flows of others and takes its own away when they aren't wanted", async () => {
    sh('ovs-ofctl', 'add-flow', 'br-test', 'cookie=0x77,priority=5,tcp,tp_dst=9,actions=drop');
    await r.converge(wantPort('a-0', '10.9.0.1'));
    assert.doesNotMatch(flows(), /0x504c/);
    assert.match(flows(), /cookie=0x77/);
    await r.converge(a0);
    assert.match(flows(), /0x504c/);
    assert.match(flows(), /cookie=0x77/);
  });

  it('resyncs the flows after a restart of ovs-vswitchd, and traffic is back', async () => {
    const stopping = new AbortController();
    const kept = keep(r, wanted, stopping.signal);
    await sleep(300);
    const vswitchd = daemon('ovs-vswitchd');
    await stop(vswitchd);
    // a dead one: nothing is known of its flows, and nothing is done
    const [dead] = await r.provider.observe(r.ctx, [a0.ref]);
    assert.equal(dead?.known, false);
    assert.deepEqual(await r.changes(...wanted), []);
    start(vswitchd);
    await until(() => /0x504c/.test(flows()));
    await until(() => r.pings('a-0', '10.9.0.2', 1));
    stopping.abort();
    await kept;
    assert.deepEqual(await r.changes(...wanted), []);
  });

  it('finds flows that a hand deleted', async () => {
    const stopping = new AbortController();
    const kept = keep(r, wanted, stopping.signal);
    sh('ovs-ofctl', 'del-flows', 'br-test', 'cookie=0x504c000000000000/0xffff000000000000');
    await until(() => /0x504c/.test(flows()));
    stopping.abort();
    await kept;
  });

  it('knows nothing and touches nothing while ovsdb-server is gone, and recovers', async () => {
    const stopping = new AbortController();
    const hints: string[] = [];
    const watching = (async () => {
      for await (const ref of r.provider.watch?.({ ...r.ctx, signal: stopping.signal }) ?? []) hints.push(ref);
    })();
    await until(() => hints.includes('bridge/*'));
    const { device } = (await r.port('a-0')).state;
    const server = daemon('ovsdb-server');
    await stop(server, 'SIGKILL');
    const seen = await r.provider.observe(r.ctx, [a0.ref, bridge.ref]);
    assert.deepEqual(
      seen.map((one) => one.known),
      [false, false],
    );
    assert.deepEqual(r.provider.diff([], seen), []);
    await assert.rejects(r.provider.observe(r.ctx), { code: 'OVS_UNAVAILABLE' });
    const change = {
      ref: a0.ref,
      provider: 'ovs',
      verb: 'delete',
      fields: [],
      disruption: 'none',
      because: 'removed',
    } as const;
    await assert.rejects(r.provider.apply(change, r.ctx), { code: 'OVS_UNAVAILABLE' });
    // (the datapath of user space itself stands still without ovsdb-server, also for ports plugged in by hand)
    hints.length = 0;
    start(server);
    await until(() => hints.includes('port/*') && hints.includes('bridge/*'));
    assert.equal((await r.port('a-0')).state.device, device);
    assert.deepEqual(await r.changes(...wanted), []);
    await until(() => r.pings('a-0', '10.9.0.2', 1));
    stopping.abort();
    await watching;
  });
});

describe('bridges', { skip }, () => {
  after(() => {
    for (const nic of ['nicfree', 'nicused']) ok('ip', 'link', 'del', nic);
    ok('ovs-vsctl', '--if-exists', 'del-br', 'br-site');
  });

  it('plugs in a free NIC, refuses one with an address, and gives it back', async () => {
    const r = rig(ovs());
    sh('ip', 'link', 'add', 'nicfree', 'type', 'veth', 'peer', 'name', 'nicused');
    sh('ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'nicused');
    await assert.rejects(r.converge(wantBridge({ name: 'br-up', datapath: 'netdev', uplink: 'nicused' })), {
      code: 'UPLINK_REFUSED',
    });
    assert.ok(!ok('ovs-vsctl', 'br-exists', 'br-up'));
    const want = wantBridge({ name: 'br-up', datapath: 'netdev', uplink: 'nicfree' });
    await r.converge(want);
    assert.equal(sh('ovs-vsctl', 'list-ports', 'br-up').trim(), 'nicfree');
    assert.deepEqual(await r.changes(want), []);
    sh('ovs-vsctl', 'del-port', 'nicfree');
    await r.converge(want);
    assert.equal(sh('ovs-vsctl', 'list-ports', 'br-up').trim(), 'nicfree');
    await r.converge(wantBridge({ name: 'br-up', datapath: 'netdev' }));
    assert.equal(sh('ovs-vsctl', 'list-ports', 'br-up').trim(), '');
    await r.clear();
    assert.ok(!ok('ovs-vsctl', 'br-exists', 'br-up'));
  });

  it("uses a bridge of the site as it is, and doesn't delete it", async () => {
    const r = rig(ovs());
    sh('ovs-vsctl', 'add-br', 'br-site', '--', 'set', 'bridge', 'br-site', 'datapath_type=netdev');
    const want = wantBridge({ name: 'br-site', datapath: 'netdev' });
    assert.deepEqual(await r.changes(want), []);
    await assert.rejects(r.converge(wantBridge({ name: 'br-site', datapath: 'system' })), { code: 'NOT_OURS' });
    await r.sandbox('s-0');
    await r.converge(wantPort('s-0', '10.9.0.5', { bridge: 'br-site' }));
    await r.clear();
    assert.ok(ok('ovs-vsctl', 'br-exists', 'br-site'));
    assert.equal(sh('ovs-vsctl', 'list-ports', 'br-site').trim(), '');
  });

  it(
    'says why a bridge cannot be made, and leaves nothing',
    { skip: ok('modprobe', '-n', 'openvswitch') ? 'the kernel has the module' : false },
    async () => {
      const r = rig(ovs());
      await assert.rejects(r.converge(wantBridge({ name: 'br-sys', datapath: 'system' })), { code: 'PORT_FAILED' });
      assert.ok(!ok('ovs-vsctl', 'br-exists', 'br-sys'));
    },
  );
});
