import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { dockerClient } from '../../providers/containers/client.ts';
import { containers } from '../../providers/containers/index.ts';
import type { ContainerSpec } from '../../reconciler/model/resources.ts';
import { Host, pidOf } from '../support/containers-host.ts';
import { wantContainer, wantSandbox } from '../support/containers.ts';
import { docker, removeContainers } from '../support/docker.ts';
import { ensureTestImage } from '../support/image.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const MEBI = 2 ** 20;

/** Says whether so many more processes can be had; those that it made end with it. */
const FORKS = (count: number): string =>
  `n=0; while [ $n -lt ${String(count)} ]; do sleep 1000 & n=$((n+1)); done 2>/dev/null && echo all || echo refused; kill $(jobs -p) 2>/dev/null`;

describe('ulimits of containers, on a real Docker', { skip }, () => {
  const client = dockerClient();
  const host = new Host(containers({ client }));
  const both = (replica: string, some: Partial<ContainerSpec>) => [wantSandbox(replica), wantContainer(replica, some)];
  const limit = (value: number) => ({ soft: value, hard: value });

  before(async () => {
    await ensureTestImage();
    await removeContainers('plumb-u-');
  });
  afterEach(async () => {
    await removeContainers('plumb-u-');
  });
  after(() => {
    client.close();
  });

  it('nproc counts what a uid runs on the host: with one of its own an App has its limit for itself', async () => {
    const crowd = Array.from({ length: 12 }, () => 'sleep 1000 &').join(' ');
    const loud = (user: string) => both('u-0', { user, command: ['sh', '-c'], args: [`${crowd} wait`] });
    const limited = both('u-1', { user: '30001', ulimits: { nproc: limit(10) } });
    const forks = (): Promise<string> => docker('exec', 'plumb-u-1', 'sh', '-c', FORKS(5)).catch(() => 'refused');
    await host.converge([...loud('30002'), ...limited]);
    assert.match(await forks(), /all/, 'others have another uid');
    await host.converge([...loud('30001'), ...limited]);
    assert.match(await forks(), /refused/, 'the other one has its uid');
  });

  it('data refuses memory when it is asked for, memlock is what the process may pin', async () => {
    const most = { data: limit(128 * MEBI), memlock: limit(64 * 1024) };
    await host.converge([
      ...both('u-2', { ulimits: most, resources: { cpu: 100, shares: 102, memory: 256 * MEBI, swap: 0, pids: 64 } }),
    ]);
    const limits = readFileSync(`/proc/${String(await pidOf('plumb-u-2'))}/limits`, 'utf8');
    assert.match(limits, /Max data size +134217728 +134217728/);
    assert.match(limits, /Max locked memory +65536 +65536/);
    const ask = (mebi: number): Promise<string> =>
      docker('exec', 'plumb-u-2', 'dd', 'if=/dev/zero', 'of=/dev/null', `bs=${String(mebi)}M`, 'count=1');
    await ask(16);
    await assert.rejects(ask(200), /memory/i);
  });
});
