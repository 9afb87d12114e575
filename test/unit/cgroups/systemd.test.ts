import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { cgroups, type CgroupsOptions } from '../../../providers/cgroups/index.ts';
import { systemctl, wordsOf } from '../../../providers/cgroups/systemctl.ts';
import type { Systemd } from '../../../providers/cgroups/systemd.ts';
import { ABORTED, type Finished } from '../../../providers/exec/exec.ts';
import type { Change, Evidence } from '../../../reconciler/model/change.ts';
import type { CgroupSpec } from '../../../reconciler/model/resources.ts';
import { container, contextOf, fakeTree, idOf, kernelRules, limits } from '../../support/cgroup-tree.ts';

const ID = idOf('a');
const REF = 'cgroup/web-0';
const SCOPE = `docker-${ID}.scope`;
const running = contextOf([container('web-0', ID)]);
const MEBI = 2 ** 20;
const roots: string[] = [];

/** What systemd 252 says of a scope of the usual limits that Docker has made. */
const RIGHT = {
  CPUWeight: '20',
  CPUQuotaPerSecUSec: '750ms',
  MemoryMax: String(64 * MEBI),
  MemoryLow: String(32 * MEBI),
  MemorySwapMax: '0',
  MemoryHigh: 'infinity',
  TasksMax: '100',
  IOWeight: '2930',
};
type Knowledge = Readonly<Record<string, string>>;

/** A systemd that knows this of the scope. What it is told is kept as it would print it. */
function playedSystemd(knowledge: Knowledge) {
  const knows = new Map(Object.entries(knowledge));
  const told: string[] = [];
  let beforeShow: (() => void) | undefined;
  let asked = 0;
  const set: Systemd['set'] = (unit, assignments) => {
    assert.equal(unit, SCOPE);
    told.push(...assignments);
    for (const each of assignments) {
      const [name = '', value = ''] = each.split('=');
      if (name !== 'CPUQuota') knows.set(name, value);
      else knows.set('CPUQuotaPerSecUSec', value === '' ? 'infinity' : `${String(Number.parseFloat(value) * 10)}ms`);
    }
    return Promise.resolve();
  };
  const systemd: Systemd = {
    show: (units, properties) => {
      assert.deepEqual(units, [SCOPE]);
      asked += 1;
      const said = new Map(properties.flatMap((name) => [[name, knows.get(name) ?? ''] as const]));
      beforeShow?.();
      beforeShow = undefined;
      return Promise.resolve(new Map([[SCOPE, said]]));
    },
    set,
  };
  return { systemd, knows, told, asked: () => asked, onShow: (act: () => void) => (beforeShow = act) };
}

/** A fake kernel with one container in a scope, and what puts its limits right. */
function lab(options: CgroupsOptions, version: 'v1' | 'v2' = 'v2', path = `system.slice/${SCOPE}`) {
  const root = fakeTree(version, path);
  roots.push(root);
  const provider = cgroups({ root, files: kernelRules([]), ...options });
  const look = async (spec: CgroupSpec): Promise<Change<CgroupSpec> | undefined> => {
    const want = { ref: REF, spec, dependsOn: [], origin: { revision: 'r', file: 'f', line: 1, column: 1 } } as const;
    const [item] = await provider.observe(running, [REF]);
    assert.ok(item?.known);
    return provider.diff([want], [item])[0];
  };
  const converge = async (spec: CgroupSpec): Promise<Evidence> => {
    const change = await look(spec);
    assert.ok(change);
    return await provider.apply(change, running);
  };
  /** The container starts again, in a new cgroup of the same name. */
  const restart = async (): Promise<void> => {
    fs.renameSync(join(root, path), join(root, 'ended'));
    const gone = await provider.observe(contextOf([]), [REF]);
    assert.deepEqual(gone, []);
    fs.renameSync(join(root, 'ended'), join(root, path));
  };
  const file = (name: string): string => join(root, path, name);
  const read = (name: string): string => fs.readFileSync(file(name), 'utf8').trim();
  const hand = (name: string, text: string): void => fs.writeFileSync(file(name), `${text}\n`);
  return { look, converge, restart, read, hand };
}

afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

describe("systemd's knowledge", () => {
  const usual = limits('web-0');
  const { reservation: _reservation, quota: _quota, blockIoWeight: _weight, ...bare } = usual;
  const cases: readonly { name: string; spec: CgroupSpec; knows: Knowledge; told: readonly string[] }[] = [
    { name: 'all as it should be', spec: usual, knows: {}, told: [] },
    {
      name: 'all of another hand',
      spec: usual,
      knows: {
        CPUWeight: '333',
        CPUQuotaPerSecUSec: '1min 30.5s',
        MemoryMax: '4096',
        MemoryLow: 'infinity',
        MemorySwapMax: 'infinity',
        TasksMax: '9',
        IOWeight: '5',
      },
      told: [
        'CPUWeight=59',
        'CPUQuota=75%',
        `MemoryMax=${String(64 * MEBI)}`,
        `MemoryLow=${String(32 * MEBI)}`,
        'MemorySwapMax=0',
        'TasksMax=100',
        'IOWeight=2930',
      ],
    },
    {
      ...{ name: 'memory that is high', spec: limits('web-0', { high: 4096 }), knows: {} },
      told: ['MemoryHigh=4096'],
    },
    { name: 'none that is', spec: usual, knows: { MemoryHigh: '4096' }, told: ['MemoryHigh=infinity'] },
    { name: 'what is idle', spec: limits('web-0', { idle: true }), knows: {}, told: ['CPUWeight=idle'] },
    { name: 'what it knows to be idle', spec: limits('web-0', { idle: true }), knows: { CPUWeight: 'idle' }, told: [] },
    { name: 'what is idle no longer', spec: usual, knows: { CPUWeight: 'idle' }, told: ['CPUWeight=59'] },
    { name: 'a weight by another formula', spec: usual, knows: { CPUWeight: '59' }, told: [] },
    {
      name: 'a quota rounded up',
      spec: limits('web-0', { quota: 333 }),
      knows: { CPUQuotaPerSecUSec: '340ms' },
      told: [],
    },
    {
      name: 'a quota of many parts',
      spec: limits('web-0', { quota: 61_500 }),
      knows: { CPUQuotaPerSecUSec: '1min 1.5s' },
      told: [],
    },
    {
      name: 'no limit where there is one',
      spec: { ...bare, shares: 1024 },
      knows: { CPUWeight: '[not set]', IOWeight: '18446744073709551615' },
      told: ['CPUQuota=', 'MemoryLow=0'],
    },
    { name: 'a weight by default', spec: usual, knows: { CPUWeight: '[not set]' }, told: ['CPUWeight=59'] },
    { name: 'some swap', spec: limits('web-0', { swap: 4096 }), knows: {}, told: ['MemorySwapMax=4096'] },
  ];
  for (const { name, spec, knows, told } of cases)
    it(`of ${name} is made that of Git`, async () => {
      const played = playedSystemd({ ...RIGHT, ...knows });
      const { facts } = await lab({ systemd: played.systemd }).converge(spec);
      assert.deepEqual(played.told, told);
      assert.equal(facts, undefined);
    });

  it('that another changed between the word of an engine and its write into the cgroup is found, though the kernel is right', async () => {
    const played = playedSystemd({ ...RIGHT, TasksMax: '7' });
    const { converge, read, hand } = lab({
      systemd: played.systemd,
      updateLimits: () => {
        played.knows.set('TasksMax', '100');
        // systemctl set-property TasksMax=9
        played.knows.set('TasksMax', '9');
        hand('pids.max', '9');
        // the engine goes on
        hand('pids.max', '100');
        return Promise.resolve();
      },
    });
    await converge(usual);
    assert.deepEqual([read('pids.max'), played.knows.get('TasksMax')], ['100', '100']);
  });

  it('that another changed after it was right is put right as the kernel is', async () => {
    const played = playedSystemd(RIGHT);
    const { converge, read, hand } = lab({ systemd: played.systemd });
    played.onShow(() => {
      played.knows.set('MemoryMax', '4194304');
      hand('memory.max', '4194304');
    });
    await converge(usual);
    assert.deepEqual([read('memory.max'), played.knows.get('MemoryMax')], [String(64 * MEBI), String(64 * MEBI)]);
  });

  for (const [version, path] of [
    ['v2', `docker/${ID}`],
    ['v1', `system.slice/${SCOPE}`],
  ] as const)
    it(`is nobody’s business for ${path.replace(ID, 'ID')} on ${version}`, async () => {
      const silent: Systemd = { show: () => assert.fail('asked'), set: () => assert.fail('told') };
      await lab({ systemd: silent }, version, path).converge(usual);
    });

  it('that cannot be brought up to date is said', async () => {
    const { systemd } = playedSystemd({ ...RIGHT, TasksMax: '9' });
    const refusing = { ...systemd, set: () => Promise.reject(new Error('Unit not found')) };
    assert.deepEqual((await lab({ systemd: refusing }).converge(usual)).facts, { systemdNotTold: 'Unit not found' });
    const deaf = { ...systemd, set: () => Promise.resolve() };
    const { facts } = await lab({ systemd: deaf }).converge(usual);
    assert.deepEqual(facts, { systemdNotTold: `systemd goes on to say TasksMax=9 of ${SCOPE}` });
  });

  describe('at the first look at a container that is right', () => {
    const NO_SWAP = { ...RIGHT, MemorySwapMax: 'infinity' };
    const right = async (options: CgroupsOptions): Promise<ReturnType<typeof lab>> => {
      const stage = lab(options);
      await stage.converge(usual);
      await stage.restart();
      return stage;
    };

    it('is asked for, and what it says otherwise is told: no repair', async () => {
      const played = playedSystemd(RIGHT);
      const { look, converge } = await right(played);
      for (const [name, words] of Object.entries(NO_SWAP)) played.knows.set(name, words);
      const change = await look(usual);
      assert.deepEqual(change?.fields, [{ path: '/swap', have: 'infinity for systemd', want: 0 }]);
      assert.equal(change.because, 'new');
      const asked = played.asked();
      assert.equal((await converge(usual)).did, 'told systemd MemorySwapMax=0');
      assert.deepEqual(played.told, ['MemorySwapMax=0']);
      assert.equal(played.asked(), asked, 'what the look has heard is not asked for again');
      assert.equal(await look(usual), undefined);
    });

    it('is told of a weight of disks that its engine keeps for itself', async () => {
      const played = playedSystemd(RIGHT);
      const { look, converge } = await right(played);
      played.knows.set('IOWeight', '[not set]');
      const change = await look(usual);
      assert.deepEqual(change?.fields, [{ path: '/blockIoWeight', have: '[not set] for systemd', want: 300 }]);
      assert.equal((await converge(usual)).did, 'told systemd IOWeight=2930');
      assert.equal(await look(usual), undefined);
    });

    it('is told of shares and a quota of the CPU that are others to it, and not of a weight by another formula', async () => {
      const played = playedSystemd(RIGHT);
      const { look, converge, read } = await right(played);
      assert.notEqual(read('cpu.weight'), RIGHT.CPUWeight);
      played.knows.set('CPUWeight', '333');
      played.knows.set('CPUQuotaPerSecUSec', 'infinity');
      assert.deepEqual((await look(usual))?.fields, [
        { path: '/shares', have: '333 for systemd', want: usual.shares },
        { path: '/quota', have: 'infinity for systemd', want: usual.quota },
      ]);
      assert.equal((await converge(usual)).did, 'told systemd CPUWeight=59 CPUQuota=75%');
      assert.equal(await look(usual), undefined);
    });

    it('is right of what is idle', async () => {
      const idle = limits('web-0', { idle: true });
      const stage = lab(playedSystemd(RIGHT));
      await stage.converge(idle);
      await stage.restart();
      assert.equal(await stage.look(idle), undefined);
    });

    it('is asked for once, and again when the container has started again', async () => {
      const played = playedSystemd(RIGHT);
      const { look, restart } = await right(played);
      const before = played.asked();
      for (let times = 0; times < 3; times += 1) assert.equal(await look(usual), undefined);
      assert.equal(played.asked(), before + 1);
      await restart();
      played.knows.set('MemorySwapMax', 'infinity');
      assert.equal((await look(usual))?.because, 'new');
    });

    it('holds up nothing where it cannot be had, and is asked for after pauses that double', async () => {
      const played = playedSystemd(RIGHT);
      let deaf = false;
      let [now, asked] = [0, 0];
      const show: Systemd['show'] = (...args) => {
        asked += 1;
        return deaf ? Promise.reject(new Error('Connection timed out')) : played.systemd.show(...args);
      };
      const stage = lab({ systemd: { ...played.systemd, show }, clock: () => now });
      await stage.converge(usual);
      await stage.restart();
      played.knows.set('MemorySwapMax', 'infinity');
      [deaf, asked] = [true, 0];
      const times: number[] = [];
      for (; now < 15_000; now += 500) {
        const before = asked;
        assert.equal(await stage.look(usual), undefined);
        if (asked > before) times.push(now);
      }
      assert.deepEqual(times, [0, 2000, 6000, 14_000]);
      deaf = false;
      now = 30_000;
      assert.equal((await stage.look(usual))?.because, 'new');
    });

    it('is left alone where it cannot be changed, and that is said', async () => {
      const played = playedSystemd(RIGHT);
      const { look, converge } = await right({
        systemd: { ...played.systemd, set: () => Promise.reject(new Error('Unit not found')) },
      });
      played.knows.set('MemorySwapMax', 'infinity');
      assert.deepEqual((await converge(usual)).facts, { systemdNotTold: 'Unit not found' });
      assert.equal(await look(usual), undefined);
    });

    it('is what the kernel holds, in whichever words', async () => {
      const played = playedSystemd(RIGHT);
      const { look } = await right(played);
      const odd = limits('web-0', { memory: 64 * MEBI + 1 });
      played.knows.set('MemoryMax', String(odd.memory));
      played.knows.set('MemoryHigh', '18446744073709551615');
      assert.equal(await look(odd), undefined);
    });
  });

  it('is asked for by what starts programs, and the words of one that fails are given on', async () => {
    const ran: string[] = [];
    let ends: Finished = { status: 0, stdout: 'Id=a.scope\nTasksMax=9\n', stderr: '' };
    const asked = systemctl({
      run: (file, args) => {
        ran.push([file, ...args].join(' '));
        return Promise.resolve(ends);
      },
    });
    const { signal } = new AbortController();
    assert.equal((await asked.show(['a.scope'], ['TasksMax'], signal)).get('a.scope')?.get('TasksMax'), '9');
    await asked.set('a.scope', ['TasksMax=10'], signal);
    assert.deepEqual(ran, [
      'systemctl show --property Id,TasksMax -- a.scope',
      'systemctl --no-ask-password set-property --runtime -- a.scope TasksMax=10',
    ]);
    ends = { status: 1, stdout: '', stderr: 'Unit a.scope not found.' };
    await assert.rejects(asked.set('a.scope', ['TasksMax=10'], signal), /systemctl: Unit a\.scope not found/);
    ends = ABORTED;
    await assert.rejects(asked.show(['a.scope'], [], AbortSignal.abort()), /aborted/);
  });

  it('of many units is read from one answer', () => {
    const text =
      'MemoryMax=67108864\nId=docker-a.scope\nMemorySwapMax=infinity\n\nId=docker-b.scope\nMemorySwapMax=0\n';
    const plain = [...wordsOf(text)].map(([unit, words]) => [unit, words.get('MemorySwapMax')]);
    assert.deepEqual(plain, [
      ['docker-a.scope', 'infinity'],
      ['docker-b.scope', '0'],
    ]);
  });
});
