import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cgroups } from '../../providers/cgroups/index.ts';
import type { PlumbError } from '../../reconciler/model/errors.ts';
import type { CgroupSpec } from '../../reconciler/model/resources.ts';
import { NO_V1, container, contextOf, limits } from '../support/cgroup-tree.ts';
import { ensureTestImage } from '../support/image.ts';

const run = promisify(execFile);
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const made: string[] = [];

async function docker(...args: readonly string[]): Promise<string> {
  return (await run('docker', [...args], { timeout: 60_000 })).stdout.trim();
}

/** The container's cgroup of the CPU, found as anybody would. */
async function directoryOf(id: string): Promise<string> {
  // find ends with an error where a neighbour's cgroup goes while it looks
  const found = run('find', ['/sys/fs/cgroup/cpu', '-type', 'd', '-name', id]);
  return (await found.catch((error: unknown) => error as { readonly stdout: string })).stdout.trim();
}

/** Number of the class, and priority, of each process of a container. */
async function classesOf(id: string): Promise<ReadonlySet<string>> {
  const procs = fs
    .readFileSync(join(await directoryOf(id), 'cgroup.procs'), 'utf8')
    .trim()
    .split('\n');
  const said = procs.flatMap((pid) => {
    try {
      const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return [`${fields[38] ?? ''} ${fields[37] ?? ''}`];
    } catch {
      return []; // a sleep that has ended
    }
  });
  return new Set(said);
}

after(async () => {
  for (const id of made) await docker('rm', '-f', id);
});

describe('scheduling classes of real containers', { skip: NO_V1 }, () => {
  it('are those of all threads, those to come as well, over a restart; rr has a budget, and loses it', async (test) => {
    const script = ['sh', '-c', 'while :; do sleep 1; done'];
    const id = await docker('run', '-d', '--network', 'none', await ensureTestImage(), ...script);
    made.push(id);
    const kernel = cgroups();
    const ctx = contextOf([container('web-0', id)], ['cgroup/web-0']);
    const converge = async (some: Partial<CgroupSpec>): Promise<void> => {
      const { blockIoWeight: _weight, ...spec } = limits('web-0', some);
      const wish = { ref: 'cgroup/web-0', spec, dependsOn: [], origin } as const;
      const [change] = kernel.diff([wish], await kernel.observe(ctx, ['cgroup/web-0']));
      if (change) await kernel.apply(change, ctx);
      assert.deepEqual(kernel.diff([wish], await kernel.observe(ctx, ['cgroup/web-0'])), [], 'converged');
    };
    await converge({ scheduling: 'batch' });
    await sleep(1500);
    assert.deepEqual(await classesOf(id), new Set(['3 0']), 'a sleep that began later is in it, too');
    await run('chrt', ['-o', '-p', '0', await docker('inspect', '-f', '{{.State.Pid}}', id)]);
    await converge({ scheduling: 'batch' });
    await docker('restart', '-t', '0', id);
    await converge({ scheduling: 'batch' });
    assert.deepEqual(await classesOf(id), new Set(['3 0']), 'after a restart');
    try {
      await converge({ scheduling: 'rr 10', realtime: 50 });
    } catch (error) {
      // no right to it here: then that is what is said
      const { message } = error as PlumbError;
      assert.match(message, /sched_policy = rr 10: EPERM|cpu\.rt_runtime_us = 50000: E/);
      test.diagnostic(message);
      return;
    }
    assert.deepEqual(await classesOf(id), new Set(['2 10']));
    await converge({});
    assert.deepEqual(await classesOf(id), new Set(['0 0']));
    const budget = join(await directoryOf(id), 'cpu.rt_runtime_us');
    if (fs.existsSync(budget)) assert.equal(fs.readFileSync(budget, 'utf8').trim(), '0');
  });
});
