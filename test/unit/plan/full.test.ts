import assert from 'node:assert/strict';
import { it } from 'node:test';
import { disruptionOf, mayLeaveWithin, mostAway, withoutBudgets } from '../../../reconciler/model/disruption.ts';
import { createWhereabouts } from '../../../reconciler/model/whereabouts.ts';
import { fullZones } from '../../../reconciler/plan/full.ts';
import { catalogOf } from '../../support/catalog.ts';

const standing = (...signs: readonly string[]): Parameters<typeof mayLeaveWithin>[0] =>
  signs.map((sign, at) => ({ id: `web-${String(at)}`, away: sign !== '+', down: sign === '-', stale: true }));

it('a share of a Zone is rounded down, and one may always go', () => {
  assert.deepEqual(
    [mostAway({ count: 3 }, 1000), mostAway({ percent: 10 }, 29), mostAway({ percent: 10 }, 3)],
    [3, 2, 1],
  );
});

it('what nobody has heard of is away, and one account is shared by all who ask', () => {
  const sketch = { apps: { web: { replicas: 2 }, api: { zone: 'other' } }, zones: { main: {}, other: {} } };
  const budget = { disruption: { maxUnavailable: { count: 4 } } };
  const catalog = catalogOf({ ...sketch, zones: { ...sketch.zones, main: budget } });
  const account = disruptionOf(catalog, createWhereabouts());
  assert.equal(account.left('main'), 2, 'of four two are away');
  assert.equal(account.left('main', { level: 1 }), 2);
  assert.equal(account.left('main', { level: 2 }), 4, 'for one that has no place those of its level are no reason');
  assert.equal(account.left('other'), Infinity);
  const trial = account.copy();
  trial.spend('main', 2);
  assert.equal(trial.why('main'), 'Zone main lets 4 replicas be away, 4 are, 2 of them without a place');
  assert.equal(account.left('main'), 2, 'a trial has its own');
  assert.equal(account.why('main'), undefined);
  assert.equal(disruptionOf(withoutBudgets(catalog), createWhereabouts()).left('main'), Infinity);
});

it('an App takes what its Zone has left, and what is down anyway costs nothing', () => {
  const catalog = catalogOf({ zones: { main: { disruption: { maxUnavailable: { count: 2 } } } } });
  const account = disruptionOf(catalog, createWhereabouts());
  const app = { zone: 'main', maxUnavailable: 3 };
  assert.deepEqual([...mayLeaveWithin(standing('+', '-', '+', '+'), app, account)], ['web-1', 'web-0', 'web-2']);
  assert.equal(account.left('main'), 0);
  assert.deepEqual([...mayLeaveWithin(standing('+', '-', '-'), app, account)], ['web-1', 'web-2']);
});

it('a full Zone is told once, with the Apps that wait for it', () => {
  const one = (app: string, full?: string): Parameters<typeof fullZones>[0][number] => ({
    ...{ app, updated: 0, total: 2, waiting: ['x', 'y'], waitingFor: [] },
    ...(full === undefined ? {} : { full }),
  });
  const zone = 'Zone main lets 2 replicas be away, 3 are';
  assert.deepEqual(fullZones([one('a', zone), one('b'), ...['c', 'd', 'e'].map((app) => one(app, zone))]), [
    `${zone}: 8 replicas of a, c, d and 1 more App wait`,
  ]);
});
