import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fleetStatus, silenceOf } from '../../../reconciler/loop/fleet-status.ts';
import { CONTROLLER_LEASE, HOST_LEASE, HOST_TTL } from '../../../reconciler/loop/hearing.ts';
import type { Notice } from '../../../reconciler/model/notice.ts';
import { openEmbedded } from '../../../reconciler/store/embedded/embedded.ts';
import { assignmentOf } from '../../support/assigned.ts';
import { reportOf } from '../../support/catalog.ts';

const source = { url: 'u', ref: 'main', revision: 'r', fetchedAt: 0 };
const QUIET: Notice = {
  ...{ source, published: 'r', problems: 0, unplaceable: [], held: [], waiting: 0 },
  ...{ lost: [], awaited: [] },
};

describe('the status of a fleet by its store alone', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-fleet-status-'));
  let store: Awaited<ReturnType<typeof openEmbedded>>;
  let now = 1_000;
  before(async () => {
    store = await openEmbedded(dir, { clock: () => now });
  });
  after(async () => {
    await store.close();
    rmSync(dir, { recursive: true });
  });
  const messages = async (): Promise<readonly string[]> => {
    const status = await fleetStatus(store, 0);
    return [status.silence ?? [], status.messages].flat();
  };

  it('says what to do where no controller ever spoke', async () => {
    assert.deepEqual(await messages(), [
      'no controller has said anything of this fleet so far: start plumb controller, or name another --store or --fleet',
    ]);
  });

  it('says whom to ask where one leads that has not read Git', async () => {
    const hold = await store.leases.acquire(CONTROLLER_LEASE, 'c1/8f3a', 60_000);
    assert.deepEqual(await messages(), [
      'controller c1 leads, and has read no revision so far: plumb events -n 3 says what keeps it from that',
    ]);
    if (hold) await store.leases.release(hold);
  });

  it('says who led last where none leads, until when, and what to do', async () => {
    await store.bulletin.post(QUIET);
    const said = async (now: number): Promise<string> => (await silenceOf(store, now)) ?? '';
    assert.match(
      await said(0),
      /^no controller leads: the last one has stopped\. One that stands by takes over within/,
    );
    const lease = (await store.leases.acquire(CONTROLLER_LEASE, 'c1/8f3a', 60_000)) ?? assert.fail();
    assert.equal(await silenceOf(store, 0), undefined);
    now = lease.expires;
    const led = `no controller leads: c1 led until ${new Date(lease.expires).toISOString()} and is silent since`;
    const end = '. Until then nothing is placed, and this is what was known last';
    assert.equal(
      await said(now + 9_000),
      `${led}. One that stands by takes over within seconds; where none does, start plumb controller${end}`,
    );
    assert.equal(await said(now + 11_000), `${led}, and none has taken over: start plumb controller${end}`);
  });

  it('takes those without a lease for lost while no controller leads, but for those that are nobody’s to wait for', async () => {
    await store.bulletin.post(QUIET);
    await store.mailbox.assign(assignmentOf('h1', 1, 1));
    for (const host of ['h1', 'stranger']) await store.mailbox.report(reportOf(host));
    const [nobody, ...lost] = await messages();
    assert.match(nobody ?? '', /^no controller leads: /);
    assert.equal(lost.length, 1);
    assert.match(lost[0] ?? '', /^host h1 is not heard of since /);
    await store.leases.acquire(`${HOST_LEASE}h1`, 'agent', HOST_TTL);
    assert.equal((await messages()).length, 1);
    assert.equal((await fleetStatus(store, 0)).leader, undefined);
    await store.leases.acquire(CONTROLLER_LEASE, 'c1/8f3a', 60_000);
    assert.deepEqual(await messages(), []);
    assert.equal((await fleetStatus(store, 0)).leader, 'c1');
  });
});
