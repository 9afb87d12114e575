import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import { fleetProcesses, type FleetProcesses } from '../support/fleet-processes.ts';
import { NO_REDIS } from '../support/redis.ts';

const CORES = { batch: 2, db: 3 } as const;
const HOSTS = 6;

const manifest = (kind: string, name: string, rest: string): string =>
  `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${rest}`;
const app = (name: keyof typeof CORES, replicas: number, level: number, more = ''): string =>
  manifest(
    'App',
    name,
    `spec:
  image: registry.example/${name}:1
  replicas: ${String(replicas)}
  level: ${String(level)}
  zone: main
  network: { name: net }
  resources: { cpu: { cores: ${String(CORES[name])} }, memory: { limit: 64Mi } }
${more}`,
  );

describe('preemption on six hosts over Redis', { skip: NO_REDIS }, () => {
  let fleet: FleetProcesses;

  /** No host says that it runs more than it has, whoever comes and goes there. */
  const roomKept = async (): Promise<void> => {
    const { mailbox } = fleet.store;
    for (const { host, replicas } of await mailbox.reports(await mailbox.reporting())) {
      const run = replicas.filter(({ phase }) => phase !== 'Placed' && phase !== 'Gone');
      const cores = run.reduce((sum, { id }) => sum + CORES[id.startsWith('db') ? 'db' : 'batch'], 0);
      assert.ok(cores <= 4, `${host} runs ${run.map(({ id }) => id).join(', ')}`);
    }
  };
  /** Waits until it is so; room is kept at each look. */
  const until = (what: string, good: (now: Status) => boolean): Promise<Status> =>
    fleet.until(
      what,
      async (now) => {
        await roomKept();
        return good(now);
      },
      120,
    );
  const converged = (revision: string): Promise<Status> =>
    until('converged', (now) => now.sync === 'Synced' && now.health === 'Healthy' && now.revision === revision);
  const told = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const writer of ['controller-c1', 'controller-c2'])
      for await (const entry of fleet.store.journals.of(writer).read())
        if (entry.type === 'event') found.push(`${entry.reason} ${entry.message}`);
    return found;
  };

  before(async () => {
    fleet = await fleetProcesses();
    const hosts = Array.from({ length: HOSTS }, (_, at) =>
      manifest('Host', `sim-000${String(at)}`, '  labels: { pool: main }\nspec: { capacity: { cpu: 4 } }\n'),
    );
    const files = {
      'fleet.yaml': manifest('Fleet', 'test', 'spec:\n  intervals: { poll: 1s }\n  budget: { deletions: 50% }\n'),
      'zone.yaml': manifest('Zone', 'main', 'spec: { runtime: simulated, hosts: { matchLabels: { pool: main } } }\n'),
      'net.yaml': manifest('Network', 'net', 'spec: { vlan: 10, cidr: 10.1.0.0/16, gateway: 10.1.0.1 }\n'),
      'hosts.yaml': hosts.join('---\n'),
    };
    for (const [path, text] of Object.entries(files)) writeFileSync(join(fleet.repo, path), text);
    fleet.add('agent', 'agent', '--simulated', String(HOSTS), '--latency', '2s..3s', '--every', '200ms', '--quiet');
  });
  after(() => fleet.close());

  it('a controller that is killed while places are given away leaves it to the next, and hosts never run both', async () => {
    fleet.controller('c1');
    await converged(fleet.commit('batch.yaml', app('batch', 2 * HOSTS, 3, '  update: { maxUnavailable: 4 }\n')));
    fleet.commit('db.yaml', app('db', 2, 0));
    let given: readonly Placement[] = [];
    await fleet.until('places are given away', async () => {
      const { placements } = await fleet.store.reservations.snapshot();
      given = [...placements.values()].filter(({ yields }) => yields !== undefined);
      return given.length > 0;
    });
    await fleet.stop('c1', 'SIGKILL');
    for (const { app: name, yields = '' } of given) assert.match(`${name} ${yields}`, /^batch db-[01]$/);
    fleet.controller('c2');
    const now = await until('db serves', ({ items }) => {
      const serving = items.filter(({ health }) => health === 'Healthy').map(({ ref }) => ref.replace(/-\d+$/, ''));
      const [db, batch] = ['db', 'batch'].map((name) => serving.filter((ref) => ref === `replica/${name}`).length);
      return db === 2 && batch === 8;
    });
    const homes = new Set(now.items.filter(({ ref }) => ref.startsWith('replica/db-')).map(({ host }) => host));
    assert.equal(homes.size, 2);
    const waiting = now.items.filter(({ host }) => host === '');
    assert.equal(waiting.length, 4);
    for (const { ref, reason } of waiting)
      assert.match(
        `${ref} ${reason}`,
        /^replica\/batch-\d+ Unplaceable: .*Its place on sim-000\d went to db-[01] \(level 0\)$/,
      );
    // the copy of a journal follows what it tells
    let events: readonly string[] = [];
    await fleet.until('four are told', async () => {
      events = (await told()).filter((text) => text.startsWith('Preempted '));
      return new Set(events).size >= 4;
    });
    assert.equal(new Set(events).size, 4, events.join('\n'));
    const { placements } = await fleet.store.reservations.snapshot();
    for (const { replica, yields } of placements.values()) assert.equal(yields, undefined, replica);
  });

  it('whoever gave up a place comes back once there is room', async () => {
    const { items } = await converged(fleet.commit('db.yaml', '# nothing'));
    assert.equal(items.length, 2 * HOSTS);
  });
});
