import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dockerClient } from '../../providers/containers/client.ts';
import type { Spec } from '../../providers/containers/diff.ts';
import { containers } from '../../providers/containers/index.ts';
import { updateLimits } from '../../providers/containers/limits.ts';
import type { Change, Known } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { ContainerState } from '../../reconciler/model/resources.ts';
import { code, Host, knob, pidOf } from '../support/containers-host.ts';
import { wantContainer, wantImage, wantSandbox } from '../support/containers.ts';
import { docker, removeContainers } from '../support/docker.ts';
import type { DockerProxy } from '../support/docker-proxy.ts';
import { dockerProxy } from '../support/docker-proxy.ts';
import { ensureTestImage, TEST_IMAGE } from '../support/image.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

describe('containers and the daemon: away, silent, watched, and asked no more than needed', { skip }, () => {
  let client = dockerClient();
  let host = new Host(containers({ client }));
  let proxy: DockerProxy;

  before(async () => {
    await ensureTestImage();
    await removeContainers('plumb-d-');
    proxy = await dockerProxy();
    client = dockerClient(proxy.socketPath);
    host = new Host(containers({ client }));
  });
  afterEach(async () => {
    await proxy.mode('open');
    await removeContainers('plumb-d-');
  });
  after(async () => {
    client.close();
    await proxy.close();
  });

  it('gives Unknown for what it cannot see, throws a retryable error else, and touches nothing', async () => {
    const desired = [wantSandbox('d-d'), wantContainer('d-d')];
    await host.converge(desired);
    const refs: Ref[] = ['sandbox/d-d', 'container/d-d', `image/${TEST_IMAGE}`];
    for (const mode of ['away', 'silent'] as const) {
      await proxy.mode(mode);
      const seen = await host.provider.observe(host.ctx(500), refs);
      assert.deepEqual(
        seen.map((item) => [item.ref, item.known]),
        refs.map((ref) => [ref, false]),
      );
      assert.deepEqual(host.provider.diff([], seen), []);
      await assert.rejects(host.provider.observe(host.ctx(500)), code('DOCKER_UNAVAILABLE'));
      const change = host.provider.diff(desired, [])[0] as Change<Spec>;
      await assert.rejects(
        host.provider.apply(change, host.ctx(500)),
        (error) => error instanceof PlumbError && error.retry,
      );
      await proxy.mode('open');
    }
    assert.deepEqual(await host.plan(desired), []);
  });

  it('hints what happens by ref, survives the daemon going away, and then hints everything', async () => {
    const stop = new AbortController();
    const hints: Ref[] = [];
    const watching = (async () => {
      for await (const ref of host.provider.watch?.({ ...host.ctx(), signal: stop.signal }) ?? []) {
        hints.push(ref);
      }
    })();
    const hinted = async (...refs: Ref[]): Promise<void> => {
      const deadline = Date.now() + 20_000;
      while (!refs.every((ref) => hints.includes(ref))) {
        assert.ok(Date.now() < deadline, `${refs.join(' ')} hinted, not only ${hints.join(' ')}`);
        await sleep(20);
      }
    };
    while (!proxy.calls.includes('GET /events')) await sleep(10);
    await host.converge([wantSandbox('d-e'), wantContainer('d-e')]);
    await hinted('sandbox/d-e', 'container/d-e');
    hints.length = 0;
    await docker('kill', 'plumb-d-e');
    await hinted('container/d-e');
    await proxy.mode('away');
    hints.length = 0;
    await proxy.mode('open');
    await hinted('container/*', 'sandbox/*');
    hints.length = 0;
    await docker('rm', '-f', 'plumb-d-e-sandbox');
    await hinted('sandbox/d-e');
    stop.abort();
    await watching;
  });

  it('sees that a container has ended as soon as it was started, before Docker lists it', async () => {
    const stop = new AbortController();
    const hear = (async () => {
      for await (const ref of host.provider.watch?.({ ...host.ctx(), signal: stop.signal }) ?? []) assert.ok(ref);
    })();
    try {
      await host.converge([wantSandbox('d-x')]);
      const [change] = host.provider.diff([wantContainer('d-x', { command: ['true'] })], []);
      // by the event, or by the kernel where that is late; on a busy machine it may live on for a moment, and that is seen as well
      let ended = false;
      for (let tries = 0; tries < 40 && !ended; tries += 1) {
        const seen = (await host.apply(change as Change<Spec>)) as Known<ContainerState>;
        ended = seen.state.status === 'exited' || seen.state.lifeless === true;
        await docker('rm', '-f', 'plumb-d-x');
      }
      assert.ok(ended, 'of forty that ended at once none was seen so');
    } finally {
      stop.abort();
      await hear;
    }
  });

  it('changes limits in place, memory above the old sum of memory and swap too', async () => {
    await host.converge([wantSandbox('d-f'), wantContainer('d-f')]);
    const { id } = host.container('d-f');
    const pid = await pidOf('plumb-d-f');
    const set = (resources: Parameters<typeof updateLimits>[2]) =>
      updateLimits(client, id, resources, AbortSignal.timeout(30_000));
    await set({
      cpu: 1000,
      shares: 1024,
      quota: 1500,
      memory: 256 * 2 ** 20,
      reservation: 2 ** 27,
      swap: 2 ** 20,
      pids: 99,
    });
    assert.equal(knob(pid, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(2 ** 28));
    assert.match(knob(pid, 'cpu', 'cpu.cfs_quota_us', 'cpu.max'), /^150000/);
    assert.equal(knob(pid, 'pids', 'pids.max', 'pids.max'), '99');
    await set({ cpu: 100, shares: 102, memory: 32 * 2 ** 20, swap: 0, pids: 64 });
    assert.equal(knob(pid, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(2 ** 25));
    assert.match(knob(pid, 'cpu', 'cpu.cfs_quota_us', 'cpu.max'), /^(-1|max)/);
    assert.equal(await pidOf('plumb-d-f'), pid);
    await assert.rejects(
      updateLimits(
        client,
        'f'.repeat(64),
        { cpu: 1, shares: 2, memory: 2 ** 25, swap: 0, pids: 1 },
        AbortSignal.timeout(30_000),
      ),
      code('CONFLICT'),
    );
  });

  it('asks the daemon no more than it must', async () => {
    const desired = ['0', '1', '2', '3'].flatMap((n) => [wantSandbox(`d-n${n}`), wantContainer(`d-n${n}`)]);
    const all = [wantImage(TEST_IMAGE), ...desired];
    await host.converge(all.slice(0, 3)); // the agent has learned where cgroups are
    proxy.calls.length = 0;
    const changes = await host.plan(all);
    for (const change of changes) await host.apply(change);
    const count = (call: string): number => proxy.calls.filter((made) => made === call).length;
    assert.equal(count('POST /containers/create'), 6);
    assert.equal(count('POST /containers/ID/start'), 6);
    assert.equal(proxy.calls.length, 13, proxy.calls.join('\n'));
    proxy.calls.length = 0;
    assert.deepEqual(await host.plan(all), []);
    assert.deepEqual(proxy.calls, ['GET /containers/json']);
    proxy.calls.length = 0;
    for (const change of await host.plan([])) await host.apply(change);
    assert.deepEqual([...new Set(proxy.calls)].toSorted(), [
      'DELETE /containers/ID',
      'GET /containers/json',
      'POST /containers/ID/stop',
    ]);
    assert.equal(proxy.calls.length, 1 + 8 + 4);
  });
});
