import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fightWatch } from '../../../../reconciler/loop/agent/fights.ts';
import { change } from '../../../support/changes.ts';

const drift = (have: unknown): ReturnType<typeof change> =>
  change('port/web-0', 'update', { because: 'drift', fields: [{ path: '/vlan', have, want: 100 }] });

describe('fightWatch', () => {
  it('names both sides once the same value has come back five times in a minute', () => {
    const fights = fightWatch();
    const found = [0, 1, 2, 3, 4].map((second) => fights.note(drift(999), second * 1000));
    assert.deepEqual(found.slice(0, 4), [undefined, undefined, undefined, undefined]);
    assert.deepEqual(found[4], { ref: 'port/web-0', path: '/vlan', theirs: 999, ours: 100, times: 5, pause: 1000 });
  });
  it('takes different values for accidents', () => {
    const fights = fightWatch();
    for (let n = 0; n < 50; n += 1) assert.equal(fights.note(drift(n), n), undefined);
  });
  it('pauses twice as long each further time, and forgives after quiet', () => {
    const fights = fightWatch();
    let now = 0;
    const pauses: (number | undefined)[] = [];
    for (let n = 0; n < 8; n += 1) {
      const pause = fights.note(drift(999), now)?.pause;
      pauses.push(pause);
      now += 1000 + (pause ?? 0);
    }
    assert.deepEqual(pauses.slice(4), [1000, 2000, 4000, 8000]);
    assert.equal(fights.note(drift(999), now + 3_600_000), undefined);
  });
});
