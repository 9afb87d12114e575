import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { semaphore } from '../../../reconciler/model/semaphore.ts';

describe('a semaphore', () => {
  it('never runs more than the limit, and all in the end, also after failures', async () => {
    const slot = semaphore(3);
    let [now, most] = [0, 0];
    const work = async (fails: boolean): Promise<void> => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      if (fails) throw new Error('no');
    };
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => slot(() => work(i % 3 === 0))));
    assert.equal(most, 3);
    assert.equal(all.filter((one) => one.status === 'fulfilled').length, 13);
  });
});
