import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { beginsAt, BEGINS_WITHIN, endOfSlot, meet, SLOT, slotsOf, type Slot } from '../../reconciler/model/slots.ts';

/** Hosts that come and go: of each step whether one comes, or which one goes. */
const history = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, fc.nat(40)), { maxLength: 120 });

function play(steps: readonly number[]): readonly Slot[] {
  const taken: Slot[] = [];
  for (const step of steps) {
    if (step >= 0) taken.splice(step, 1);
    else {
      const slot = slotsOf(taken).give(taken.length + 1);
      assert.ok(slot, `none left beside ${JSON.stringify(taken)}`);
      taken.push(slot);
    }
  }
  return taken;
}

describe('times in which hosts give back memory', () => {
  it('are disjoint, whoever came and went before', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const taken = play(steps);
        for (const [at, one] of taken.entries())
          for (const other of taken.slice(at + 1)) {
            assert.ok(!meet(one, other), `${JSON.stringify(one)} and ${JSON.stringify(other)}`);
            const all = Math.max(one.of, other.of);
            for (let k = one.index; k < all; k += one.of)
              assert.notEqual(k % other.of, other.index, `slot ${String(k)}`);
          }
      }),
    );
  });

  it('begin in the slot of the host, early in it, and never before now', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(1_000_000_000), (bits, now) => {
        const of = 2 ** bits;
        const slot = { index: now % of, of };
        const at = beginsAt(slot, now);
        assert.ok(at >= now && at - now <= (of + 1) * SLOT, `${String(at)} for ${String(now)}`);
        assert.equal(Math.floor(at / SLOT) % of, slot.index);
        assert.ok(at % SLOT < BEGINS_WITHIN);
        assert.equal(beginsAt(slot, at), at);
        assert.ok(endOfSlot(at) > at);
        assert.ok(beginsAt(slot, endOfSlot(at) - 1) >= at + (of - 1) * SLOT - SLOT + (of === 1 ? 0 : 1));
      }),
    );
  });

  it('are the same whether they are given in one go or one by one', () => {
    fc.assert(
      fc.property(history, fc.nat(60), fc.nat(200), (steps, more, hosts) => {
        const taken = [...play(steps)];
        const slots = slotsOf(taken);
        for (let host = 0; host < more; host += 1) {
          const slot = slots.give(hosts);
          assert.deepEqual(slot, slotsOf(taken).give(hosts));
          if (slot) taken.push(slot);
        }
      }),
    );
  });

  it('come round as often as the number of hosts allows', () => {
    const slots = slotsOf([]);
    const taken = Array.from({ length: 1000 }, () => slots.give(1000) ?? assert.fail('none left'));
    assert.deepEqual(new Set(taken.map(({ of }) => of)), new Set([2048]));
    assert.deepEqual(slots.give(1001), { index: 1000, of: 2048 });
  });

  it('of many hosts cost as much as there are hosts, not as many times', () => {
    const hosts = 60_000;
    const began = performance.now();
    const slots = slotsOf([]);
    for (let host = 0; host < hosts; host += 1) assert.equal(slots.give(hosts)?.index, host);
    // looking at all that were given for each one takes minutes
    assert.ok(performance.now() - began < 10_000);
  });
});
