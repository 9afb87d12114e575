import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWatching } from '../../../../reconciler/loop/controller/watching.ts';

const GRACE = 16_000;

describe('watching hosts', () => {
  let now = 0;
  const watching = createWatching(() => now);
  const pass = (): number => {
    watching.begin();
    const from = watching.judgeFrom();
    watching.ended();
    return from - GRACE;
  };

  it('counts from the first look, for as long as looks follow each other', () => {
    now = 100_000;
    assert.equal(pass(), 100_000);
    for (; now < 130_000; now += 2_000) assert.equal(watching.looked(true), true);
    watching.begin();
    now += 60_000; // a pass that takes long is no gap
    watching.ended();
    now += 1_000;
    assert.equal(pass(), 100_000);
  });

  it('begins anew after a gap, and after a pass that failed', () => {
    now += 7_000;
    assert.equal(pass(), now, 'nobody led');
    now += 1_000;
    watching.begin(); // and it fails
    now += 1_000;
    watching.looked(false);
    assert.equal(pass(), now, 'the store was away');
  });
});
