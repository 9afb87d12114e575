import assert from 'node:assert/strict';
import { it } from 'node:test';
import { narrowed } from '../../../../reconciler/loop/status/part.ts';
import { statusOf } from '../../../../reconciler/loop/status/whole.ts';
import { catalogOf } from '../../../support/catalog.ts';
import { createTwin } from '../../../support/twins.ts';

it('tells of which Apps replicas wait for their turn, and that a part with such an App is not as Git says', async () => {
  let now = 1_000_000;
  let image = 'v1';
  const catalog = () =>
    catalogOf({ revision: image, hosts: { h1: {} }, apps: { web: { replicas: 3, image }, api: { replicas: 1 } } });
  const twin = createTwin({ now: () => now, catalog }, false);
  const turn = async (): Promise<void> => {
    now += 2000;
    await twin.beat('h1');
    await twin.report('h1', 'serves');
    assert.equal(await twin.pass(), '');
  };
  for (let turns = 0; turns < 5; turns += 1) await turn();
  const seen = async () => {
    const sight = await twin.controller.sight();
    assert.ok(sight);
    const status = statusOf(sight);
    const part = (app: string): string =>
      narrowed(
        status,
        status.items.filter(({ ref }) => ref.startsWith(`replica/${app}-`)),
        { app },
      ).sync;
    return { behind: status.behind, web: part('web'), api: part('api') };
  };
  assert.deepEqual(await seen(), { behind: undefined, web: 'Synced', api: 'Synced' });
  image = 'v2';
  assert.equal(await twin.pass(), '');
  await twin.report('h1', 'serves');
  // the first of them is as it was told; the others were not told yet
  assert.deepEqual(await seen(), { behind: [{ app: 'web', replicas: 2 }], web: 'OutOfSync', api: 'Synced' });
  for (let turns = 0; turns < 6; turns += 1) await turn();
  assert.deepEqual(await seen(), { behind: undefined, web: 'Synced', api: 'Synced' });
});
