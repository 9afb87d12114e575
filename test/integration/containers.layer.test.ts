import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, afterEach, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { dockerClient } from '../../providers/containers/client.ts';
import { containers } from '../../providers/containers/index.ts';
import type { Known } from '../../reconciler/model/change.ts';
import { code, Host, words } from '../support/containers-host.ts';
import { wantContainer, wantSandbox } from '../support/containers.ts';
import { docker, removeContainers } from '../support/docker.ts';
import { ensureTestImage } from '../support/image.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const MEBI = 2 ** 20;
const run = promisify(execFile);

describe('a limit of the writable layer on a real Docker', { skip }, () => {
  const client = dockerClient();
  const host = new Host(containers({ client }));
  before(async () => {
    await ensureTestImage();
    await removeContainers('plumb-l-');
  });
  afterEach(() => removeContainers('plumb-l-'));
  after(() => {
    client.close();
  });

  it('is kept where the storage driver can; else the container runs without, and that is told, also by the next agent', async (test) => {
    const desired = [wantSandbox('l-0'), wantContainer('l-0', { layer: 16 * MEBI })];
    await host.converge(desired);
    const made = host.seen.get('container/l-0') as Known;
    const [limitation] = made.limitations ?? [];
    const inspected = await docker('inspect', '-f', '{{json .HostConfig.StorageOpt}}', 'plumb-l-0');
    test.diagnostic(`${await docker('info', '-f', '{{.Driver}}')}: ${limitation?.why ?? 'it is kept'}`);
    if (limitation === undefined) {
      assert.deepEqual(JSON.parse(inspected), { size: String(16 * MEBI) });
      const write = run('docker', ['exec', 'plumb-l-0', 'dd', 'if=/dev/zero', 'of=/big', 'bs=1M', 'count=64']);
      await assert.rejects(write, 'there is no room for more');
    } else {
      assert.deepEqual([limitation.path, limitation.state], ['/layer', 'Unsupported']);
      assert.match(limitation.why, /^the storage driver of Docker keeps no limit/);
      assert.equal(inspected, 'null');
      const next = new Host(containers({ client }));
      assert.deepEqual(await next.plan(desired), []);
      assert.deepEqual((next.seen.get('container/l-0') as Known).limitations, made.limitations);
    }
    const other = [wantSandbox('l-0'), wantContainer('l-0', { layer: 32 * MEBI })];
    assert.deepEqual(words(await host.plan(other)), ['replace container/l-0 spec changed recreate']);
  });

  it('does not hide what else is wrong', async () => {
    await host.converge([wantSandbox('l-1')]);
    const bad = wantContainer('l-1', { layer: 16 * MEBI, ulimits: { nothing: { soft: 1, hard: 1 } } });
    const [change] = await host.plan([wantSandbox('l-1'), bad]);
    assert.ok(change);
    await assert.rejects(host.apply(change), code('CONTAINER_FAILED'));
  });
});
