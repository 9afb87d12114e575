import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { steadyClock } from '../../../reconciler/loop/clock.ts';
import { workQueue } from '../../../reconciler/loop/agent/queue.ts';

const HOUR = 3_600_000;

/** A machine whose clock can be set, and that can sleep. */
function machine() {
  let [elapsed, set, slept] = [0, 1_000_000_000, 500];
  return {
    pass: (ms: number) => {
      elapsed += ms;
    },
    set: (ms: number) => {
      set += ms;
    },
    sleep: (ms: number) => {
      slept += ms;
      set += ms;
    },
    wall: () => set + elapsed,
    clock: steadyClock({ wall: () => set + elapsed, elapsed: () => elapsed, whole: () => elapsed + slept }),
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

  it('counts at once what the machine slept, and no more of it', () => {
    const { pass, set, sleep, wall, clock } = machine();
    clock();
    sleep(8 * HOUR);
    assert.equal(clock(), wall());
    pass(1000);
    // asleep, and set forward meanwhile
    sleep(HOUR);
    set(HOUR);
    assert.equal(clock(), wall() - HOUR + 100);
    sleep(60_000);
    pass(10_000);
    assert.equal(clock(), wall() - HOUR + 1100);
    // set back while it slept: nothing goes back
    const other = machine();
    other.sleep(HOUR);
    other.set(-2 * HOUR);
    const before = other.clock();
    other.pass(1000);
    assert.equal(other.clock() - before, 900);
  });

  it('goes on where nobody says for how long a machine slept', () => {
    let set = 1_000_000_000;
    const clock = steadyClock({ wall: () => set, elapsed: () => 0, whole: () => Number.NaN });
    set += HOUR;
    assert.equal(clock(), set - HOUR);
  });

  for (const days of [2, 20_000])
    it(`was wrong when it began where it is set forward by ${String(days)} days, and follows at once`, () => {
      const { pass, set, wall, clock } = machine();
      set(days * 24 * HOUR);
      assert.equal(clock(), wall());
      pass(1000);
      assert.equal(clock(), wall());
    });

  for (const hours of [1, 72])
    it(`lets a queue come to what is due, although the clock of the machine was set back by ${String(hours)} hours`, () => {
      const { pass, set, clock } = machine();
      const queue = workQueue(clock);
      queue.add('port/web-0', clock() + 1000);
      set(-hours * HOUR);
      pass(1200);
      assert.deepEqual(queue.take(clock()), ['port/web-0']);
    });
});
