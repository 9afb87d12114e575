import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Status } from '../../reconciler/loop/status/status.ts';
import { fleetApp, fleetDocuments, fleetProcesses, homes, type FleetProcesses } from '../support/fleet-processes.ts';
import { NO_REDIS } from '../support/redis.ts';

const HOSTS = ['h1', 'h2', 'h3'];

/** A server that restarts from an older copy has lost what a failover loses: the last that it acknowledged, and no more. */
describe('a Redis that lost what it acknowledged last', { skip: NO_REDIS }, () => {
  let fleet: FleetProcesses;
  before(async () => {
    fleet = await fleetProcesses();
    writeFileSync(join(fleet.repo, 'base.yaml'), fleetDocuments(HOSTS));
    const revision = fleet.commit('web.yaml', fleetApp('web', 3));
    fleet.controller('c1');
    for (const name of HOSTS) fleet.agent(name);
    await fleet.converged(revision);
  });
  after(() => fleet.close());

  /** What runs is what the status says, each once. */
  function runs({ items }: Status): void {
    for (const host of HOSTS) {
      const wanted = items.filter((item) => item.host === host).map(({ ref }) => ref.replace('replica/', ''));
      const running = fleet.containers(host).map((line) => line.split(/[ .]/)[0] ?? '');
      assert.deepEqual(running.sort(), wanted.sort(), host);
    }
  }
  const containers = (): readonly string[] => HOSTS.flatMap((host) => fleet.containers(host));

  it('is told again by controller and agents, which stay as they are', async () => {
    await fleet.redis.admin.call('save');
    const revision = fleet.commit('web.yaml', fleetApp('web', 6));
    const before = await fleet.converged(revision);
    const running = containers();
    await fleet.redis.kill();
    await fleet.redis.start();
    const after = await fleet.converged(revision);
    assert.deepEqual(homes(after), homes(before));
    assert.deepEqual(containers(), running);
    runs(after);
  });

  it('tells hosts what comes after what they have, although it knows of neither', async () => {
    await fleet.redis.admin.call('save');
    await fleet.converged(fleet.commit('web.yaml', fleetApp('web', 6, ', env: { A: one }')));
    await fleet.redis.kill();
    const revision = fleet.commit('web.yaml', fleetApp('web', 6, ', env: { A: two }'));
    await fleet.redis.start();
    const after = await fleet.converged(revision);
    runs(after);
    for (const host of HOSTS) {
      const assignment = await fleet.store.mailbox.assignment(host);
      for (const { app } of assignment?.replicas ?? []) assert.equal(app, 'web');
      const [report] = await fleet.store.mailbox.reports([host]);
      assert.equal(report?.generation, assignment?.generation, host);
    }
    // back to what it was, which is what the store has kept, and the hosts have left
    await fleet.redis.admin.call('save');
    await fleet.converged(fleet.commit('web.yaml', fleetApp('web', 6, ', env: { A: three }')));
    await fleet.redis.kill();
    const back = fleet.commit('web.yaml', fleetApp('web', 6, ', env: { A: two }'));
    await fleet.redis.start();
    runs(await fleet.converged(back));
  });
});
