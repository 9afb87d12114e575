import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  beginsCrashLoop,
  exited,
  isCrashLoop,
  NEVER_RESTARTED,
  restartAt,
  restarted,
  running,
} from '../../../reconciler/loop/restarts.ts';

const policy = { backoff: 1000, maxBackoff: 300_000, resetAfter: 600_000 };

/** Ends `times` times in a row, each time at once after its start; gives the pauses before each restart. */
function pauses(times: number): number[] {
  let state = running(NEVER_RESTARTED, 0);
  let now = 0;
  const found: number[] = [];
  for (let n = 0; n < times; n += 1) {
    state = exited(state, policy, now);
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
    let state = restarted(restarted(exited(running(NEVER_RESTARTED, 0), policy, 5), 5), 1000);
    state = exited(state, policy, 1000 + 600_000);
    assert.equal(restartAt(state, policy), 0);
    assert.equal(state.total, 2);
  });
  it('are not forgiven one second earlier', () => {
    const state = exited(restarted(exited(running(NEVER_RESTARTED, 0), policy, 5), 5), policy, 5 + 599_000);
    assert.equal(restartAt(state, policy), 5 + 599_000 + 1000);
  });
  it('seen twice is ended once', () => {
    const once = exited(running(NEVER_RESTARTED, 0), policy, 10);
    assert.equal(exited(once, policy, 500), once);
  });
  it('is a crash loop from the second one on, while it is down; it begins once', () => {
    let state = exited(restarted(exited(running(NEVER_RESTARTED, 0), policy, 1), 1), policy, 2);
    assert.deepEqual([isCrashLoop(state), beginsCrashLoop(state)], [false, false]);
    state = exited(restarted(state, 3), policy, 4);
    assert.deepEqual([isCrashLoop(state), beginsCrashLoop(state)], [true, true]);
    assert.equal(beginsCrashLoop(restarted(state, 5)), false);
    state = exited(restarted(state, 5), policy, 6);
    assert.deepEqual([isCrashLoop(state), beginsCrashLoop(state)], [true, false]);
  });
});
