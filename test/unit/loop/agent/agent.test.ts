import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AgentOptions } from '../../../../reconciler/loop/agent/agent-state.ts';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import type { Ref } from '../../../../reconciler/model/ref.ts';
import type { Report } from '../../../../reconciler/model/replica.ts';
import { assignment, during, rig, until } from '../../../support/agent-rig.ts';

describe('the agent', () => {
  it('puts drift back with an intent before and an outcome after', async () => {
    const one = rig();
    await during(one, async (agent) => {
      one.value = '9';
      agent.kick('sysctl/a.b');
      await until(() => one.value === '1' && one.drafts.length === 2);
      assert.deepEqual(
        one.drafts.map(({ type }) => type),
        ['intent', 'outcome'],
      );
    });
  });
  it('tells a commit from drift by what a process before it reached', async () => {
    const [tuned] = assignment.tuning;
    assert.ok(tuned);
    const kept = new Map<Ref, string>();
    const settled: AgentOptions['settled'] = {
      read: () => Promise.resolve(new Map(kept)),
      note: (news) => {
        for (const [ref, is] of news) if (is !== undefined) kept.set(ref, is);
        return Promise.resolve();
      },
    };
    /** An agent that begins where the knob says 9, and is told that it is to be `value`. */
    const because = async (value: string): Promise<readonly string[]> => {
      const one = rig({}, undefined, value);
      const told = { ...assignment, tuning: [{ ...tuned, value }] };
      const mailbox = { ...one.options.mailbox, assignment: () => Promise.resolve(told) };
      one.value = '9';
      await during({ ...one, options: { ...one.options, mailbox, settled } }, () => Promise.resolve());
      return one.drafts.flatMap((draft) => (draft.type === 'intent' ? [draft.because] : []));
    };
    assert.deepEqual(await because('1'), ['drift'], 'nothing is known of before');
    assert.deepEqual(await because('2'), ['spec changed']);
    assert.deepEqual(await because('2'), ['drift']);
  });
  it('writes nothing when there is nothing to do', async () => {
    const noted: unknown[] = [];
    const clean = rig();
    const settled: AgentOptions['settled'] = {
      read: () => Promise.resolve(new Map()),
      note: (news) => Promise.resolve(void noted.push(news)),
    };
    const one = { ...clean, options: { ...clean.options, settled } };
    await during(one, async (agent) => {
      agent.kick('*');
      agent.kick('sysctl/a.b');
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual(one.drafts, []);
      assert.equal(noted.length, 1, 'what was seen first');
    });
  });
  it('never works on one ref twice at once, however it is asked to', async () => {
    const one = rig();
    await during(one, async (agent) => {
      for (let n = 0; n < 20; n += 1) {
        one.value = String(n + 2);
        agent.kick(n % 3 === 0 ? '*' : 'sysctl/a.b');
        await new Promise((resolve) => setTimeout(resolve, 7));
      }
      await until(() => one.value === '1' && one.running === 0);
      assert.equal(one.most, 1);
    });
  });
  it('looks when asked in the very millisecond in which a change ended', async () => {
    const one = rig();
    let now = Date.now();
    await during({ ...one, options: { ...one.options, clock: () => now } }, async (agent) => {
      one.value = '9';
      agent.kick('sysctl/a.b');
      await until(() => one.value === '1' && one.drafts.length === 2);
      one.value = '8';
      agent.kick('sysctl/a.b');
      await until(() => one.value === '1' && one.drafts.length === 4);
      now += 1;
    });
  });
  it('tells at once that a daemon answers again, and then looks at all', async () => {
    let silent = false;
    const looks: (readonly string[] | undefined)[] = [];
    const one = rig({
      observe: (_ctx, refs) => {
        looks.push(refs);
        if (silent) return Promise.reject(new PlumbError('DOCKER_UNAVAILABLE', 'nobody answers'));
        return Promise.resolve([{ known: true, ref: 'sysctl/a.b', state: { value: '1' }, owned: true }]);
      },
    });
    const told = (): readonly string[] => one.drafts.flatMap((draft) => (draft.type === 'event' ? [draft.reason] : []));
    await during(one, async (agent) => {
      silent = true;
      agent.kick('*');
      await until(() => told().includes('ObserveFailed') && agent.idle());
      agent.kick('sysctl/a.b');
      await until(() => agent.idle());
      assert.deepEqual(told(), ['ObserveFailed']);
      silent = false;
      looks.length = 0;
      agent.kick('sysctl/a.b');
      await until(() => told().includes('ObserveRecovered') && looks.length === 2);
      assert.deepEqual(looks, [['sysctl/a.b'], undefined]);
      await until(() => agent.report()?.conditions.every(({ type, status }) => type !== 'Stalled' || !status) === true);
    });
  });
  it('tells no more of a failure once all is as it should be', async () => {
    for (const value of ['1', '9']) {
      const one = rig({
        apply: () => {
          one.value = value;
          return Promise.reject(new PlumbError('TIMEOUT', 'its answer never came'));
        },
      });
      await during(one, async (agent) => {
        one.value = '9';
        agent.kick('sysctl/a.b');
        await until(() => agent.hopeful());
        one.value = '1';
        await until(() => !agent.hopeful());
      });
    }
  });
  it('waits for longer and longer with a removal that is done and does nothing, and no more once it is gone', async () => {
    let there = true;
    let looks = 0;
    const one = rig({
      observe: () => {
        looks += 1;
        return Promise.resolve(there ? [{ known: true, ref: 'sysctl/x.y', state: { value: '2' }, owned: true }] : []);
      },
      diff: (_desired, observed) =>
        observed.map(({ ref }) => ({
          ref,
          provider: 'knob',
          verb: 'delete',
          fields: [],
          disruption: 'none',
          because: 'removed',
        })),
      apply: () => Promise.resolve({ did: 'removed' }),
    });
    const removals = (): number => one.drafts.filter(({ type }) => type === 'intent').length;
    let now = Date.now();
    const options = { ...one.options, clock: () => now };
    await during({ ...one, options }, async (agent) => {
      const lookAgain = async (times: number): Promise<void> => {
        for (const end = looks + times; looks < end; await new Promise((resolve) => setTimeout(resolve, 5)))
          agent.kick('*');
        await until(() => agent.idle());
      };
      await lookAgain(20);
      assert.equal(removals(), 2, 'the third waits a second');
      const events = one.drafts.flatMap((draft) => (draft.type === 'event' ? [draft.reason] : []));
      assert.deepEqual(events, ['ComesAgain']);
      now += 999;
      await lookAgain(5);
      assert.equal(removals(), 2);
      now += 1;
      await lookAgain(5);
      assert.equal(removals(), 3, 'the fourth waits two');
      there = false;
      await lookAgain(5);
      there = true;
      await lookAgain(5);
      assert.ok(removals() > 3, 'nothing is left of the pause once it was gone');
    });
  });

  it('does not tell of a look as of a change', async () => {
    const reports: Report[] = [];
    const one = rig({
      observe: async () => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return [{ known: true, ref: 'sysctl/a.b', state: { value: one.value }, owned: true }];
      },
    });
    const report = (next: Report): Promise<void> => Promise.resolve(void reports.push(next));
    const mailbox = { ...one.options.mailbox, report };
    await during({ ...one, options: { ...one.options, mailbox } }, async (agent) => {
      await until(() => reports.length > 0);
      agent.kick('sysctl/a.b');
      await new Promise((resolve) => setTimeout(resolve, 250));
      agent.kick('*');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      assert.deepEqual(
        reports.map(({ conditions }) => conditions.find(({ type }) => type === 'Ready')?.status),
        [true],
      );
    });
  });
  it('makes no change whose intent cannot be journaled, and goes on when it can', async () => {
    let full = true;
    const one = rig({}, () =>
      full ? Promise.reject(new PlumbError('DISK_FULL', 'full')) : Promise.resolve([] as never),
    );
    await during(one, async (agent) => {
      one.value = '9';
      agent.kick('sysctl/a.b');
      await until(() => one.drafts.length > 0);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(one.value, '9');
      full = false;
      await until(() => one.value === '1');
    });
  });
  it('hears again after a watch broke off', async () => {
    let watches = 0;
    const one = rig({
      watch: async function* () {
        watches += 1;
        if (watches === 1) throw new Error('gone');
        one.value = '9';
        yield await Promise.resolve('sysctl/a.b' as const);
        await new Promise((resolve) => setTimeout(resolve, 5000));
      },
    });
    await during(one, async () => {
      await until(() => watches === 2 && one.value === '1' && one.drafts.length > 0);
    });
  });
  it('has hope for what failed because a daemon was late, and none for what was refused', async () => {
    for (const [code, hopeful] of [
      ['TIMEOUT', true],
      ['KNOB_REFUSED', false],
    ] as const) {
      let bad = true;
      const one = rig({
        apply: () => {
          if (bad) return Promise.reject(new PlumbError(code, 'late or refused'));
          one.value = '1';
          return Promise.resolve({ did: 'set it' });
        },
      });
      await during(one, async (agent) => {
        assert.equal(agent.hopeful(), false);
        one.value = '9';
        agent.kick('sysctl/a.b');
        await until(() => one.drafts.some(({ type }) => type === 'outcome'));
        assert.equal(agent.hopeful(), hopeful, code);
        bad = false;
        await until(() => one.value === '1');
        await until(() => !agent.hopeful());
      });
    }
  });
});
