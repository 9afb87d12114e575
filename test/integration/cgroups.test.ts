import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { limitsOf } from '../../providers/containers/spec.ts';
import type { Change, Desired, Known, Observed } from '../../reconciler/model/change.ts';
import type { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { NO_V1, container, contextOf, limits } from '../support/cgroup-tree.ts';
import {
  image,
  client,
  made,
  docker,
  start,
  want,
  provider,
  context,
  MORE,
  fileOf,
} from '../support/container-cgroups.ts';

const MEBI = 2 ** 20;

/** What the kernel's files say of limits that no engine knows. */
async function told(id: string): Promise<Readonly<Record<string, string>>> {
  const names = ['cpu.cfs_burst_us', 'cpu.idle', 'memory.swappiness'];
  const throttle = ['read_bps', 'write_iops'].map((each) => `blkio.throttle.${each}_device`);
  const texts = [...names, ...throttle].map(async (name) => {
    const file = await fileOf(id, name.split('.')[0] ?? '', name);
    return [name, fs.readFileSync(file, 'utf8').trim()] as const;
  });
  return Object.fromEntries(await Promise.all(texts));
}

async function seen(kernel: Provider<CgroupSpec, CgroupState>, ctx: Context): Promise<Known<CgroupState>> {
  const [item] = await kernel.observe(ctx, ['cgroup/web-0']);
  assert.ok(item?.known, JSON.stringify(item));
  return item;
}

async function pending(
  kernel: Provider<CgroupSpec, CgroupState>,
  ctx: Context,
  spec: Desired<CgroupSpec>,
): Promise<Change<CgroupSpec> | undefined> {
  return kernel.diff([spec], [await seen(kernel, ctx)])[0];
}

async function converge(
  kernel: Provider<CgroupSpec, CgroupState>,
  ctx: Context,
  spec: Desired<CgroupSpec>,
): Promise<void> {
  const change = await pending(kernel, ctx, spec);
  if (change) await kernel.apply(change, ctx);
  assert.equal(await pending(kernel, ctx, spec), undefined, 'converged');
}

describe('cgroups of real containers', { skip: NO_V1 }, () => {
  it('every knob, moved by hand, is put back, and holds over a restart of the container', async () => {
    const id = await start();
    const [kernel, ctx] = [provider(), context(id)];
    await converge(kernel, ctx, want());
    const hands: readonly (readonly [string, string, string])[] = [
      ['cpu', 'cpu.shares', '2048'],
      ['cpu', 'cpu.cfs_quota_us', '-1'],
      ['cpu', 'cpu.cfs_period_us', '50000'],
      ['memory', 'memory.limit_in_bytes', '33554432'],
      ['memory', 'memory.memsw.limit_in_bytes', '268435456'],
      ['memory', 'memory.soft_limit_in_bytes', '-1'],
      ['pids', 'pids.max', 'max'],
      ['blkio', 'blkio.bfq.weight', '77'],
    ];
    const path = async ([controller, name]: readonly string[]): Promise<string> =>
      fileOf(id, controller ?? '', name ?? '');
    const { raw } = (await seen(kernel, ctx)).state;
    for (const hand of hands) {
      const file = await path(hand);
      if (!fs.existsSync(file)) continue;
      fs.writeFileSync(file, hand[2]);
      const change = await pending(kernel, ctx, want());
      assert.equal(change?.fields.length, 1, file);
      await converge(kernel, ctx, want());
    }
    await docker('restart', '-t', '0', id);
    const { state } = await seen(kernel, ctx);
    // an engine without blkio.weight does not keep a weight: that is drift after a restart, and repaired
    const [left] = kernel.diff([want()], [await seen(kernel, ctx)]);
    assert.deepEqual(left?.fields.filter(({ path: field }) => field !== '/blockIoWeight') ?? [], []);
    assert.equal(state.raw?.['cpu.shares'], raw?.['cpu.shares']);
    await converge(kernel, ctx, want());
  });

  it('what no engine knows is held as well, over a restart, and goes when it is asked for no more', async () => {
    const id = await start();
    const [kernel, ctx] = [provider(), context(id)];
    const plain = await told(id);
    const { blockIoLimits = {} } = MORE;
    const device = Object.keys(blockIoLimits).map((name) => fs.readFileSync(`/sys/block/${name}/dev`, 'utf8').trim());
    await converge(kernel, ctx, want(MORE));
    const held = await told(id);
    assert.deepEqual(held, {
      'cpu.cfs_burst_us': '25000',
      'cpu.idle': '0',
      'memory.swappiness': '7',
      'blkio.throttle.read_bps_device': device.map((number) => `${number} 1048576`).join(''),
      'blkio.throttle.write_iops_device': device.map((number) => `${number} 50`).join(''),
    });
    await docker('restart', '-t', '0', id);
    await converge(kernel, ctx, want(MORE));
    assert.deepEqual(await told(id), held);
    await converge(kernel, ctx, want({ idle: true }));
    assert.deepEqual(await told(id), { ...plain, 'cpu.idle': '1' });
    const record = async (): Promise<string> => await docker('inspect', '-f', '{{.HostConfig.PidsLimit}}', id);
    await converge(kernel, ctx, want({ idle: true, pids: 77 }));
    assert.equal(await record(), '77', 'the engine is told although it cannot write shares of what is idle');
    await converge(kernel, ctx, want());
    assert.deepEqual(await told(id), plain);
  });

  it('a container made with its limits has no drift from the start', async () => {
    const { quota: _quota, reservation: _reservation, blockIoWeight: _weight, ...bare } = limits('web-0');
    for (const spec of [bare, { ...bare, quota: 333, reservation: 20 * MEBI, memory: 50_000_001, swap: 7 * MEBI }]) {
      const body = { Image: image, Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'none', ...limitsOf(spec) } };
      const id = await client.containers.create(`limits-${String(made.length)}`, body, AbortSignal.timeout(60_000));
      made.push(id);
      await docker('start', id);
      assert.equal(await pending(provider(), context(id), { ...want(), spec }), undefined);
    }
  });

  it('the engine’s own `docker update` behind our back is put back as well, in its record too', async () => {
    const id = await start();
    const [kernel, ctx] = [provider(), context(id)];
    await converge(kernel, ctx, want());
    await docker('update', '--cpu-shares', '64', '--memory', '32m', '--memory-swap', '48m', '--pids-limit', '9', id);
    await converge(kernel, ctx, want());
    const record = await docker(
      'inspect',
      '-f',
      '{{.HostConfig.CpuShares}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}',
      id,
    );
    assert.equal(record, `512 ${String(64 * MEBI)} 100`);
  });

  it('a limit below what is in use is refused with both figures; page cache is given back for it', async () => {
    const hog = await start(
      'sh',
      '-c',
      'x=$(head -c 20000000 /dev/zero | tr "\\0" x); echo ready; sleep 1000; echo $x',
    );
    while (!(await docker('logs', hog)).includes('ready')) await sleep(50);
    const [kernel, ctx] = [provider(), context(hog)];
    const big = want({ memory: 256 * MEBI, reservation: 8 * MEBI });
    await converge(kernel, ctx, big);
    const change = await pending(kernel, ctx, want({ memory: 8 * MEBI, reservation: 8 * MEBI }));
    assert.ok(change);
    await assert.rejects(kernel.apply(change, ctx), (error: PlumbError) => {
      assert.equal(error.code, 'KNOB_REFUSED');
      assert.match(
        error.message,
        /memory\.limit_in_bytes = 8388608: EBUSY, [0-9]{8,} bytes are in use .*8388608 are wanted/,
      );
      return true;
    });
    assert.equal(await docker('inspect', '-f', '{{.State.Running}}', hog), 'true');

    const cache = await start(
      'sh',
      '-c',
      'dd if=/dev/zero of=/big bs=1M count=60 2>/dev/null; sync; echo ready; sleep 1000',
    );
    while (!(await docker('logs', cache)).includes('ready')) await sleep(50);
    const roomy = want({ memory: 256 * MEBI, reservation: 8 * MEBI });
    await converge(kernel, context(cache), roomy);
    await converge(kernel, context(cache), want({ memory: 16 * MEBI, reservation: 8 * MEBI }));
  });

  it('a limit below what is in use is set by force: what takes most is killed', async () => {
    const hog = 'x=$(head -c 20000000 /dev/zero | tr "\\0" x); echo ready; sleep 1000; echo $x';
    const id = await start('sh', '-c', `sh -c '${hog}' & exec sleep 1000`);
    while (!(await docker('logs', id)).includes('ready')) await sleep(50);
    const [kernel, ctx] = [provider(), context(id)];
    await converge(kernel, ctx, want({ memory: 256 * MEBI, reservation: 8 * MEBI }));
    await converge(kernel, ctx, want({ memory: 8 * MEBI, reservation: 8 * MEBI, force: true }));
    assert.equal(await docker('inspect', '-f', '{{.State.Running}}', id), 'true', 'its first process is small');
  });

  it('its processes are ended as soon as is asked for where memory runs out, those to come as well', async () => {
    const id = await start('sh', '-c', 'while :; do sleep 1; done');
    const [kernel, ctx] = [provider(), context(id)];
    await converge(kernel, ctx, want({ oomScoreAdj: 250 }));
    const pids = async (): Promise<readonly string[]> =>
      fs
        .readFileSync(await fileOf(id, 'memory', 'cgroup.procs'), 'utf8')
        .trim()
        .split('\n');
    const score = (pid: string): string => fs.readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim();
    const [first = ''] = await pids();
    assert.equal(score(first), '250');
    fs.writeFileSync(`/proc/${first}/oom_score_adj`, '5');
    assert.deepEqual(
      (await pending(kernel, ctx, want({ oomScoreAdj: 250 })))?.fields.map(({ path }) => path),
      ['/oomScoreAdj'],
    );
    await converge(kernel, ctx, want({ oomScoreAdj: 300 }));
    assert.equal(score(first), '300');
  });

  it('a process that was moved out of it is found, and moved back when that is asked for', async () => {
    const pause = await start();
    const id = await docker(
      'run',
      '-d',
      '--network',
      `container:${pause}`,
      image,
      'sh',
      '-c',
      'sleep 999 & sleep 1000',
    );
    made.push(id);
    const pid = Number(await docker('inspect', '-f', '{{.State.Pid}}', pause));
    const state = { id: pause, running: true, pid, status: 'running', fingerprint: '' };
    const sandbox: Observed = { known: true, ref: 'sandbox/web-0', owned: true, state };
    const signal = AbortSignal.timeout(60_000);
    const ctx: Context = { ...contextOf([container('web-0', id), sandbox], ['cgroup/web-0']), signal };
    const kernel = provider();
    await converge(kernel, ctx, want());
    const file = await fileOf(id, 'memory', 'cgroup.procs');
    const within = (): readonly string[] => fs.readFileSync(file, 'utf8').trim().split('\n');
    const whole = async (): Promise<Known<CgroupState>> => {
      const [item] = await kernel.observe(ctx);
      assert.ok(item?.known);
      return item;
    };
    assert.equal((await whole()).state.escaped, undefined);
    const stray = within().at(-1) ?? '';
    const sleeps = fs.readFileSync(`/proc/${stray}/comm`, 'utf8').trim();
    for (const controller of ['memory', 'cpu']) fs.writeFileSync(`/sys/fs/cgroup/${controller}/cgroup.procs`, stray);
    const item = await whole();
    assert.match(item.state.escaped ?? '', new RegExp(`^process ${stray} \\(${sleeps}\\) in /`));
    assert.deepEqual(kernel.diff([want({ escape: 'report' })], [item]), []);
    const [change] = kernel.diff([want({ escape: 'return' })], [item]);
    assert.ok(change);
    await kernel.apply(change, ctx);
    assert.ok(within().includes(stray));
    assert.equal((await whole()).state.escaped, undefined);
  });

  it('hints at a file changed by hand, every time', async () => {
    const id = await start();
    const stop = new AbortController();
    const kernel = provider();
    const ctx = context(id, stop.signal);
    await converge(kernel, ctx, want());
    const hints: Ref[] = [];
    const reading = (async () => {
      for await (const ref of kernel.watch?.(ctx) ?? []) hints.push(ref);
    })();
    const file = await fileOf(id, 'pids', 'pids.max');
    for (const text of ['40', '41']) {
      hints.length = 0;
      fs.writeFileSync(file, text);
      for (let wait = 0; hints.length === 0 && wait < 500; wait += 1) await sleep(10);
      assert.deepEqual([...new Set(hints)], ['cgroup/web-0']);
      await converge(kernel, ctx, want());
    }
    stop.abort();
    await reading;
  });

  it('keeps nothing open of containers that are gone', async () => {
    const open = (): number =>
      fs.readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith('/sys/fs/cgroup/');
        } catch {
          return false;
        }
      }).length;
    const kernel = provider();
    const before = open();
    const id = await start();
    await seen(kernel, context(id));
    assert.ok(open() > before);
    await docker('rm', '-f', id);
    // its container is not asked for any more; the next look at anything notices
    await kernel.observe(context(id), []);
    assert.equal(open(), before);
  });
});
