import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../reconciler/loop/status.ts';
import { fleetBase, setFleetStage, type FleetStage } from '../support/fleet-stage.ts';
import { NO_REDIS } from '../support/redis.ts';
import { app, NEEDS_ROOT } from '../support/stage.ts';
import { askingAll, mostAway, readAsked, type Asked } from '../support/traffic.ts';

const HOSTS = ['h1', 'h2', 'h3'];
const web = (replicas: number): Record<string, string> => ({
  'web.yaml': app(
    'web',
    `  command: [serve]
  replicas: ${String(replicas)}
  resources: { cpu: { cores: 10m }, memory: { limit: 32Mi } }
  update: { maxUnavailable: 1 }
  probes: { readiness: { http: { port: 80 }, period: 500ms, timeout: 5s } }`,
  ),
});
const client = {
  'client.yaml': app(
    'client',
    `  command: [sh, -c]
  args:
    - |
${askingAll(Array.from({ length: 8 }, (_, n) => `10.1.0.${String(10 + n)}`))}  hosts: { matchLabels: { role: client } }`,
  ),
};

const webs = ({ items }: Status): Status['items'] => items.filter(({ ref }) => ref.startsWith('replica/web-'));
const addresses = (status: Status): readonly string[] =>
  webs(status).map(({ ref, address = '' }) => `${ref} ${address}`);

describe('a host that is drained', { skip: NEEDS_ROOT || NO_REDIS }, () => {
  let stage: FleetStage;
  before(async () => {
    stage = await setFleetStage('drain', { ...fleetBase(), ...client, ...web(4) });
    await stage.redis();
    await Promise.all([stage.controller('c1'), ...HOSTS.map((host) => stage.agent(host))]);
  });
  after(async () => {
    await stage.down();
  });

  const asked = async (served: readonly string[]): Promise<readonly Asked[]> =>
    readAsked((await stage.sh('h1', 'docker', 'logs', 'plumb-client-0')).out).filter(({ address }) =>
      served.some((one) => one.endsWith(` ${address}`)),
    );

  it('becomes empty: replicas move with their addresses, one is away at a time; undone, it is used again', async () => {
    const full = await stage.converged();
    const there = webs(full).filter(({ host }) => host === 'h2');
    assert.ok(there.length > 0, 'nothing is on h2');
    const before = addresses(full);
    await sleep(1000);
    const began = (await asked(before)).length;
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
    const requests = (await asked(before)).slice(began);
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
