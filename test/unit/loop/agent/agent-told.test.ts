import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAgent } from '../../../../reconciler/loop/agent/agent.ts';
import type { Ref } from '../../../../reconciler/model/ref.ts';
import type { Assignment } from '../../../../reconciler/model/replica.ts';
import { assignment, during, rig, toldTwice, until } from '../../../support/agent-rig.ts';
import { ORIGIN } from '../../../support/changes.ts';

describe('an agent that is told otherwise', () => {
  it('takes in a new Assignment while a change for the last one takes long', async () => {
    const knob = (key: string): Assignment['tuning'][number] => ({ kind: 'sysctl', key, value: '1', origin: ORIGIN });
    const set = new Set<Ref>();
    const begun: Ref[] = [];
    let release = (): void => undefined;
    const slow = new Promise<void>((resolve) => (release = resolve));
    const one = rig({
      observe: () => Promise.resolve([...set].map((ref) => ({ known: true, ref, state: {}, owned: true }))),
      diff: (desired) =>
        desired
          .filter(({ ref }) => !set.has(ref))
          .map(({ ref, spec }) => ({
            ref,
            provider: 'knob',
            verb: 'create',
            want: spec,
            fields: [],
            disruption: 'none',
            because: 'new',
          })),
      apply: async ({ ref }) => {
        begun.push(ref);
        if (ref === 'sysctl/a.b') await slow;
        set.add(ref);
        return { did: 'set it' };
      },
    });
    const { options, tell } = toldTwice(one);
    const stop = new AbortController();
    const running = createAgent(options).run(stop.signal);
    try {
      await until(() => begun.length === 1);
      tell({ ...assignment, generation: 2, tuning: [...assignment.tuning, knob('b.c')] });
      await until(() => set.has('sysctl/b.c'));
      assert.deepEqual(begun, ['sysctl/a.b', 'sysctl/b.c'], 'and what is under way is not begun again');
    } finally {
      release();
      stop.abort();
      await running;
    }
  });
  it('makes nothing that a new Assignment no longer asks for, however long it looked for the last one', async () => {
    let see = (): void => undefined;
    const looks: (readonly Ref[] | undefined)[] = [];
    const one = rig({
      observe: async (_ctx, refs) => {
        looks.push(refs);
        if (looks.length === 1) await new Promise<void>((resolve) => (see = resolve));
        return [{ known: true, ref: 'sysctl/a.b', state: { value: one.value }, owned: true }];
      },
    });
    one.value = '9';
    const { options, tell } = toldTwice(one);
    await during(
      { ...one, options },
      () => Promise.resolve(),
      async (agent) => {
        await until(() => looks.length === 1);
        tell({ ...assignment, generation: 2, tuning: [] });
        await until(() => looks.length === 2);
        see();
        await until(() => agent.idle());
        assert.deepEqual(one.drafts, []);
      },
    );
  });
});
