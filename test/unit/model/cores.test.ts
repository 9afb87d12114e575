import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allot, cpusetOf, formatCpus, parseCpus, writesBetween } from '../../../reconciler/model/cores.ts';
import type { CoresState } from '../../../reconciler/model/resources.ts';
import { coresSpec, idle, MACHINES, type MachineName, type Pins } from '../../support/machines.ts';

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
    name: 'nor does anybody grow into it, be it the thread beside his own, or at the cost of what others had',
    machine: 'neighbours',
    pins: { 'a-0': [0, 4], 'b-0': [0, 4] },
    before: { given: { 'a-0': '4,6-7', 'b-0': '0-3' } },
    given: { 'a-0': '4,6-7', 'b-0': '0-3' },
    lacking: ['a-0'],
    rest: '5',
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
      const found = allot(coresSpec(pins, shared), state);
      assert.deepEqual(found, { given, lacking });
      assert.equal(cpusetOf({ ...state, given: found.given }, 'somebody-0').cpus, rest);
      const again = allot(coresSpec(pins, shared), { ...state, given: found.given });
      assert.deepEqual(again, found, 'a second time it is the same');
    });

  it('take memory of their node, or of all where it has none', () => {
    const state = { ...idle(MACHINES['node without memory']), given: { 'a-0': '4-5', 'b-0': '3' } };
    assert.deepEqual(cpusetOf(state, 'a-0'), { cpus: '4-5', mems: '0' });
    const two = { ...idle(MACHINES['two sockets']), given: { 'a-0': '8' } };
    assert.deepEqual(cpusetOf(two, 'a-0'), { cpus: '8', mems: '1' });
    assert.equal(cpusetOf(two, 'web-0').mems, '0-1');
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
});
