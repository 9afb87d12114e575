import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, fleetBase, HOSTS, setFleetStage, type FleetStage } from '../support/fleet-stage.ts';
import { client, homes, web, webs, witness, type Witness } from '../support/fleet-web.ts';
import { NO_REDIS } from '../support/redis.ts';
import { itemOf, NEEDS_ROOT } from '../support/stage.ts';
import { mostAway } from '../support/traffic.ts';

describe('a fleet of three hosts in two racks', { skip: NEEDS_ROOT || NO_REDIS }, () => {
  let stage: FleetStage;
  let see: Witness;
  before(async () => {
    stage = await setFleetStage('fleet', { ...fleetBase(), ...client, ...web(2) });
    see = witness(stage);
    await Promise.all([stage.controller('c1'), stage.controller('c2'), ...HOSTS.map((host) => stage.agent(host))]);
  });
  after(async () => {
    await stage.down();
  });

  const of = (lines: readonly string[], ...replicas: readonly string[]): readonly string[] =>
    lines.filter((line) => replicas.some((replica) => line.includes(` /plumb-${replica}`)));

  it('scales out and in across hosts and racks; who stays keeps host, address and container', async () => {
    const two = await stage.converged();
    assert.deepEqual(new Set(webs(two).map(({ host }) => (host === 'h3' ? 'r2' : 'r1'))).size, 2, homes(two).join());
    const first = of(await see.containers(), 'web', 'client');
    stage.commit(web(6));
    const six = await stage.converged();
    assert.deepEqual(
      homes(six).filter((home) => homes(two).includes(home)),
      homes(two),
    );
    assert.deepEqual(new Set(webs(six).map(({ host }) => host)).size, 3, homes(six).join());
    await see.isSo(six, 1);
    stage.commit(web(2));
    const again = await stage.converged();
    assert.deepEqual(homes(again), homes(two));
    await see.isSo(again, 1);
    stage.commit(web(4));
    const four = await stage.converged();
    const added = webs(four).slice(2);
    assert.ok(
      added.every(({ address }) => webs(six).every((one) => one.address !== address)),
      'released addresses rest',
    );
    assert.deepEqual(
      homes(four).filter((home) => homes(two).includes(home)),
      homes(two),
    );
    assert.deepEqual(
      (await see.containers()).filter((line) => first.includes(line)),
      first,
    );
    await see.isSo(four, 1);
  });

  it('Redis killed, and Redis emptied: what runs notices nothing, and nothing moves', async () => {
    const [before, running, asked] = [await stage.status(), await see.containers(), await see.asking()];
    const pings = await Promise.all(
      webs(before)
        .filter(({ host }) => host !== 'h1')
        .map(({ address = '' }) => stage.ping('h1', 'client-0', address)),
    );
    const [redis] = stage.redis.servers;
    await redis?.kill();
    await sleep(3000);
    await redis?.start();
    assert.deepEqual(homes(await see.heard()), homes(before));
    await redis?.admin.flushall();
    await eventually('the store is rebuilt', async () => {
      const entries = await Promise.all(['c1', 'c2'].map((name) => stage.journal(name).catch(() => [])));
      return entries.flat().some((entry) => entry.type === 'event' && entry.reason === 'StoreRebuilt');
    });
    const after = await see.heard();
    assert.deepEqual(homes(after), homes(before));
    assert.deepEqual(await see.containers(), running);
    for (const ping of pings) assert.deepEqual(await ping.lost(), []);
    assert.equal(mostAway(await asked()), 0);
    await see.isSo(after, 1);
  });

  it('an agent is upgraded, stopped or killed: no ping is lost', async () => {
    const [before, running] = [await stage.status(), await see.containers()];
    const there = webs(before).find(({ host }) => host === 'h2');
    const ping = await stage.ping('h1', 'client-0', there?.address ?? '');
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await stage.stop('h2', signal);
      await stage.agent('h2');
      await see.heard();
    }
    assert.deepEqual(await ping.lost(), []);
    assert.deepEqual(await see.containers(), running);
    // and it works: what is broken on that host is mended
    const name = there?.ref.replace('replica/', 'plumb-') ?? '';
    await stage.sh('h2', 'docker', 'rm', '-f', name);
    await eventually('made anew', async () => (await see.ask(there?.address ?? '')) === 'plumbline 1');
    await see.isSo(await see.heard(), 1);
  });

  it('dockerd of a host restarts: no container does, and what changes meanwhile arrives', async () => {
    const running = await see.containers();
    const there = webs(await stage.status()).find(({ host }) => host === 'h2');
    const ping = await stage.ping('h1', 'client-0', there?.address ?? '');
    await stage.lab.daemon('h2', 'dockerd', 'stop');
    stage.commit(web(4, { limit: 40 }));
    await stage.lab.daemon('h2', 'dockerd', 'start');
    const after = await stage.converged();
    assert.deepEqual(await see.containers(), running);
    assert.deepEqual(await ping.lost(), []);
    const name = there?.ref.replace('replica/', 'plumb-') ?? '';
    const { out } = await stage.sh('h2', 'docker', 'inspect', '-f', '{{.HostConfig.Memory}}', name);
    assert.equal(Number(out), 40 * 2 ** 20);
    await see.isSo(after, 1);
  });

  it('a rack cut off is told as Lost and runs on, nothing is placed there; healed, all is as it was', async (t) => {
    t.after(() => stage.lab.heal());
    const [before, running] = [await stage.status(), await see.containers()];
    await stage.lab.cut('r2');
    const lost = await stage.until('lost', ({ messages }) =>
      messages.some((text) => text.startsWith('host h3 is not')),
    );
    assert.equal(lost.health, 'Degraded');
    for (const { host, reason, health } of lost.items)
      assert.deepEqual([reason.startsWith('Lost: h3'), health], host === 'h3' ? [true, 'Missing'] : [false, 'Healthy']);
    stage.commit(web(6, { limit: 40 }));
    const more = await stage.until('placed', (now) =>
      ['web-4', 'web-5'].every((replica) => itemOf(now, replica)?.health === 'Healthy'),
    );
    assert.deepEqual(
      homes(more).filter((home) => !/web-[45]/.test(home)),
      homes(before),
    );
    assert.ok(
      ['web-4', 'web-5'].every((replica) => itemOf(more, replica)?.host !== 'h3'),
      homes(more).join(),
    );
    const onH3 = running.filter((line) => line.startsWith('h3 '));
    assert.deepEqual(
      (await see.containers()).filter((line) => line.startsWith('h3 ')),
      onH3,
    );
    await stage.lab.heal('r2');
    const after = await stage.converged(120);
    assert.deepEqual(homes(after), homes(more));
    assert.deepEqual(
      (await see.containers()).filter((line) => running.includes(line)),
      running,
    );
    await see.isSo(after, 1);
  });

  it('a host that lost its power runs its replicas again once it is back, with their addresses', async () => {
    const before = await stage.status();
    const running = (await see.containers()).filter((line) => !line.startsWith('h2 '));
    await stage.lab.kill('h2');
    await stage.stop('h2');
    await stage.lab.boot('h2');
    await stage.agent('h2');
    const there = webs(before).filter(({ host }) => host === 'h2');
    assert.ok(there.length > 0);
    for (const { address = '' } of there)
      await eventually(`${address} answers`, async () => (await see.ask(address)) === 'plumbline 1');
    const after = await see.heard(120);
    assert.deepEqual(homes(after), homes(before));
    assert.deepEqual(
      (await see.containers()).filter((line) => !line.startsWith('h2 ')),
      running,
    );
    await see.isSo(after, 1);
  });
});
