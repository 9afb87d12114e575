import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { killGroup, parseLayout, removeGroup } from '../../lab/cgroups.ts';
import { labDown, labUp, openLab, type Lab } from '../../lab/lab.ts';
import { ME, remains, verb } from '../support/lab-verb.ts';

const skip = process.platform === 'linux' && process.getuid?.() === 0 ? false : 'needs root';

describe('a lab of three hosts in two racks', { skip }, () => {
  const name = `e2e-${ME}`;
  let lab: Lab;
  const run = async (host: string, ...argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await lab.exec(host, argv);
    assert.equal(code, 0, `${host}: ${argv.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const ping = async (from: string, to: string, seconds: number): Promise<boolean> =>
    (await lab.exec(from, ['ping', '-q', '-c', '1', '-w', String(seconds), `10.9.0.${to.slice(1)}`])).code === 0;
  /** Whether pings are as expected; a link that is up may take a moment to carry. */
  const reaches = async (from: string, to: string, expected: boolean): Promise<void> => {
    assert.equal(await ping(from, to, expected ? 10 : 1), expected, `${from} → ${to}`);
  };
  const address = async (host: string): Promise<void> => {
    await run(host, 'ip', 'addr', 'add', `10.9.0.${host.slice(1)}/24`, 'dev', 'up0');
  };

  before(async () => {
    lab = await labUp({ name, hosts: 3, racks: 2 });
    for (const host of ['h1', 'h2', 'h3']) await address(host);
  });
  after(async () => {
    await labDown({ name });
    assert.deepEqual(remains(name), []);
  });

  it('answers on the default sockets of each host, as a machine of its own', async () => {
    const ids = new Set<string>();
    for (const host of ['h1', 'h2', 'h3']) {
      assert.equal(await run(host, 'hostname'), host);
      assert.equal(await run(host, 'ovs-vsctl', 'get', 'Open_vSwitch', '.', 'external_ids:system-id'), host);
      assert.equal(await run(host, 'docker', 'info', '-f', '{{.Name}}'), host);
      assert.deepEqual((await run(host, 'docker', 'images', '-q', 'plumbline/busybox')).split('\n').length, 2);
      ids.add(await run(host, 'cat', '/etc/machine-id'));
      assert.deepEqual(await run(host, 'ls', '/sys/class/net'), 'lo\nmg0\nup0');
      assert.match(await run(host, 'ping', '-c', '1', '-W', '2', '192.0.2.254'), / 1 received/);
      assert.equal(await run(host, 'cat', '/proc/1/comm'), await run(host, 'cat', `/proc/1/comm`));
      assert.equal(await run(host, 'sysctl', '-n', 'net.ipv6.conf.all.disable_ipv6'), '1');
    }
    assert.equal(ids.size, 3);
    assert.ok(existsSync(lab.hosts[0]?.paths.dockerSocket ?? ''));
  });

  it('has two test images that differ in content', async () => {
    const version = async (tag: string): Promise<string> =>
      await run('h1', 'docker', 'run', '--rm', '--network', 'none', `plumbline/busybox:${tag}`, 'cat', '/etc/version');
    assert.deepEqual([await version('1'), await version('2')], ['1', '2']);
  });

  it('keeps what is in /etc, /run and /var/lib apart from the machine and from the other hosts', async () => {
    await run('h1', 'sh', '-c', 'mkdir -p /var/lib/plumb-e2e /run/plumb-e2e /etc/plumb-e2e');
    for (const dir of ['/var/lib', '/run', '/etc']) {
      assert.equal(existsSync(`${dir}/plumb-e2e`), false);
      assert.notEqual((await lab.exec('h2', ['ls', `${dir}/plumb-e2e`])).code, 0);
    }
  });

  it('runs commands with their input, output, status, directory and environment', async () => {
    const { code, stdout, stderr } = await lab.exec('h2', ['sh', '-c', 'cat; pwd; echo "$GREETING" >&2; exit 9'], {
      input: 'in\n',
      env: { GREETING: 'hello' },
      cwd: '/usr/share',
    });
    assert.deepEqual({ code, stdout, stderr }, { code: 9, stdout: 'in\n/usr/share\n', stderr: 'hello\n' });
    assert.equal((await lab.exec('h2', ['pwd'], { cwd: '/no/such/place' })).stdout, '/\n');
    assert.equal((await lab.exec('h2', ['no-such-program'])).code, 127);
    await assert.rejects(lab.exec('h9', ['true']), { code: 'USAGE', message: /it has h1 h2 h3/ });
  });

  it('kills the command, not what waits for it', async () => {
    const child = lab.spawn('h1', ['sleep', '4242'], { stdio: 'ignore' });
    const sleepers = async (): Promise<string> => (await lab.exec('h1', ['pgrep', '-f', 'sleep 4242'])).stdout;
    while ((await sleepers()) === '') await sleep(20);
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.equal(await sleepers(), '');
    const stop = new AbortController();
    const running = lab.exec('h1', ['sleep', '4242'], { signal: stop.signal });
    while ((await sleepers()) === '') await sleep(20);
    stop.abort();
    await assert.rejects(running, { code: 'CANCELLED' });
    assert.equal(await sleepers(), '');
  });

  it('connects the hosts; a cut takes a host or a rack off until it is healed', async () => {
    await reaches('h1', 'h2', true);
    await reaches('h1', 'h3', true);
    await lab.cut('h2');
    await reaches('h1', 'h2', false);
    await reaches('h1', 'h3', true);
    await lab.cut('r1');
    await reaches('h1', 'h3', false);
    await reaches('h3', 'h1', false);
    assert.deepEqual(
      [lab.status().hosts.map(({ cut }) => cut), lab.status().racks.map(({ cut }) => cut)],
      [
        [false, true, false],
        [true, false],
      ],
    );
    await lab.heal('h2');
    await reaches('h1', 'h2', true);
    await reaches('h1', 'h3', false);
    await lab.heal();
    await reaches('h2', 'h3', true);
    await reaches('h1', 'h3', true);
  });

  it('carries a container’s VLAN between the switches of two hosts', async () => {
    for (const [host, ip] of [
      ['h1', '10.8.0.1'],
      ['h3', '10.8.0.3'],
    ] as const) {
      await run(host, 'docker', 'run', '-d', '--name', 'vlan', '--network', 'none', 'plumbline/busybox:1');
      const pid = await run(host, 'docker', 'inspect', '-f', '{{.State.Pid}}', 'vlan');
      await run(host, 'ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid);
      await run(host, 'nsenter', '-t', pid, '-n', 'ip', 'addr', 'add', `${ip}/24`, 'dev', 'eth0');
      await run(host, 'nsenter', '-t', pid, '-n', 'ip', 'link', 'set', 'eth0', 'up');
      await run(host, 'nsenter', '-t', pid, '-n', 'ethtool', '-K', 'eth0', 'tx', 'off');
      await run(host, 'ip', 'link', 'set', 'v0', 'up');
      const bridge = [
        'add-br',
        'br-e2e',
        '--',
        'set',
        'Bridge',
        'br-e2e',
        'datapath_type=netdev',
        '--',
        'add-port',
        'br-e2e',
        'up0',
      ];
      await run(host, 'ovs-vsctl', ...bridge, '--', 'add-port', 'br-e2e', 'v0', 'tag=100');
    }
    assert.equal(
      await run('h1', 'docker', 'exec', 'vlan', 'timeout', '10', 'wget', '-q', '-O-', 'http://10.8.0.3/'),
      'plumbline 1',
    );
    for (const host of ['h1', 'h3']) {
      await run(host, 'ovs-vsctl', 'del-br', 'br-e2e');
      await run(host, 'docker', 'rm', '-f', 'vlan');
    }
  });

  it('leaves containers running over a restart and a kill of dockerd, and serves again', async () => {
    await run('h3', 'docker', 'run', '-d', '--name', 'kept', '--network', 'none', 'plumbline/busybox:1');
    const started = async (): Promise<string> =>
      await run('h3', 'docker', 'inspect', '-f', '{{.State.Pid}} {{.State.StartedAt}}', 'kept');
    const first = await started();
    await lab.daemon('h3', 'dockerd', 'restart');
    assert.equal(await started(), first);
    await lab.daemon('h3', 'dockerd', 'kill');
    assert.notEqual((await lab.exec('h3', ['docker', 'ps'])).code, 0);
    assert.equal((await verb('status', '--name', name)).code, 2);
    await lab.daemon('h3', 'dockerd', 'start');
    assert.equal(await started(), first);
    for (const daemon of ['ovs-vswitchd', 'ovsdb-server'] as const) {
      await lab.daemon('h3', daemon, 'stop');
      assert.equal(lab.status().hosts[2]?.daemons[daemon], undefined);
      await lab.daemon('h3', daemon, 'start');
    }
    await run('h3', 'ovs-vsctl', '--timeout=10', 'show');
    await run('h3', 'docker', 'rm', '-f', 'kept');
  });

  it('loses power and boots with the disk it had, and with nothing of /run', async () => {
    await run('h2', 'docker', 'run', '-d', '--name', 'lost', '--network', 'none', 'plumbline/busybox:1');
    await run('h2', 'ovs-vsctl', 'add-br', 'br-kept', '--', 'set', 'Bridge', 'br-kept', 'datapath_type=netdev');
    await run('h2', 'sh', '-c', 'echo 1 >/etc/kept; echo 1 >/var/lib/kept; echo 1 >/run/lost');
    const [id, mac] = [await run('h2', 'cat', '/etc/machine-id'), await run('h2', 'cat', '/sys/class/net/up0/address')];
    await lab.kill('h2');
    assert.equal(lab.status().hosts[1]?.state, 'dead');
    await reaches('h1', 'h2', false);
    await assert.rejects(lab.exec('h2', ['true']), { code: 'LAB_FAILED', message: /not running: boot it with/ });
    await lab.boot('h2');
    await assert.rejects(lab.boot('h2'), { code: 'LAB_FAILED', message: /running already/ });
    await address('h2');
    await reaches('h1', 'h2', true);
    assert.equal(await run('h2', 'docker', 'inspect', '-f', '{{.State.Status}}', 'lost'), 'exited');
    assert.equal(await run('h2', 'ovs-vsctl', 'list-br'), 'br-kept');
    assert.equal(await run('h2', 'cat', '/etc/kept', '/var/lib/kept'), '1\n1');
    assert.equal((await lab.exec('h2', ['cat', '/run/lost'])).code, 1);
    assert.equal(await run('h2', 'cat', '/etc/machine-id'), id);
    assert.equal(await run('h2', 'cat', '/sys/class/net/up0/address'), mac);
  });

  it('leaves a cut cable cut over a boot', async () => {
    await lab.cut('h2');
    await lab.kill('h2');
    await lab.boot('h2');
    await address('h2');
    await reaches('h1', 'h2', false);
    await lab.heal();
    await reaches('h1', 'h2', true);
  });

  it('boots again after the whole machine was off', async () => {
    const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'));
    assert.ok(layout);
    while (killGroup(layout, `plumb-${name}`).length > 0 || !removeGroup(layout, `plumb-${name}`)) await sleep(10);
    assert.deepEqual(
      lab.status().hosts.map(({ state }) => state),
      ['dead', 'dead', 'dead'],
    );
    for (const host of ['h1', 'h3']) {
      await lab.boot(host);
      await address(host);
    }
    await reaches('h1', 'h3', true);
    await lab.boot('h2');
  });

  it('refuses a second lab of that name or in that place', async () => {
    await assert.rejects(labUp({ name }), { code: 'LAB_FAILED', message: /there is a lab in .* plumb lab down --dir/ });
    const dir = `/var/tmp/${name}-other`;
    await assert.rejects(labUp({ name, dir }), { code: 'LAB_FAILED', message: /another lab is named/ });
    assert.equal(existsSync(dir), false);
    assert.equal(openLab({ name }).status().hosts.length, 3);
  });
});
