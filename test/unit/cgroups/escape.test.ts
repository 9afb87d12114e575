import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { disk, type Files } from '../../../providers/cgroups/files.ts';
import { cgroups } from '../../../providers/cgroups/index.ts';
import type { Observed } from '../../../reconciler/model/change.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { CgroupSpec } from '../../../reconciler/model/resources.ts';
import { container, contextOf, errno, fakeTree, idOf, limits, played } from '../../support/cgroup-tree.ts';

const ID = idOf('a');
const REF = 'cgroup/web-0';
const HOME = `/docker/${ID}`;
const CONTROLLERS = ['cpu', 'memory', 'pids', 'blkio'];
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const sandbox: Observed = {
  known: true,
  ref: 'sandbox/web-0',
  owned: true,
  state: { id: idOf('b'), running: true, pid: 100, status: 'running', fingerprint: '' },
};
const running = contextOf([container('web-0', ID), sandbox], [REF]);
const want = (some: Partial<CgroupSpec> = {}) =>
  ({ ref: REF, spec: limits('web-0', some), dependsOn: [], origin }) as const;
const roots: string[] = [];

afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

/** One process: its namespaces, its cgroup by v1 controller (or on v2), and those of its threads. */
interface Process {
  readonly net: number;
  readonly pid: number;
  readonly at?: Readonly<Record<string, string>>;
  readonly threads?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A fake /proc and cgroup tree in which what is written into cgroup.procs and tasks moves. */
function lab(
  version: 'v1' | 'v2',
  processes: Readonly<Record<string, Process>>,
  refuse?: string,
  inits: readonly string[] = [],
  sandboxNet = 5,
  descriptors = 1_000,
) {
  const root = fakeTree(version, HOME.slice(1));
  roots.push(root);
  const proc = (...parts: readonly string[]): string => join(root, 'proc', ...parts);
  const cgroupFile = (task: string, at: Readonly<Record<string, string>> = {}): void => {
    fs.mkdirSync(proc(task), { recursive: true });
    fs.writeFileSync(proc(task, 'comm'), 'java\n');
    const lines =
      version === 'v2'
        ? [`0::${at[''] ?? HOME}`]
        : [...CONTROLLERS.map((name, n) => `${String(n + 1)}:${name}:${at[name] ?? HOME}`), '0::/', '9:devices:/'];
    fs.writeFileSync(proc(task, 'cgroup'), `${lines.join('\n')}\n`);
  };
  const spaces = (pid: string, net: number, space: number): void => {
    fs.mkdirSync(proc(pid, 'ns'), { recursive: true });
    fs.symlinkSync(`net:[${String(net)}]`, proc(pid, 'ns/net'));
    fs.symlinkSync(`pid:[${String(space)}]`, proc(pid, 'ns/pid'));
  };
  spaces('self', 1, 1);
  fs.writeFileSync(proc('self/limits'), `Max open files            ${String(descriptors)}      4096      files\n`);
  spaces('100', sandboxNet, 6);
  for (const name of inits) fs.mkdirSync(join(root, HOME, name));
  const tasks: string[] = [];
  const refused = new Set<string>();
  const add = (pid: string, { net, pid: space, at, threads = {} }: Process): void => {
    spaces(pid, net, space);
    cgroupFile(pid, at);
    cgroupFile(join(pid, 'task', pid), at);
    for (const [tid, where] of Object.entries(threads)) cgroupFile(join(pid, 'task', tid), where);
    tasks.push(
      pid,
      ...Object.entries(threads).flatMap(([tid, where]) => (Object.keys(where).length === 0 ? [tid] : [])),
    );
  };
  for (const [pid, process] of Object.entries(processes)) add(pid, process);
  if (version === 'v1')
    for (const name of CONTROLLERS)
      fs.writeFileSync(join(root, name, HOME, 'tasks'), tasks.map((tid) => `${tid}\n`).join(''));
  const moved: string[] = [];
  const write: Files['write'] = (path, text) => {
    const file = path.slice(path.lastIndexOf('/') + 1);
    if (refused.has(file)) throw errno('EINVAL');
    if (file !== 'cgroup.procs' && file !== 'tasks') {
      disk.write(path, text);
      return;
    }
    const inside = inits.find((name) => path.endsWith(`/${name}/${file}`));
    if (refuse !== undefined && inside === undefined) throw errno(refuse);
    const controller = version === 'v2' ? (inside ?? '') : (path.slice(root.length + 1).split('/')[0] ?? '');
    const [pid = ''] = Object.entries(processes).find(([id, { threads = {} }]) => id === text || threads[text]) ?? [];
    const task = file === 'tasks' ? proc(pid, 'task', text, 'cgroup') : proc(text, 'cgroup');
    const line = version === 'v2' ? '0:' : `:${controller}:`;
    const lines = fs.readFileSync(task, 'utf8').split('\n');
    fs.writeFileSync(task, lines.map((each) => (each.includes(line) ? each.replace(/[^:]*$/, HOME) : each)).join('\n'));
    moved.push(`${controller}/${file} ${text}`);
  };
  const links: string[] = [];
  const files: Files = {
    ...played,
    write,
    settle: (path, text) => Promise.resolve().then(() => disk.write(path, text)),
    link: (path) => {
      links.push(path.slice(root.length + '/proc/'.length));
      return disk.link(path);
    },
  };
  let now = 0;
  const provider = cgroups({
    root,
    sysRoot: join(root, 'sys'),
    procRoot: join(root, 'proc'),
    files,
    clock: () => now,
  });
  const look = async (after = 60_000) => {
    now += after;
    const [item] = await provider.observe(running);
    assert.ok(item?.known);
    return item;
  };
  return {
    root,
    provider,
    look,
    moved,
    add: (pid: number, process: Process): void => {
      add(String(pid), process);
    },
    refuse: (file: string): void => void refused.add(file),
    /** A process goes to another cgroup. */
    move: cgroupFile,
    /** It has ended and nobody has waited for it: v1 says that it is in /. */
    zombie: (pid: string): void => {
      cgroupFile(pid, Object.fromEntries(CONTROLLERS.map((name) => [name, '/'])));
      fs.rmSync(proc(pid, 'ns'), { recursive: true });
    },
    /** Names of links below /proc that were read since this was asked last. */
    links: (): readonly string[] => links.splice(0),
  };
}

/** Makes the limits right, so that nothing but what escaped is left. */
async function settled(of: ReturnType<typeof lab>): Promise<void> {
  const [change] = of.provider.diff([want()], [await of.look()]);
  if (change) await of.provider.apply(change, running);
}

const AWAY = { memory: '/user.slice', cpu: '/user.slice' };
const here: Process = { net: 5, pid: 7 };

describe('what is outside its cgroup', () => {
  const cases: readonly { name: string; on: 'v1' | 'v2'; processes: Record<string, Process>; told?: string }[] = [
    { name: 'nobody', on: 'v1', processes: { 200: here, 201: { ...here, threads: { 202: {} } } } },
    { name: 'nobody', on: 'v2', processes: { 200: here } },
    {
      name: 'nobody of a cgroup made inside',
      on: 'v2',
      processes: { 200: { ...here, at: { '': `${HOME}/init.scope` } } },
    },
    { name: 'a probe of ours that looks in', on: 'v1', processes: { 300: { net: 5, pid: 1, at: AWAY } } },
    { name: 'the process of the sandbox', on: 'v1', processes: { 301: { net: 5, pid: 6, at: AWAY } } },
    { name: 'a stranger', on: 'v1', processes: { 302: { net: 9, pid: 9, at: AWAY } } },
    {
      name: 'a process, of some controllers',
      on: 'v1',
      processes: { 200: here, 201: { ...here, at: AWAY } },
      told: 'process 201 (java) in /user.slice',
    },
    {
      name: 'a process, also of another process namespace',
      on: 'v2',
      processes: { 200: here, 201: { net: 5, pid: 8, at: { '': '/system.slice/x.service' } } },
      told: 'process 201 (java) in /system.slice/x.service',
    },
    {
      name: 'a thread',
      on: 'v1',
      processes: { 200: { ...here, threads: { 210: {}, 211: { cpu: '/' } } } },
      told: 'thread 211 (java) of process 200 in /',
    },
    {
      name: 'many',
      on: 'v2',
      processes: Object.fromEntries([201, 202, 203, 204, 205].map((pid) => [pid, { ...here, at: { '': '/x' } }])),
      told: 'process 201 (java) in /x, process 202 (java) in /x, process 203 (java) in /x, 2 more',
    },
  ];
  for (const { name, on, processes, told } of cases)
    it(`${told === undefined ? 'is not' : 'is'} ${name}, on ${on}`, async () => {
      const of = lab(on, processes);
      await settled(of);
      const item = await of.look();
      assert.equal(item.state.escaped, told);
      const about = item.limitations?.find(({ path }) => path === '/escape');
      assert.equal(about?.state, told === undefined ? undefined : 'Drifted');
      assert.deepEqual(of.provider.diff([want({ escape: 'report' })], [item]), []);
      assert.deepEqual(of.moved, [], 'nobody is moved who is only to be told of');
    });

  it('is moved back, of each controller, and threads for themselves', async () => {
    const back = want({ escape: 'return' });
    const of = lab('v1', {
      200: { ...here, threads: { 211: { cpu: '/' } } },
      201: { ...here, at: AWAY },
    });
    await settled(of);
    const [change] = of.provider.diff([back], [await of.look()]);
    assert.deepEqual(
      change?.fields.map(({ path, want: wish }) => [path, wish]),
      [['/escape', 'in its cgroup']],
    );
    assert.ok(change);
    const { did } = await of.provider.apply(change, running);
    assert.match(did, /java 201 moved back from \/user\.slice/);
    assert.deepEqual(of.moved.toSorted(), ['cpu/cgroup.procs 201', 'cpu/tasks 211', 'memory/cgroup.procs 201']);
  });

  it('is found where it was, and told, when the kernel does not let it back', async () => {
    const of = lab('v2', { 201: { ...here, at: { '': '/x' } } }, 'EBUSY');
    await settled(of);
    const [change] = of.provider.diff([want({ escape: 'return' })], [await of.look()]);
    assert.ok(change);
    await assert.rejects(of.provider.apply(change, running), (error: PlumbError) => {
      assert.match(error.message, /java 201: EBUSY, it stays in \/x/);
      return error.code === 'KNOB_REFUSED';
    });
    const about = (await of.look()).limitations?.filter(({ path }) => path === '/escape');
    assert.deepEqual(about?.map(({ state }) => state).sort(), ['Refused']);
  });

  it('is left where it is once the kernel has refused it, until something else is outside', async () => {
    const of = lab('v2', { 201: { ...here, at: { '': '/x' } } }, 'EBUSY');
    await settled(of);
    const back = want({ escape: 'return' });
    const [change] = of.provider.diff([back], [await of.look()]);
    assert.ok(change);
    await assert.rejects(of.provider.apply(change, running));
    const item = await of.look();
    assert.equal(item.state.escaped, 'process 201 (java) in /x');
    assert.deepEqual(of.provider.diff([back], [item]), [], 'it is told, and not tried again');
    of.add(202, { ...here, at: { '': '/y' } });
    const next = of.provider.diff([back], [await of.look()]);
    assert.deepEqual(
      next.map(({ fields }) => fields.map(({ path }) => path)),
      [['/escape']],
    );
  });

  it('goes to where the init inside is, if the cgroup of its container takes none', async () => {
    const of = lab('v2', { 201: { ...here, at: { '': '/x' } } }, 'EBUSY', ['app.slice', 'init.scope']);
    await settled(of);
    const [change] = of.provider.diff([want({ escape: 'return' })], [await of.look()]);
    assert.ok(change);
    await of.provider.apply(change, running);
    assert.deepEqual(of.moved, ['init.scope/cgroup.procs 201']);
    assert.equal((await of.look()).state.escaped, undefined);
  });

  it('comes back although a limit is refused', async () => {
    const of = lab('v2', { 201: { ...here, at: { '': '/x' } } });
    await settled(of);
    of.refuse('pids.max');
    const [change] = of.provider.diff([want({ escape: 'return', pids: 7 })], [await of.look()]);
    assert.ok(change);
    await assert.rejects(of.provider.apply(change, running), /pids\.max = 7: EINVAL/);
    assert.deepEqual(of.moved, ['/cgroup.procs 201']);
    assert.equal((await of.look()).state.escaped, undefined);
  });

  it('is nobody where the sandbox has ended and its number is that of a process of the machine', async () => {
    const of = lab('v1', { 200: { net: 1, pid: 3, at: AWAY } }, undefined, [], 1);
    await settled(of);
    assert.equal((await of.look()).state.escaped, undefined);
  });
});

describe('a process that is known from the look before', () => {
  it('is only asked where it is, and is found where it has left since', async () => {
    const of = lab('v1', { 200: here, 201: here });
    await settled(of);
    await of.look();
    of.links();
    assert.equal((await of.look()).state.escaped, undefined);
    assert.deepEqual(
      of.links().filter((path) => /^20/.test(path)),
      [],
    );
    of.move('201', AWAY);
    assert.equal((await of.look()).state.escaped, 'process 201 (java) in /user.slice');
    of.move('201', {});
    assert.equal((await of.look()).state.escaped, undefined);
  });

  it('is nobody once it has ended, though nobody has waited for it', async () => {
    const of = lab('v1', { 200: here, 201: here });
    await settled(of);
    of.zombie('201');
    assert.equal((await of.look()).state.escaped, undefined);
  });

  for (const [descriptors, how] of [
    [1_000, 'with a descriptor'],
    [0, 'where no descriptor was left for it'],
  ] as const)
    it(`is another once its number was given again, ${how}`, async () => {
      const of = lab('v1', { 200: here, 201: here }, undefined, [], 5, descriptors);
      await settled(of);
      fs.rmSync(join(of.root, 'proc/201'), { recursive: true });
      of.add(201, { net: 9, pid: 9, at: AWAY });
      assert.equal((await of.look()).state.escaped, undefined);
      assert.equal((await of.look()).state.escaped, undefined);
    });
});

describe('a look at everything', () => {
  it('asks where processes are once a minute, and again at once while one is away', async () => {
    const one = lab('v2', { 200: here });
    await settled(one);
    const { escaped } = (await one.look()).state;
    one.add(201, { net: 5, pid: 8, at: { '': '/system.slice/x.service' } });
    const soon = (await one.look(1000)).state;
    const later = (await one.look(45_000)).state;
    one.add(202, { net: 5, pid: 8, at: { '': '/system.slice/x.service' } });
    const again = (await one.look(1000)).state;
    const away = 'process 201 (java) in /system.slice/x.service';
    const both = `${away}, process 202 (java) in /system.slice/x.service`;
    assert.deepEqual([escaped, soon.escaped, later.escaped, again.escaped], [undefined, undefined, away, both]);
  });
});
