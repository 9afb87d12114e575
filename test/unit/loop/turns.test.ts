import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inTurns, resumable, upTo } from '../../../reconciler/loop/turns.ts';

/** Work that takes long, whatever the machine. */
function work(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

function* counting(to: number, each: () => void = () => undefined): Generator<number, string> {
  for (let at = 0; at < to; at += 1) {
    each();
    yield at;
  }
  return 'counted';
}

describe('a long work in turns', () => {
  it('lets others have theirs in between, and comes to the same', async () => {
    const taken: number[] = [];
    let others = 0;
    const other = (): void => {
      others += 1;
      if (taken.length < 5) setImmediate(other);
    };
    setImmediate(other);
    assert.equal(
      await inTurns(
        counting(5, () => work(25)),
        (one) => taken.push(one),
      ),
      'counted',
    );
    assert.deepEqual(taken, [0, 1, 2, 3, 4]);
    assert.ok(others >= 4, `others had ${String(others)} turns in five steps`);
  });

  it('fails as it would at once', async () => {
    const failing = counting(2, () => {
      throw new Error('no more');
    });
    await assert.rejects(inTurns(failing), /no more/);
  });
});

describe('an iterator that is taken piece by piece', () => {
  it('gives the rest later, and says again what it came to', () => {
    const source = resumable(counting(3));
    assert.deepEqual([...upTo(source, 2)], [0, 1]);
    assert.deepEqual([...upTo(source, 2)], [2]);
    for (let again = 0; again < 2; again += 1) assert.deepEqual(source.next(), { done: true, value: 'counted' });
  });
});
