import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../reconciler/loop/status/status.ts';
import { eventually, fleetBase, HOSTS, setFleetStage, type FleetStage } from '../support/fleet-stage.ts';
import { client, homes, web, webs, witness, type Witness } from '../support/fleet-web.ts';
import { NO_REDIS, sentinels, type Server } from '../support/redis.ts';
import { NEEDS_ROOT } from '../support/stage.ts';
import { mostAway, type Ping } from '../support/traffic.ts';

/** How a master falls, and comes back. */
interface Fall {
  readonly how: string;
  readonly fall: (server: Server) => Promise<void> | void;
  readonly rise: (server: Server) => Promise<void> | void;
}
const KILLED: Fall = { how: 'is killed', fall: (server) => server.kill(), rise: (server) => server.start() };
const HUNG: Fall = { how: 'hangs', fall: (server) => server.hang(), rise: (server) => server.goOn() };

describe('a fleet whose Redis fails over', { skip: NEEDS_ROOT || NO_REDIS }, () => {
  let stage: FleetStage;
  let see: Witness;
  before(async () => {
    stage = await setFleetStage('failover', { ...fleetBase(), ...client, ...web(4) }, (home) =>
      sentinels([], { home, patience: 3000 }),
    );
    see = witness(stage);
    await Promise.all([stage.controller('c1'), stage.controller('c2'), ...HOSTS.map((host) => stage.agent(host))]);
    await stage.converged(120);
  });
  after(async () => {
    await stage.down();
  });

  const role = async ({ admin }: Server): Promise<string> =>
    /role:(\w+)/.exec(await admin.info('replication').catch(() => ''))?.[1] ?? '';

  /** The master falls; gives it once the replica has taken its place. */
  async function failOver({ fall }: Fall): Promise<Server> {
    const [one, other] = stage.redis.servers;
    assert.ok(one && other);
    const [old, next] = (await role(one)) === 'master' ? [one, other] : [other, one];
    await fall(old);
    await eventually('Sentinel has made the replica master', async () => (await role(next)) === 'master', 120);
    return old;
  }

  /** Back as a replica in step with the new master. */
  async function back(server: Server, { rise }: Fall): Promise<void> {
    await rise(server);
    await eventually(
      'the old master follows the new one',
      async () => {
        const info = await server.admin.info('replication').catch(() => '');
        return info.includes('role:slave') && info.includes('master_link_status:up');
      },
      120,
    );
  }

  /** From the client to the replicas on other hosts. */
  function pings(status: Status): Promise<readonly Ping[]> {
    const far = webs(status).filter(({ host }) => host !== 'h1');
    return Promise.all(far.map(({ address = '' }) => stage.ping('h1', 'client-0', address)));
  }

  for (const [fall, replicas] of [
    [KILLED, 6],
    [HUNG, 8],
  ] as const)
    it(`notices nothing where it runs when the master ${fall.how}; all follow the new one, and what is committed then arrives`, async () => {
      const [before, running, asked] = [await stage.status(), await see.containers(), await see.asking()];
      const pinging = await pings(before);
      const since = Date.now();
      const old = await failOver(fall);
      assert.deepEqual(homes(await see.heard(120)), homes(before));
      assert.deepEqual(await see.containers(), running);
      stage.commit(web(replicas));
      const more = await stage.converged(120);
      assert.deepEqual(
        homes(more).filter((home) => homes(before).includes(home)),
        homes(before),
      );
      assert.deepEqual(
        (await see.containers()).filter((line) => running.includes(line)),
        running,
      );
      await see.isSo(more, 1);
      for (const ping of pinging) assert.deepEqual(await ping.lost(), []);
      assert.equal(mostAway(await asked()), 0);
      const told = (await Promise.all(['c1', 'c2'].map((name) => stage.journal(name)))).flat();
      const lost = told.filter((entry) => entry.type === 'event' && entry.reason === 'HostLost' && entry.at >= since);
      assert.deepEqual(lost, [], 'no host is lost by it');
      await back(old, fall);
    });

  it('that waits for a copy of each write keeps all it was told, killed in the middle of a change', async () => {
    for (const name of ['c1', 'c2']) await stage.stop(name);
    for (const name of HOSTS) await stage.stop(name);
    const acks = '?acks=1';
    await Promise.all([
      ...['c1', 'c2'].map((name) => stage.controller(name, acks)),
      ...HOSTS.map((host) => stage.agent(host, acks)),
    ]);
    const before = await see.heard(120);
    const running = await see.containers();
    stage.commit(web(11));
    // some have been told, and not all have answered
    await eventually('the change is under way', async () => (await see.containers()).length > running.length);
    const old = await failOver(KILLED);
    const made = await see.containers();
    await sleep(1000);
    await back(old, KILLED);
    const after = await stage.converged(180);
    assert.deepEqual(
      homes(after).filter((home) => homes(before).includes(home)),
      homes(before),
    );
    // what was acknowledged is known, so nobody was placed anew elsewhere
    const now = (await see.containers()).map((line) => line.split(' ').slice(0, 3).join(' '));
    for (const line of made) assert.ok(now.includes(line.split(' ').slice(0, 3).join(' ')), line);
    await see.isSo(after, 1);
  });
});
