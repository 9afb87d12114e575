import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Demand } from '../../../reconciler/model/demand.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { arrive, roomBelow, roomBelowAt } from '../../../reconciler/place/room-below.ts';
import { propose, startRun, type Run } from '../../../reconciler/place/run.ts';
import { catalogOf, reportOf, resources } from '../../support/catalog.ts';
import { NOW, step } from '../../support/placing.ts';

const apps = {
  db: { level: 0, resources: resources(1000) },
  web: { level: 2, resources: resources(500) },
  batch: { level: 3, resources: resources(200) },
};
const hosts = { h1: {}, h2: { schedulable: false } };

/** A run once one of each is on h1. */
function run(): Run {
  const book = createBook();
  step({ hosts, apps }, { book });
  const catalog = catalogOf({ hosts, apps });
  const reports = ['h1', 'h2'].map((host) => reportOf(host));
  const views = hostViews(catalog, reports, book);
  return startRun({ catalog, snapshot: book, hosts: views, reports, assignments: [], now: NOW });
}

const cpu = (rooms: readonly Demand[]): readonly number[] => rooms.map((room) => room.cpu);

describe('what could be taken away on hosts for an App of a level', () => {
  for (const { level, most } of [
    { level: 0, most: [700, 0] },
    { level: 2, most: [200, 0] },
    { level: 3, most: [0, 0] },
  ])
    it(`is all that is less critical than level ${String(level)}`, () => {
      assert.deepEqual(cpu(roomBelow(run(), level)), most);
      const other = run();
      assert.deepEqual(cpu([0, 1].map((row) => roomBelowAt(other, level, row))), most);
    });

  it('grows by who comes to a host in the course of the run, whether or not it was reckoned before', () => {
    for (const isReckoned of [true, false]) {
      const one = run();
      if (isReckoned) roomBelow(one, 0);
      const batch = one.book.placements.get('batch-0');
      assert.ok(batch);
      const more = { ...batch, replica: 'batch-1', address: '10.1.0.50' };
      assert.ok(propose(one, { op: 'place', placement: more, hostEpoch: 1, spread: {} }));
      arrive(one, more);
      assert.deepEqual(cpu(roomBelow(one, 0)), [900, 0]);
      assert.deepEqual(cpu(roomBelow(one, 3)), [0, 0]);
    }
  });
});
