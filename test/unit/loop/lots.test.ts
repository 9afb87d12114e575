import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inLots, oneAhead } from '../../../reconciler/loop/lots.ts';

describe('lots', () => {
  for (const count of [0, 1, 25, 26, 60])
    it(`hold ${String(count)} items once each, in order`, () => {
      const items = Array.from({ length: count }, (_, at) => at);
      const lots = [...inLots(items)];
      assert.deepEqual(lots.flat(), items);
      assert.ok(lots.every(({ length }) => length > 0 && length <= 25));
      assert.equal(lots.length, Math.ceil(count / 25));
    });
});

describe('answers with one asked for ahead', () => {
  it('come in order, the next being asked for before one is looked at, and no more', async () => {
    const said: string[] = [];
    const ask = (question: number): Promise<number> => {
      said.push(`ask ${String(question)}`);
      return Promise.resolve(10 * question);
    };
    for await (const answer of oneAhead([1, 2, 3], ask)) said.push(`look at ${String(answer)}`);
    assert.deepEqual(said, ['ask 1', 'ask 2', 'look at 10', 'ask 3', 'look at 20', 'look at 30']);
  });

  it('are none where nothing is asked', async () => {
    for await (const _ of oneAhead([], () => Promise.resolve(1))) assert.fail('nothing was asked');
  });

  it('fail for who waits for them, and for nobody who has left before', async () => {
    const ask = (question: number): Promise<number> =>
      question === 2 ? Promise.reject(new Error('no answer')) : Promise.resolve(question);
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const answer of oneAhead([1, 2, 3], ask)) seen.push(answer);
    }, /no answer/);
    assert.deepEqual(seen, [1]);
    // an unhandled rejection would fail this test
    for await (const answer of oneAhead([1, 2, 3], ask)) if (answer === 1) break;
    await new Promise((resolve) => setImmediate(resolve));
  });
});
