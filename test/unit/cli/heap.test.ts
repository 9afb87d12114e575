import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MANNERS, START, growthOfYoung, pace, young, type Manner } from '../../../cli/heap.ts';

/** The manner after each of these seconds. */
function manners(utilizations: readonly number[]): readonly Manner[] {
  let now = START;
  return utilizations.map((each) => (now = pace(now, each)).manner);
}

const seconds = (count: number, utilization: number): readonly number[] =>
  Array.from({ length: count }, () => utilization);

describe('the heap of a controller', () => {
  it('has room after three seconds of nothing but work, and is tidied once that is over', () => {
    assert.deepEqual(manners([1, 1, 0.95, 1, 0.2]), ['rest', 'rest', 'work', 'work', 'tidy']);
  });

  it('is tidied after that until V8 has collected by itself, which it does where nothing is made for 8 s', () => {
    const found = manners([1, 1, 1, ...seconds(100, 0.1)]);
    const tidy = found.flatMap((manner, at) => (manner === 'tidy' ? [at] : []));
    assert.deepEqual(tidy.slice(0, 17), [...Array.from({ length: 16 }, (_, at) => 3 + at), 74]);
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
    assert.equal(growthOfYoung('rest', 2 * MiB), '--semi-space-growth-factor=4');
    assert.equal(growthOfYoung('tidy', 8 * MiB), '--semi-space-growth-factor=1');
    assert.equal(growthOfYoung('work', 8 * MiB), '--semi-space-growth-factor=2');
  });

  it('does not let it have more: V8 takes it by the factor', () => {
    const most = 8 * 2 ** 20;
    const kept: object[][] = [];
    /** A megabyte or so that lives on for a while; gives how much there is for what is new. */
    const work = (at: number): number => {
      kept[at % 8] = Array.from({ length: 20_000 }, (_, index) => ({ at, index }));
      return young();
    };
    const sizes = Array.from({ length: 400 }, (_, at) => {
      setFlagsFromString(growthOfYoung('rest', young()));
      return work(at);
    });
    assert.equal(Math.max(...sizes), most);
  });
});
