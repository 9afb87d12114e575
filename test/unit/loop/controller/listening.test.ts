import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createListening } from '../../../../reconciler/loop/controller/listening.ts';
import type { Notice } from '../../../../reconciler/model/notice.ts';
import type { Lease, Leases } from '../../../../reconciler/model/store.ts';
import { catalogOf } from '../../../support/catalog.ts';
import { createTwin } from '../../../support/twins.ts';

it('tells that a host is heard of again, and not of one that is waited for no longer', async () => {
  let held = ['a', 'b', 'c'];
  const notice: Pick<Notice, 'lost'> = { lost: [{ host: 'stranger', since: 5 }] };
  const leases: Pick<Leases, 'held'> = {
    held: () =>
      Promise.resolve(held.map((host): Lease => ({ name: `host/${host}`, holder: host, fence: 1, expires: 0 }))),
  };
  let now = 1_000_000;
  const told: string[] = [];
  const hosts = (before: readonly string[], after: readonly string[]): Promise<void> => {
    told.push(`${before.join()} > ${after.join()}`);
    return Promise.resolve();
  };
  const bulletin = { post: () => Promise.resolve(), read: () => Promise.resolve(notice as Notice) };
  const listening = createListening({ leases: leases as Leases, bulletin }, () => now, { hosts });
  await listening.listen(['a', 'b', 'c']);
  for (; now < 1_020_000; now += 2000) await listening.listen();
  assert.deepEqual([told[0], told.at(-1)], [' > ', ' > '], 'whom the last leader took for lost has left the fleet');
  held = ['a'];
  await listening.listen();
  held = ['a', 'c'];
  assert.equal(await listening.listen(['a', 'c']), true);
  assert.deepEqual(told.slice(-2), [' > b,c', 'c > ']);
});

it('takes no host for lost because an emptied store holds its Report already, and not yet its lease', async () => {
  let now = 1_000_000;
  const catalog = catalogOf({ hosts: { h1: {}, h2: {} } });
  const twin = createTwin({ now: () => now, catalog: () => catalog }, false);
  for (; now < 1_030_000; now += 2000) {
    for (const host of ['h1', 'h2']) {
      await twin.beat(host);
      await twin.report(host, 'serves');
    }
    assert.equal(await twin.pass(), '');
  }
  twin.empty();
  assert.equal(await twin.pass(), 'STORE_EMPTIED');
  // as the store tells that it was opened again
  twin.controller.storeIsBack();
  await twin.report('h1', 'serves');
  assert.equal(await twin.pass(), '');
  await twin.beat('h1');
  now += 2000;
  assert.equal(await twin.pass(), '');
  const words = twin.told.filter((event) => /^Host(Lost|Back)/.test(event));
  assert.deepEqual(words, []);
});
