import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diffMemory } from '../../../../providers/cgroups/memory.ts';
import type { MemorySpec, MemoryState } from '../../../../reconciler/model/memory.ts';
import { diffByRef, type Provider } from '../../../../reconciler/model/provider.ts';
import { SLOT } from '../../../../reconciler/model/slots.ts';
import { assignment, during, rig, until } from '../../../support/agent-rig.ts';
import { ORIGIN } from '../../../support/changes.ts';

const value = 'above 10 for 1m, once in 1h';
const told = {
  ...assignment,
  tuning: [{ kind: 'knob', key: 'memory.reclaim', value, origin: ORIGIN } as const],
  slot: { zone: 'main', index: 3, of: 4 },
};

describe('an agent whose host caches too much', () => {
  it('is as asked meanwhile, gives it back in its slot, and tells of it', async () => {
    // slot 0, of which it has number 3; the clock of the process has yet to catch up with that of the machine
    const start = 4_000 * SLOT;
    const state = { now: start, spare: 50, gave: 0 };
    const seen = (): MemoryState => ({
      ...{ counted: 1, used: 60, total: 100, spare: state.spare },
      lows: state.spare > 10 ? [{ at: start - 120_000, bytes: state.spare }] : [{ at: state.now, bytes: state.spare }],
      ...(state.gave > 0 ? { reclaimed: { at: state.gave, freed: 45 } } : {}),
    });
    const memory: Partial<Provider<MemorySpec, MemoryState>> = {
      name: 'memory',
      kinds: ['memory'],
      observe: () => Promise.resolve([{ known: true, ref: 'memory/host', owned: true, state: seen() }]),
      diff: diffByRef(diffMemory),
      apply: () => {
        [state.gave, state.spare] = [state.now, 5];
        const observed = { known: true, ref: 'memory/host', owned: true, state: seen() } as const;
        return Promise.resolve({ did: 'gave back 45 bytes', facts: { freed: 45 }, observed });
      },
    };
    const one = rig(memory);
    const mailbox = { ...one.options.mailbox, assignment: () => Promise.resolve(told) };
    const options = { ...one.options, mailbox, clock: () => state.now - 3_615_000, wall: () => state.now };
    await during({ ...one, options }, async (agent) => {
      const ready = agent.report()?.conditions.find(({ type }) => type === 'Ready');
      assert.equal(ready?.status, true, JSON.stringify(ready));
      assert.equal(one.drafts.length, 0);
      assert.deepEqual(agent.report()?.memory, { host: { counted: 1, used: 60, total: 100 } });
      assert.deepEqual(agent.report()?.observed, []);
      state.now = start + 3 * SLOT + 7_000;
      // its timer is set for the slot already, by a clock that does not stand still
      agent.kick('*');
      await until(() => one.drafts.length === 3);
      assert.deepEqual(
        one.drafts.map((draft) => (draft.type === 'event' ? draft.message : draft.type)),
        ['intent', 'memory/host: gave back 45 bytes', 'outcome'],
      );
      await until(() => agent.report()?.memory?.['host']?.reclaimed?.freed === 45);
      agent.kick('*');
      await until(() => agent.report()?.conditions.some(({ type, status }) => type === 'Ready' && status) === true);
      assert.equal(one.drafts.length, 3, 'and no more');
    });
  });
});
