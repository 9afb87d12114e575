import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { cgroups } from '../../../providers/cgroups/index.ts';
import { raisedIn } from '../../../providers/cgroups/raised.ts';
import { disk, type Files } from '../../../providers/cgroups/files.ts';
import { systemExec, type Exec } from '../../../providers/exec/exec.ts';
import { chrt, createClasses, type SetClass } from '../../../providers/cgroups/scheduling.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { CgroupSpec } from '../../../reconciler/model/resources.ts';
import { container, contextOf, errno, fakeTree, idOf, kernelRules, limits } from '../../support/cgroup-tree.ts';

const ID = idOf('a');
const REF = 'cgroup/web-0';
const PATH = `docker/${ID}`;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const running = contextOf([container('web-0', ID)]);
const NUMBERS: Readonly<Record<string, number>> = { other: 0, fifo: 1, rr: 2, batch: 3, idle: 5 };
const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

/** A kernel with a container of two processes, 7 with threads 7 and 8, and 9; on v1 it has a budget for rr and fifo. */
function lab(version: 'v1' | 'v2', setClass?: SetClass) {
  const root = fakeTree(version, PATH);
  roots.push(root);
  const below = (name: string, path = PATH): string => join(root, version === 'v2' ? '' : 'cpu', path, name);
  const threads = ['7/task/7', '7/task/8', '9/task/9'];
  const put = (task: string, text: string): void => {
    const [name = '', priority = '0'] = text.split(' ');
    const fields = Array.from({ length: 38 }, (_, at) => (at === 0 ? 'S' : at === 37 ? priority : '0'));
    fs.mkdirSync(join(root, 'proc', task), { recursive: true });
    fs.writeFileSync(join(root, 'proc', task, 'stat'), `1 (a) b) ${fields.join(' ')} ${String(NUMBERS[name])} 0\n`);
  };
  const classify = (thread: string, text: string): void => {
    put(thread, text);
    const [pid = '', , tid] = thread.split('/');
    if (pid === tid) put(pid, text);
  };
  for (const thread of threads) classify(thread, 'other');
  for (const each of version === 'v2' ? [''] : ['cpu', 'memory', 'pids', 'blkio'])
    fs.writeFileSync(join(root, each, PATH, 'cgroup.procs'), '7\n9\n');
  if (version === 'v1')
    for (const path of ['', 'docker', PATH]) {
      fs.writeFileSync(below('cpu.rt_runtime_us', path), `${path === '' ? '950000' : '0'}\n`);
      fs.writeFileSync(below('cpu.rt_period_us', path), '1000000\n');
    }
  const log: string[] = [];
  const kernel = kernelRules(log);
  const number = (path: string): number => Number(fs.readFileSync(path, 'utf8'));
  let boot = 'one';
  const make = () =>
    cgroups({
      root,
      sysRoot: join(root, 'sys'),
      procRoot: join(root, 'proc'),
      raised: raisedIn(join(root, 'realtime.json'), () => boot),
      files: {
        ...kernel,
        write: (path, text) => {
          const parent = join(path, '../../cpu.rt_runtime_us');
          if (path.endsWith('/cpu.rt_runtime_us') && Number(text) > number(parent)) throw errno('EINVAL');
          kernel.write(path, text);
        },
      },
      setClass:
        setClass ??
        ((pids, text) => {
          for (const pid of pids) {
            log.push(`${String(pid)} ${text}`);
            for (const thread of threads) if (thread.startsWith(`${String(pid)}/`)) classify(thread, text);
          }
          return Promise.resolve();
        }),
    });
  let provider = make();
  const look = async (some: Partial<CgroupSpec>) => {
    const [item] = await provider.observe(running, [REF]);
    assert.ok(item?.known);
    const spec = limits('web-0', some);
    return { item, change: provider.diff([{ ref: REF, spec, dependsOn: [], origin }], [item])[0] };
  };
  return {
    log,
    look,
    classify,
    /** A new agent, in a boot of the machine. */
    again: (id: string) => {
      boot = id;
      provider = make();
    },
    leave: () => fs.rmSync(join(below('x'), '..'), { recursive: true }),
    full: () => provider.observe(contextOf([])),
    end: async () => {
      fs.rmSync(join(below('x'), '..'), { recursive: true });
      await provider.observe(contextOf([]), [REF]);
    },
    budget: (path = PATH): number => number(below('cpu.rt_runtime_us', path)),
    converge: async (some: Partial<CgroupSpec>): Promise<readonly unknown[]> => {
      const { change } = await look(some);
      if (change) await provider.apply(change, running);
      assert.deepEqual((await look(some)).change, undefined, 'converged after one apply');
      return change?.fields.flatMap(({ path, have, want }) => (path === '/scheduling' ? [have, want] : [])) ?? [];
    },
  };
}

describe('the scheduling class of an App', () => {
  for (const version of ['v1', 'v2'] as const)
    it(`${version}: is that of all its threads, and the usual one when it is asked for no more`, async () => {
      const one = lab(version);
      assert.deepEqual(await one.converge({ scheduling: 'batch' }), ['other', 'batch']);
      assert.deepEqual(
        one.log.filter((line) => line.endsWith('batch')),
        ['7 batch', '9 batch'],
      );
      one.log.length = 0;
      one.classify('7/task/8', 'rr 5');
      assert.deepEqual(await one.converge({ scheduling: 'batch' }), ['batch, thread 8 (a) b) rr 5', 'batch']);
      assert.deepEqual(one.log, ['7 batch'], 'only the process that it is about');
      one.classify('9/task/9', 'other');
      assert.deepEqual(await one.converge({ scheduling: 'batch' }), ['batch, thread 9 (a) b) other', 'batch']);
      assert.deepEqual(await one.converge({}), ['batch', 'other']);
      one.classify('9/task/9', 'idle');
      assert.deepEqual(await one.converge({}), [], 'an App that asks for none has its own way');
    });

  it('v1: rr and fifo get a budget first, of all that they are in, and lose it last', async () => {
    const one = lab('v1');
    await one.converge({ scheduling: 'rr 10', realtime: 300 });
    assert.deepEqual([one.budget(), one.budget('docker')], [300_000, 300_000]);
    const order = one.log.filter((line) => /rt_runtime|rr|other/.test(line));
    assert.deepEqual(order, ['cpu.rt_runtime_us', 'cpu.rt_runtime_us', '7 rr 10', '9 rr 10']);
    await one.converge({ scheduling: 'fifo 1', realtime: 500 });
    assert.deepEqual([one.budget(), one.budget('docker')], [500_000, 500_000]);
    await one.converge({});
    assert.deepEqual([one.budget(), one.budget('docker')], [0, 0]);
    assert.deepEqual(one.log.slice(-2), ['cpu.rt_runtime_us', 'cpu.rt_runtime_us']);
    await one.converge({ scheduling: 'rr 10', realtime: 300 });
    await one.end();
    assert.equal(one.budget('docker'), 0, 'also where the App has left');
  });

  it('v1: what an agent raised for an App that left while it was down is lowered by the next one, of the same boot', async () => {
    for (const [boot, left] of [
      ['one', 0],
      ['two', 300_000],
    ] as const) {
      const one = lab('v1');
      await one.converge({ scheduling: 'rr 10', realtime: 300 });
      one.leave();
      one.again(boot);
      await one.full();
      assert.equal(one.budget('docker'), left, boot);
    }
  });

  it('that the kernel refuses is told with its errno, and the other limits are held', async () => {
    const one = lab('v2', () => Promise.reject(errno('EPERM')));
    await assert.rejects(one.converge({ scheduling: 'fifo 1', realtime: 500, pids: 7 }), (error: PlumbError) => {
      assert.equal(error.code, 'KNOB_REFUSED');
      assert.match(error.message, /sched_policy = fifo 1: EPERM, .*CAP_SYS_NICE.*CONFIG_RT_GROUP_SCHED/);
      return true;
    });
    const { item } = await one.look({ pids: 7 });
    const said = item.limitations?.find(({ path }) => path === '/scheduling');
    assert.deepEqual([said?.state, said?.errno, said?.want], ['Refused', 'EPERM', 'fifo 1']);
    assert.equal(item.state.pids, 7);
  });
});

/** Containers 1, 2 and 3 of one process each, which has so many threads; `read` counts those that are read. */
function crowd(threads: number) {
  const self = { now: 0, read: 0, first: 'batch' };
  const files: Files = {
    ...disk,
    text: (path) => `${path.split('/')[1] ?? ''}\n`,
    folders: () => [],
    entries: () => Array.from({ length: threads }, (_, at) => String(at)),
    // 11, 12 and 13 are their lists of processes
    open: (path) => {
      if (path.endsWith('cgroup.procs')) return 10 + Number(path.split('/')[1]);
      return path.includes('/task/') ? 1 : 2;
    },
    close: () => undefined,
    read: (descriptor, into) => {
      if (descriptor > 10) return into.write(`${String(descriptor - 10)}\n`);
      if (descriptor === 1) self.read += 1;
      const policy = NUMBERS[descriptor === 1 ? 'batch' : self.first];
      return into.write(`1 (a) S ${'0 '.repeat(37)}${String(policy)} 0`);
    },
  };
  const classes = createClasses(files, '/proc', () => self.now);
  const look = (after: number): readonly (readonly [string | undefined, number])[] => {
    self.now += after;
    return ['1', '2', '3'].map((id) => {
      self.read = 0;
      return [classes.of(id, `/${id}`, self.first), self.read];
    });
  };
  return { self, look };
}

describe('threads of many containers', () => {
  it('are read in turn, so many in a time, and at once where the first process is in another class', () => {
    const { self, look } = crowd(2000);
    const reads = (after: number): readonly number[] => look(after).map(([, read]) => read);
    assert.deepEqual(reads(0), [2000, 2000, 2000], 'each for the first time');
    assert.deepEqual(reads(30_000), [0, 0, 0]);
    assert.deepEqual(reads(30_000), [2000, 2000, 0]);
    assert.deepEqual(reads(30_000), [0, 0, 2000]);
    self.first = 'idle';
    assert.deepEqual(
      look(0),
      Array.from({ length: 3 }, () => ['idle, thread 0 (a) batch', 2000]),
    );
  });

  it('are read at each look where there are few', () => {
    const { look } = crowd(100);
    const all = Array.from({ length: 3 }, () => ['batch', 100]);
    for (const after of [0, 30_000, 30_000]) assert.deepEqual(look(after), all);
  });
});

describe('chrt', () => {
  const classOf = (pid: number): string => {
    const stat = fs.readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38] ?? '';
  };

  it('is started for many processes by one program, and what has ended meanwhile is no failure', async () => {
    const sleeping = [1, 2, 3].map(() => spawn('sleep', ['600']));
    const pids = sleeping.map(({ pid = 0 }) => pid);
    let started = 0;
    const exec = systemExec();
    const counting: Exec = { run: (...args) => ((started += 1), exec.run(...args)) };
    try {
      await chrt(counting)([pids[0] ?? 0, 4_194_303, ...pids.slice(1)], 'batch');
      assert.deepEqual(pids.map(classOf), ['3', '3', '3']);
      assert.equal(started, 1);
      await chrt(counting)([], 'idle');
    } finally {
      for (const one of sleeping) one.kill('SIGKILL');
    }
  });

  it('tells what the kernel refuses, and that a program is missing', async () => {
    const says = async (stderr: string): Promise<unknown> =>
      chrt({ run: () => Promise.resolve({ status: 123, stdout: '', stderr }) })([1, 2], 'rr 10').then(
        () => undefined,
        (error: unknown) => (error as { readonly code: unknown }).code,
      );
    const ended = "chrt: failed to set tid 1's policy: No such process";
    assert.equal(await says(ended), undefined);
    assert.equal(await says(`${ended}\nchrt: failed to set tid 2's policy: Operation not permitted`), 'EPERM');
    assert.equal(await says("chrt: failed to set tid 2's policy: Invalid argument"), 'EINVAL');
    assert.equal(await says('xargs: chrt: No such file or directory'), 'MISSING_PROGRAM');
  });
});
