import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyPlan, type ApplyOptions } from '../../../reconciler/apply/apply.ts';
import type { Change, Outcome } from '../../../reconciler/model/change.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Context, Provider } from '../../../reconciler/model/provider.ts';
import { planOf } from '../../../reconciler/plan/waves.ts';
import { byRef, change, replica } from '../../support/changes.ts';

const NEVER = new AbortController().signal;

interface Run {
  readonly log: string[];
  readonly outcomes: readonly Outcome[];
}

async function run(
  changes: readonly Change[],
  apply: (change: Change, ctx: Context, log: string[]) => Promise<void>,
  more: Partial<ApplyOptions> = {},
): Promise<Run> {
  const log: string[] = [];
  const wanted = byRef(replica('web-0'));
  const provider = (name: string): Provider => ({
    name,
    kinds: [],
    observe: () => Promise.resolve([]),
    diff: () => [],
    apply: async (one, ctx) => {
      log.push(`start ${one.ref}`);
      await apply(one, ctx, log);
      log.push(`end ${one.ref}`);
      return { did: 'it' };
    },
  });
  const outcomes = await applyPlan(planOf('r1', changes, []), {
    providers: [provider('containers'), provider('ovs')],
    context: () => ({ signal: NEVER, fleet: 'f', world: { get: () => undefined } }),
    dependsOn: (ref) => wanted.get(ref)?.dependsOn ?? [],
    underway: () => undefined,
    stop: NEVER,
    intent: ({ ref }) => Promise.resolve(void log.push(`intent ${ref}`)),
    ended: ({ change: { ref }, result }) => Promise.resolve(void log.push(`${result} ${ref}`)),
    ...more,
  });
  return { log, outcomes };
}

const three = ['sandbox/web-0', 'port/web-0', 'container/web-0'].map((ref) => change(ref as 'port/web-0', 'create'));
const ok = (): Promise<void> => Promise.resolve();

describe('applyPlan', () => {
  it('writes an intent before each change and tells its end after it, in the order of dependencies', async () => {
    const { log } = await run(three, ok);
    assert.deepEqual(
      log,
      three.flatMap(({ ref }) => [`intent ${ref}`, `start ${ref}`, `end ${ref}`, `done ${ref}`]),
    );
  });
  it('skips what depends on a failure and keeps its code', async () => {
    const { outcomes, log } = await run(three, ({ ref }) =>
      ref === 'port/web-0' ? Promise.reject(new PlumbError('PORT_FAILED', 'no veth')) : ok(),
    );
    assert.deepEqual(
      outcomes.map(({ result }) => result),
      ['done', 'failed', 'skipped'],
    );
    assert.equal(outcomes[1]?.result === 'failed' && outcomes[1].code, 'PORT_FAILED');
    assert.ok(!log.includes('intent container/web-0'));
  });
  const startsAfter = (ref: Ref): readonly Ref[] => (ref === 'container/web-0' ? ['port/web-0'] : []);
  it('makes what is new beside what it starts after, and starts it then', async () => {
    let made = (): void => undefined;
    const beside = new Promise<void>((resolve) => (made = resolve));
    const work = async ({ ref }: Change, ctx: Context, log: string[]): Promise<void> => {
      if (ref === 'port/web-0') await beside; // ends only once the container was made
      if (ref !== 'container/web-0') return;
      log.push('made');
      made();
      await ctx.ready?.();
      log.push('started');
    };
    const { log, outcomes } = await run(three, work, { startsAfter });
    assert.ok(outcomes.every(({ result }) => result === 'done'));
    const order = ['done sandbox/web-0', 'made', 'end port/web-0', 'started'].map((line) => log.indexOf(line));
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
    assert.ok(!order.includes(-1));
  });
  it('does not start what was made beside a failure: the next pass goes on from there', async () => {
    const work = async ({ ref }: Change, ctx: Context, log: string[]): Promise<void> => {
      if (ref === 'port/web-0') throw new PlumbError('PORT_FAILED', 'no veth');
      if (ref !== 'container/web-0') return;
      await ctx.ready?.();
      log.push('started');
    };
    const { log, outcomes } = await run(three, work, { startsAfter });
    assert.deepEqual(
      outcomes.map(({ result }) => result),
      ['done', 'failed', 'conflict'],
    );
    assert.ok(!log.includes('started'));
    assert.equal(log.filter((line) => line === 'intent container/web-0').length, 1);
  });
  it('lets a port begin before its sandbox is made, and go on when all of that wave are', async () => {
    const changes = ['sandbox/web-0', 'sandbox/web-1', 'port/web-0'].map((ref) =>
      change(ref as 'port/web-0', 'create'),
    );
    let asked = (): void => undefined;
    const before = new Promise<void>((resolve) => (asked = resolve));
    const work = async ({ ref }: Change, ctx: Context, log: string[]): Promise<void> => {
      if (ref !== 'port/web-0') return before; // ends only once the port has begun
      asked();
      await ctx.ready?.();
      log.push('wired');
    };
    const { log } = await run(changes, work, { startsAfter: () => ['sandbox/web-0'] });
    assert.ok(log.indexOf('wired') > Math.max(log.indexOf('done sandbox/web-0'), log.indexOf('done sandbox/web-1')));
  });
  it(
    'wires ports and starts containers while sandboxes are still made, so many ports at a time',
    { timeout: 60_000 },
    async () => {
      const replicas = ['web-0', 'web-1', 'web-2', 'web-3'];
      const changes = ['sandbox', 'port', 'container'].flatMap((kind) =>
        replicas.map((name) => change(`${kind}/${name}`, 'create')),
      );
      let release = (): void => undefined;
      const slow = new Promise<void>((resolve) => (release = resolve));
      const made: string[] = [];
      const work = async ({ ref }: Change, ctx: Context, log: string[]): Promise<void> => {
        if (ref === 'sandbox/web-3') return slow; // ends only once two containers run
        await ctx.ready?.();
        if (ref === 'port/web-2')
          assert.ok(made.includes('container/web-0'), 'a third port waits for a fourth, or for the wave');
        log.push(`ready ${ref}`);
        made.push(ref);
        if (['container/web-0', 'container/web-1'].every((one) => made.includes(one))) release();
      };
      const partners = (kind: string, ref: Ref): readonly Ref[] => [`${kind}/${ref.slice(ref.indexOf('/') + 1)}`];
      const after = (ref: Ref): readonly Ref[] =>
        ref.startsWith('port/') ? partners('sandbox', ref) : ref.startsWith('container/') ? partners('port', ref) : [];
      const dependsOn = (ref: Ref): readonly Ref[] =>
        ref.startsWith('container/') ? [...partners('sandbox', ref), ...after(ref)] : after(ref);
      const { outcomes, log } = await run(changes, work, {
        startsAfter: after,
        dependsOn,
        together: 2,
        linger: 300_000,
      });
      assert.ok(outcomes.every(({ result }) => result === 'done'));
      assert.ok(log.indexOf('ready container/web-1') < log.indexOf('done sandbox/web-3'));
    },
  );
  it('lets nobody wait until the end of what it depends on is written down', async () => {
    let written = (): void => undefined;
    const disk = new Promise<void>((resolve) => (written = resolve));
    const work = ({ ref }: Change): Promise<void> => {
      if (ref === 'port/web-0') written();
      return Promise.resolve();
    };
    const ended = ({ change: { ref } }: Outcome): Promise<void> => (ref === 'sandbox/web-0' ? disk : ok());
    const { outcomes } = await run(three, work, { ended });
    assert.ok(outcomes.every(({ result }) => result === 'done'));
  });
  it('takes nothing away for a new one before all is ready that this depends on', async () => {
    const { log } = await run(
      three.map((one) => ({ ...one, verb: 'replace' })),
      ok,
      { startsAfter },
    );
    assert.ok(log.indexOf('intent container/web-0') > log.indexOf('done port/web-0'));
  });
  it('makes no change whose intent cannot be written', async () => {
    const { log, outcomes } = await run([change('sandbox/web-0', 'create')], ok, {
      intent: () => Promise.reject(new PlumbError('DISK_FULL', 'full')),
    });
    assert.equal(outcomes[0]?.result, 'failed');
    assert.ok(!log.includes('start sandbox/web-0'));
  });
  it('does not let one slow change hold up the next wave for ever', async () => {
    let release = (): void => undefined;
    const slow = new Promise<void>((resolve) => (release = resolve));
    const others = [change('sandbox/slow-0', 'create'), ...three];
    const running = run(others, ({ ref }) => (ref === 'sandbox/slow-0' ? slow : ok()), {
      linger: 10,
      ended: ({ change: { ref } }) => {
        if (ref === 'container/web-0') release();
        return Promise.resolve();
      },
    });
    assert.equal(
      (await running).outcomes.every(({ result }) => result === 'done'),
      true,
    );
  });
  it('starts nothing more once stopped, but finishes what runs', async () => {
    const stop = new AbortController();
    const { outcomes } = await run(
      three,
      () => {
        stop.abort();
        return ok();
      },
      { stop: stop.signal },
    );
    assert.deepEqual(
      outcomes.map(({ result }) => result),
      ['done', 'skipped', 'skipped'],
    );
  });
  it('says conflict, not failure, when the guard no longer holds', async () => {
    const { outcomes } = await run([change('sandbox/web-0', 'replace')], () =>
      Promise.reject(new PlumbError('CONFLICT', 'moved on')),
    );
    assert.equal(outcomes[0]?.result, 'conflict');
  });
  it('waits for a wave before while it gets on, and no longer once that stands still', async () => {
    const replicas = ['web-0', 'web-1', 'web-2', 'web-3', 'web-4'];
    const slow = replicas.map((name) => change(`sandbox/${name}`, 'create'));
    const port = change('port/web-0', 'create');
    const nap = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const order = async (naps: readonly number[]): Promise<readonly string[]> => {
      const { log } = await run(
        [...slow, port],
        ({ ref }) => nap(naps[slow.findIndex((one) => one.ref === ref)] ?? 0),
        {
          linger: 200,
        },
      );
      return log.filter((line) => line === 'start port/web-0' || line === 'end sandbox/web-4');
    };
    // each ends well within the linger after the one before; together they take longer than it
    assert.deepEqual(await order([1, 100, 200, 300, 400]), ['end sandbox/web-4', 'start port/web-0']);
    assert.deepEqual(await order([1, 2, 3, 4, 1500]), ['start port/web-0', 'end sandbox/web-4']);
  });
});
