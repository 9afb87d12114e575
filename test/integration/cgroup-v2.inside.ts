// Run by cgroup-v2.test under User-Mode Linux, as root of a machine with nothing but cgroup v2: containers are played by cgroups.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroups } from '../../providers/cgroups/index.ts';
import { memory } from '../../providers/cgroups/memory.ts';
import type { Desired, Known } from '../../reconciler/model/change.ts';
import type { PlumbError } from '../../reconciler/model/errors.ts';
import type { MemoryState } from '../../reconciler/model/memory.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { conforms } from '../conformance/provider.ts';
import { container, contextOf, idOf, limits } from '../support/cgroup-tree.ts';

const ROOT = '/sys/fs/cgroup';
const MEBI = 2 ** 20;
const ID = idOf('a');
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const children: ChildProcess[] = [];
const made: string[] = [];

function want(some: Partial<CgroupSpec> = {}): Desired<CgroupSpec> {
  return { ref: 'cgroup/web-0', spec: limits('web-0', some), dependsOn: [], origin };
}

function context(id = ID): Context {
  return contextOf([container('web-0', id)], ['cgroup/web-0']);
}

/** Makes the cgroup of a container below a parent, as an engine does. */
function make(path: string): string {
  let directory = ROOT;
  for (const name of path.split('/')) {
    fs.writeFileSync(join(directory, 'cgroup.subtree_control'), '+cpu +io +memory +pids');
    directory = join(directory, name);
    if (!fs.existsSync(directory)) fs.mkdirSync(directory);
  }
  made.push(directory);
  return directory;
}

/** A process in the cgroup; resolves once it says ready. */
async function inside(directory: string, script: string): Promise<ChildProcess> {
  const enter = `echo $$ > ${directory}/cgroup.procs; ${script}; echo ready; sleep 1000; echo $x`;
  const child = spawn('busybox', ['sh', '-c', enter], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  children.push(child);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}

async function clear(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.pid !== undefined && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      process.kill(-child.pid, 'SIGKILL');
      await ended;
    }
  }
  for (const directory of made.splice(0)) {
    for (let times = 0; fs.existsSync(directory) && times < 50; times += 1) {
      try {
        fs.rmdirSync(directory);
      } catch {
        // its last process is still going
        await sleep(20);
      }
    }
  }
}

async function seen(kernel: ReturnType<typeof cgroups>, ctx = context()): Promise<Known<CgroupState>> {
  const [item] = await kernel.observe(ctx, ['cgroup/web-0']);
  assert.ok(item?.known, JSON.stringify(item));
  return item;
}

async function converge(
  kernel: ReturnType<typeof cgroups>,
  spec: Desired<CgroupSpec>,
  ctx = context(),
): Promise<string> {
  const [change] = kernel.diff([spec], [await seen(kernel, ctx)]);
  if (!change) return 'nothing to do';
  const { did } = await kernel.apply(change, ctx);
  assert.deepEqual(kernel.diff([spec], [await seen(kernel, ctx)]), []);
  return did;
}

afterEach(clear);

describe('a real cgroup v2', () => {
  it('every knob, moved by hand, is put back', async () => {
    const directory = make(`docker/${ID}`);
    const kernel = cgroups();
    await converge(kernel, want());
    const { raw = {}, unsupported } = (await seen(kernel)).state;
    console.log(`files: ${Object.keys(raw).join(' ')}; unsupported: ${unsupported.join(' ')}`);
    const hands = [
      ['cpu.max.burst', '1000'],
      ['memory.high', String(40 * MEBI)],
      ['memory.oom.group', '1'],
      ['cpu.weight', '77'],
      ['cpu.max', 'max'],
      ['cpu.max', '1000 200000'],
      ['memory.max', 'max'],
      ['memory.max', String(32 * MEBI)],
      ['memory.swap.max', 'max'],
      ['memory.low', 'max'],
      ['pids.max', '3'],
      ['pids.max', 'max'],
      ['io.weight', '7'],
      ['io.bfq.weight', '7'],
      ['cgroup.freeze', '1'],
    ] as const;
    let moved = 0;
    for (const [file, text] of hands) {
      if (raw[file] === undefined) continue;
      fs.writeFileSync(join(directory, file), text);
      const [change] = kernel.diff([want()], [await seen(kernel)]);
      assert.equal(change?.fields.length, 1, file);
      await converge(kernel, want());
      moved += 1;
    }
    assert.ok(moved >= 8);
    for (const file of ['cpu.weight', 'memory.max', 'pids.max', 'memory.low'])
      assert.equal(fs.readFileSync(join(directory, file), 'utf8').trim(), raw[file], file);
  });

  it('is found where systemd puts it', async () => {
    make(`system.slice/docker-${idOf('b')}.scope`);
    const ctx = context(idOf('b'));
    await converge(cgroups(), want(), ctx);
  });

  it('weights by each of the three formulas are right', async () => {
    const directory = make(`docker/${ID}`);
    const kernel = cgroups();
    await converge(kernel, want({ shares: 512 }));
    for (const weight of ['20', '59', '50']) {
      fs.writeFileSync(join(directory, 'cpu.weight'), weight);
      assert.equal(await converge(kernel, want({ shares: 512 })), 'nothing to do');
    }
  });

  it('burst, idle, high and the end of all together are set, and taken off again', async () => {
    const directory = make(`docker/${ID}`);
    const kernel = cgroups();
    const said = (...names: readonly string[]): readonly string[] =>
      names.map((name) => fs.readFileSync(join(directory, name), 'utf8').trim());
    const files = ['cpu.max.burst', 'memory.high', 'memory.oom.group'];
    await converge(kernel, want({ burst: 300, high: 40 * MEBI, oomGroup: true }));
    assert.deepEqual(said(...files), ['30000', String(40 * MEBI), '1']);
    await converge(kernel, want({ idle: true, quota: 100 }));
    assert.deepEqual(said('cpu.idle', ...files), ['1', '0', 'max', '0']);
    await converge(kernel, want({ shares: 1024 }));
    assert.deepEqual(said('cpu.idle', 'cpu.weight'), ['0', '100']);
    assert.deepEqual((await seen(kernel)).limitations?.filter(({ path }) => path === '/swappiness').length, 1);
  });

  it('a limit below what is in use is refused, and nobody is killed', async () => {
    const directory = make(`docker/${ID}`);
    const child = await inside(directory, 'x=$(head -c 20000000 /dev/zero | tr "\\0" x)');
    const kernel = cgroups();
    await converge(kernel, want());
    const [change] = kernel.diff([want({ memory: 8 * MEBI })], [await seen(kernel)]);
    assert.ok(change);
    await assert.rejects(kernel.apply(change, context()), (error: PlumbError) => {
      assert.equal(error.code, 'KNOB_REFUSED');
      assert.match(error.message, /memory\.max = 8388608: EBUSY, [0-9]{8,} bytes are in use .* 8388608 are wanted/);
      return true;
    });
    assert.equal(child.exitCode, null);
    assert.equal(fs.readFileSync(join(directory, 'memory.events'), 'utf8').match(/oom_kill (\d+)/)?.[1], '0');
    assert.equal(fs.readFileSync(join(directory, 'memory.max'), 'utf8').trim(), String(64 * MEBI));
  });

  it('page cache is given back for a lower limit', async () => {
    const directory = make(`docker/${ID}`);
    await inside(directory, `cat ${process.execPath} > /dev/null`);
    const current = (): number => Number(fs.readFileSync(join(directory, 'memory.current'), 'utf8'));
    assert.ok(current() > 16 * MEBI, String(current()));
    const kernel = cgroups();
    await converge(kernel, want({ memory: 256 * MEBI, reservation: 4 * MEBI }));
    await converge(kernel, want({ memory: 12 * MEBI, reservation: 4 * MEBI }));
    assert.ok(current() <= 12 * MEBI);
  });

  it('page cache is given back where a rule says so, down to half of it', async () => {
    const directory = make(`docker/${ID}`);
    await inside(directory, `cat ${process.execPath} > /dev/null`);
    const folder = fs.mkdtempSync('/run/memory-');
    const kernel = memory({ keptFile: join(folder, 'kept.json'), clock: () => 9_000 });
    const rule = { above: 8 * MEBI, window: 0, coolDown: 60_000, slot: { index: 0, of: 1 } };
    const look = async (): Promise<Known<MemoryState>> => {
      const [item] = await kernel.observe(context(), ['memory/web-0']);
      assert.ok(item?.known, JSON.stringify(item));
      return item;
    };
    const before = await look();
    assert.ok(before.state.spare > 16 * MEBI, JSON.stringify(before.state));
    const [change] = kernel.diff([{ ref: 'memory/web-0', spec: rule, dependsOn: [], origin }], [before]);
    assert.ok(change);
    const { did } = await kernel.apply(change, context());
    const { state } = await look();
    console.log(`${did}; spare ${String(before.state.spare)} -> ${String(state.spare)}`);
    assert.ok(state.spare <= 8 * MEBI, JSON.stringify(state));
  });

  it('all stands still where it is asked for, and goes on', async () => {
    const directory = make(`docker/${ID}`);
    await inside(directory, ':');
    const kernel = cgroups();
    const still = async (): Promise<string | undefined> => {
      await sleep(50);
      return /^frozen (.)$/m.exec(fs.readFileSync(join(directory, 'cgroup.events'), 'utf8'))?.[1];
    };
    const paused = contextOf([container('web-0', ID, 'paused')], ['cgroup/web-0']);
    await converge(kernel, want({ frozen: true }), paused);
    for (let times = 0; (await still()) !== '1'; times += 1) assert.ok(times < 100, 'it stands still');
    await converge(kernel, want());
    for (let times = 0; (await still()) !== '0'; times += 1) assert.ok(times < 100, 'it goes on');
  });

  it('threads are in a scheduling class', async () => {
    const directory = make(`docker/${ID}`);
    const child = await inside(directory, ':');
    const kernel = cgroups();
    const said = (): string => fs.readFileSync(`/proc/${String(child.pid)}/stat`, 'utf8').split(' ')[40] ?? '';
    await converge(kernel, want({ scheduling: 'batch' }));
    assert.equal(said(), '3');
    const change = kernel.diff([want({ scheduling: 'rr 10', realtime: 100 })], [await seen(kernel)])[0];
    assert.ok(change);
    const refused = await kernel.apply(change, context()).then(
      () => undefined,
      (error: unknown) => (error as PlumbError).message,
    );
    // a kernel with budgets for it gives none but the root's on v2, as this one
    if (refused === undefined) assert.equal(said(), '2');
    else assert.match(refused, /sched_policy = rr 10: EPERM, .*CONFIG_RT_GROUP_SCHED/);
    console.log(refused ?? 'rr was taken');
    await converge(kernel, want());
    assert.equal(said(), '0');
  });

  it('is gone with its container, and another of the name is found', async () => {
    const directory = make(`docker/${ID}`);
    const kernel = cgroups();
    await converge(kernel, want());
    fs.rmdirSync(directory);
    const [gone] = await kernel.observe(context(), ['cgroup/web-0']);
    assert.equal(gone?.known, false);
    make(`docker/${ID}`);
    assert.equal((await seen(kernel)).state.pids, undefined);
  });

  it('hints at what was changed by hand', async () => {
    const directory = make(`docker/${ID}`);
    const kernel = cgroups();
    await seen(kernel);
    const stop = new AbortController();
    const hints = kernel.watch?.({ ...context(), signal: stop.signal })[Symbol.asyncIterator]();
    const next = hints?.next();
    await sleep(20);
    fs.writeFileSync(join(directory, 'cpu.max'), '5000 100000');
    assert.equal((await next)?.value, 'cgroup/web-0');
    stop.abort();
    await hints?.return?.();
  });
});

conforms('cgroups on v2', () => {
  const directory = make(`docker/${ID}`);
  const files = [
    'cpu.weight',
    'cpu.max',
    'cpu.max.burst',
    'cpu.idle',
    'memory.high',
    'memory.oom.group',
    'memory.max',
    'memory.swap.max',
    'memory.low',
    'pids.max',
  ];
  const { quota: _quota, reservation: _reservation, blockIoWeight: _weight, ...bare } = limits('web-0');
  return Promise.resolve({
    provider: cgroups(),
    ctx: context(),
    states: [
      [want()],
      [want({ memory: 128 * MEBI, swap: 32 * MEBI, pids: 7, shares: 2048, quota: 1500 })],
      [{ ...want(), spec: bare }],
      [want({ burst: 300, high: 40 * MEBI, oomGroup: true })],
      [want({ idle: true })],
      [want({ memory: 10_000_001, reservation: 7_000_001, quota: 15 })],
    ],
    snapshot: () =>
      Promise.resolve(
        files
          .map((name) => join(directory, name))
          .filter((path) => fs.existsSync(path))
          .map((path) => fs.readFileSync(path, 'utf8')),
      ),
    close: clear,
  });
});
