import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { dockerClient } from '../../providers/containers/client.ts';
import type { Spec } from '../../providers/containers/diff.ts';
import { containers } from '../../providers/containers/index.ts';
import { updateLimits } from '../../providers/containers/limits.ts';
import { namespaces } from '../../providers/containers/namespaces.ts';
import type { Change } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { code, FLEET, Host, knob, pidOf, words } from '../support/containers-host.ts';
import { wantContainer, wantImage, wantSandbox } from '../support/containers.ts';
import { docker, removeContainers } from '../support/docker.ts';
import { ensureTestImage, TEST_IMAGE } from '../support/image.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

/** Why a limit of a million open files would be no trouble here. */
function tooManyFiles(): string | false {
  const hard = /Max open files +\S+ +(\S+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  const may = namespaces().protect;
  return !may && Number(hard) < 1_048_576 ? false : 'a million open files are allowed here';
}

describe('containers on a real Docker', { skip }, () => {
  const client = dockerClient();
  const host = new Host(containers({ client }));
  const directory = mkdtempSync(join(tmpdir(), 'plumbline-containers-'));

  before(async () => {
    await ensureTestImage();
    await removeContainers('plumb-t-');
  });
  afterEach(async () => {
    await removeContainers('plumb-t-');
  });
  after(async () => {
    client.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('puts every field of the specs where the kernel and the process see it', async () => {
    const sandbox = wantSandbox('t-0', {
      hostname: 'web-0.shop',
      dns: { servers: ['10.9.0.53'], search: ['shop.example'] },
      sysctls: { 'net.core.somaxconn': '777', 'net.ipv4.ip_local_port_range': '20000 30000' },
    });
    const container = wantContainer('t-0', {
      command: ['sh', '-c'],
      args: ['exec sleep "$LONG"'],
      env: { LONG: '1000', WORDS: 'a "b" c=d' },
      user: '1000:1001',
      workdir: '/tmp',
      openFiles: 4096,
      ulimits: { nproc: { soft: 100, hard: 200 }, core: { soft: 0, hard: 0 } },
      volumes: [
        { path: '/scratch', tmpfs: 2 ** 20 },
        { path: '/host', host: directory, readOnly: true },
      ],
      resources: {
        cpu: 500,
        shares: 512,
        quota: 250,
        memory: 48 * 2 ** 20,
        reservation: 24 * 2 ** 20,
        swap: 0,
        pids: 77,
        oomScoreAdj: 300,
      },
    });
    await host.converge([wantImage(TEST_IMAGE), sandbox, container]);
    const inside = (...command: string[]) => docker('exec', 'plumb-t-0', ...command);
    const read = async (path: string) => (await inside('cat', path)).replace(/\s+/g, ' ').trim();
    assert.equal(await inside('hostname'), 'web-0.shop');
    assert.match(await read('/etc/resolv.conf'), /nameserver 10\.9\.0\.53/);
    assert.match(await read('/etc/resolv.conf'), /search shop\.example/);
    assert.equal(await read('/proc/sys/net/core/somaxconn'), '777');
    assert.equal(await read('/proc/sys/net/ipv4/ip_local_port_range'), '20000 30000');
    if (existsSync('/proc/sys/net/ipv6')) assert.equal(await read('/proc/sys/net/ipv6/conf/all/disable_ipv6'), '1');
    const pid = await pidOf('plumb-t-0');
    const environment = readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0');
    assert.ok(environment.includes('WORDS=a "b" c=d'));
    assert.match(
      readFileSync(`/proc/${String(pid)}/status`, 'utf8'),
      /^Uid:\s+1000[^]*^Gid:\s+1001[^]*^NoNewPrivs:\s+1/m,
    );
    assert.equal(readFileSync(`/proc/${String(pid)}/oom_score_adj`, 'utf8').trim(), '300');
    assert.equal(await inside('pwd'), '/tmp');
    const limits = readFileSync(`/proc/${String(pid)}/limits`, 'utf8');
    assert.match(limits, /Max open files +4096 +4096/);
    assert.match(limits, /Max processes +100 +200/);
    assert.match(limits, /Max core file size +0 +0/);
    const mounts = await inside('cat', '/proc/mounts');
    assert.match(mounts, /^tmpfs \/scratch tmpfs \S*size=1024k/m);
    assert.match(mounts, /^\S+ \/host \S+ ro/m);
    assert.equal(knob(pid, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(48 * 2 ** 20));
    assert.equal(knob(pid, 'memory', 'memory.soft_limit_in_bytes', 'memory.low'), String(24 * 2 ** 20));
    assert.match(knob(pid, 'cpu', 'cpu.cfs_quota_us', 'cpu.max'), /^25000( 100000)?$/);
    assert.equal(knob(pid, 'pids', 'pids.max', 'pids.max'), '77');
    const policy = '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.LogConfig.Config}}';
    assert.match(await docker('inspect', '-f', policy, 'plumb-t-0'), /^no map\[max-file:3 max-size:10m\]/);
    const state = host.sandbox('t-0');
    assert.equal(state.pid, await pidOf('plumb-t-0-sandbox'));
  });

  it('starts an exited container again in the same sandbox and network namespace', async () => {
    const desired = [wantSandbox('t-1'), wantContainer('t-1')];
    await host.converge(desired);
    const sandbox = host.sandbox('t-1');
    const first = host.container('t-1');
    await docker('kill', 'plumb-t-1');
    assert.deepEqual(words(await host.plan(desired)), ['update container/t-1 exited restart']);
    assert.equal(host.container('t-1').exitCode, 137);
    await host.converge(desired);
    assert.equal(host.container('t-1').id, first.id);
    assert.deepEqual(host.sandbox('t-1'), sandbox);
    assert.equal(
      readFileSync(`/proc/${String(sandbox.pid)}/status`, 'utf8').includes('State:\tS'),
      true,
      'the sandbox was not touched',
    );
  });

  it('replaces both when the sandbox was killed under its container', async () => {
    const desired = [wantSandbox('t-2'), wantContainer('t-2')];
    await host.converge(desired);
    const [sandbox, container] = [host.sandbox('t-2'), host.container('t-2')];
    await docker('kill', 'plumb-t-2-sandbox');
    assert.deepEqual(words(await host.converge(desired)), [
      'replace sandbox/t-2 exited recreate',
      'replace container/t-2 drift recreate',
    ]);
    assert.notEqual(host.sandbox('t-2').id, sandbox.id);
    assert.notEqual(host.container('t-2').id, container.id);
    assert.equal(await docker('ps', '-aq', '--filter', 'name=^/plumb-t-2').then((ids) => ids.split('\n').length), 2);
  });

  it('sees that a sandbox restarted by hand left its container in a dead namespace', async () => {
    const desired = [wantSandbox('t-3'), wantContainer('t-3')];
    await host.converge(desired);
    await docker('restart', '-t', '0', 'plumb-t-3-sandbox');
    assert.deepEqual(words(await host.converge(desired)), ['replace container/t-3 drift recreate']);
  });

  it('unpauses what was paused by hand, and starts what was stopped by hand', async () => {
    const desired = [wantSandbox('t-4'), wantContainer('t-4')];
    await host.converge(desired);
    await docker('pause', 'plumb-t-4', 'plumb-t-4-sandbox');
    assert.deepEqual(words(await host.converge(desired)), [
      'update sandbox/t-4 drift none',
      'update container/t-4 drift none',
    ]);
    await docker('stop', '-t', '0', 'plumb-t-4');
    assert.deepEqual(words(await host.converge(desired)), ['update container/t-4 exited restart']);
  });

  it('replaces for a new spec, names the fields, and leaves the sandbox; not for limits or stop', async () => {
    const sandbox = wantSandbox('t-5');
    await host.converge([sandbox, wantContainer('t-5')]);
    const before = host.sandbox('t-5');
    const grown = { cpu: 100, shares: 1024, memory: 64 * 2 ** 20, swap: 0, pids: 10 };
    const stop = { signal: 'SIGINT', grace: 0 };
    assert.deepEqual(await host.plan([sandbox, wantContainer('t-5', { resources: grown, stop })]), []);
    const changes = await host.converge([sandbox, wantContainer('t-5', { env: { A: '1' }, args: ['2000'] })]);
    assert.deepEqual(words(changes), ['replace container/t-5 spec changed recreate']);
    assert.deepEqual(changes[0]?.fields, [
      { path: '/args', have: ['1000'], want: ['2000'] },
      { path: '/env', have: {}, want: { A: '1' } },
    ]);
    assert.deepEqual(host.sandbox('t-5'), before);
    const [home] = await host.plan([wantSandbox('t-5', { hostname: 'new' }), wantContainer('t-5')]);
    await host.apply(home as Change<Spec>);
    assert.equal(
      await docker('ps', '-aq', '--filter', 'name=^/plumb-t-5$'),
      '',
      'the container went before its sandbox',
    );
    await host.converge([sandbox, wantContainer('t-5')]);
    const both = await host.converge([wantSandbox('t-5', { hostname: 'new' }), wantContainer('t-5')]);
    assert.deepEqual(words(both), [
      'replace sandbox/t-5 spec changed recreate',
      'replace container/t-5 spec changed recreate',
    ]);
    assert.equal(await docker('exec', 'plumb-t-5', 'hostname'), 'new');
  });

  it('leaves an unmarked or foreign container of the name alone and says whose it is', async () => {
    await docker('run', '-d', '--name', 'plumb-t-6-sandbox', '--network', 'none', TEST_IMAGE, 'sleep', '1000');
    await docker(
      'run',
      '-d',
      '--name',
      'plumb-t-6',
      '--label',
      'plumbline.fleet=other',
      '--network',
      'none',
      TEST_IMAGE,
      'sleep',
      '1000',
    );
    const before = await docker('ps', '-aq', '--no-trunc');
    const desired = [wantSandbox('t-6'), wantContainer('t-6')];
    assert.deepEqual(await host.plan(desired), []);
    assert.deepEqual(await host.plan([]), []);
    const create = host.provider.diff([wantSandbox('t-6')], []).concat(host.provider.diff([wantContainer('t-6')], []));
    await assert.rejects(
      host.apply(create[0] as Change<Spec>),
      (error) => code('NOT_OURS')(error) && /plumb-t-6-sandbox .*no mark/.test(String(error)),
    );
    assert.equal(await docker('ps', '-aq', '--no-trunc'), before);
  });

  it('takes up what an interrupted apply left: created but not started, or made from another spec', async () => {
    const desired = [wantSandbox('t-7'), wantContainer('t-7')];
    const create = host.provider.diff(desired, []);
    await host.apply(create[0] as Change<Spec>);
    // as if killed between create and start
    const sandbox = host.sandbox('t-7').id;
    const labels = async () => docker('inspect', '-f', '{{json .Config.Labels}}', 'plumb-t-7');
    await host.apply(create[1] as Change<Spec>);
    const marks = Object.entries(JSON.parse(await labels()) as Record<string, string>);
    await docker('rm', '-f', 'plumb-t-7');
    const leave = (args: string[]) =>
      docker(
        'create',
        '--name',
        'plumb-t-7',
        '--network',
        `container:${sandbox}`,
        ...args,
        TEST_IMAGE,
        'sleep',
        '1000',
      );
    const left = await leave(marks.flatMap(([key, value]) => ['--label', `${key}=${value}`]));
    await host.apply(create[1] as Change<Spec>);
    assert.equal(host.container('t-7').id, left, 'the leftover itself was started');
    await docker('rm', '-f', 'plumb-t-7');
    const other = await leave(['--label', `plumbline.fleet=${FLEET}`, '--label', 'plumbline.ref=container/t-7']);
    await host.apply(create[1] as Change<Spec>);
    assert.notEqual(host.container('t-7').id, other);
    assert.deepEqual(await host.plan(desired), []);
  });

  it('throws CONFLICT instead of removing what took the place of what was seen', async () => {
    const desired = [wantSandbox('t-8'), wantContainer('t-8')];
    await host.converge(desired);
    const [remove] = (await host.plan([wantSandbox('t-8')])) as [Change<Spec>];
    assert.equal(remove.verb, 'delete');
    const sandbox = host.sandbox('t-8');
    await host.apply(remove);
    await host.apply(remove); // twice is once
    host.seen.set('sandbox/t-8', { known: true, ref: 'sandbox/t-8', state: sandbox, owned: true });
    await host.apply(host.provider.diff([wantContainer('t-8')], [])[0] as Change<Spec>);
    await assert.rejects(host.apply(remove), code('CONFLICT'));
    assert.deepEqual(await host.plan(desired), []);
  });

  it('stops in its own time: the signal first, then after the grace SIGKILL', async () => {
    const script = `trap 'echo asked > /out/$NAME; exit 0' USR1; while :; do sleep 0.1; done`;
    const volumes = [{ path: '/out', host: directory, readOnly: false }];
    const make = (env: Record<string, string>, signal: string, grace: number) =>
      wantContainer('t-9', { args: ['-c', script], command: ['sh'], env, volumes, stop: { signal, grace } });
    const sandbox = wantSandbox('t-9');
    await host.converge([sandbox, make({ NAME: 'removed' }, 'SIGUSR1', 5000)]);
    await host.converge([sandbox]);
    assert.equal(readFileSync(join(directory, 'removed'), 'utf8').trim(), 'asked');
    // the wanted signal counts, not that of its creation
    await host.converge([sandbox, make({ NAME: 'replaced' }, 'SIGTERM', 5000)]);
    await host.converge([sandbox, make({ NAME: 'deaf' }, 'SIGUSR1', 5000)]);
    assert.equal(readFileSync(join(directory, 'replaced'), 'utf8').trim(), 'asked');
    await host.converge([]);
    assert.equal(readFileSync(join(directory, 'deaf'), 'utf8').trim(), 'asked');
    await host.converge([sandbox, make({ NAME: 'ignored' }, 'SIGWINCH', 300)]);
    await host.converge([]);
    assert.equal(existsSync(join(directory, 'ignored')), false);
    assert.equal(await docker('ps', '-aq', '--filter', 'name=^/plumb-t-9'), '');
  });

  it('finds a renamed container by its label and does not double it', async () => {
    const desired = [wantSandbox('t-a'), wantContainer('t-a')];
    await host.converge(desired);
    await docker('rename', 'plumb-t-a', 'plumb-t-elsewhere');
    assert.deepEqual(await host.plan(desired), []);
    const refs: Ref[] = ['sandbox/t-a', 'container/t-a'];
    const seen = await host.provider.observe(host.ctx(), refs);
    assert.deepEqual(host.provider.diff(desired, seen), []);
    await host.converge([]);
    assert.equal(await docker('ps', '-aq', '--filter', 'name=^/plumb-t-'), '');
  });

  it('says of a missing image what the registry says and what to do', async () => {
    const change = (await host.plan([wantImage('localhost:1/none/such:9')]))[0] as Change<Spec>;
    assert.equal(change.verb, 'create');
    await assert.rejects(host.apply(change), (error) => {
      assert.ok(error instanceof PlumbError && error.code === 'IMAGE_UNAVAILABLE' && error.retry);
      assert.match(error.message, /localhost:1\/none\/such:9.*connection refused.*docker load/s);
      return true;
    });
    const sandbox = wantSandbox('t-b');
    await host.converge([sandbox]);
    const container = host.provider.diff([wantContainer('t-b', { image: 'localhost:1/none/such:9' })], []);
    await assert.rejects(host.apply(container[0] as Change<Spec>), code('IMAGE_UNAVAILABLE'));
  });

  it('says why a container cannot start, and starts it once the cause is gone', async () => {
    const sandbox = wantSandbox('t-c');
    await host.converge([sandbox]);
    const bad = wantContainer('t-c', { command: ['no-such-program'] });
    const change = (await host.plan([sandbox, bad]))[0] as Change<Spec>;
    await assert.rejects(
      host.apply(change),
      (error) => code('CONTAINER_FAILED')(error) && /container\/t-c .*no-such-program.*command/s.test(String(error)),
    );
    assert.deepEqual(words(await host.converge([sandbox, wantContainer('t-c')])), [
      'replace container/t-c spec changed recreate',
    ]);
  });

  it('gives up on what this kernel or dockerd does not grant: OOM protection, the weight of block I/O', async () => {
    const bold = new Host(containers({ client, kernel: { ...namespaces(), protect: true } }));
    const resources = { cpu: 100, shares: 102, memory: 2 ** 25, swap: 0, pids: 64, blockIoWeight: 300 };
    await bold.converge([wantSandbox('t-e'), wantContainer('t-e', { resources })]);
    await bold.converge([wantSandbox('t-e'), wantContainer('t-e', { resources }), wantSandbox('t-f')]);
    await updateLimits(client, bold.container('t-e').id, resources, AbortSignal.timeout(30_000));
    assert.equal(await docker('inspect', '-f', '{{.State.Running}}', 'plumb-t-e'), 'true');
  });

  it('says which limit of dockerd a ulimit is above', { skip: tooManyFiles() }, async () => {
    await host.converge([wantSandbox('t-g')]);
    const change = host.provider.diff([wantContainer('t-g', { openFiles: 1_048_576 })], [])[0] as Change<Spec>;
    await assert.rejects(host.apply(change), (error) => {
      return code('CONTAINER_FAILED')(error) && /rlimit.*openFiles/s.test(String(error));
    });
  });
});
