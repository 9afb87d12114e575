import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patiently } from '../../../cli/patience.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';

const away = new PlumbError('STORE_UNAVAILABLE', 'Redis at redis://10.0.0.5 cannot be used: connect ECONNREFUSED');

/** What comes of asking where these errors come first, with what was logged and how long was waited. */
async function asked(errors: readonly Error[], stop = new AbortController(), stopAfter = Infinity) {
  const said: string[] = [];
  const waits: number[] = [];
  let tries = 0;
  const ask = (): Promise<string> => {
    const error = errors[tries++];
    return error ? Promise.reject(error) : Promise.resolve('there');
  };
  const wait = (ms: number): Promise<void> => {
    waits.push(ms);
    if (waits.length >= stopAfter) stop.abort();
    return Promise.resolve();
  };
  const log = { warn: (_fields: object, message: string) => void said.push(message) };
  const answer = patiently(ask, { log, signal: stop.signal, wait });
  return { answer: await answer.catch((error: unknown) => error), said, waits };
}

describe('what cannot begin without a store', () => {
  it('waits for one that is away, for longer and longer, and names it and the next try each time', async () => {
    const { answer, said, waits } = await asked(Array.from({ length: 6 }, () => away));
    assert.equal(answer, 'there');
    assert.deepEqual(waits, [1000, 2000, 4000, 8000, 10_000, 10_000]);
    assert.equal(said[1], 'Redis at redis://10.0.0.5 cannot be used: connect ECONNREFUSED; tried again in 2 s');
  });

  it('ends with what no waiting mends', async () => {
    const refused = new PlumbError('STORE_REFUSED', 'WRONGPASS');
    assert.deepEqual(await asked([away, refused]), {
      answer: refused,
      said: [`${away.message}; tried again in 1 s`],
      waits: [1000],
    });
    const defect = new Error('a defect');
    assert.equal((await asked([defect])).answer, defect);
  });

  it('stops when it is told to', async () => {
    assert.equal((await asked([away, away, away], new AbortController(), 2)).answer, undefined);
  });
});
