import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../reconciler/loop/status.ts';
import type { Entry } from '../../reconciler/model/journal.ts';
import { eventually, fleetBase, setFleetStage, type FleetStage } from '../support/fleet-stage.ts';
import { NO_REDIS } from '../support/redis.ts';
import { app, itemOf, NEEDS_ROOT } from '../support/stage.ts';
import { askingAll, mostAway, readAsked, type Asked } from '../support/traffic.ts';

const HOSTS = ['h1', 'h2', 'h3'];
/** Whose replicas are away for a second at least when they are made anew, long enough for every client to see. */
const web = (replicas: number, image = 1, limit = 32): Record<string, string> => ({
  'web.yaml': app(
    'web',
    `  image: plumbline/busybox:${String(image)}
  command: [sh, -c, sleep 1; exec serve]
  replicas: ${String(replicas)}
  resources: { cpu: { cores: 10m }, memory: { limit: ${String(limit)}Mi } }
  update: { maxUnavailable: 1 }
  probes: { readiness: { http: { port: 80 }, period: 500ms, timeout: 5s } }`,
  ),
});
/** It asks whoever has one of the first addresses. */
const client = {
  'client.yaml': app(
    'client',
    `  command: [sh, -c]
  args:
    - |
${askingAll(Array.from({ length: 10 }, (_, n) => `10.1.0.${String(10 + n)}`))}  hosts: { matchLabels: { role: client } }`,
  ),
};

const homes = ({ items }: Status): readonly string[] =>
  items.map(({ ref, host, address = '' }) => `${ref} ${host} ${address}`);
const webs = ({ items }: Status): Status['items'] => items.filter(({ ref }) => ref.startsWith('replica/web-'));

describe('a fleet of three hosts in two racks', { skip: NEEDS_ROOT || NO_REDIS }, () => {
  let stage: FleetStage;
  before(async () => {
    stage = await setFleetStage('fleet', { ...fleetBase(), ...client, ...web(2) });
    await stage.redis();
    await Promise.all([stage.controller('c1'), ...HOSTS.map((host) => stage.agent(host))]);
    await eventually('c1 leads', async () => (await leadsSince('c1', 0)) !== undefined);
    await stage.controller('c2');
  });
  after(async () => {
    await stage.down();
  });

  /** When a controller began to lead, after that time. */
  async function leadsSince(name: string, at: number): Promise<number | undefined> {
    const leading = (await stage.journal(name)).filter((entry) => entry.type === 'event' && entry.reason === 'Leading');
    return leading.find((entry) => entry.at >= at)?.at;
  }

  /** All containers of a host: name, id, start, state. */
  async function containersOf(host: string): Promise<readonly string[]> {
    const { out: ids } = await stage.sh(host, 'docker', 'ps', '-aq');
    if (ids === '') return [];
    const format = '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}';
    const { out } = await stage.sh(host, 'docker', 'inspect', '-f', format, ...ids.split('\n'));
    return out.split('\n').sort();
  }
  const containers = async (): Promise<readonly string[]> =>
    (await Promise.all(HOSTS.map(async (host) => (await containersOf(host)).map((line) => `${host} ${line}`)))).flat();
  const of = (lines: readonly string[], ...replicas: readonly string[]): readonly string[] =>
    lines.filter((line) => replicas.some((replica) => line.includes(` /plumb-${replica}`)));

  const ask = async (address: string): Promise<string> =>
    (await stage.sh('h1', 'docker', 'exec', 'plumb-client-0', 'timeout', '5', 'wget', '-qO-', `http://${address}/`))
      .out;

  /** Docker, Open vSwitch and the replicas themselves say what the status says. */
  async function isSo(status: Status, image: number): Promise<void> {
    for (const host of HOSTS) {
      const names = status.items.filter((item) => item.host === host).map(({ ref }) => ref.replace('replica/', ''));
      const running = (await containersOf(host))
        .map((line) => line.split(' '))
        .map(([name, , , how]) => `${String(name)} ${String(how)}`);
      const wanted = names.flatMap((name) => [`/plumb-${name} running`, `/plumb-${name}-sandbox running`]);
      assert.deepEqual(running, wanted.sort(), host);
      const find = ['--bare', '--columns=external_ids', 'find', 'Port', 'tag=100'];
      const { out } = await stage.sh(host, 'ovs-vsctl', ...find);
      const ports = [...out.matchAll(/plumbline-ref=port\/(\S+)/g)].map(([, replica]) => replica);
      assert.deepEqual(ports.sort(), names.sort(), host);
    }
    for (const { address = '' } of webs(status))
      assert.equal(await ask(address), `plumbline ${String(image)}`, address);
  }

  /** A commit that asks for nothing new: once it is converged, all have spoken to each other again. */
  const heard = async (seconds?: number): Promise<Status> => {
    stage.commit({});
    return stage.converged(seconds);
  };

  /** Journals of all agents: each change has one intent and one outcome; gives the changes of containers that began since. */
  async function changesSince(at: number): Promise<readonly string[]> {
    const all: Entry[] = [];
    for (const host of HOSTS) {
      const entries = await stage.journal(host);
      all.push(...entries);
      const traces = (type: Entry['type']): readonly string[] =>
        entries.flatMap((entry) => ('trace' in entry && entry.type === type ? [entry.trace] : [])).sort();
      assert.deepEqual(traces('outcome'), traces('intent'), host);
      assert.equal(new Set(traces('intent')).size, traces('intent').length, host);
    }
    return all
      .flatMap((entry) =>
        entry.type === 'intent' && entry.at >= at && entry.ref.startsWith('container/')
          ? [`${entry.verb} ${entry.ref}`]
          : [],
      )
      .sort();
  }
  const REPLACED = [0, 1, 2, 3].map((n) => `replace container/web-${String(n)}`);

  /** What the client has asked the replicas of web, and from then on. */
  async function asking(): Promise<() => Promise<readonly Asked[]>> {
    const served = new Set(webs(await stage.status()).map(({ address }) => address));
    const read = async (): Promise<readonly Asked[]> =>
      readAsked((await stage.sh('h1', 'docker', 'logs', 'plumb-client-0')).out).filter(({ address }) =>
        served.has(address),
      );
    const before = (await read()).length;
    return async () => (await read()).slice(before);
  }

  it('scales out and in across hosts and racks; who stays keeps host, address and container', async () => {
    const two = await stage.converged();
    assert.deepEqual(new Set(webs(two).map(({ host }) => (host === 'h3' ? 'r2' : 'r1'))).size, 2, homes(two).join());
    const first = of(await containers(), 'web', 'client');
    stage.commit(web(6));
    const six = await stage.converged();
    assert.deepEqual(
      homes(six).filter((home) => homes(two).includes(home)),
      homes(two),
    );
    assert.deepEqual(new Set(webs(six).map(({ host }) => host)).size, 3, homes(six).join());
    await isSo(six, 1);
    stage.commit(web(2));
    const again = await stage.converged();
    assert.deepEqual(homes(again), homes(two));
    await isSo(again, 1);
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
      (await containers()).filter((line) => first.includes(line)),
      first,
    );
    await isSo(four, 1);
  });

  it('rolls an image through all hosts, one replica away at a time', async () => {
    const [before, asked, at] = [await stage.status(), await asking(), Date.now()];
    await sleep(1000);
    stage.commit(web(4, 2));
    const after = await stage.converged(120);
    await sleep(1000);
    assert.deepEqual(homes(after), homes(before));
    await isSo(after, 2);
    assert.deepEqual(await changesSince(at), REPLACED);
    const requests = await asked();
    for (const { address = '' } of webs(after)) {
      const answers = requests.filter((one) => one.address === address).map(({ answer }) => answer);
      assert.deepEqual([answers[0], answers.at(-1)], ['plumbline 1', 'plumbline 2'], address);
      assert.ok(answers.includes(undefined), `${address} was never away`);
    }
    assert.equal(mostAway(requests), 1);
  });

  it('a leader killed in the middle of a rollout is taken over, nothing is done twice', async (t) => {
    const [before, asked, at] = [await stage.status(), await asking(), Date.now()];
    stage.commit(web(4, 1));
    await stage.until('under way', (now) => webs(now).some(({ image = '' }) => image.endsWith(':1')));
    const killed = Date.now();
    await stage.stop('c1', 'SIGKILL');
    assert.ok(
      webs(await stage.status()).some(({ image = '' }) => image.endsWith(':2')),
      'killed too late',
    );
    const after = await stage.converged(120);
    const took = ((await leadsSince('c2', killed)) ?? Infinity) - killed;
    t.diagnostic(`taken over after ${String(took)} ms`);
    assert.ok(took < 20_000, String(took));
    assert.deepEqual(homes(after), homes(before));
    await isSo(after, 1);
    assert.deepEqual(await changesSince(at), REPLACED);
    assert.equal(mostAway(await asked()), 1);
    await stage.controller('c1');
  });

  it('Redis killed, and Redis emptied: what runs notices nothing, and nothing moves', async () => {
    const [before, running, asked] = [await stage.status(), await containers(), await asking()];
    const pings = await Promise.all(
      webs(before)
        .filter(({ host }) => host !== 'h1')
        .map(({ address = '' }) => stage.ping('h1', 'client-0', address)),
    );
    await stage.stop('redis', 'SIGKILL');
    await sleep(3000);
    await stage.redis();
    assert.deepEqual(homes(await heard()), homes(before));
    await stage.redisCli('flushall');
    await eventually('the store is rebuilt', async () => {
      const entries = await Promise.all(['c1', 'c2'].map((name) => stage.journal(name).catch(() => [])));
      return entries.flat().some((entry) => entry.type === 'event' && entry.reason === 'StoreRebuilt');
    });
    const after = await heard();
    assert.deepEqual(homes(after), homes(before));
    assert.deepEqual(await containers(), running);
    for (const ping of pings) assert.deepEqual(await ping.lost(), []);
    assert.equal(mostAway(await asked()), 0);
    await isSo(after, 1);
  });

  it('an agent is upgraded, stopped or killed: no ping is lost', async () => {
    const [before, running] = [await stage.status(), await containers()];
    const there = webs(before).find(({ host }) => host === 'h2');
    const ping = await stage.ping('h1', 'client-0', there?.address ?? '');
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await stage.stop('h2', signal);
      await stage.agent('h2');
      await heard();
    }
    assert.deepEqual(await ping.lost(), []);
    assert.deepEqual(await containers(), running);
    // and it works: what is broken on that host is mended
    const name = there?.ref.replace('replica/', 'plumb-') ?? '';
    await stage.sh('h2', 'docker', 'rm', '-f', name);
    await eventually('made anew', async () => (await ask(there?.address ?? '')) === 'plumbline 1');
    await isSo(await heard(), 1);
  });

  it('dockerd of a host restarts: no container does, and what changes meanwhile arrives', async () => {
    const running = await containers();
    const there = webs(await stage.status()).find(({ host }) => host === 'h2');
    const ping = await stage.ping('h1', 'client-0', there?.address ?? '');
    await stage.lab.daemon('h2', 'dockerd', 'stop');
    stage.commit(web(4, 1, 40));
    await stage.lab.daemon('h2', 'dockerd', 'start');
    const after = await stage.converged();
    assert.deepEqual(await containers(), running);
    assert.deepEqual(await ping.lost(), []);
    const name = there?.ref.replace('replica/', 'plumb-') ?? '';
    const { out } = await stage.sh('h2', 'docker', 'inspect', '-f', '{{.HostConfig.Memory}}', name);
    assert.equal(Number(out), 40 * 2 ** 20);
    await isSo(after, 1);
  });

  it('a rack cut off is told as Lost and runs on, nothing is placed there; healed, all is as it was', async (t) => {
    t.after(() => stage.lab.heal());
    const [before, running] = [await stage.status(), await containers()];
    await stage.lab.cut('r2');
    const lost = await stage.until('lost', ({ messages }) =>
      messages.some((text) => text.startsWith('host h3 is not')),
    );
    assert.equal(lost.health, 'Degraded');
    for (const { host, reason, health } of lost.items)
      assert.deepEqual([reason.startsWith('Lost: h3'), health], host === 'h3' ? [true, 'Missing'] : [false, 'Healthy']);
    stage.commit(web(6, 1, 40));
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
      (await containers()).filter((line) => line.startsWith('h3 ')),
      onH3,
    );
    await stage.lab.heal('r2');
    const after = await stage.converged(120);
    assert.deepEqual(homes(after), homes(more));
    assert.deepEqual(
      (await containers()).filter((line) => running.includes(line)),
      running,
    );
    await isSo(after, 1);
  });

  it('a host that lost its power runs its replicas again once it is back, with their addresses', async () => {
    const before = await stage.status();
    const running = (await containers()).filter((line) => !line.startsWith('h2 '));
    await stage.lab.kill('h2');
    await stage.stop('h2');
    await stage.lab.boot('h2');
    await stage.agent('h2');
    const there = webs(before).filter(({ host }) => host === 'h2');
    assert.ok(there.length > 0);
    for (const { address = '' } of there)
      await eventually(`${address} answers`, async () => (await ask(address)) === 'plumbline 1');
    const after = await heard(120);
    assert.deepEqual(homes(after), homes(before));
    assert.deepEqual(
      (await containers()).filter((line) => !line.startsWith('h2 ')),
      running,
    );
    await isSo(after, 1);
  });
});
