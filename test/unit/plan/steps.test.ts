import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AppSpec, RolloutSpec } from '../../../reconciler/model/catalog.ts';
import { attemptOf, versionOf, type RolloutRecord } from '../../../reconciler/model/release.ts';
import type { Outlook } from '../../../reconciler/model/outlook.ts';
import { replicaId } from '../../../reconciler/model/replica.ts';
import type { AssignedReplica, Placement } from '../../../reconciler/model/replica.ts';
import { isEmpty, renderMarkdown, renderText } from '../../../reconciler/plan/render.ts';
import { stepLines, stepsOf, type RolloutPlan } from '../../../reconciler/plan/steps.ts';
import { appSpec, catalogOf, resources, type Sketch } from '../../support/catalog.ts';

const NOWHERE: Outlook = { placed: [], moved: [], released: [], staying: 0, zones: [], networks: [], spread: [] };
/** A plan of a fleet in which nothing is to be done. */
const NOTHING = {
  hosts: [],
  unplaceable: [],
  unknown: [],
  problems: 0,
  staying: [],
  preemptions: [],
  knobs: 0,
  lacks: [],
  outlook: NOWHERE,
};
const ORIGIN = { revision: 'r0', file: 'web.yaml', line: 1, column: 1 };

function placementOf(app: string, ordinal: number): Placement {
  const { cpu, memory, pids } = resources(1000);
  const where = { zone: 'main', host: 'h1', network: 'net', address: `10.1.0.${String(ordinal + 10)}` };
  return { replica: replicaId(app, ordinal), app, ...where, demand: { cpu, memory, pids }, epoch: 1 };
}

/** What a catalog leads to where all replicas of its Apps run image `old`, but for those named. */
function plans(
  apps: NonNullable<Sketch['apps']>,
  updated: readonly string[] = [],
  records: readonly RolloutRecord[] = [],
  zones: NonNullable<Sketch['zones']> = { main: {} },
): readonly RolloutPlan[] {
  const catalog = catalogOf({ apps, zones });
  const all = [...catalog.apps.values()].flatMap(({ name, spec }) =>
    Array.from({ length: spec.replicas }, (_, ordinal): AssignedReplica => {
      const id = replicaId(name, ordinal);
      const was = updated.includes(id) ? spec : appSpec({ image: 'old' });
      return {
        id,
        app: name,
        owner: 't',
        spec: was,
        placement: placementOf(name, ordinal),
        origin: ORIGIN,
        fields: {},
      };
    }),
  );
  const current = new Map(all.map((replica) => [replica.id, replica]));
  const placements = new Map(all.map((replica) => [replica.id, replica.placement]));
  return stepsOf({ catalog, placements, current, network: () => undefined, told: () => undefined, records });
}

const rollout: RolloutSpec = {
  minReady: 30_000,
  canary: { replicas: 2, pause: 600_000 },
  progressDeadline: 300_000,
  autoRevert: true,
};
const text = (apps: NonNullable<Sketch['apps']>, ...rest: readonly string[]): string =>
  plans(apps, rest).flatMap(stepLines).join('\n');

describe('steps of a rollout', () => {
  it('are named, with canaries, pauses and what ends them', () => {
    assert.equal(
      text({ web: { replicas: 5, maxUnavailable: 2, rollout, image: 'new' } }),
      `rollout web (zone main, level 2): 5 replicas, 2 at a time
      1. web-0, web-1 (canary), then a pause of 10m
      2. web-2, web-3
      3. web-4
      each counts once it has been ready for 30s
      without progress for 5m all go back to what they run now`,
    );
  });
  it('of canaries one by one, waiting for Git, and what comes of it without autoRevert', () => {
    const careful: RolloutSpec = {
      ...rollout,
      minReady: 0,
      autoRevert: false,
      canary: { replicas: 2, pause: 'forever' },
    };
    assert.equal(
      text({ web: { replicas: 3, rollout: careful, image: 'new' } }),
      `rollout web (zone main, level 2): 3 replicas, 1 at a time
      1. web-0 (canary)
      2. web-1 (canary), then waits for Git
      3. web-2
      without progress for 5m no more get it`,
    );
  });
  it('leave out what is done', () => {
    assert.match(
      text({ web: { replicas: 4, rollout, image: 'new' } }, 'web-0'),
      /1\. web-1 \(canary\), then .*\n.*2\. web-2\n/,
    );
    assert.equal(text({ web: { replicas: 2, rollout, image: 'new' } }, 'web-0', 'web-1'), '');
  });
  it('are counted when there are many', () => {
    assert.equal(
      text({ web: { replicas: 12, image: 'new' } })
        .split('\n')
        .at(-1),
      '      … 7 more steps, 7 replicas',
    );
  });
  it('are no news of an App without a rollout block that changes at once', () => {
    assert.equal(text({ web: { image: 'new' }, api: { replicas: 3, maxUnavailable: 3, image: 'new' } }), '');
  });
  it('of limits are in place; more of them goes to the others at once', () => {
    const less = text({ web: { replicas: 4, image: 'old', resources: { ...resources(50), shares: 51 } } });
    assert.match(less, /^rollout web .*: 4 replicas in place, 1 at a time\n.*web-0\n.*web-1\n.*web-2\n.*web-3$/);
    const more = text({ web: { replicas: 4, image: 'old', resources: resources(200) } });
    assert.match(more, /: 4 replicas in place, 1 first, then all others\n +1\. web-0\n +2\. web-1, web-2, web-3$/);
    const rest = text({ web: { replicas: 4, image: 'old', resources: resources(200) } }, 'web-2');
    assert.equal(rest, '', 'one step: the others together');
    const careful = { replicas: 4, image: 'old', rollout, maxUnavailable: 2, resources: resources(200) };
    assert.match(text({ web: careful }), /1\. web-0, web-1\n +2\. web-2, web-3\n/);
  });
  it('say that the App stands still', () => {
    const waits = /\n {6}waits until web goes on \(spec\.frozen\)/;
    assert.match(text({ web: { image: 'new', frozen: true } }), waits, 'no block, one replica');
    assert.match(text({ web: { image: 'old', frozen: true, rollout, resources: resources(50) } }), waits);
    assert.equal(text({ web: { image: 'old', frozen: true, resources: resources(50) } }), '', 'held to it where it is');
  });
  it('say what the Zone lets be away', () => {
    const zones = { main: { disruption: { maxUnavailable: { percent: 10 } } } };
    const [plan] = plans({ web: { replicas: 3, image: 'new' } }, [], [], zones);
    assert.match(
      plan ? stepLines(plan).join('\n') : '',
      /\n +Zone main lets 10% of its replicas be away at a time, of all Apps$/,
    );
  });
  it('go by level where Apps change together', () => {
    const change = { rollout: { minReady: 0, autoRevert: false }, image: 'new' };
    const made = plans({
      a: { ...change, level: 0 },
      b: { ...change, level: 3 },
      c: { level: 0, replicas: 2, image: 'new' },
    });
    assert.deepEqual(
      made.map(({ app, after }) => `${app} after ${after.join()}`),
      ['b after ', 'a after b', 'c after '],
    );
  });
  it('are none of a change that was given up: what became of it is told', () => {
    const spec: AppSpec = appSpec({ replicas: 2, rollout, image: 'new' });
    const record: RolloutRecord = {
      app: 'web',
      version: versionOf({ spec }),
      attempt: attemptOf(spec),
      revision: 'r1',
      good: { spec: appSpec({ image: 'old' }), origin: ORIGIN, fields: {} },
      given: 1,
      served: 0,
      failed: { at: 1, why: 'w', back: true },
      stage: 'reverted',
      message: 'web: r1 was given up',
    };
    const [plan] = plans({ web: spec }, [], [record]);
    assert.deepEqual([plan?.steps, plan?.givenUp], [[], 'web: r1 was given up']);
    const told = { ...NOTHING, revision: 'r', rollouts: plan ? [plan] : [] };
    assert.equal(isEmpty(told), true);
    assert.match(renderText(told), /web: r1 was given up\nNothing to do: what was given up stays/);
    const { failed: _failed, ...going } = { ...record, stage: 'paused' as const, message: 'web: waits' };
    assert.match(
      plans({ web: spec }, ['web-0'], [going]).flatMap(stepLines).join('\n'),
      /^rollout .*\n {6}web: waits\n {6}1\. web-1 /,
    );
    const [again] = plans({ web: { ...spec, resources: resources(200) } }, [], [record]);
    assert.equal(again?.steps.length, 2);
  });
  it('stand in the plan for people', () => {
    const rollouts = plans({ web: { replicas: 3, rollout, image: 'new' } });
    const fleet = { ...NOTHING, revision: 'r', rollouts };
    assert.match(renderText(fleet), /^plan r\nrollout web .*\n {6}1\. web-0 \(canary\)\n/);
    assert.doesNotMatch(renderText(fleet), /Nothing to do/);
    assert.match(
      renderMarkdown(fleet),
      /\n\*\*rollout web .*\*\*\n\n1\. web-0 \(canary\)\n2\. .*\n3\. web-2\n- each counts/,
    );
  });
});
