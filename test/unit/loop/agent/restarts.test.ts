import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  beginsCrashLoop,
  endOf,
  exited,
  isCrashLoop,
  NEVER_RESTARTED,
  provenAt,
  trustedAt,
  restartAt,
  restarted,
  running,
} from '../../../../reconciler/loop/agent/restarts.ts';

const END = 'ended with status 3';
const policy = { backoff: 1000, maxBackoff: 300_000, resetAfter: 600_000 };

/** Ends `times` times in a row, each time at once after its start; gives the pauses before each restart. */
function pauses(times: number): number[] {
  let state = running(NEVER_RESTARTED, 0);
  let now = 0;
  const found: number[] = [];
  for (let n = 0; n < times; n += 1) {
    state = exited(state, policy, now, END);
    const at = Math.max(now, restartAt(state, policy));
    found.push(at - now);
    now = at;
    state = restarted(state, now);
  }
  return found;
}

describe('restarts', () => {
  it('are at once the first time, then after 1 s doubling to 5 min', () => {
    assert.deepEqual(
      pauses(12),
      [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000],
    );
  });
  it('start afresh after ten minutes up', () => {
    let state = restarted(restarted(exited(running(NEVER_RESTARTED, 0), policy, 5, END), 5), 1000);
    state = exited(state, policy, 1000 + 600_000, END);
    assert.equal(restartAt(state, policy), 0);
    assert.equal(state.total, 2);
  });
  it('are not forgiven one second earlier', () => {
    const state = exited(restarted(exited(running(NEVER_RESTARTED, 0), policy, 5, END), 5), policy, 5 + 599_000, END);
    assert.equal(restartAt(state, policy), 5 + 599_000 + 1000);
  });
  it('seen twice is ended once', () => {
    const once = exited(running(NEVER_RESTARTED, 0), policy, 10, END);
    assert.equal(exited(once, policy, 500, 'seen again'), once);
  });
  it('is a crash loop from the second one on; it begins once', () => {
    const once = exited(restarted(exited(running(NEVER_RESTARTED, 0), policy, 1, END), 1), policy, 2, END);
    assert.deepEqual([isCrashLoop(once, policy, 2), beginsCrashLoop(once)], [false, false]);
    const twice = exited(restarted(once, 3), policy, 4, END);
    assert.deepEqual([isCrashLoop(twice, policy, 4), beginsCrashLoop(twice)], [true, true]);
    assert.equal(beginsCrashLoop(restarted(twice, 5)), false);
    const again = exited(restarted(twice, 5), policy, 6, END);
    assert.deepEqual([isCrashLoop(again, policy, 6), beginsCrashLoop(again)], [true, false]);
    assert.equal(again.how, END);
  });
  it('is not told as ready the moment it was started again, which may be the moment of its end', () => {
    const first = running(NEVER_RESTARTED, 0);
    assert.equal(trustedAt(first, policy), undefined, 'one that never ended');
    const ended = exited(first, policy, 1, END);
    assert.equal(trustedAt(ended, policy), undefined);
    assert.equal(trustedAt(restarted(ended, 1000), policy), 1200);
    const loop = restarted(exited(restarted(ended, 1000), policy, 1001, END), 2000);
    assert.equal(trustedAt(loop, policy), provenAt(loop, policy));
  });
  it('stays a crash loop until it has stayed up as long as its next pause, from 2 to 10 s', () => {
    const after = (times: number): number | undefined => {
      let state = running(NEVER_RESTARTED, 0);
      for (let n = 0; n < times; n += 1) state = restarted(exited(state, policy, 0, END), 0);
      const proven = provenAt(state, policy);
      if (proven !== undefined) {
        assert.equal(isCrashLoop(state, policy, proven - 1), true);
        assert.equal(isCrashLoop(state, policy, proven), false);
      } else assert.equal(isCrashLoop(state, policy, 0), false);
      return proven;
    };
    assert.deepEqual([0, 1, 2, 3, 4, 5, 20].map(after), [undefined, undefined, 2000, 4000, 8000, 10_000, 10_000]);
  });
  for (const [name, told, end] of [
    ['as it is told', 150_000, 150_000],
    ['when it is seen, where nobody tells', undefined, 200_000],
    ['with its start, which is noted a moment later', 99_000, 100_000],
    ['when it is seen, where the clock was set back by an hour since its start', 150_000 - 3_600_000, 200_000],
    ['when it is seen, where it is told to come yet', 150_000 + 3_600_000, 200_000],
  ] as const)
    it(`count from an end ${name}`, () => {
      assert.equal(endOf(running(NEVER_RESTARTED, 100_000), told, 200_000), end);
    });
  it('of what runs and is unfit pause from its start', () => {
    const once = restarted(exited(running(NEVER_RESTARTED, 0), policy, 50, 'was unhealthy'), 50);
    assert.equal(restartAt(once, policy), 1050);
    assert.equal(restartAt(restarted(exited(once, policy, 2000, 'was unhealthy'), 2000), policy), 4000);
  });
});
