import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limitationsOf } from '../../../providers/host/knobs/limitations.ts';
import type { KnobPlace } from '../../../reconciler/model/resources.ts';

const REF = 'knob/nic.offloads.gro';
const CASES: readonly (readonly [string, readonly KnobPlace[], readonly string[]])[] = [
  ['nothing of the kind', [], ['Unsupported: this machine has nothing that it sets']],
  ['all as they should be', [{ name: 'a', value: 'on' }], []],
  ['a driver that lacks it', [{ name: 'a', lacks: 'its driver has none' }], ['Unsupported: a: its driver has none']],
  [
    'one that never changes',
    [{ name: 'a', value: 'on', fixed: true }],
    ['Unsupported of off: a: its driver never changes it from on'],
  ],
  [
    'one that has just gone, and one that may not be read',
    [
      { name: 'a', errno: 'ENOENT' },
      { name: 'b', errno: 'EACCES' },
    ],
    [
      'Unsupported: a: cannot be read (ENOENT), so it is not written',
      'Refused: b: cannot be read (EACCES), so it is not written',
    ],
  ],
  [
    'what is the same of two, and of many',
    ['a', 'b', 'c', 'd', 'e'].map((name, at) => ({
      name,
      value: '1',
      refused: { target: '2', want: 'spread', why: at < 2 ? 'EIO' : 'EPERM' },
    })),
    ['Refused of spread: a and b: EIO', 'Refused of spread: c and 2 others: EPERM'],
  ],
  [
    'what the driver does not do',
    [{ name: 'a', value: '1', refused: { target: '2', want: '2', why: 'EOPNOTSUPP: not supported' } }],
    ['Unsupported of 2: a: EOPNOTSUPP: not supported'],
  ],
];

for (const [what, places, said] of CASES)
  it(`what a machine cannot hold: ${what}`, () => {
    const told = limitationsOf(REF, { places });
    assert.deepEqual(
      told.map(({ state, want, why }) => `${state}${typeof want === 'string' ? ` of ${want}` : ''}: ${why}`),
      said,
    );
    assert.ok(told.every(({ ref, path }) => ref === REF && path === '/value'));
  });
