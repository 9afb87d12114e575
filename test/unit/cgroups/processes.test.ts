import assert from 'node:assert/strict';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Files } from '../../../providers/cgroups/files.ts';
import { cgroups } from '../../../providers/cgroups/index.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { CgroupSpec } from '../../../reconciler/model/resources.ts';
import { container, contextOf, errno, fakeTree, idOf, kernelRules, limits } from '../../support/cgroup-tree.ts';

const ID = idOf('a');
const REF = 'cgroup/web-0';
const PATH = `docker/${ID}`;
const MEBI = 2 ** 20;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const running = contextOf([container('web-0', ID)], [REF]);
const roots: string[] = [];

afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

/** A fake kernel whose container has processes: pid → oom_score_adj, and MiB of memory. `dying`: those that are killed take a while, and are never asked how they ended. */
function lab(
  version: 'v1' | 'v2',
  processes: Readonly<Record<string, readonly [string, number]>>,
  rules?: Partial<Files>,
  dying = false,
) {
  const root = fakeTree(version, PATH);
  roots.push(root);
  const controllers = version === 'v2' ? [''] : ['cpu', 'memory', 'pids', 'blkio'];
  const cgroup = (controller: string, name: string): string =>
    join(root, version === 'v2' ? '' : controller, PATH, name);
  const list = (pids: readonly string[]): void => {
    for (const each of controllers)
      fs.writeFileSync(cgroup(each, 'cgroup.procs'), pids.map((pid) => `${pid}\n`).join(''));
    const usage = version === 'v2' ? ['memory.current'] : ['memory.usage_in_bytes', 'memory.memsw.usage_in_bytes'];
    const used = pids.reduce((sum, pid) => sum + (processes[pid]?.[1] ?? 0) * MEBI, 0);
    for (const name of usage) fs.writeFileSync(cgroup('memory', name), `${String(used)}\n`);
  };
  const proc = (pid: string, name: string): string => join(root, 'proc', pid, name);
  for (const [pid, [score, mebi]] of Object.entries(processes)) {
    fs.mkdirSync(dirname(proc(pid, 'statm')), { recursive: true });
    fs.writeFileSync(proc(pid, 'oom_score_adj'), `${score}\n`);
    fs.writeFileSync(proc(pid, 'statm'), `${String(mebi * 512)} ${String(mebi * 256)} 0 0 0 0 0\n`);
  }
  list(Object.keys(processes));
  const killed: number[] = [];
  const gone = (pid: number): void => {
    fs.rmSync(join(root, 'proc', String(pid)), { recursive: true });
    list(Object.keys(processes).filter((each) => !killed.includes(Number(each))));
  };
  const kernel = kernelRules();
  const files: Files = {
    ...kernel,
    kill: (pid) => {
      killed.push(pid);
      if (!dying) return gone(pid);
      // its pages are no longer its own, but not yet the kernel's again
      fs.writeFileSync(proc(String(pid), 'statm'), '0 0 0 0 0 0 0\n');
      const states = join(root, 'proc', String(pid), 'task', String(pid), 'stat');
      fs.mkdirSync(dirname(states), { recursive: true });
      fs.writeFileSync(states, `${String(pid)} (a) Z b) R 1 1 1 0\n`);
      void sleep(50).then(() => {
        list(Object.keys(processes).filter((each) => !killed.includes(Number(each))));
        fs.writeFileSync(states, `${String(pid)} (a) Z b) Z 1 1 1 0\n`);
      });
    },
    ...rules,
  };
  let now = 0;
  const provider = cgroups({ root, sysRoot: join(root, 'sys'), procRoot: join(root, 'proc'), files, clock: () => now });
  const look = async (spec: CgroupSpec) => {
    const [item] = await provider.observe(running, [REF]);
    assert.ok(item?.known);
    return { item, change: provider.diff([{ ref: REF, spec, dependsOn: [], origin }], [item])[0] };
  };
  return {
    look,
    /** A look at everything, so many milliseconds after the one before: what the first process says. */
    glance: async (after: number) => {
      now += after;
      const [item] = await provider.observe(running);
      return item?.known === true ? item.state.oomScoreAdj : undefined;
    },
    killed,
    /** Another process gets the number of one that has ended. */
    again: (pid: string, score: string): void => {
      fs.rmSync(join(root, 'proc', pid), { recursive: true });
      fs.mkdirSync(join(root, 'proc', pid));
      fs.writeFileSync(proc(pid, 'oom_score_adj'), `${score}\n`);
    },
    end: (pid: string): void => {
      files.kill(Number(pid));
    },
    /** All processes go to a cgroup below, as an init that makes its own has them. */
    nest: (name: string): void => {
      fs.mkdirSync(cgroup('', name));
      fs.renameSync(cgroup('', 'cgroup.procs'), cgroup('', `${name}/cgroup.procs`));
      fs.writeFileSync(cgroup('', 'cgroup.procs'), '');
    },
    converge: async (spec: CgroupSpec): Promise<readonly string[]> => {
      const { change } = await look(spec);
      if (change) await provider.apply(change, running);
      assert.equal((await look(spec)).change, undefined, 'converged after one apply');
      return change?.fields.map(({ path }) => path) ?? [];
    },
    scores: (): readonly string[] =>
      Object.keys(processes).map((pid) => fs.readFileSync(proc(pid, 'oom_score_adj'), 'utf8').trim()),
    put: (pid: string, score: string): void => {
      fs.writeFileSync(proc(pid, 'oom_score_adj'), `${score}\n`);
    },
    freeze: (): void => {
      fs.writeFileSync(cgroup('freezer', 'freezer.state'), 'FROZEN\n');
    },
    limit: (): string =>
      fs.readFileSync(cgroup('memory', version === 'v2' ? 'memory.max' : 'memory.limit_in_bytes'), 'utf8').trim(),
  };
}

describe('how soon processes are ended where memory runs out', () => {
  for (const version of ['v1', 'v2'] as const)
    it(`is the same for all that began alike, on ${version}`, async () => {
      const { converge, scores, put, look } = lab(version, { 11: ['0', 1], 12: ['0', 1], 13: ['700', 1] });
      await converge(limits('web-0', { oomScoreAdj: -600 }));
      assert.deepEqual(scores(), ['-600', '-600', '700'], 'one that gives itself away is left alone');
      assert.equal((await look(limits('web-0'))).item.state.oomScoreAdj, -600);
      put('11', '-999');
      assert.deepEqual(await converge(limits('web-0', { oomScoreAdj: -600 })), ['/oomScoreAdj']);
      put('12', '-999');
      await converge(limits('web-0', { oomScoreAdj: 300 }));
      assert.deepEqual(scores(), ['300', '300', '700'], 'nobody is spared more than is asked for');
    });

  it('is that of the processes in the cgroups of an init inside, where the container itself has none', async () => {
    const { converge, scores, nest, look } = lab('v2', { 11: ['0', 1], 12: ['0', 1] });
    nest('init.scope');
    assert.equal((await look(limits('web-0'))).item.state.oomScoreAdj, 0);
    assert.ok((await converge(limits('web-0', { oomScoreAdj: 300 }))).includes('/oomScoreAdj'));
    assert.deepEqual(scores(), ['300', '300']);
  });

  it('is asked once a minute in looks at everything, and at once in one that names the replica', async () => {
    const { glance, put, look } = lab('v1', { 11: ['0', 1] });
    assert.equal(await glance(0), 0);
    put('11', '5');
    assert.equal(await glance(1000), 0);
    assert.equal(await glance(45_000), 5);
    put('11', '6');
    assert.equal((await look(limits('web-0'))).item.state.oomScoreAdj, 6);
  });

  it('is that of who is first by now, also where a number was given again', async () => {
    const of = lab('v1', { 11: ['0', 1], 12: ['7', 1] });
    assert.equal(await of.glance(0), 0);
    of.again('11', '3');
    assert.equal(await of.glance(45_000), 3);
    of.end('11');
    assert.equal(await of.glance(45_000), 7);
  });

  it('is no drift where nobody asks, nor where no process is to be seen', async () => {
    assert.equal((await lab('v2', { 11: ['55', 1] }).look(limits('web-0'))).item.state.oomScoreAdj, 55);
    const { converge, look } = lab('v2', {});
    await converge(limits('web-0', { oomScoreAdj: 300 }));
    assert.equal((await look(limits('web-0'))).item.state.oomScoreAdj, undefined);
  });

  it('is no better than that of others where this process may not spare any, and that is told; all else is held', async () => {
    const kernel = kernelRules();
    const write: Files['write'] = (path, text) => {
      if (path.endsWith('oom_score_adj') && Number(text) < 0) throw errno('EACCES');
      kernel.write(path, text);
    };
    const { converge, look, scores } = lab('v1', { 11: ['20', 1] }, { write });
    await converge(limits('web-0', { oomScoreAdj: -300, pids: 9 }));
    const { item } = await look(limits('web-0', { oomScoreAdj: -300 }));
    assert.equal(item.state.pids, 9);
    assert.deepEqual(scores(), ['0']);
    const told = item.limitations?.find(({ path }) => path === '/oomScoreAdj');
    assert.deepEqual([told?.state, told?.errno, told?.want], ['Refused', 'EACCES', -300]);
    await converge(limits('web-0', { oomScoreAdj: 300 }));
    assert.deepEqual(scores(), ['300']);
    assert.ok(!(await look(limits('web-0'))).item.limitations?.some(({ state }) => state === 'Refused'));
  });
});

describe('a memory limit below what is in use', () => {
  const processes = { 11: ['0', 10], 12: ['0', 40], 13: ['0', 20] } as const;

  it('is refused with both figures, and nobody is killed', async () => {
    for (const version of ['v1', 'v2'] as const) {
      const { converge, killed, look } = lab(version, processes);
      await converge(limits('web-0', { memory: 100 * MEBI }));
      const { change } = await look(limits('web-0', { memory: 32 * MEBI }));
      assert.ok(change);
      await assert.rejects(converge(limits('web-0', { memory: 32 * MEBI })), (error: PlumbError) => {
        assert.match(error.message, /73400320 bytes are in use.* 33554432 are wanted/);
        return true;
      });
      const refused = (await look(limits('web-0'))).item.limitations?.filter(({ state }) => state === 'Refused') ?? [];
      assert.ok(refused.some(({ path, errno }) => path === '/memory' && errno === 'EBUSY'));
      assert.deepEqual(killed, []);
    }
  });

  it('by force kills what takes most, until it holds', async () => {
    const { converge, killed, limit } = lab('v1', processes);
    await converge(limits('web-0', { memory: 100 * MEBI }));
    await converge(limits('web-0', { memory: 32 * MEBI, force: true }));
    assert.deepEqual(killed, [12]);
    assert.equal(limit(), String(32 * MEBI));
    await converge(limits('web-0', { memory: 16 * MEBI, force: true }));
    assert.deepEqual(killed, [12, 13]);
  });

  it('by force kills nobody for pages of one that is dying', async () => {
    const { converge, killed, limit } = lab('v1', processes, {}, true);
    await converge(limits('web-0', { memory: 100 * MEBI }));
    await converge(limits('web-0', { memory: 32 * MEBI, force: true }));
    assert.deepEqual([killed, limit()], [[12], String(32 * MEBI)]);
  });

  it('by force kills nobody that stands still on v1, and says so', async () => {
    const { converge, killed, freeze } = lab('v1', processes);
    await converge(limits('web-0', { memory: 100 * MEBI }));
    freeze();
    const frozen = limits('web-0', { memory: 32 * MEBI, force: true, frozen: true });
    await assert.rejects(converge(frozen), /bytes are in use.*; what is frozen is not killed for it/);
    assert.deepEqual(killed, []);
  });

  it('by force is written on v2, where the kernel kills', async () => {
    const kernel = kernelRules();
    const settle: Files['settle'] = async (path, text) => {
      if (!path.endsWith('memory.max')) return kernel.settle(path, text);
      fs.writeFileSync(path, `${text}\n`);
    };
    const { converge, killed, limit } = lab('v2', processes, { settle });
    await converge(limits('web-0', { memory: 32 * MEBI, force: true }));
    assert.deepEqual([limit(), killed], [String(32 * MEBI), []]);
  });
});
