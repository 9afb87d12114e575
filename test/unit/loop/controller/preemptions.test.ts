import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { preemptionEvents, preemptionsAfter, withTaker } from '../../../../reconciler/loop/controller/preemptions.ts';
import { preview } from '../../../../reconciler/loop/controller/preview.ts';
import type { Preemption } from '../../../../reconciler/model/notice.ts';
import type { Placement } from '../../../../reconciler/model/replica.ts';
import { renderText } from '../../../../reconciler/plan/render.ts';
import { catalogOf, resources } from '../../../support/catalog.ts';
import { createFleet } from '../../../support/fleet.ts';

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
    const fleet = createFleet(['h1', 'h2']);
    const batch = { level: 3, resources: resources(3000) };
    fleet.settle(catalogOf({ hosts, apps: { batch } }));
    const ask = async (more: typeof hosts | Record<string, object>): Promise<string> => {
      const aim = catalogOf({ hosts: more, apps: { batch, db: { level: 0, resources: resources(4000) } } });
      const { assignments, reports } = fleet.words();
      const known = {
        snapshot: { cursor: 0, ...fleet.book },
        assignments: [...assignments.values()],
        reports: [...reports.values()],
        hidden: [],
      };
      const said = { reports: () => Promise.resolve(known.reports) };
      return renderText(await preview({ catalog: aim, known, ...said, differs: [], allowDeletions: false, now: 0 }));
    };
    assert.match(
      await ask(hosts),
      /! batch-0 \(level 3\) gives its place on h1 to db-0 \(level 0\) and waits for another\n.*! batch-0 .*Its place on h1 went to db-0 \(level 0\)\n/,
    );
    assert.equal(fleet.book.placements.get('batch-0')?.yields, undefined, 'nothing is written');
  });
});
