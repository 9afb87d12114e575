import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { steadyClock } from '../../../reconciler/loop/clock.ts';
import { workQueue } from '../../../reconciler/loop/queue.ts';

const HOUR = 3_600_000;

/** A machine whose clock can be set. */
function machine() {
  let [elapsed, set] = [0, 1_000_000_000];
  return {
    pass: (ms: number) => {
      elapsed += ms;
    },
    set: (ms: number) => {
      set += ms;
    },
    wall: () => set + elapsed,
    clock: steadyClock(
      () => set + elapsed,
      () => elapsed,
    ),
  };
}

describe('a steady clock', () => {
  it('is the time of day as long as nobody sets it', () => {
    const { pass, wall, clock } = machine();
    for (const ms of [0, 1, 10_000, HOUR]) {
      pass(ms);
      assert.equal(clock(), wall());
    }
  });

  for (const jump of [HOUR, -HOUR, 5_000, -5_000])
    it(`goes on when the clock is set by ${String(jump / 1000)} s, and catches up`, () => {
      const { pass, set, wall, clock } = machine();
      let last = clock();
      set(jump);
      assert.equal(clock(), last);
      for (let seconds = 0; wall() !== last; seconds += 1) {
        assert.ok(seconds < 12 * 3600, 'it never catches up');
        pass(1000);
        const now = clock();
        assert.ok(now - last >= 899 && now - last <= 1101, `${String(now - last)} ms for a second`);
        last = now;
      }
    });

  it('lets a queue come to what is due, although the clock of the machine was set back', () => {
    const { pass, set, clock } = machine();
    const queue = workQueue(clock);
    queue.add('port/web-0', clock() + 1000);
    set(-HOUR);
    pass(1200);
    assert.deepEqual(queue.take(clock()), ['port/web-0']);
  });
});
