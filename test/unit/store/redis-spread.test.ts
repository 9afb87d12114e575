import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { spread } from '../../../reconciler/store/redis/connect.ts';

const AGENTS = 6000;

/** When each of many agents that lost their connection at 0 has another, to a server that is back after so long. Milliseconds. */
function returns(outage: number): readonly number[] {
  let seed = 7;
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  return Array.from({ length: AGENTS }, () => {
    let at = 0;
    for (let attempt = 1; at < outage || attempt === 1; attempt += 1) at += spread(attempt, random);
    return at;
  });
}

describe('agents that lose their connections at one moment', () => {
  for (const outage of [0, 200, 1000, 5000, 60_000])
    it(`do not all come back at one moment after ${String(outage)} ms, and come back before their leases run out`, () => {
      const tenths = new Map<number, number>();
      for (const at of returns(outage)) tenths.set(Math.floor(at / 100), (tenths.get(Math.floor(at / 100)) ?? 0) + 1);
      const peak = Math.max(...tenths.values());
      assert.ok(peak <= 400, `${String(peak)} of ${String(AGENTS)} in a tenth of a second`);
      assert.ok(Math.max(...returns(outage)) <= outage + 3500);
    });
});
