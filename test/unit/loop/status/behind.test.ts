import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { narrowed } from '../../../../reconciler/loop/status/part.ts';
import { statusOf } from '../../../../reconciler/loop/status/whole.ts';
import { catalogOf } from '../../../support/catalog.ts';
import type { Sketch } from '../../../support/catalog.ts';
import { createTwin } from '../../../support/twins.ts';

type World = Omit<Sketch, 'revision'>;

/** A fleet that has come to rest with a revision, and what is said of its Apps in the course of the next. */
async function begun(first: World) {
  let now = 1_000_000;
  let world = first;
  let revision = 'one';
  const catalog = () => catalogOf({ ...world, revision });
  const twin = createTwin({ now: () => now, catalog }, false);
  const hosts = Object.keys(first.hosts ?? {});
  const turn = async (): Promise<void> => {
    now += 2000;
    for (const host of hosts) {
      await twin.beat(host);
      await twin.report(host, 'serves');
    }
    assert.equal(await twin.pass(), '');
  };
  const turns = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= 1) await turn();
  };
  await turns(5);
  return {
    turns,
    /** A pass with a new revision, and what hosts do by that. */
    commit: async (next: World): Promise<void> => {
      world = next;
      revision = 'two';
      assert.equal(await twin.pass(), '');
      for (const host of hosts) await twin.report(host, 'serves');
    },
    seen: async () => {
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
    },
  };
}

const SYNCED = { behind: undefined, web: 'Synced', api: 'Synced' };

describe('Apps of which replicas wait for their turn are told, and a part with one is not as Git says', () => {
  it('where they get another image', async () => {
    const world = (image: string): World => ({
      hosts: { h1: {} },
      apps: { web: { replicas: 3, image }, api: { replicas: 1 } },
    });
    const { turns, commit, seen } = await begun(world('v1'));
    assert.deepEqual(await seen(), SYNCED);
    await commit(world('v2'));
    // the first of them is as it was told; the others were not told yet
    assert.deepEqual(await seen(), { behind: [{ app: 'web', replicas: 2 }], web: 'OutOfSync', api: 'Synced' });
    await turns(6);
    assert.deepEqual(await seen(), SYNCED);
  });

  it('where they go to another Zone', async () => {
    const world = (zone: string): World => ({
      hosts: { h1: { labels: { in: 'a' } }, h2: { labels: { in: 'b' } } },
      zones: { a: { hosts: { matchLabels: { in: 'a' } } }, b: { hosts: { matchLabels: { in: 'b' } } } },
      apps: { web: { replicas: 3, zone }, api: { replicas: 1, zone: 'a' } },
    });
    const { turns, commit, seen } = await begun(world('a'));
    assert.deepEqual(await seen(), SYNCED);
    await commit(world('b'));
    // the first of them serves there; the others are where they were
    assert.deepEqual(await seen(), { behind: [{ app: 'web', replicas: 2 }], web: 'OutOfSync', api: 'Synced' });
    await turns(9);
    assert.deepEqual(await seen(), SYNCED);
  });
});
