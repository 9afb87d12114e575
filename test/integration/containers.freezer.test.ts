import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroups } from '../../providers/cgroups/index.ts';
import { dockerClient } from '../../providers/containers/client.ts';
import type { Spec } from '../../providers/containers/diff.ts';
import { containers } from '../../providers/containers/index.ts';
import { updateFrozen, updateLimits } from '../../providers/containers/limits.ts';
import type { Desired } from '../../reconciler/model/change.ts';
import type { CgroupSpec, ContainerSpec } from '../../reconciler/model/resources.ts';
import { limits } from '../support/cgroup-tree.ts';
import { code, Host, pidOf, words } from '../support/containers-host.ts';
import { wantContainer, wantSandbox } from '../support/containers.ts';
import { docker, removeContainers } from '../support/docker.ts';
import { ensureTestImage } from '../support/image.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const origin = { revision: 'test', file: 'test.yaml', line: 1, column: 1 };

describe('containers that stand still, on a real Docker', { skip }, () => {
  const client = dockerClient();
  const host = new Host(containers({ client }));
  const directory = mkdtempSync(join(tmpdir(), 'plumbline-freezer-'));
  const kernel = cgroups({
    updateLimits: (id, some, signal) => updateLimits(client, id, some, signal),
    tellFrozen: (id, frozen, signal) => updateFrozen(client, id, frozen, signal),
  });

  /** The file that holds a container's processes, and its words for both. */
  async function freezer(name: string): Promise<{ path: string; frozen: string; thawed: string }> {
    const text = readFileSync(`/proc/${String(await pidOf(name))}/cgroup`, 'utf8');
    const v1 = /^[0-9]+:freezer:(.*)$/m.exec(text)?.[1];
    const at = v1 === undefined ? '' : `/sys/fs/cgroup/freezer${v1}/freezer.state`;
    if (existsSync(at)) return { path: at, frozen: 'FROZEN', thawed: 'THAWED' };
    const v2 = /^0::(.*)$/m.exec(text)?.[1] ?? '';
    return { path: `/sys/fs/cgroup${v2}/cgroup.freeze`, frozen: '1', thawed: '0' };
  }
  const read = (path: string): string => readFileSync(path, 'utf8').trim();
  const statusOf = (name: string): Promise<string> => docker('inspect', '-f', '{{.State.Status}}', name);

  /** What is to be done about the cgroup, which is then done. */
  async function hold(replica: string, some: Partial<CgroupSpec> = {}): Promise<readonly string[]> {
    const ref = `cgroup/${replica}` as const;
    // an engine without blkio.weight keeps no weight
    const { blockIoWeight: _weight, ...spec } = limits(replica, some);
    const want: Desired<CgroupSpec> = { ref, spec, dependsOn: [], origin };
    const look = async () => {
      const [item] = await kernel.observe(host.ctx(), [ref]);
      assert.ok(item?.known, JSON.stringify(item));
      return kernel.diff([want], [item])[0];
    };
    const change = await look();
    if (change) await kernel.apply(change, host.ctx());
    assert.equal(await look(), undefined);
    return change?.fields.map(({ path }) => path) ?? [];
  }

  const wants = (replica: string, frozen: boolean, change: Partial<ContainerSpec> = {}): Desired<Spec>[] => [
    wantSandbox(replica),
    wantContainer(replica, { ...change, ...(frozen ? { frozen } : {}) }),
  ];

  /** One that writes when it is asked to end, which it has a minute for. */
  const some = (mark: string, before = ''): Partial<ContainerSpec> => ({
    command: ['sh', '-c'],
    args: [`trap '${before} echo ended > /host/${mark}; exit 0' TERM; while :; do sleep 0.1; done`],
    volumes: [{ path: '/host', host: directory, readOnly: false }],
    stop: { signal: 'SIGTERM', grace: 60_000 },
  });
  /** Its shell has set the trap once it sleeps. */
  async function sleeps(name: string): Promise<void> {
    const pid = String(await pidOf(name));
    for (let children = ''; children === '';) children = read(`/proc/${pid}/task/${pid}/children`);
  }

  before(async () => {
    await ensureTestImage();
    await removeContainers('plumb-f-');
  });
  afterEach(async () => {
    await removeContainers('plumb-f-');
  });
  after(async () => {
    client.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('stand still and go on as they are asked to, and stay the same', async () => {
    await host.converge(wants('f-0', false));
    const { id } = host.container('f-0');
    const { path, frozen, thawed } = await freezer('plumb-f-0');
    assert.deepEqual(words(await host.converge(wants('f-0', true))), ['update container/f-0 drift none']);
    assert.deepEqual([read(path), await statusOf('plumb-f-0'), host.container('f-0').id], [frozen, 'paused', id]);
    assert.deepEqual(words(await host.converge(wants('f-0', false))), ['update container/f-0 drift none']);
    assert.deepEqual([read(path), await statusOf('plumb-f-0'), host.container('f-0').id], [thawed, 'running', id]);
    await docker('kill', 'plumb-f-0');
    await host.converge(wants('f-0', true));
    assert.deepEqual([await statusOf('plumb-f-0'), host.container('f-0').id], ['paused', id], 'also after a start');
  });

  it('are put right where a hand passed Docker by', async () => {
    await host.converge(wants('f-1', false));
    await hold('f-1');
    const { path, frozen, thawed } = await freezer('plumb-f-1');
    writeFileSync(path, frozen);
    assert.deepEqual(await host.plan(wants('f-1', false)), [], 'Docker knows nothing of it');
    assert.deepEqual(await hold('f-1'), ['/frozen']);
    assert.equal(read(path), thawed);
    await host.converge(wants('f-1', true));
    await hold('f-1', { frozen: true });
    writeFileSync(path, thawed);
    assert.deepEqual(await hold('f-1', { frozen: true }), ['/frozen']);
    assert.deepEqual([read(path), await statusOf('plumb-f-1')], [frozen, 'paused']);
  });

  it('are put right where a hand asked Docker, and the kernel is looked at first', async () => {
    await host.converge(wants('f-2', false));
    await hold('f-2');
    const { path, thawed } = await freezer('plumb-f-2');
    await docker('pause', 'plumb-f-2');
    assert.deepEqual(await hold('f-2'), ['/frozen']);
    assert.deepEqual([read(path), await statusOf('plumb-f-2')], [thawed, 'running']);
    assert.deepEqual(await host.plan(wants('f-2', false)), []);
  });

  it('come to be as wanted from any state of Docker and the kernel', async () => {
    await host.converge(wants('f-3', false));
    const { path, frozen, thawed } = await freezer('plumb-f-3');
    for (const docked of [false, true])
      for (const held of [false, true])
        for (const want of [false, true]) {
          await host.converge(wants('f-3', docked));
          writeFileSync(path, held ? frozen : thawed);
          await host.converge(wants('f-3', want));
          await hold('f-3', want ? { frozen: true } : {});
          const found = [read(path), await statusOf('plumb-f-3')];
          assert.deepEqual(
            found,
            want ? [frozen, 'paused'] : [thawed, 'running'],
            JSON.stringify({ docked, held, want }),
          );
        }
  });

  it('are removed, whoever made them stand still, and may end in their own way', async () => {
    await host.converge([...wants('f-4', false, some('docker')), ...wants('f-5', false, some('hand'))]);
    await Promise.all(['plumb-f-4', 'plumb-f-5'].map(sleeps));
    await docker('pause', 'plumb-f-4');
    for (const name of ['plumb-f-5', 'plumb-f-5-sandbox']) {
      const { path, frozen } = await freezer(name);
      writeFileSync(path, frozen);
    }
    await host.converge([]);
    assert.equal(await docker('ps', '-aq', '--filter', 'name=^/plumb-f-'), '');
    assert.deepEqual(
      ['docker', 'hand'].map((mark) => read(join(directory, mark))),
      ['ended', 'ended'],
    );
  });

  it('that a hand stops may end in their own way before they stand still again', async () => {
    const slow = some('stopped', 'sleep 2;');
    const wanted = wants('f-8', true, slow);
    await host.converge(wants('f-8', false, slow));
    await sleeps('plumb-f-8');
    await host.converge(wanted);
    const stop = new AbortController();
    const hints = host.provider.watch?.({ ...host.ctx(), signal: stop.signal })[Symbol.asyncIterator]();
    assert.ok(hints);
    const first = hints.next().then(() => true);
    do await docker('update', '--cpu-shares', '100', 'plumb-f-8');
    while (!(await Promise.race([first, sleep(500, false)])));
    let stopped = false;
    const stopping = docker('stop', '-t', '30', 'plumb-f-8').then(() => (stopped = true));
    try {
      // as an agent does: what is hinted is looked at, and made as it is to be
      while (!stopped || (await statusOf('plumb-f-8')) !== 'paused') {
        await Promise.race([hints.next(), stopping]);
        for (const change of await host.plan(wanted))
          await host.apply(change).catch((error: unknown) => {
            // it ended meanwhile
            assert.ok(code('CONFLICT')(error), error as Error);
          });
      }
    } finally {
      stop.abort();
      await stopping;
    }
    assert.equal(read(join(directory, 'stopped')), 'ended');
  });

  it('are replaced, may end in their own way, and stand still again', async () => {
    await host.converge(wants('f-6', false, some('first')));
    await sleeps('plumb-f-6');
    await host.converge(wants('f-6', true, some('first')));
    const { id } = host.container('f-6');
    assert.deepEqual(words(await host.converge(wants('f-6', true, some('second')))), [
      'replace container/f-6 spec changed recreate',
    ]);
    assert.equal(read(join(directory, 'first')), 'ended');
    assert.notEqual(host.container('f-6').id, id);
    assert.equal(await statusOf('plumb-f-6'), 'paused');
  });

  it('take other limits, and stand still meanwhile', async () => {
    await host.converge(wants('f-7', true));
    await hold('f-7', { frozen: true });
    const { path, frozen } = await freezer('plumb-f-7');
    const fields = await hold('f-7', { frozen: true, pids: 77, memory: 96 * 2 ** 20, shares: 700 });
    assert.deepEqual([...fields].sort(), ['/memory', '/pids', '/shares']);
    assert.deepEqual([read(path), await statusOf('plumb-f-7')], [frozen, 'paused']);
    assert.equal(await docker('inspect', '-f', '{{.HostConfig.PidsLimit}}', 'plumb-f-7'), '77');
  });
});
