import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Entry } from '../../reconciler/model/journal.ts';
import { app, base, itemOf, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

/** Whole numbers from a seed, so that a failure can be run again (Lehmer's generator). */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

describe('kill -9 at any instant, then start again', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  const seed = Number(process.env['SEED'] ?? Date.now() % 100_000) + 1;
  const roll = dice(seed);
  before(async () => {
    stage = await setStage('kill', {
      ...base({ fleet: ', budget: { deletions: 100% }' }),
      'web.yaml': app('web', '  replicas: 3'),
    });
  });
  after(async () => {
    await stage.down();
  });

  const lines = async (...argv: string[]): Promise<string[]> =>
    (await stage.sh(...argv)).out
      .split('\n')
      .filter((line) => line !== '')
      .sort();

  it(`converges, nothing doubled, nothing leaked (SEED=${String(seed - 1)})`, async () => {
    const images = ['plumbline/busybox:1', 'plumbline/busybox:2'];
    for (let round = 0; round < 8; round += 1) {
      const replicas = 1 + roll(5);
      stage.commit({
        'web.yaml': app(
          'web',
          `  replicas: ${String(replicas)}\n  image: ${images[roll(2)] ?? ''}\n  update: { maxUnavailable: 2 }`,
        ),
      });
      await stage.up();
      await sleep(roll(1500));
      await stage.stop('SIGKILL');
    }
    stage.commit({ 'web.yaml': app('web', '  replicas: 4') });
    await stage.up();
    await stage.converged(90);
    const containers = ['0', '1', '2', '3'].flatMap((n) => [`plumb-web-${n}`, `plumb-web-${n}-sandbox`]);
    // what the killed one had asked for last dockerd may make after that: it is seen then, and removed
    await stage.until('only what is wanted is there', async () =>
      isDeepStrictEqual(await lines('docker', 'ps', '-a', '--format', '{{.Names}}'), containers),
    );
    await stage.converged();
    const ports = await lines(
      'ovs-vsctl',
      '--bare',
      '--columns=name',
      'find',
      'Port',
      'external_ids:plumbline-fleet=stage',
    );
    assert.equal((await lines('ovs-vsctl', 'list-ports', 'br-int')).filter((name) => ports.includes(name)).length, 4);
    const veths = (await lines('ip', '-o', 'link', 'show', 'type', 'veth')).filter((line) => !/ (up0|mg0)@/.test(line));
    assert.equal(veths.length, 4, veths.join('\n'));
    const addresses = (await stage.status()).items.map(({ address }) => address);
    assert.equal(new Set(addresses).size, 4);
    const { snapshot } = await stage.view.known();
    const owned = [...snapshot.addresses.values()].filter((record) => 'replica' in record);
    assert.equal(owned.length, 4);
    assert.equal((await stage.plumb('plan', '--repo', stage.repo)).code, 0);
  });

  it('says of what was cut short that its end is not known', async () => {
    let open: readonly Entry[] = [];
    // nobody waits for an outcome to be on the disk
    await stage.until('every intent has an outcome', async () => {
      const entries = await stage.journal();
      const ends = new Set(entries.flatMap((entry) => (entry.type === 'outcome' ? [entry.trace] : [])));
      open = entries.filter((entry) => entry.type === 'intent' && !ends.has(entry.trace));
      return open.length === 0;
    });
    assert.deepEqual(open, []);
  });

  it('restarts under traffic without one lost ping', async () => {
    // a replica that was released in between has another address by now
    const other = itemOf(await stage.status(), 'web-1')?.address ?? '';
    const ping = stage.lab.spawn(
      'h1',
      ['docker', 'exec', 'plumb-web-0', 'ping', '-i', '0.05', '-c', '110', '-W', '3', other],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    let out = '';
    ping.stdout?.on('data', (chunk) => (out += String(chunk)));
    const ended = new Promise((resolve) => ping.once('exit', resolve));
    await sleep(500);
    await stage.stop('SIGKILL');
    await stage.up();
    await stage.converged();
    await stage.stop();
    await stage.up();
    await stage.converged();
    await ended;
    assert.match(out, /, 0% packet loss/, out.slice(-300));
  });

  it('stops gracefully within seconds and leaves everything running', async () => {
    await stage.stop('SIGTERM');
    assert.equal((await lines('docker', 'ps', '-q')).length, 8);
    const { code, out } = await stage.plumb('apply', '--repo', stage.repo, '--ref', 'main');
    assert.equal(code, 0, out);
  });
});
