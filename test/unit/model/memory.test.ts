import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  isOver,
  lowsAfter,
  ruleOf,
  ruleText,
  waitOf,
  type Low,
  type MemorySpec,
  type MemoryState,
} from '../../../reconciler/model/memory.ts';

const TOTAL = 1000;
const MINUTE = 60_000;
/** All slots are its own, and now is early in one. */
const NOW = 100 * 30_000 + 9_000;
const RULE: MemorySpec = { above: 500, window: 2 * MINUTE, coolDown: 10 * MINUTE, slot: { index: 0, of: 1 } };

/** The state after readings at such minutes before now. */
function after(readings: readonly (readonly [number, number])[], reclaimed?: MemoryState['reclaimed']): MemoryState {
  let lows: readonly Low[] = [];
  for (const [ago, bytes] of readings) lows = lowsAfter(lows, NOW - ago * MINUTE, bytes, TOTAL);
  const spare = readings.at(-1)?.[1] ?? 0;
  return { counted: 0, used: spare, total: TOTAL, spare, lows, ...(reclaimed ? { reclaimed } : {}) };
}

const cases: readonly {
  readonly name: string;
  readonly state: MemoryState;
  readonly rule?: Partial<MemorySpec>;
  /** Milliseconds from now; 0: it is done now. */
  readonly wait: number;
  readonly why?: RegExp;
}[] = [
  {
    name: 'above for all of the window',
    state: after([
      [2, 600],
      [1, 700],
      [0, 600],
    ]),
    wait: 0,
  },
  {
    name: 'above for less',
    state: after([
      [1, 600],
      [0, 600],
    ]),
    wait: MINUTE,
    why: /for 2m before/,
  },
  {
    name: 'below in between',
    state: after([
      [9, 900],
      [1, 400],
      [0.5, 600],
      [0, 600],
    ]),
    wait: 1.5 * MINUTE,
  },
  { name: 'seen for the first time', state: after([[0, 600]]), wait: 2 * MINUTE },
  {
    name: 'a share of what there is',
    state: after([
      [2, 600],
      [0, 600],
    ]),
    rule: { above: '50%' },
    wait: 0,
  },
  {
    name: 'given back lately',
    state: after(
      [
        [20, 600],
        [0, 600],
      ],
      { at: NOW - 4 * MINUTE, freed: 1 },
    ),
    wait: 6 * MINUTE,
    why: /less than 10m ago/,
  },
  {
    name: 'given back long ago',
    state: after(
      [
        [20, 600],
        [0, 600],
      ],
      { at: NOW - 11 * MINUTE, freed: 1 },
    ),
    wait: 0,
  },
  {
    name: 'not its slot',
    state: after([
      [20, 600],
      [0, 600],
    ]),
    rule: { slot: { index: 5, of: 8 } },
    wait: 21_000,
    why: /its host gives back memory at 1970/,
  },
];

describe('when memory is given back', () => {
  for (const { name, state, rule, wait, why } of cases)
    it(name, () => {
      const found = waitOf({ ...RULE, ...rule }, state, NOW);
      const at = (found?.at ?? NOW) - NOW;
      // a slot of its own begins a little late
      assert.ok(at >= wait && at < wait + (rule?.slot ? 10_000 : 1), `${String(at)}, not ${String(wait)}`);
      if (why) assert.match(found?.why ?? '', why);
    });

  it('without a slot never', () => {
    const { slot: _none, ...rule } = RULE;
    assert.equal(
      waitOf(
        rule,
        after([
          [20, 600],
          [0, 600],
        ]),
        NOW,
      )?.at,
      Infinity,
    );
  });

  it('is not waited for by a clock that has been set back since', () => {
    const later = [{ at: NOW + 600 * MINUTE, bytes: 600 }];
    const lows = lowsAfter(lowsAfter(later, NOW - 2 * MINUTE, 600, TOTAL), NOW, 600, TOTAL);
    const state = { ...after([[0, 600]]), lows, reclaimed: { at: NOW + 600 * MINUTE, freed: 1 } };
    assert.equal(waitOf(RULE, state, NOW), undefined);
    const soon = { ...state, reclaimed: { at: NOW + MINUTE, freed: 1 } };
    assert.equal(waitOf(RULE, soon, NOW)?.at, NOW + 11 * MINUTE);
  });

  it('is asked only where the last reading was above', () => {
    assert.equal(
      isOver(
        RULE,
        after([
          [2, 600],
          [0, 600],
        ]),
      ),
      true,
    );
    assert.equal(
      isOver(
        RULE,
        after([
          [2, 600],
          [0, 500],
        ]),
      ),
      false,
    );
    assert.equal(isOver(RULE, after([])), false);
  });

  it('counts bytes that are little beside what there is, one by one for the last reading', () => {
    const total = 512 * 2 ** 30;
    const rule = { ...RULE, above: 512 * 2 ** 20 };
    const stateOf = (...readings: readonly number[]): MemoryState => {
      let lows: readonly Low[] = [];
      for (const [at, bytes] of readings.entries()) lows = lowsAfter(lows, NOW - (2 - at) * MINUTE, bytes, total);
      const spare = readings.at(-1) ?? 0;
      return { counted: 0, used: spare, total, spare, lows };
    };
    const much = 513 * 2 ** 20;
    const most = stateOf(much, much, much);
    assert.deepEqual([isOver(rule, most), waitOf(rule, most, NOW)], [true, undefined]);
    assert.equal(isOver(rule, stateOf(much, much, 512 * 2 ** 20)), false);
    assert.equal(waitOf(rule, stateOf(much, 400 * 2 ** 20, much), NOW)?.at, NOW + 2 * MINUTE);
  });

  it('what is kept of readings tells of any number since when all were above, and stays small', () => {
    const readings = fc.array(fc.nat(TOTAL), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(readings, fc.nat(TOTAL), (values, above) => {
        const stepOf = (bytes: number): number =>
          Math.max(1, Math.min(Math.floor(TOTAL / 256), 2 ** (Math.floor(Math.log2(Math.max(1, bytes))) - 4)));
        const known = values.map((bytes, at) => ({ at, bytes: Math.floor(bytes / stepOf(bytes)) * stepOf(bytes) }));
        let lows: readonly Low[] = [];
        for (const [at, bytes] of values.entries()) lows = lowsAfter(lows, at, bytes, TOTAL);
        const lastBelow = known.findLastIndex(({ bytes }) => bytes <= above);
        const since = lastBelow === known.length - 1 ? undefined : lastBelow + 1;
        assert.equal(lows.find(({ bytes }) => bytes > above)?.at, since);
        assert.ok(lows.length <= 336, String(lows.length));
      }),
    );
  });

  it('a rule is one value of a knob', () => {
    for (const above of ['20%', 4096])
      assert.deepEqual(ruleOf(ruleText({ above, window: 90_000, coolDown: 3_600_000 })), {
        above,
        window: 90_000,
        coolDown: 3_600_000,
      });
    assert.equal(ruleOf('madvise'), undefined);
  });
});
