import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../reconciler/loop/status/status.ts';
import { fleetProcesses, homes, type FleetProcesses } from '../support/fleet-processes.ts';
import { NO_REDIS } from '../support/redis.ts';

const document = (kind: string, name: string, spec: string, labels = ''): string =>
  `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata: { name: ${name}${labels} }\nspec: ${spec}\n`;
const network = (name: string, vlan: number): string =>
  document('Network', name, `{ vlan: ${String(vlan)}, cidr: 10.${String(vlan)}.0.0/24, quarantine: 1h }`);
const host = (name: string, pool: string): string => document('Host', name, '{}', `, labels: { pool: ${pool} }`);
const zone = (pool: string): string => document('Zone', pool, `{ hosts: { matchLabels: { pool: ${pool} } } }`);
const BASE = [
  document('Fleet', 'f', '{ intervals: { poll: 1s }, budget: { deletions: 100% } }'),
  ...[zone('near'), zone('far'), network('own', 1), network('shared', 2)],
  ...[host('h1', 'near'), host('h2', 'near'), host('h3', 'far')],
].join('---\n');
const app = (name: string, pool: string, net: string, replicas: number): string =>
  document(
    'App',
    name,
    `{ image: "busybox:1", zone: ${pool}, network: { name: ${net} }, replicas: ${String(replicas)} }`,
  );
/** In Zone near an App with a Network of its own, and one that shares a Network with another in Zone far. */
const apps = (replicas: number): string =>
  [app('web', 'near', 'own', replicas), app('api', 'near', 'shared', replicas), app('log', 'far', 'shared', 3)].join(
    '---\n',
  );

describe('a Redis emptied while the only host of a Zone is away', { skip: NO_REDIS }, () => {
  let fleet: FleetProcesses;
  before(async () => {
    fleet = await fleetProcesses();
  });
  after(() => fleet.close());

  const refsOf = ({ items }: Status): readonly string[] => items.map(({ ref }) => ref.replace('replica/', ''));

  it('opens the other Zone at once, and a Network that both share once that host is heard: nothing is placed twice', async () => {
    const hosts = ['h1', 'h2', 'h3'];
    writeFileSync(join(fleet.repo, 'base.yaml'), BASE);
    fleet.controller('c1');
    for (const name of hosts) fleet.agent(name);
    // addresses that placing from nothing would give to others
    await fleet.converged(fleet.commit('apps.yaml', apps(1)));
    const before = homes(await fleet.converged(fleet.commit('apps.yaml', apps(2))));
    const running = hosts.flatMap((name) => fleet.containers(name));
    const count = (status: Status, name: string): number => refsOf(status).filter((ref) => ref.startsWith(name)).length;

    await fleet.stop('h3', 'SIGKILL');
    fleet.commit('apps.yaml', apps(4));
    await fleet.redis.admin.flushall();
    // far waits on: near did not wait until the time for it was over. What is held is told after what is placed
    const waits = /nothing is placed in 1 Zone \(far\) before 1 host \(h3\) reported/;
    const opened = (now: Status): boolean => count(now, 'web') === 4 && waits.test(now.held.join());
    const half = await fleet.until('near has opened', opened);
    assert.deepEqual([count(half, 'api'), count(half, 'log')], [2, 0], 'what shares a Network with far waits');
    // another controller goes on with it
    await fleet.stop('c1', 'SIGKILL');
    fleet.controller('c2');
    await sleep(1000);
    fleet.agent('h3');
    const all = await fleet.converged(fleet.git('rev-parse', 'HEAD'));
    assert.deepEqual(
      before.filter((home) => !homes(all).includes(home)),
      [],
      'who was there stays',
    );
    assert.deepEqual([count(all, 'web'), count(all, 'api'), count(all, 'log')], [4, 4, 3]);
    const addresses = all.items.map(({ address }) => address);
    assert.equal(new Set(addresses).size, addresses.length, addresses.join());
    const now = hosts.flatMap((name) => fleet.containers(name));
    assert.deepEqual(
      running.filter((one) => !now.includes(one)),
      [],
      'nothing was made anew',
    );
    assert.deepEqual(all.held, []);
  });
});
