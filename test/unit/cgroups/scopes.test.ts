import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createScopes } from '../../../providers/cgroups/scopes.ts';
import type { Systemd, Words } from '../../../providers/cgroups/systemd.ts';
import type { Known, Observed } from '../../../reconciler/model/change.ts';
import { nameOf, type Ref } from '../../../reconciler/model/ref.ts';
import type { CgroupState } from '../../../reconciler/model/resources.ts';

const signal = new AbortController().signal;
const HELD = {
  'memory.max': '4096',
  'memory.swap.max': '0',
  'memory.high': 'max',
  'memory.low': '0',
  'pids.max': '100',
};
const SAYS = { MemoryMax: '4096', MemorySwapMax: '0', MemoryHigh: 'infinity', MemoryLow: '0', TasksMax: '100' };

function seen(replica: string, raw: Readonly<Record<string, string>> = HELD): Known<CgroupState> {
  const state: CgroupState = { id: replica, unsupported: [], raw };
  return { known: true, ref: `cgroup/${replica}`, state, owned: true };
}
const scopeOf = (ref: Ref): string | undefined => (nameOf(ref).startsWith('bare') ? undefined : `${nameOf(ref)}.scope`);

/** A systemd that says this of each scope, and which units it was asked for. */
function rig(says: (unit: string) => Readonly<Record<string, string>>) {
  const asked: (readonly string[])[] = [];
  let answers: 'at once' | 'never' | 'with an error' = 'at once';
  let now = 0;
  const show: Systemd['show'] = (units) => {
    asked.push(units);
    if (answers === 'never') return new Promise(() => undefined);
    if (answers === 'with an error') return Promise.reject(new Error('Connection timed out'));
    const words = units.map((unit): readonly [string, Words] => [unit, new Map(Object.entries(says(unit)))]);
    return Promise.resolve(new Map(words));
  };
  const scopes = createScopes({ show, set: () => Promise.resolve() }, () => now);
  const hear = async (...items: readonly Observed<CgroupState>[]): Promise<readonly unknown[]> =>
    (await scopes.hear(items, scopeOf, signal)).map((item) => (item.known ? item.state.systemd : item.why));
  return {
    scopes,
    asked,
    hear,
    pass: (ms: number): void => void (now += ms),
    be: (how: typeof answers): void => void (answers = how),
  };
}

describe('scopes that are seen', () => {
  const cases: readonly {
    readonly name: string;
    readonly says: Readonly<Record<string, string>>;
    readonly raw?: Readonly<Record<string, string>>;
    readonly heard: CgroupState['systemd'];
  }[] = [
    { name: 'the same', says: SAYS, heard: undefined },
    {
      name: 'the same by the word of an old version',
      says: { ...SAYS, MemoryHigh: '18446744073709551615' },
      heard: undefined,
    },
    { name: 'the same within a page', says: { ...SAYS, MemoryMax: '4097' }, heard: undefined },
    { name: 'nothing', says: {}, heard: undefined },
    {
      name: 'swap of which no engine tells',
      says: { ...SAYS, MemorySwapMax: 'infinity' },
      heard: { MemorySwapMax: 'infinity' },
    },
    {
      name: 'several others',
      says: { ...SAYS, TasksMax: '9', MemoryLow: '1048576' },
      heard: { MemoryLow: '1048576', TasksMax: '9' },
    },
    {
      name: 'something of what the kernel has no file for',
      says: { ...SAYS, MemorySwapMax: 'infinity' },
      raw: { 'memory.max': '4096', 'pids.max': '100' },
      heard: undefined,
    },
  ];
  for (const { name, says, raw, heard } of cases)
    it(`of which systemd says ${name}`, async () => {
      const { hear } = rig(() => says);
      assert.deepEqual(await hear(seen('web-0', raw)), [heard]);
    });

  it('are asked for once, all that are new together, and not what no systemd holds or nobody can see', async () => {
    const { hear, asked } = rig((unit) => (unit === 'web-1.scope' ? { ...SAYS, TasksMax: '9' } : SAYS));
    const unseen: Observed<CgroupState> = { known: false, ref: 'cgroup/web-9', why: 'no cgroup' };
    const all = [seen('web-0'), seen('bare-0'), unseen, seen('web-1')];
    assert.deepEqual(await hear(...all), [undefined, undefined, 'no cgroup', { TasksMax: '9' }]);
    await hear(...all);
    await hear(...all, seen('web-2'));
    assert.deepEqual(asked, [['web-0.scope', 'web-1.scope'], ['web-2.scope']]);
  });

  it('keep what was heard until it is settled, and are asked for again once another is in them', async () => {
    const { hear, asked, scopes } = rig(() => ({ ...SAYS, TasksMax: '9' }));
    for (let times = 0; times < 2; times += 1) assert.deepEqual(await hear(seen('web-0')), [{ TasksMax: '9' }]);
    scopes.settle('web-0.scope');
    assert.deepEqual(await hear(seen('web-0')), [undefined]);
    scopes.forget('web-0.scope');
    assert.deepEqual(await hear(seen('web-0')), [{ TasksMax: '9' }]);
    assert.equal(asked.length, 2);
  });

  it('are the same object while nothing is otherwise', async () => {
    const { scopes } = rig(() => ({ ...SAYS, TasksMax: '9' }));
    const item = seen('web-0');
    const look = async (): Promise<CgroupState | undefined> => {
      const [one] = await scopes.hear([item], scopeOf, signal);
      return one?.known ? one.state : undefined;
    };
    assert.equal(await look(), await look());
  });

  it('are settled for good, also where another look at the same time hears only then what systemd said before', async () => {
    const late: ((words: ReadonlyMap<string, Words>) => void)[] = [];
    const show: Systemd['show'] = () => new Promise((resolve) => late.push(resolve));
    const scopes = createScopes({ show, set: () => Promise.resolve() }, () => 0);
    const hear = () => scopes.hear([seen('web-0')], scopeOf, signal);
    const looks = [hear(), hear()];
    const words = new Map([['web-0.scope', new Map(Object.entries({ ...SAYS, TasksMax: '9' }))]]);
    const systemd = ([item]: readonly Observed<CgroupState>[]) => item?.known && item.state.systemd;
    late[0]?.(words);
    assert.deepEqual(systemd((await looks[0]) ?? []), { TasksMax: '9' });
    scopes.settle('web-0.scope');
    late[1]?.(words);
    assert.equal(systemd((await looks[1]) ?? []), undefined);
    assert.equal(systemd(await hear()), undefined);
  });

  it('are told as they are while systemd does not answer, which is asked after pauses that double up to a minute', async () => {
    const one = rig(() => ({ ...SAYS, TasksMax: '9' }));
    one.be('with an error');
    const times: number[] = [];
    for (let at = 0; at <= 260; at += 1) {
      const before = one.asked.length;
      assert.deepEqual(await one.hear(seen('web-0')), [undefined]);
      if (one.asked.length > before) times.push(at);
      one.pass(1000);
    }
    assert.deepEqual(times, [0, 2, 6, 14, 30, 62, 126, 190, 254]);
    one.be('at once');
    one.pass(64_000);
    assert.deepEqual(await one.hear(seen('web-0')), [{ TasksMax: '9' }]);
  });

  it('wait two seconds for one that is silent', { timeout: 60_000 }, async () => {
    const one = rig(() => SAYS);
    one.be('never');
    const at = performance.now();
    // a deadline keeps no process alive
    const alive = setInterval(() => undefined, 1000);
    assert.deepEqual(await one.hear(seen('web-0')), [undefined]);
    clearInterval(alive);
    assert.ok(performance.now() - at >= 1_900);
  });
});
