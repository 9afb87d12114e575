import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ended } from '../../../reconciler/model/ended.ts';

describe('what takes turns', () => {
  it('comes to its end at once, with what it returns, or throws what it throws', () => {
    const steps: number[] = [];
    function* work(fails: boolean): Generator<undefined, string> {
      for (const step of [1, 2, 3]) {
        steps.push(step);
        yield;
      }
      if (fails) throw new Error('no end');
      return 'done';
    }
    assert.equal(ended(work(false)), 'done');
    assert.deepEqual(steps, [1, 2, 3]);
    assert.throws(() => ended(work(true)), /no end/);
  });
});
