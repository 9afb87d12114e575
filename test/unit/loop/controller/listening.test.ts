import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createListening } from '../../../../reconciler/loop/controller/listening.ts';
import type { Notice } from '../../../../reconciler/model/notice.ts';
import type { Lease, Leases } from '../../../../reconciler/model/store.ts';

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
  listening.expect(['a', 'b', 'c']);
  for (; now < 1_020_000; now += 2000) await listening.listen();
  assert.deepEqual([told[0], told.at(-1)], [' > ', ' > '], 'whom the last leader took for lost has left the fleet');
  held = ['a'];
  await listening.listen();
  held = ['a', 'c'];
  listening.expect(['a', 'c']);
  assert.equal(await listening.listen(), true);
  assert.deepEqual(told.slice(-2), [' > b,c', 'c > ']);
});
