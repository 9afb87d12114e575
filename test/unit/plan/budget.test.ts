import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allowance, overBudget } from '../../../reconciler/plan/budget.ts';

describe('the deletion budget', () => {
  for (const [percent, running, expected] of [
    [50, 5, 2],
    [10, 5, 1],
    [0, 5, 0],
    [100, 5, 5],
  ] as const)
    it(`${String(percent)}% of ${String(running)} is ${String(expected)}`, () => {
      assert.equal(allowance({ percent }, running), expected);
    });

  it('keeps all that would go when it is too much', () => {
    const over = overBudget({ releases: ['a-0'], leaving: ['a-1'] }, { count: 1 }, 10, false);
    assert.deepEqual([...(over?.kept ?? [])], ['a-1', 'a-0']);
    assert.match(over?.message ?? '', /2 of 10 replicas would go \(a-1, a-0\), the budget allows 1/);
  });
  it('lets go what it allows, and anything when allowed by hand', () => {
    assert.equal(overBudget({ releases: ['a-0'], leaving: [] }, { count: 1 }, 1, false), undefined);
    assert.equal(overBudget({ releases: ['a-0'], leaving: [] }, { count: 0 }, 1, true), undefined);
  });
});
