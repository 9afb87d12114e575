import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MANNERS, START, growthOfYoung, keepHeapSmall, pace, young, type Manner } from '../../../cli/heap.ts';

/** The manner after each of these seconds, where nobody else takes the CPU, or a share of it is left. */
function manners(utilizations: readonly number[], share = 1): readonly Manner[] {
  let now = START;
  return utilizations.map((each) => (now = pace(now, each, 1_000 * each * share)).manner);
}

const seconds = (count: number, utilization: number): readonly number[] =>
  Array.from({ length: count }, () => utilization);

describe('the heap of a controller', () => {
  it('has room after four seconds of nothing but work, and is tidied once that is over', () => {
    assert.deepEqual(manners([1, 1, 1, 1, 0.95, 0.2]), ['rest', 'rest', 'rest', 'work', 'work', 'tidy']);
  });

  it('keeps that room while it waits for the store now and then, and not under changes that go on for long', () => {
    const found = manners([...seconds(12, 1), ...seconds(60, 0.6)]);
    assert.deepEqual(new Set(found.slice(3, 20)), new Set(['work']));
    assert.ok(!found.slice(30).includes('work'));
    assert.ok(found.slice(30).includes('rest'));
    assert.equal(manners([...seconds(12, 1), 0.4]).at(-1), 'tidy');
  });

  it('does not take an audit for much work because others leave it little of the CPU', () => {
    assert.ok(!manners([...seconds(7, 1), 0.2, ...seconds(7, 1), 0.2], 0.5).includes('work'));
    assert.ok(manners(seconds(8, 1), 0.5).includes('work'));
  });

  it('is tidied after that until V8 has collected by itself, which it does where nothing is made for 8 s', () => {
    const found = manners([1, 1, 1, 1, ...seconds(100, 0.1)]);
    const tidy = found.flatMap((manner, at) => (manner === 'tidy' ? [at] : []));
    assert.deepEqual(tidy.slice(0, 17), [...Array.from({ length: 16 }, (_, at) => 4 + at), 75]);
  });

  it('is tidied each minute, for five seconds, under changes that leave it time', () => {
    const found = manners(seconds(200, 0.7));
    const tidy = found.flatMap((manner, at) => (manner === 'tidy' ? [at] : []));
    assert.ok(!found.includes('work'));
    assert.deepEqual(tidy.slice(0, 7), [60, 61, 62, 63, 64, 65, 121]);
  });

  it('is tidied, too, where it is busy now and then', () => {
    const found = manners(Array.from({ length: 400 }, (_, at) => (at % 3 === 2 ? 0.5 : 1)));
    assert.ok(!found.includes('work'));
    const tidy = found.filter((manner) => manner === 'tidy').length;
    assert.ok(tidy >= 20 && tidy <= 50, `${String(tidy)} of 400 seconds`);
  });

  it('keeps little room between what is left of what was replaced here and there, once it is tidied', () => {
    for (const flag of [...MANNERS.rest, ...MANNERS.tidy, '--expose-gc']) setFlagsFromString(flag);
    const collect = runInNewContext('gc') as () => void;
    const kept: (object | undefined)[] = Array.from({ length: 300_000 }, (_, at) => ({ at, more: [at, at, at] }));
    collect();
    for (let at = 0; at < kept.length; at += 1) if (at % 5 < 2) kept[at] = undefined;
    for (let times = 0; times < 30; times += 1) collect();
    const { heapTotal, heapUsed } = process.memoryUsage();
    assert.ok(kept[4] !== undefined);
    assert.ok(heapTotal < 1.35 * heapUsed, `${String(heapUsed)} of ${String(heapTotal)} bytes are in use`);
  });

  it('lets what is new have 8 MiB, and more while there is much to do', () => {
    const MiB = 2 ** 20;
    assert.equal(growthOfYoung('rest', 2 * MiB), '--semi-space-growth-factor=2');
    assert.equal(growthOfYoung('tidy', 8 * MiB), '--semi-space-growth-factor=1');
    assert.equal(growthOfYoung('work', 8 * MiB), '--semi-space-growth-factor=2');
  });

  it('does not let it have more, however much of it is needed between two looks', async () => {
    keepHeapSmall();
    const kept: object[][] = [];
    const sizes: number[] = [];
    for (let at = 0; at < 100; at += 1) {
      // a megabyte or so that lives on for a while
      kept[at % 8] = Array.from({ length: 20_000 }, (_, index) => ({ at, index }));
      await turn();
      sizes.push(young());
    }
    assert.equal(Math.max(...sizes), 8 * 2 ** 20);
  });
});
