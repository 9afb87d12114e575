import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLooks } from '../../../reconciler/loop/looks.ts';

describe('when Git is looked at', () => {
  let now = 0;
  const rested = (): ReturnType<typeof createLooks> => {
    now = 1_000_000;
    const looks = createLooks(() => now);
    assert.ok(looks.at() <= now, 'the first look is due at once');
    looks.begin();
    now += 200;
    looks.end(15_000);
    return looks;
  };

  it('now and then, where nothing is heard', () => {
    assert.equal(rested().at(), 1_015_200);
  });

  it('at once after a hint, half a second after the last look where there are many', () => {
    const looks = rested();
    now += 5_000;
    looks.hint();
    assert.ok(looks.at() <= now);
    looks.begin();
    looks.hint();
    looks.hint();
    now += 100;
    looks.end(15_000);
    assert.equal(looks.at(), now + 400, 'what was heard during a look may have come too late for it');
    now += 400;
    looks.begin();
    looks.end(15_000);
    assert.equal(looks.at(), now + 15_000, 'and is followed by one look');
  });

  it('never later for a hint than without one', () => {
    const looks = rested();
    looks.begin();
    looks.hint();
    looks.end(100);
    assert.equal(looks.at(), now + 100);
  });

  it('at once for who leads from now on', () => {
    const looks = rested();
    looks.reset();
    assert.ok(looks.at() <= now);
  });
});
