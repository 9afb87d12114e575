import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../reconciler/loop/status/status.ts';
import { fleetBase, HOSTS, setFleetStage, type FleetStage } from '../support/fleet-stage.ts';
import { client, web, webs, witness, type Witness } from '../support/fleet-web.ts';
import { NO_REDIS } from '../support/redis.ts';
import { NEEDS_ROOT } from '../support/stage.ts';
import { mostAway } from '../support/traffic.ts';

const addresses = (status: Status): readonly string[] =>
  webs(status).map(({ ref, address = '' }) => `${ref} ${address}`);

describe('a host that is drained', { skip: NEEDS_ROOT || NO_REDIS }, () => {
  let stage: FleetStage;
  let see: Witness;
  before(async () => {
    stage = await setFleetStage('drain', { ...fleetBase(), ...client, ...web(4) });
    see = witness(stage);
    await Promise.all([stage.controller('c1'), ...HOSTS.map((host) => stage.agent(host))]);
  });
  after(async () => {
    await stage.down();
  });

  it('becomes empty: replicas move with their addresses, one is away at a time; undone, it is used again', async () => {
    const full = await stage.converged();
    const there = webs(full).filter(({ host }) => host === 'h2');
    assert.ok(there.length > 0, 'nothing is on h2');
    const before = addresses(full);
    const asked = await see.asking();
    await sleep(1000);
    const hosts = fleetBase()['hosts.yaml'] ?? assert.fail();
    stage.commit({ 'hosts.yaml': hosts.replace(/(name: h2,[^]*?spec: \{)/, '$1 drain: true,') });
    const empty = await stage.until(
      'h2 is empty',
      (now) =>
        now.sync === 'Synced' &&
        now.health === 'Healthy' &&
        now.draining.some(({ host, staying, leaving }) => host === 'h2' && staying.length + leaving.length === 0),
      120,
    );
    assert.deepEqual(addresses(empty), before, 'addresses move with their replicas');
    assert.ok(webs(empty).every(({ host }) => host !== 'h2'));
    assert.equal((await stage.sh('h2', 'docker', 'ps', '-aq')).out, '');
    const ports = await stage.sh('h2', 'ovs-vsctl', '--bare', '--columns=name', 'find', 'Port', 'tag=100');
    assert.equal(ports.out, '');
    await sleep(1000);
    const requests = await asked();
    assert.ok(requests.length > 20, String(requests.length));
    assert.ok(mostAway(requests) <= 1, 'more than maxUnavailable were away at once');
    for (const address of new Set(requests.map((one) => one.address)))
      assert.equal(requests.findLast((one) => one.address === address)?.answer, 'plumbline 1', address);
    stage.commit({ 'hosts.yaml': hosts, ...web(8) });
    const again = await stage.converged(120);
    assert.ok(
      webs(again).some(({ host }) => host === 'h2'),
      'h2 is used again',
    );
    assert.deepEqual(
      before.filter((one) => !addresses(again).includes(one)),
      [],
    );
  });
});
