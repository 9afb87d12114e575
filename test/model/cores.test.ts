import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { allot, cpusetOf, formatCpus, parseCpus, writesBetween } from '../../reconciler/model/cores.ts';
import type { CoresState, Cpuset } from '../../reconciler/model/resources.ts';
import { coresSpec, idle, MACHINES, type Pins } from '../support/machines.ts';

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
        const { given, lacking } = allot(coresSpec(pins), state);
        assert.deepEqual(lacking, []);
        for (const [replica, [, cores]] of Object.entries(pins)) {
          const own = parseCpus(given[replica] ?? '');
          assert.ok(isWhole(state, own), `${replica} has ${String(given[replica])}`);
          assert.equal(own.length, Math.ceil(cores / threads) * threads);
        }
        assert.deepEqual(allot(coresSpec(pins), { ...state, given }).given, given, 'and they stay');
      }),
    );
  });

  it('by a version that does not know of threads are there as well, and no more of them', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(MACHINES)), wish, owners, (machine, wishes, before) => {
        const state = { ...idle(machine), given: givenBy(before, idle(machine)) };
        const pins = promised(state, wishes, 1);
        const { given, lacking } = allot(coresSpec(pins), state);
        assert.deepEqual(lacking, []);
        for (const [replica, [, cores]] of Object.entries(pins))
          assert.equal(parseCpus(given[replica] ?? '').length, cores, replica);
        // two that share a core get other ones once they can, which may be once the first has them
        const next = allot(coresSpec(pins), { ...state, given }).given;
        assert.deepEqual(allot(coresSpec(pins), { ...state, given: next }).given, next, 'and they stay');
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
          const { given, lacking } = allot(coresSpec(pins), state);
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
          return { ...state, given: allot(coresSpec(pins, shares), state).given };
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
