import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { preemptionEvents, preemptionsAfter, withTaker } from '../../../../reconciler/loop/controller/preemptions.ts';
import type { Preemption } from '../../../../reconciler/model/notice.ts';
import type { Placement } from '../../../../reconciler/model/replica.ts';
import { catalogOf, resources } from '../../../support/catalog.ts';
import type { Sketch } from '../../../support/catalog.ts';
import { plannedFrom } from '../../../support/planned.ts';

const catalog = catalogOf({ apps: { batch: { level: 3, replicas: 2 }, db: { level: 0 } } });
const at = (replica: string, host: string, more: Partial<Placement> = {}): [string, Placement] => [
  replica,
  { replica, host, address: '10.1.0.10', ...more } as Placement,
];
const one: Preemption = { replica: 'batch-1', host: 'h1', by: 'db-0' };
const stopping = new Map([at('batch-1', 'h1', { yields: 'db-0' })]);
const moved = new Map([at('batch-1', 'h2'), at('db-0', 'h1')]);
const waiting = new Map([at('db-0', 'h1')]);
const back = new Map([at('batch-1', 'h1')]);

describe('events of preemption', () => {
  const told = (
    before: readonly Preemption[],
    made: readonly Preemption[],
    placements: ReadonlyMap<string, Placement>,
  ): readonly string[] =>
    preemptionEvents(before, made, placements, catalog).map(({ level, reason, ref, message }) =>
      [level, reason, ref, message].join(' '),
    );

  it('tell whom it is stopped for, once', () => {
    assert.deepEqual(told([], [one], stopping), [
      'warn Preempting replica/batch-1 batch-1 (level 3) is stopped on h1: db-0 (level 0) finds no other place',
    ]);
    assert.deepEqual(told([one], [one], stopping), []);
  });

  it('tell the end, once, whoever saw the beginning', () => {
    const end = 'warn Preempted replica/batch-1 batch-1 (level 3) gives its place on h1 to db-0 (level 0) and';
    assert.deepEqual(told([one], [], moved), [`${end} moves to h2 with its address 10.1.0.10`]);
    assert.deepEqual(told([], [one], waiting), [`${end} waits for another`]);
    assert.deepEqual(told([{ ...one, done: true }], [], waiting), []);
  });

  it('tell that it keeps its place after all, and nothing of one that Git wants no more', () => {
    assert.deepEqual(told([one], [], back), [
      'info PreemptionWithdrawn replica/batch-1 batch-1 (level 3) keeps its place on h1: db-0 needs it no more',
    ]);
    assert.deepEqual(told([{ ...one, replica: 'batch-7' }], [], waiting), []);
  });

  it('are remembered while it is stopped or has no place, whose reason names who has the old one', () => {
    assert.deepEqual(preemptionsAfter([], [one], stopping, catalog), [one]);
    const done = preemptionsAfter([one], [], waiting, catalog);
    assert.deepEqual(done, [{ ...one, done: true }]);
    assert.deepEqual(preemptionsAfter(done, [], moved, catalog), []);
    assert.deepEqual(preemptionsAfter(done, [], new Map(), catalog), [], 'the other one has left, too');
    assert.deepEqual(preemptionsAfter([one], [], back, catalog), []);
    assert.equal(
      withTaker({ replica: 'batch-1', message: 'no room' }, done, catalog).message,
      'no room. Its place on h1 went to db-0 (level 0)',
    );
    assert.equal(withTaker({ replica: 'batch-0', message: 'no room' }, done, catalog).message, 'no room');
  });
});

describe('a plan that preempts', () => {
  it('says who gives a place to whom, and shows where that leads', async () => {
    const hosts = { h1: {}, h2: { schedulable: false } };
    const batch = { level: 3, resources: resources(3000) };
    const apps = { batch, db: { level: 0, resources: resources(4000) } };
    const { fleet, text } = await plannedFrom({ hosts, apps: { batch } }, { hosts, apps });
    assert.match(
      text,
      /! batch-0 \(level 3\) gives its place on h1 to db-0 \(level 0\) and waits for another\n.*! batch-0 .*Its place on h1 went to db-0 \(level 0\)\n/,
    );
    assert.equal(fleet.book.placements.get('batch-0')?.yields, undefined, 'nothing is written');
  });

  it('shows no more of an App without a place than it lets be away', async () => {
    const hosts = { h1: {}, h2: {}, h3: {} };
    const batch = { level: 3, replicas: 3, maxUnavailable: 2, resources: resources(3000) };
    const apps = { batch, db: { level: 0, replicas: 3, resources: resources(3000) } };
    const { text } = await plannedFrom({ hosts, apps: { batch } }, { hosts, apps });
    assert.deepEqual(text.match(/batch-. \(level 3\) gives its place on h. to db-./g)?.length, 2, text);
    const why =
      'batch-2 (level 3) could make room on h3, but App batch lets 2 replicas be away at a time, batch-0 and batch-1 are';
    assert.ok(text.includes(why), text);
    assert.match(text, /\nplacements: 2 new, 0 move, 2 go, 1 stay\n/);
  });

  describe('says where budgets never let so many go together', () => {
    const half = resources(2000);
    const batch = { level: 3, replicas: 2, maxUnavailable: 2, resources: half };
    const gang = { level: 0, replicas: 2, gang: 'job', resources: half };
    const most = (count: number): Sketch['zones'] => ({ main: { disruption: { maxUnavailable: { count } } } });
    const app = 'App batch lets 1 replica be away at a time';
    const zone = 'Zone main lets 1 replica be away at a time';
    for (const { name, apps, zones, why } of [
      { name: 'of an App, for a gang', apps: { batch: { ...batch, maxUnavailable: 1 }, job: gang }, why: app },
      {
        name: 'of an App, for one',
        apps: { batch: { ...batch, maxUnavailable: 1 }, job: { level: 0, resources: resources(4000) } },
        why: app,
      },
      { name: 'of a Zone, for a gang', apps: { batch, job: gang }, zones: most(1), why: zone },
      {
        name: 'of a Zone, for one',
        apps: { batch, job: { resources: resources(4000) } },
        zones: most(1),
        why: zone,
      },
      { name: 'but not where they do', apps: { batch, job: gang }, zones: most(2) },
    ] as readonly { name: string; apps: NonNullable<Sketch['apps']>; zones?: Sketch['zones']; why?: string }[])
      it(name, async () => {
        const hosts = { h1: {} };
        const base = { hosts, ...(zones ? { zones } : {}) };
        const { text } = await plannedFrom({ ...base, apps: { batch: apps['batch'] ?? {} } }, { ...base, apps });
        const gives = text.split('\n').filter((line) => / gives its place on h1 to job-/.test(line));
        assert.equal(gives.length, why === undefined ? 2 : 0, text);
        if (why !== undefined) assert.ok(text.includes(`could make room on h1, but ${why}`), text);
      });
  });
});
