import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  blockIoWeightOf,
  cfsOf,
  formulasFor,
  ioWeightOf,
  quotaOf,
  sameBytes,
  sameQuota,
  weightOf,
} from '../../../providers/cgroups/conversion.ts';

describe('shares to weight', () => {
  // the corners are fixed by all three: 2 is 1, 1024 is 100 but for linear, 262144 is 10000
  const table = [
    { shares: 2, linear: 1, quadratic: 1, systemd: 1 },
    { shares: 512, linear: 20, quadratic: 59, systemd: 50 },
    { shares: 1024, linear: 39, quadratic: 100, systemd: 100 },
    { shares: 2048, linear: 79, quadratic: 174, systemd: 200 },
    { shares: 262_144, linear: 10_000, quadratic: 10_000, systemd: 10_000 },
  ];
  for (const { shares, ...weights } of table)
    it(`${String(shares)} shares`, () => {
      for (const formula of ['linear', 'quadratic', 'systemd'] as const) {
        assert.equal(weightOf(shares, formula), weights[formula], formula);
        assert.ok(formulasFor(shares, weights[formula]).includes(formula));
      }
      assert.deepEqual(formulasFor(shares, weights.linear + weights.systemd + 7), []);
    });

  it('every formula gives a legal weight that never falls as shares rise', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 262_143 }),
        fc.constantFrom('linear', 'quadratic', 'systemd'),
        (shares, formula) => {
          const weight = weightOf(shares, formula);
          assert.ok(Number.isInteger(weight) && weight >= 1 && weight <= 10_000);
          assert.ok(weightOf(shares + 1, formula) >= weight);
        },
      ),
    );
  });
});

describe('block I/O weight', () => {
  it('comes back from the io.weight it gave, for every weight', () => {
    for (let weight = 10; weight <= 1000; weight += 1) assert.equal(blockIoWeightOf(ioWeightOf(weight)), weight);
  });
  it('spans the whole of io.weight', () => {
    assert.deepEqual([10, 1000, 5000].map(ioWeightOf), [1, 10_000, 10_000]);
  });
});

describe('bytes', () => {
  const cases: readonly [number, number, boolean][] = [
    [64 * 2 ** 20, 64 * 2 ** 20, true],
    [10_000_001, 9_998_336, true],
    [10_000_001, 9_961_472, true],
    [10_000_001, 10_002_432, false],
    [64 * 2 ** 20, 64 * 2 ** 20 - 4096, false],
  ];
  for (const [want, have, same] of cases)
    it(`${String(want)} ${same ? 'is' : 'is not'} ${String(have)}`, () => {
      assert.equal(sameBytes(want, have), same);
    });
});

describe('quota', () => {
  it('is the same share whatever the period', () => {
    assert.equal(quotaOf(25_000, 50_000), quotaOf(50_000, 100_000));
    assert.equal(quotaOf(33_333, 100_000), 333.33);
  });
  it('is written exactly, at least 1 ms, in a period of at most 1 s', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 512_000 }),
        fc.constantFrom(1000, 10_000, 70_001, 100_000, 1_000_000),
        (milli, before) => {
          const { quota, period } = cfsOf(milli, before);
          assert.equal(quotaOf(quota, period), milli);
          assert.ok(Number.isInteger(quota) && quota >= 1000 && period >= 1000 && period <= 1_000_000);
        },
      ),
    );
  });
  it('rounded up to 10 thousandths, as systemd does, is the wanted one', () => {
    const cases: readonly [number, number | undefined, boolean][] = [
      [333, 333, true],
      [333, 340, true],
      [333, 350, false],
      [330, 340, false],
      [333, undefined, false],
    ];
    for (const [want, have, same] of cases)
      assert.equal(sameQuota(want, have), same, `${String(want)} ${String(have)}`);
    assert.equal(sameQuota(undefined, undefined), true);
    assert.equal(sameQuota(undefined, 333), false);
  });
  it('keeps the period that is there', () => {
    assert.deepEqual(cfsOf(500, 50_000), { quota: 25_000, period: 50_000 });
    assert.deepEqual(cfsOf(5, 100_000), { quota: 5000, period: 1_000_000 });
  });
});
