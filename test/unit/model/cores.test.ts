import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { allot, cpusetOf, formatCpus, parseCpus, writesBetween } from '../../../reconciler/model/cores.ts';
import type { CoresSpec, CoresState, Cpuset } from '../../../reconciler/model/resources.ts';
import { idle, MACHINES, type MachineName } from '../../support/machines.ts';

/** Without `reserved`, as many as are asked for are. */
type Pins = Readonly<Record<string, readonly [node: number, cores: number, reserved?: number]>>;

function spec(pins: Pins, shared: readonly string[] = []): CoresSpec {
  const pinned = Object.entries(pins).map(
    ([replica, [node, cores, reserved = cores]]) => [replica, { node, cores, reserved }] as const,
  );
  return { pinned: Object.fromEntries(pinned), shared };
}

interface Case {
  readonly name: string;
  readonly machine: MachineName;
  readonly pins: Pins;
  readonly shared?: readonly string[];
  readonly before?: Partial<Pick<CoresState, 'given' | 'held'>>;
  readonly given: Readonly<Record<string, string>>;
  readonly lacking?: readonly string[];
  /** What is left for those that share. */
  readonly rest: string;
}

const held = (all: Readonly<Record<string, string>>): CoresState['held'] =>
  Object.fromEntries(Object.entries(all).map(([replica, cpus]) => [replica, { cpus, mems: '0' }]));

const cases: readonly Case[] = [
  {
    name: 'whole cores of the node, the last first',
    machine: 'two sockets',
    pins: { 'a-0': [0, 4], 'b-0': [1, 2] },
    given: { 'a-0': '6-7,22-23', 'b-0': '15,31' },
    rest: '0-5,8-14,16-21,24-30',
  },
  {
    name: 'an odd number has its last core whole, with the thread that is reserved with it',
    machine: 'neighbours',
    pins: { 'a-0': [0, 3, 4], 'b-0': [0, 1, 2] },
    given: { 'a-0': '4-7', 'b-0': '2-3' },
    rest: '0-1',
  },
  {
    name: 'a thread that is not reserved is for all others, to whom it was promised',
    machine: 'neighbours',
    pins: { 'a-0': [0, 3], 'b-0': [0, 1, 2] },
    given: { 'a-0': '4,6-7', 'b-0': '2-3' },
    rest: '0-1,5',
  },
  {
    name: 'and goes back to them where it was given',
    machine: 'neighbours',
    pins: { 'a-0': [0, 3] },
    before: { given: { 'a-0': '4-7' } },
    given: { 'a-0': '4-6' },
    rest: '0-3,7',
  },
  {
    name: 'where so much is pinned that there is no whole core left, nobody lacks what was promised of the threads',
    machine: 'neighbours',
    pins: { 'a-0': [0, 3], 'b-0': [0, 3], 'c-0': [0, 1] },
    given: { 'a-0': '4,6-7', 'b-0': '0,2-3', 'c-0': '5' },
    rest: '1',
  },
  {
    name: 'whoever had a part of a core that another has a part of gets another one once there is one',
    machine: 'neighbours',
    pins: { 'a-0': [0, 3, 4], 'b-0': [0, 2] },
    before: { given: { 'a-0': '4,6-7', 'b-0': '2,5' } },
    given: { 'a-0': '4-7', 'b-0': '2-3' },
    rest: '0-1',
  },
  {
    name: 'the last thread of a machine is for all others, whoever has the rest of its core',
    machine: 'neighbours',
    pins: { 'a-0': [0, 1, 2], 'b-0': [0, 4], 'c-0': [0, 2] },
    before: { given: { 'a-0': '6-7' } },
    given: { 'a-0': '6', 'b-0': '2-5', 'c-0': '0-1' },
    rest: '7',
  },
  {
    name: 'what was given stays, wherever others go',
    machine: 'two sockets',
    pins: { 'a-0': [0, 2], 'b-0': [0, 2] },
    before: { given: { 'b-0': '2,18' } },
    given: { 'a-0': '7,23', 'b-0': '2,18' },
    rest: '0-1,3-6,8-17,19-22,24-31',
  },
  {
    name: 'one that grows keeps what it has and takes the siblings first',
    machine: 'neighbours',
    pins: { 'a-0': [0, 4] },
    before: { given: { 'a-0': '2,6' } },
    given: { 'a-0': '2-3,6-7' },
    rest: '0-1,4-5',
  },
  {
    name: 'one that shrinks keeps whole cores',
    machine: 'neighbours',
    pins: { 'a-0': [0, 2] },
    before: { given: { 'a-0': '2,4-5' } },
    given: { 'a-0': '4-5' },
    rest: '0-3,6-7',
  },
  {
    name: 'without a memory of an odd number, the whole cores that the kernel holds it to count',
    machine: 'neighbours',
    pins: { 'a-0': [0, 3, 4] },
    before: { held: held({ 'a-0': '2-5' }) },
    given: { 'a-0': '2-5' },
    rest: '0-1,6-7',
  },
  {
    name: 'without a memory of it, what the kernel holds it to counts',
    machine: 'two sockets',
    pins: { 'a-0': [1, 2] },
    before: { held: held({ 'a-0': '9,25', 'web-0': '0-8,10-24,26-31' }) },
    shared: ['web-0'],
    given: { 'a-0': '9,25' },
    rest: '0-8,10-24,26-31',
  },
  {
    name: 'what shares is no memory of cores of its own',
    machine: 'plain',
    pins: { 'a-0': [0, 2] },
    before: { held: held({ 'a-0': '0-3' }) },
    given: { 'a-0': '2-3' },
    rest: '0-1',
  },
  {
    name: 'one that leaves keeps its cores until it has ended',
    machine: 'plain',
    pins: { 'b-0': [0, 2] },
    before: { given: { 'a-0': '3' }, held: held({ 'a-0': '3' }) },
    given: { 'a-0': '3', 'b-0': '1-2' },
    rest: '0',
  },
  {
    name: 'one that shares from now on gives its cores up at once',
    machine: 'plain',
    pins: { 'b-0': [0, 2] },
    shared: ['a-0'],
    before: { given: { 'a-0': '3' }, held: held({ 'a-0': '3' }) },
    given: { 'b-0': '2-3' },
    rest: '0-1',
  },
  {
    name: 'CPUs that are offline are nobody’s, and are made up for on the same node',
    machine: 'some offline',
    pins: { 'a-0': [0, 2], 'b-0': [1, 8] },
    before: { given: { 'a-0': '3,19', 'b-0': '8-11,24-27' } },
    given: { 'a-0': '7,23', 'b-0': '8-15' },
    rest: '0-2,4-6,16-22',
  },
  {
    name: 'more than a node has is lacking, and nobody else is touched',
    machine: 'node without memory',
    pins: { 'a-0': [0, 3], 'b-0': [0, 2], 'c-0': [1, 1], 'd-0': [5, 1] },
    given: { 'a-0': '1-3', 'c-0': '7' },
    lacking: ['b-0', 'd-0'],
    rest: '0,4-6',
  },
  {
    name: 'the last CPU of a machine is nobody’s own',
    machine: 'plain',
    pins: { 'a-0': [0, 3], 'b-0': [0, 1] },
    given: { 'a-0': '1-3' },
    lacking: ['b-0'],
    rest: '0',
  },
];

describe('cores', () => {
  it('are written as the kernel writes them', () => {
    assert.deepEqual(parseCpus(' 0-2,8,10-11\n'), [0, 1, 2, 8, 10, 11]);
    assert.deepEqual(parseCpus(''), []);
    assert.equal(formatCpus([11, 0, 2, 1, 10, 8]), '0-2,8,10-11');
  });

  for (const { name, machine, pins, shared = [], before = {}, given, lacking = [], rest } of cases)
    it(name, () => {
      const state = { ...idle(MACHINES[machine]), ...before };
      const found = allot(spec(pins, shared), state);
      assert.deepEqual(found, { given, lacking });
      assert.equal(cpusetOf({ ...state, given: found.given }, 'somebody-0').cpus, rest);
      const again = allot(spec(pins, shared), { ...state, given: found.given });
      assert.deepEqual(again, found, 'a second time it is the same');
    });

  it('take memory of their node, or of all where it has none', () => {
    const state = { ...idle(MACHINES['node without memory']), given: { 'a-0': '4-5', 'b-0': '3' } };
    assert.deepEqual(cpusetOf(state, 'a-0'), { cpus: '4-5', mems: '0' });
    const two = { ...idle(MACHINES['two sockets']), given: { 'a-0': '8' } };
    assert.deepEqual(cpusetOf(two, 'a-0'), { cpus: '8', mems: '1' });
    assert.equal(cpusetOf(two, 'web-0').mems, '0-1');
  });
});

const replicas = ['a-0', 'b-0', 'c-0', 'd-0'];
const wish = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...replicas), fc.constantFrom(0, 1), fc.integer({ min: 1, max: 5 })),
  { selector: ([replica]) => replica },
);

/** The cores of which some CPUs are threads. */
function coresOf(state: CoresState, cpus: readonly number[]): readonly (readonly number[])[] {
  const cores = Object.values(state.nodes).flatMap((node) => node.map(parseCpus));
  return cores.filter((core) => core.some((cpu) => cpus.includes(cpu)));
}

/** Whether they are all threads of their cores. */
function isWhole(state: CoresState, cpus: readonly number[]): boolean {
  return coresOf(state, cpus).every((core) => core.every((cpu) => cpus.includes(cpu)));
}

/** What may have been given at any time, by whatever version: who, if anybody, has each CPU. */
function givenBy(owners: readonly number[], state: CoresState): CoresState['given'] {
  const all = Object.values(state.nodes).flatMap((cores) => cores.flatMap(parseCpus));
  const had = replicas.map((replica, at) => [replica, formatCpus(all.filter((_, cpu) => owners[cpu] === at))] as const);
  return Object.fromEntries(had.filter(([, cpus]) => cpus !== ''));
}

const owners = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 32, maxLength: 32 });
/** Machines whose cores have as many threads each. */
const EVEN = (['two sockets', 'neighbours', 'plain', 'node without memory'] as const).map((name) => MACHINES[name]);

/** What of wishes a machine has room for, as place promises it: whole cores where it knows of threads, and something for all others. */
function promised(state: CoresState, wishes: readonly (readonly [string, number, number])[], threads: number): Pins {
  const pins: Record<string, readonly [number, number, number]> = {};
  const left = new Map(Object.entries(state.nodes).map(([node, cores]) => [node, cores.flatMap(parseCpus).length]));
  left.set('0', (left.get('0') ?? 0) - threads);
  for (const [replica, node, cores] of wishes) {
    const reserved = Math.ceil(cores / threads) * threads;
    const after = (left.get(String(node)) ?? 0) - reserved;
    if (after < 0) continue;
    left.set(String(node), after);
    pins[replica] = [node, cores, reserved];
  }
  return pins;
}

describe('cores that were promised', () => {
  it('are whole ones, and no more of them than was promised, whatever was given before', () => {
    fc.assert(
      fc.property(fc.constantFrom(...EVEN), wish, owners, (machine, wishes, before) => {
        const state = { ...idle(machine), given: givenBy(before, idle(machine)) };
        const threads = Math.max(
          ...Object.values(state.nodes).flatMap((all) => all.map((one) => parseCpus(one).length)),
        );
        const pins = promised(state, wishes, threads);
        const { given, lacking } = allot(spec(pins), state);
        assert.deepEqual(lacking, []);
        for (const [replica, [, cores]] of Object.entries(pins)) {
          const own = parseCpus(given[replica] ?? '');
          assert.ok(isWhole(state, own), `${replica} has ${String(given[replica])}`);
          assert.equal(own.length, Math.ceil(cores / threads) * threads);
        }
        assert.deepEqual(allot(spec(pins), { ...state, given }).given, given, 'and they stay');
      }),
    );
  });

  it('by a version that does not know of threads are there as well, and no more of them', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(MACHINES)), wish, owners, (machine, wishes, before) => {
        const state = { ...idle(machine), given: givenBy(before, idle(machine)) };
        const pins = promised(state, wishes, 1);
        const { given, lacking } = allot(spec(pins), state);
        assert.deepEqual(lacking, []);
        for (const [replica, [, cores]] of Object.entries(pins))
          assert.equal(parseCpus(given[replica] ?? '').length, cores, replica);
        assert.deepEqual(allot(spec(pins), { ...state, given }).given, given, 'and they stay');
      }),
    );
  });
});

describe('cores over a history of wishes', () => {
  it('are disjoint, of one node, as many as asked for, kept, and never all', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(MACHINES)), fc.array(wish, { maxLength: 6 }), (machine, wishes) => {
        let state = idle(machine);
        for (const asked of wishes) {
          const pins = Object.fromEntries(
            asked.map(([replica, node, cores]) => [replica, [node, cores, cores + (cores % 2)] as const]),
          );
          const { given, lacking } = allot(spec(pins), state);
          const taken = Object.values(given).flatMap(parseCpus);
          const all = Object.values(state.nodes).flatMap((cores) => cores.flatMap(parseCpus));
          assert.equal(new Set(taken).size, taken.length, 'disjoint');
          assert.ok(taken.length < all.length, 'never all');
          for (const [replica, node, cores] of asked) {
            const own = parseCpus(given[replica] ?? '');
            const there = (state.nodes[String(node)] ?? []).flatMap(parseCpus);
            assert.ok(
              own.every((cpu) => there.includes(cpu)),
              'of its node',
            );
            if (!lacking.includes(replica)) assert.ok(own.length >= cores && own.length <= cores + 1, 'as many');
            const before = parseCpus(state.given[replica] ?? '').filter((cpu) => there.includes(cpu));
            if (!isWhole(state, before) || !EVEN.includes(machine)) continue;
            if (before.length <= cores)
              assert.ok(
                before.every((cpu) => own.includes(cpu)),
                'kept',
              );
            else
              assert.ok(
                own.every((cpu) => before.includes(cpu)),
                'part of what it had',
              );
          }
          state = { ...state, given };
        }
      }),
    );
  });

  it('are written so that of two that change places the one that shared steps aside first', () => {
    const held = {
      'a-0': { cpus: '4', mems: '0' },
      'b-0': { cpus: '0-3', mems: '0' },
      'web-0': { cpus: '0-3', mems: '0' },
    };
    const given = { 'a-0': '2-3', 'b-0': '4' };
    const targets = {
      'a-0': { cpus: '2-3', mems: '0' },
      'b-0': { cpus: '4', mems: '0' },
      'web-0': { cpus: '0-1', mems: '0' },
    };
    assert.deepEqual(
      writesBetween(held, targets, given).map(({ replica, cpus }) => `${replica} ${cpus}`),
      ['b-0 0-1', 'web-0 0-1', 'a-0 2-3', 'b-0 4'],
    );
  });

  it('are written so that one that shares from now on takes nothing that another has until then', () => {
    const held = { 'a-0': { cpus: '4', mems: '0' }, 'b-0': { cpus: '2-3', mems: '0' } };
    const targets = { 'a-0': { cpus: '2-3', mems: '0' }, 'b-0': { cpus: '0-1,4', mems: '0' } };
    assert.deepEqual(
      writesBetween(held, targets, { 'a-0': '2-3' }).map(({ replica, cpus }) => `${replica} ${cpus}`),
      ['b-0 0-1', 'a-0 2-3', 'b-0 0-1,4'],
    );
  });

  it('are written so that nobody gets what another has for itself by then', () => {
    const homely = wish.map((asked) =>
      asked.map(([replica, , cores]) => [replica, replica < 'c' ? 0 : 1, cores] as const),
    );
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(MACHINES)), homely, homely, (machine, first, second) => {
        const all = [...replicas, 'web-0', 'web-1'];
        const reach = (asked: typeof first, state: CoresState): CoresState => {
          const pins = Object.fromEntries(
            asked.map(([replica, node, cores]) => [replica, [node, cores, cores + (cores % 2)] as const]),
          );
          const shares = all.filter((replica) => !(replica in pins));
          return { ...state, given: allot(spec(pins, shares), state).given };
        };
        const setsIn = (state: CoresState): Record<string, Cpuset> =>
          Object.fromEntries(all.map((replica) => [replica, cpusetOf(state, replica)]));
        const before = reach(first, idle(machine));
        const now = setsIn(before);
        const after = reach(second, { ...before, held: now });
        const targets = setsIn(after);
        const has = (sets: Record<string, Cpuset>, replica: string): readonly number[] =>
          parseCpus(sets[replica]?.cpus ?? '');
        for (const { replica, cpus } of writesBetween({ ...now }, targets, after.given)) {
          const more = parseCpus(cpus).filter((cpu) => !has(now, replica).includes(cpu));
          const isOwn = (other: string): boolean =>
            after.given[other] !== undefined &&
            [before.given, after.given].some(
              (given) => given[other] !== undefined && given[other] === now[other]?.cpus,
            );
          // who takes cores for itself takes none that anybody has; who shares takes none that somebody has for itself
          const others = all.filter(
            (other) => other !== replica && (after.given[replica] !== undefined || isOwn(other)),
          );
          for (const other of others)
            assert.ok(!has(now, other).some((cpu) => more.includes(cpu)), `${replica} ${cpus}`);
          now[replica] = { cpus, mems: '' };
        }
        for (const replica of all) assert.equal(now[replica]?.cpus, targets[replica]?.cpus);
      }),
    );
  });
});
