import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryOf } from '../../../../reconciler/loop/agent/memory-told.ts';
import type { Observed } from '../../../../reconciler/model/change.ts';
import type { Report } from '../../../../reconciler/model/replica.ts';

const seen = (counted: number, used: number, at?: number): readonly Observed[] => [
  {
    known: true,
    ref: 'memory/web-0',
    owned: true,
    state: {
      counted,
      used,
      total: 1000,
      spare: 0,
      lows: [],
      ...(at === undefined ? {} : { reclaimed: { at, freed: 1 } }),
    },
  },
  { known: false, ref: 'memory/web-1', why: 'gone' },
  { known: true, ref: 'cgroup/web-0', owned: true, state: {} },
];

describe('what a Report tells of memory', () => {
  const before = memoryOf(seen(100, 200), undefined) as Report;
  it('is how each replica uses it', () => {
    assert.deepEqual(before.memory, { 'web-0': { counted: 100, used: 200, total: 1000 } });
    assert.deepEqual(memoryOf([], before), {});
  });
  const cases: readonly (readonly [string, readonly Observed[], boolean])[] = [
    ['a little more', seen(149, 249), false],
    ['5 % more that is counted', seen(150, 200), true],
    ['5 % less that is used', seen(100, 150), true],
    ['given back', seen(100, 200, 7), true],
  ];
  for (const [name, now, news] of cases)
    it(`${name} is ${news ? '' : 'no '}news`, () => {
      assert.equal(memoryOf(now, before).memory !== before.memory, news);
    });
});
