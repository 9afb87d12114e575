import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { hostCommand } from '../../cli/verbs/host.ts';
import { openRedis } from '../../reconciler/store/redis/redis.ts';
import { cluster, NO_REDIS, sentinels, until } from '../support/redis.ts';
import { speak } from '../support/verb.ts';

/** The store of an agent that `plumb host enroll` has given its user, as that agent opens it; and the folder where this was asked. */
async function enrolled(
  t: TestContext,
  { url, home }: Awaited<ReturnType<typeof cluster>>,
): Promise<{ readonly agent: Awaited<ReturnType<typeof openRedis>>; readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'plumb-enroll-'));
  t.after(async () => {
    await home.close();
    rmSync(folder, { recursive: true });
  });
  await (await openRedis(url, { clock: () => 1000, writer: 'c1' })).close();
  const { out } = await speak(hostCommand, folder, 'enroll', 'h1', '--store', url, '-o', 'json');
  const { store: own } = JSON.parse(out) as { readonly store: string };
  const agent = await openRedis(own, { clock: () => 1000, host: 'h1', writer: 'h1' });
  t.after(() => agent.close());
  return { agent, folder };
}

describe('a host that is enrolled under Sentinel', { skip: NO_REDIS }, () => {
  it('goes on as itself with the replica that takes over, until it is revoked there as well', async (t) => {
    const running = await sentinels();
    const { url, servers } = running;
    const { agent, folder } = await enrolled(t, running);
    assert.ok(await agent.leases.acquire('host/h1', 'me', 60_000));
    const [master, replica] = servers;
    assert.ok(master && replica);
    await master.kill();
    await until('the replica has taken over', async () =>
      (await replica.admin.info('replication')).includes('role:master'),
    );
    assert.ok(await agent.leases.acquire('host/h1', 'me', 60_000));
    await speak(hostCommand, folder, 'revoke', 'h1', '--store', url);
    assert.equal(await replica.admin.call('ACL', 'GETUSER', 'agent-h1'), null);
  });
});

describe('a host that is enrolled at a Cluster', { skip: NO_REDIS }, () => {
  it('signs in as itself and does its work, whichever server has its fleet', async (t) => {
    const { agent } = await enrolled(t, await cluster());
    assert.ok(await agent.leases.acquire('host/h1', 'me', 60_000));
    await assert.rejects(agent.leases.acquire('host/h2', 'me', 60_000), { code: 'STORE_REFUSED' });
  });
});
