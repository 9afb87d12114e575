import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { cores } from '../../../providers/cgroups/cores.ts';
import { disk, type Files } from '../../../providers/cgroups/files.ts';
import { countsOf, threadsOf, topologyReader } from '../../../providers/cgroups/topology.ts';
import type { Desired, Known, Observed } from '../../../reconciler/model/change.ts';
import { CORES } from '../../../reconciler/model/cores.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Provider } from '../../../reconciler/model/provider.ts';
import type { CoresSpec, CoresState, Cpuset } from '../../../reconciler/model/resources.ts';
import { conforms } from '../../conformance/provider.ts';
import { container, contextOf, errno, idOf } from '../../support/cgroup-tree.ts';
import { MACHINES, writeMachine, type MachineName } from '../../support/machines.ts';

const roots: string[] = [];
after(() => {
  for (const root of roots) fs.rmSync(root, { recursive: true, force: true });
});

const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const IDS = { 'db-0': idOf('a'), 'web-0': idOf('b'), 'web-1': idOf('c') } as const;
type Replica = keyof typeof IDS;

function want(pinned: CoresSpec['pinned'], shared: readonly string[] = ['web-0', 'web-1']): Desired<CoresSpec> {
  return { ref: CORES, spec: { pinned, shared }, dependsOn: [], origin };
}

/** A machine played by files, with containers that may run on all of it. */
class Machine {
  readonly root: string = fs.mkdtempSync(join(tmpdir(), 'cores-'));
  readonly version: 'v1' | 'v2';
  readonly running = new Set<Replica>();
  /** `web-0 cpuset.cpus 0-2`, in the order of writing. */
  readonly log: string[] = [];
  /** Writes to these end with an errno. */
  readonly refuses = new Map<string, string>();
  readonly told = new Map<string, Cpuset>();
  world: readonly Observed[] = [];

  constructor(machine: MachineName, version: 'v1' | 'v2' = 'v1') {
    this.version = version;
    roots.push(this.root);
    writeMachine(this.root, MACHINES[machine], version);
    for (const replica of Object.keys(IDS) as Replica[]) this.start(replica);
  }

  private home(replica: Replica): string {
    const path = join('docker', IDS[replica]);
    return this.version === 'v1' ? join(this.root, 'cgroup/cpuset', path) : join(this.root, 'cgroup', path);
  }

  start(replica: Replica): void {
    this.running.add(replica);
    const home = this.home(replica);
    if (this.version === 'v1') fs.mkdirSync(join(this.root, 'cgroup/memory/docker', IDS[replica]), { recursive: true });
    fs.mkdirSync(home, { recursive: true });
    const effective = topologyReader(this.where)();
    const all = Object.values(effective?.nodes ?? {})
      .flat()
      .join(',');
    this.set(replica, this.version === 'v1' ? all : '', this.version === 'v1' ? (effective?.memory ?? '') : '');
  }

  stop(replica: Replica): void {
    this.running.delete(replica);
    fs.rmSync(this.home(replica), { recursive: true });
    fs.rmSync(join(this.root, 'cgroup/memory/docker', IDS[replica]), { recursive: true, force: true });
  }

  set(replica: Replica, cpus: string, mems: string): void {
    fs.writeFileSync(join(this.home(replica), 'cpuset.cpus'), `${cpus}\n`);
    fs.writeFileSync(join(this.home(replica), 'cpuset.mems'), `${mems}\n`);
  }

  /** `0-3 mems 0` */
  says(replica: Replica): string {
    const text = (name: string): string => fs.readFileSync(join(this.home(replica), name), 'utf8').trim();
    return `${text('cpuset.cpus')} mems ${text('cpuset.mems')}`;
  }

  get where(): { readonly root: string; readonly sysRoot: string } {
    return { root: join(this.root, 'cgroup'), sysRoot: join(this.root, 'sys') };
  }

  get file(): string {
    return join(this.root, 'state/cores.json');
  }

  /** A provider that has just begun. */
  provider(): Provider<CoresSpec, CoresState> {
    const files: Files = {
      ...disk,
      write: (path, text) => {
        const replica = (Object.keys(IDS) as Replica[]).find((one) => path.includes(IDS[one])) ?? '';
        const refused = this.refuses.get(`${replica} ${basename(path)}`);
        if (refused !== undefined) throw errno(refused);
        this.log.push(`${replica} ${basename(path)} ${text}`);
        disk.write(path, `${text}\n`);
      },
    };
    const tellDocker = (id: string, cpuset: Cpuset): Promise<void> => {
      this.told.set(id, cpuset);
      return Promise.resolve();
    };
    return cores({ ...this.where, file: this.file, files, tellDocker });
  }

  context() {
    const all = (Object.keys(IDS) as Replica[]).map((one) =>
      container(one, IDS[one], this.running.has(one) ? 'running' : 'exited'),
    );
    return contextOf(
      all,
      all.map(({ ref }) => ref),
    );
  }

  async seen(provider: Provider<CoresSpec, CoresState>): Promise<readonly Observed<CoresState>[]> {
    return provider.observe(this.context());
  }

  async converge(
    provider: Provider<CoresSpec, CoresState>,
    ...desired: readonly Desired<CoresSpec>[]
  ): Promise<readonly string[]> {
    const [change] = provider.diff(desired, await this.seen(provider));
    if (change) await provider.apply(change, this.context());
    assert.deepEqual(provider.diff(desired, await this.seen(provider)), [], 'nothing is left to do');
    return change
      ? [
          `${change.verb} ${change.because}`,
          ...change.fields.map(({ path, have, want: to }) => `${path} ${String(have)} -> ${String(to)}`),
        ]
      : [];
  }
}

describe('topology', () => {
  for (const version of ['v1', 'v2'] as const)
    it(`is read from /sys and the root of cgroup ${version}`, () => {
      const machine = new Machine('some offline', version);
      const read = topologyReader(machine.where);
      const topology = read();
      assert.deepEqual(topology?.nodes['0']?.slice(0, 4), ['0,16', '1,17', '2,18', '4,20']);
      assert.ok(topology?.nodes['0']?.includes('19'), 'the sibling of one that is offline');
      assert.deepEqual(
        [...countsOf(topology)],
        [
          [0, 15],
          [1, 8],
        ],
      );
      assert.equal(threadsOf(topology), 2);
      fs.writeFileSync(
        join(machine.root, version === 'v1' ? 'cgroup/cpuset/cpuset.effective_cpus' : 'cgroup/cpuset.cpus.effective'),
        '8-9\n',
      );
      assert.deepEqual(read()?.nodes, { '1': ['8', '9'] }, 'what cgroups may not have is not there');
    });

  it('of a kernel without NUMA is one node, and without cpuset there is none', () => {
    const machine = new Machine('plain');
    assert.deepEqual([...countsOf(topologyReader(machine.where)())], [[0, 4]]);
    assert.equal(threadsOf(topologyReader(machine.where)()), 1);
    fs.rmSync(join(machine.root, 'cgroup/cpuset'), { recursive: true });
    assert.equal(topologyReader(machine.where)(), undefined);
    assert.deepEqual([...countsOf(undefined)], []);
    assert.equal(threadsOf(undefined), 1);
  });
});

for (const version of ['v1', 'v2'] as const)
  conforms(`cores on cgroup ${version}`, () => {
    const machine = new Machine('two sockets', version);
    const states = [
      [want({ 'db-0': { node: 1, cores: 2 } })],
      [want({ 'db-0': { node: 1, cores: 4 }, 'web-0': { node: 0, cores: 1 } }, ['web-1'])],
      [],
    ];
    return Promise.resolve({
      provider: machine.provider(),
      ctx: machine.context(),
      states,
      snapshot: () =>
        Promise.resolve([
          ...(Object.keys(IDS) as Replica[]).map((one) => machine.says(one)),
          fs.existsSync(machine.file),
        ]),
      close: () => Promise.resolve(),
    });
  });

describe('cores', () => {
  const two = { 'db-0': { node: 0, cores: 2 } };

  it('of one pinned replica are no one else’s: others give them up first, and get them back when it leaves', async () => {
    const machine = new Machine('plain');
    const provider = machine.provider();
    assert.deepEqual(await machine.converge(provider, want(two)), ['create new', '/db-0 shared -> 2 of node 0']);
    assert.deepEqual(machine.log, ['db-0 cpuset.cpus 2-3', 'web-0 cpuset.cpus 0-1', 'web-1 cpuset.cpus 0-1']);
    assert.deepEqual(machine.told.get(IDS['web-1']), { cpus: '0-1', mems: '0' });
    machine.log.length = 0;
    machine.stop('db-0');
    await machine.converge(provider, want({ 'web-0': { node: 0, cores: 1 } }, ['web-1']));
    assert.equal(machine.says('web-0'), '3 mems 0');
    assert.equal(machine.says('web-1'), '0-2 mems 0');
    assert.deepEqual(machine.log, ['web-0 cpuset.cpus 3', 'web-1 cpuset.cpus 0-2']);
    assert.deepEqual(await machine.converge(provider), ['delete removed', '/web-0 3 -> shared']);
    assert.equal(machine.says('web-0'), '0-3 mems 0');
    assert.equal(fs.existsSync(machine.file), false);
  });

  it('have all their threads where these are reserved, and nobody runs on the one that was not asked for', async () => {
    const machine = new Machine('neighbours', 'v2');
    await machine.converge(machine.provider(), want({ 'db-0': { node: 0, cores: 1 } }));
    assert.deepEqual(
      [machine.says('db-0'), machine.says('web-0')],
      ['6 mems 0', '0-5,7 mems 0'],
      'the other is promised',
    );
    const odd = { 'db-0': { node: 0, cores: 1, reserved: 2 } };
    await machine.converge(machine.provider(), want(odd));
    assert.equal(machine.says('db-0'), '6-7 mems 0');
    assert.equal(machine.says('web-0'), '0-5 mems 0');
    const both = want({ ...odd, 'web-0': { node: 0, cores: 3, reserved: 4 } }, ['web-1']);
    await machine.converge(machine.provider(), both);
    assert.deepEqual(
      (['db-0', 'web-0', 'web-1'] as const).map((replica) => machine.says(replica)),
      ['6-7 mems 0', '2-5 mems 0', '0-1 mems 0'],
    );
    fs.rmSync(machine.file);
    const log = machine.log.length;
    await machine.converge(machine.provider(), both);
    assert.equal(machine.log.length, log, 'also when it is forgotten what was given, they stay where they run');
  });

  it('are remembered over a restart of the agent and of the container', async () => {
    const machine = new Machine('two sockets');
    await machine.converge(
      machine.provider(),
      want({ 'db-0': { node: 1, cores: 2 }, 'web-0': { node: 1, cores: 2 } }, ['web-1']),
    );
    assert.equal(machine.says('db-0'), '15,31 mems 1');
    assert.equal(machine.says('web-0'), '14,30 mems 1');
    const log = machine.log.length;
    await machine.converge(
      machine.provider(),
      want({ 'db-0': { node: 1, cores: 2 }, 'web-0': { node: 1, cores: 2 } }, ['web-1']),
    );
    assert.equal(machine.log.length, log, 'nothing is written');
    machine.stop('db-0');
    const later = machine.provider();
    await machine.converge(
      later,
      want({ 'db-0': { node: 1, cores: 2 }, 'web-0': { node: 1, cores: 2 }, 'a-0': { node: 1, cores: 2 } }, ['web-1']),
    );
    machine.start('db-0');
    await machine.converge(
      later,
      want({ 'db-0': { node: 1, cores: 2 }, 'web-0': { node: 1, cores: 2 }, 'a-0': { node: 1, cores: 2 } }, ['web-1']),
    );
    assert.equal(machine.says('db-0'), '15,31 mems 1');
  });

  for (const left of ['', 'not JSON', '{"version": 1, "given": {"db-0": "../etc"}}'])
    it(`are found again on what runs when the file holds ${left === '' ? 'nothing, being gone' : left}`, async () => {
      const machine = new Machine('two sockets');
      const wanted = want({ 'db-0': { node: 1, cores: 2 } });
      await machine.converge(machine.provider(), wanted);
      machine.set('db-0', '9,25', '1');
      for (const one of ['web-0', 'web-1'] as const) machine.set(one, '0-8,10-24,26-31', '0-1');
      if (left === '') fs.rmSync(machine.file);
      else fs.writeFileSync(machine.file, left);
      const log = machine.log.length;
      await machine.converge(machine.provider(), wanted);
      assert.equal(machine.log.length, log, 'nothing runs anywhere else by that');
      assert.match(fs.readFileSync(machine.file, 'utf8'), /"db-0": "9,25"/);
    });

  it('that were moved by hand are put back, and told by the watch', async () => {
    const machine = new Machine('plain', 'v2');
    const provider = machine.provider();
    await machine.converge(provider, want(two));
    const stop = new AbortController();
    const hints = provider.watch?.({ ...machine.context(), signal: stop.signal })[Symbol.asyncIterator]();
    await hints?.next(); // the first look opens the watches
    await machine.seen(provider);
    machine.set('web-0', '0-3', '0');
    assert.equal((await hints?.next())?.value, CORES);
    stop.abort();
    await hints?.next();
    assert.deepEqual(await machine.converge(provider, want(two)), ['update drift', '/web-0 0-3 -> 0-1']);
    machine.set('db-0', '0', '0');
    machine.set('web-1', '2-3', '0');
    machine.log.length = 0;
    await machine.converge(provider, want(two));
    assert.deepEqual(
      machine.log,
      ['web-1 cpuset.cpus 1', 'db-0 cpuset.cpus 2-3', 'web-1 cpuset.cpus 0-1'],
      'in whichever order nobody overlaps',
    );
  });

  it('that the kernel refuses are told with errno, and are tried again', async () => {
    const machine = new Machine('plain');
    const provider = machine.provider();
    machine.refuses.set('web-1 cpuset.cpus', 'EBUSY');
    const [change] = provider.diff([want(two)], await machine.seen(provider));
    assert.ok(change);
    await assert.rejects(
      provider.apply(change, machine.context()),
      (error) =>
        error instanceof PlumbError &&
        error.code === 'KNOB_REFUSED' &&
        /web-1: cpuset.cpus = 0-1: EBUSY/.test(error.message),
    );
    assert.equal(machine.says('web-0'), '0-1 mems 0', 'the others are held to theirs');
    machine.refuses.clear();
    assert.deepEqual(await machine.converge(provider, want(two)), ['update drift', '/web-1 0-3 -> 0-1']);
  });

  it('that are not there are told, and who has some keeps them', async () => {
    const machine = new Machine('plain');
    const provider = machine.provider();
    await machine.converge(provider, want(two));
    const more = want({ ...two, 'web-0': { node: 0, cores: 2 } }, ['web-1']);
    const [change] = provider.diff([more], await machine.seen(provider));
    assert.ok(change);
    await assert.rejects(
      provider.apply(change, machine.context()),
      (error) =>
        error instanceof PlumbError &&
        error.code === 'CORES_UNAVAILABLE' &&
        /web-0 is to have 2 of NUMA node 0/.test(error.message),
    );
    assert.equal(machine.says('db-0'), '2-3 mems 0');
    // one CPU is left for all others
    assert.deepEqual([machine.says('web-0'), machine.says('web-1')], ['0 mems 0', '1 mems 0']);
  });

  it('are Unknown while it is not known what runs', async () => {
    const machine = new Machine('plain');
    const provider = machine.provider();
    await machine.converge(provider, want(two));
    const silent: readonly Observed[] = [{ known: false, ref: 'container/db-0', why: 'Docker does not answer' }];
    const [item] = await provider.observe(contextOf(silent, ['container/db-0']));
    assert.deepEqual(item, { known: false, ref: CORES, why: 'Docker does not answer' });
  });

  it('killed between what it remembers and what it writes, it goes on with the same', async () => {
    const machine = new Machine('plain');
    const provider = machine.provider();
    for (const replica of Object.keys(IDS)) machine.refuses.set(`${replica} cpuset.cpus`, 'EIO');
    const [change] = provider.diff([want(two)], await machine.seen(provider));
    assert.ok(change);
    await assert.rejects(provider.apply(change, machine.context()));
    machine.refuses.clear();
    const next = machine.provider();
    const [item] = (await machine.seen(next)) as readonly Known<CoresState>[];
    assert.deepEqual(item?.state.given, { 'db-0': '2-3' });
    await machine.converge(next, want(two));
    assert.equal(machine.says('db-0'), '2-3 mems 0');
    assert.deepEqual(fs.readdirSync(dirname(machine.file)), ['cores.json']);
  });
});
