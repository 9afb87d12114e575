import assert from 'node:assert/strict';
import { it } from 'node:test';
import { departedMessages } from '../../../../reconciler/loop/status/hosts-told.ts';
import { statusOf } from '../../../../reconciler/loop/status/whole.ts';
import { catalogOf, type Sketch } from '../../../support/catalog.ts';
import { createTwin } from '../../../support/twins.ts';

it('status says what is left on a host that has left Git, until it has moved', async () => {
  let now = 1_000_000;
  let hosts: NonNullable<Sketch['hosts']> = { h1: {} };
  const catalog = () => catalogOf({ hosts, apps: { web: {} }, revision: JSON.stringify(hosts) });
  const twin = createTwin({ now: () => now, catalog }, false);
  const told = async (next: NonNullable<Sketch['hosts']>): Promise<readonly string[]> => {
    hosts = next;
    for (let turn = 0; turn < 6; turn += 1) {
      now += 2000;
      for (const host of ['h1', 'h2']) {
        await twin.beat(host);
        await twin.report(host, 'serves');
      }
      assert.equal(await twin.pass(), '');
    }
    const sight = await twin.controller.sight();
    assert.ok(sight);
    const { sync, messages } = statusOf(sight);
    return [sync, ...messages];
  };
  assert.deepEqual(await told({ h1: {} }), ['Synced']);
  assert.deepEqual(await told({ h2: {} }), [
    'Synced',
    'host h1 is not in Git any more and keeps 1 replica: put it back, with drain: true so that it moves',
  ]);
  assert.deepEqual(await told({ h1: { drain: true }, h2: {} }), [
    'Synced',
    'host h1 is drained: nothing is left on it',
  ]);
});

it('and of one that is in no Zone any more', () => {
  assert.deepEqual(departedMessages({ departed: [{ host: 'h1', replicas: 2, zoneless: true }] }), [
    'host h1 is in no Zone any more and keeps 2 replicas: give it the labels of one again, or drain: true so that they move',
  ]);
});
