import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holds } from '../../../bench/bench.ts';
import { growth, hourly, troughs } from '../../../bench/steady.ts';

const SECONDS = 600;
const series = (value: (second: number) => number): readonly number[] =>
  Array.from({ length: SECONDS }, (_, second) => value(second));

/** Memory that rises by 40 MB until garbage is collected, each eleven seconds, over what is kept. */
const collected = (kept: (second: number) => number): readonly number[] =>
  series((second) => kept(second) + (second % 11) * 4);

const promised = { ratioLimit: 1.1, seconds: SECONDS };

describe('growth of a steady run', () => {
  it('is none where memory only rises and falls with garbage', () => {
    const memory = troughs(collected(() => 250));
    assert.equal(holds(growth('memory', 'MB', memory, promised)), true);
    assert.ok(Math.abs(hourly(memory, SECONDS)) < 30);
  });

  it('is seen where 60 MB are kept in ten minutes, under garbage as well', () => {
    const memory = troughs(collected((second) => 250 + second / 10));
    assert.equal(holds(growth('memory', 'MB', memory, promised)), false);
    assert.ok(Math.abs(hourly(memory, SECONDS) - 360) < 40);
  });

  it('is seen where more and more changes wait', () => {
    const waiting = series((second) => 20 + second / 10);
    assert.equal(holds(growth('changes', 'changes', waiting, { ratioLimit: 1.5, seconds: SECONDS })), false);
  });

  it('is none where a run only begins with less', () => {
    const memory = series((second) => (second < 50 ? 100 + second * 3 : 250));
    assert.equal(holds(growth('memory', 'MB', memory, promised)), true);
  });

  it('is not promised of a short run', () => {
    assert.equal(holds(growth('memory', 'MB', [1, 2, 3], { ratioLimit: 1.1, seconds: 30 })), undefined);
  });

  it('takes few samples as they are', () => {
    assert.deepEqual(troughs([3, 1, 2], 30), [3, 1, 2]);
    assert.deepEqual(troughs([3, 1, 2, 5, 4], 2), [1, 2, 4]);
  });
});
