import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { memory } from '../../providers/cgroups/memory.ts';
import type { Desired, Known } from '../../reconciler/model/change.ts';
import type { MemorySpec, MemoryState } from '../../reconciler/model/memory.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { NO_V1, container, contextOf } from '../support/cgroup-tree.ts';
import { ensureTestImage } from '../support/image.ts';

const run = promisify(execFile);
const MEBI = 2 ** 20;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const made: string[] = [];
let image: string;
let folder: string;

async function docker(...args: readonly string[]): Promise<string> {
  return (await run('docker', [...args], { timeout: 60_000 })).stdout.trim();
}

function want(ref: Ref, above: MemorySpec['above'], first?: readonly string[]): Desired<MemorySpec> {
  const rule = { above, window: 0, coolDown: 60_000, slot: { index: 0, of: 1 } };
  return { ref, spec: { ...rule, ...(first ? { first } : {}) }, dependsOn: [], origin };
}

/** A clock that stands early in a slot, so that work may begin. */
const clock = (): number => 100 * 30_000 + 9_000;

function look(kernel: ReturnType<typeof memory>, ctx: Context, ref: Ref): Promise<Known<MemoryState>> {
  return kernel.observe(ctx).then((all) => {
    const item = all.find((one) => one.ref === ref);
    assert.ok(item?.known, JSON.stringify(item));
    return item;
  });
}

/** A container that has 60 MiB of page cache and 20 MiB of its own. */
async function start(): Promise<string> {
  const script =
    'dd if=/dev/zero of=/big bs=1M count=60 2>/dev/null; sync; x=$(head -c 20000000 /dev/zero | tr "\\0" x); echo ready; sleep 1000; echo $x';
  const id = await docker('run', '-d', '--memory', '256m', '--network', 'none', image, 'sh', '-c', script);
  made.push(id);
  while (!(await docker('logs', id)).includes('ready')) await sleep(50);
  return id;
}

before(async () => {
  if (NO_V1 !== false) return;
  image = await ensureTestImage();
  folder = fs.mkdtempSync(join(tmpdir(), 'memory-'));
});
after(async () => {
  for (const id of made) await docker('rm', '-f', id);
  if (NO_V1 === false) fs.rmSync(folder, { recursive: true });
});

describe('memory of a real kernel, cgroup v1', { skip: NO_V1 }, () => {
  it('page cache of a container is given back, and what is its own is not', async () => {
    const id = await start();
    const ctx = contextOf([container('web-0', id)], ['cgroup/web-0']);
    const kernel = memory({ keptFile: join(folder, 'one.json'), clock });
    const rule = want('memory/web-0', 30 * MEBI);
    const { state } = await look(kernel, ctx, 'memory/web-0');
    assert.equal(state.total, 256 * MEBI);
    assert.ok(state.spare >= 55 * MEBI && state.counted >= 19 * MEBI, JSON.stringify(state));
    assert.ok(state.used >= state.spare + state.counted, JSON.stringify(state));
    const [change] = kernel.diff([rule], [await look(kernel, ctx, 'memory/web-0')]);
    assert.ok(change);
    const { did, facts } = await kernel.apply(change, ctx);
    const later = await look(kernel, ctx, 'memory/web-0');
    console.log(`${did}; spare ${String(state.spare)} -> ${String(later.state.spare)}`);
    assert.ok(later.state.spare < 10 * MEBI, JSON.stringify(later.state));
    assert.ok(Math.abs(later.state.counted - state.counted) < 4 * MEBI, 'its own memory stays');
    assert.ok(Number(facts?.['freed']) >= 50 * MEBI);
    assert.equal(later.state.reclaimed?.freed, facts?.['freed']);
    assert.deepEqual(kernel.diff([rule], [later]), []);
    const [{ stdout: where }] = [
      await run('find', ['/sys/fs/cgroup/memory', '-name', id]).catch((error: unknown) => error as { stdout: string }),
    ];
    const swappiness = fs.readFileSync(join(where.trim(), 'memory.swappiness'), 'utf8');
    assert.notEqual(swappiness.trim(), '0', 'as it was');
    assert.equal(await docker('inspect', '-f', '{{.State.Running}}', id), 'true');
  });

  it('names and inodes of the machine are given back when page cache of replicas was not enough', async () => {
    const folders = join(folder, 'names');
    for (let at = 0; at < 20_000; at += 1) fs.existsSync(`${folders}/${String(at)}`);
    const ctx = contextOf([]);
    const kernel = memory({ keptFile: join(folder, 'two.json'), clock });
    const before = await look(kernel, ctx, 'memory/host');
    const [change] = kernel.diff([want('memory/host', 1, [])], [before]);
    assert.ok(change);
    const { did } = await kernel.apply(change, ctx);
    console.log(did);
    assert.match(did, /bytes of slab \(drop_caches=2\)/);
    assert.ok((await look(kernel, ctx, 'memory/host')).state.spare < before.state.spare, did);
  });
});
