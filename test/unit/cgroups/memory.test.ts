import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { disk, type Files } from '../../../providers/cgroups/files.ts';
import { cgroups } from '../../../providers/cgroups/index.ts';
import { memory } from '../../../providers/cgroups/memory.ts';
import type { Emptying } from '../../../providers/cgroups/reclaim.ts';
import type { Desired, Known } from '../../../reconciler/model/change.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { MemorySpec, MemoryState } from '../../../reconciler/model/memory.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import { conforms } from '../../conformance/provider.ts';
import { until } from '../../support/agent-rig.ts';
import { container, contextOf, errno, idOf, limits as limitsOf } from '../../support/cgroup-tree.ts';

const MEBI = 2 ** 20;
const GIBI = 2 ** 30;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
/** Early in a slot. */
const NOW = 100 * 30_000 + 9_000;
const RULE: MemorySpec = { above: 100 * MEBI, window: 0, coolDown: 60_000, slot: { index: 0, of: 1 } };
const WEB = 'memory/web-0';
const HOST = 'memory/host';
const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

function want(ref: Ref, some: Partial<MemorySpec> = {}): Desired<MemorySpec> {
  return { ref, spec: { ...RULE, ...some }, dependsOn: [], origin };
}

/** Numbers of a container, bytes: of its own memory, shared, page cache, and slab that can be reclaimed. */
interface Usage {
  readonly rss: number;
  readonly shmem: number;
  readonly cache: number;
  readonly slab: number;
}

interface LabOptions {
  /** A kernel before 6.9, and what its machine and cgroup may swap: without a text there is no such file. */
  readonly swapsOnly?: boolean;
  readonly swap?: string;
  readonly lacking?: boolean;
  /** When a cgroup has been emptied. */
  readonly emptied?: Promise<void>;
}

/** A machine of 8 GiB with one container of a limit of 512 MiB, whose kernel gives back what it is asked for. */
function lab(version: 'v1' | 'v2', options: LabOptions = {}) {
  const root = fs.mkdtempSync(join(tmpdir(), 'memory-'));
  roots.push(root);
  const id = idOf('a');
  const path = `docker/${id}`;
  const at = join(root, 'cgroup', version === 'v1' ? 'memory' : '', path);
  const put = (file: string, text: string): void => {
    fs.mkdirSync(join(file, '..'), { recursive: true });
    fs.writeFileSync(file, `${text}\n`);
  };
  let usage: Usage = { rss: 100 * MEBI, shmem: 20 * MEBI, cache: 300 * MEBI, slab: 40 * MEBI };
  let slab = 2 * GIBI;
  const write = (): void => {
    const { rss, shmem, cache, slab: own } = usage;
    const stat =
      version === 'v1'
        ? `cache 4096\nrss 4096\ntotal_cache ${String(cache + shmem)}\ntotal_rss ${String(rss)}\ntotal_shmem ${String(shmem)}`
        : `anon ${String(rss)}\nfile ${String(cache + shmem)}\nshmem ${String(shmem)}\nslab_reclaimable ${String(own)}`;
    put(join(at, 'memory.stat'), stat);
    put(join(at, version === 'v1' ? 'memory.usage_in_bytes' : 'memory.current'), String(rss + shmem + cache + own));
    const free = 8 * GIBI - 3 * GIBI - slab;
    put(
      join(root, 'proc/meminfo'),
      `MemTotal: ${String(8 * 2 ** 20)} kB\nMemAvailable: ${String((free + slab) / 1024)} kB\nAnonPages: ${String(2 ** 20)} kB\nSwapTotal: ${options.swapsOnly === true ? '4096' : '      0'} kB\nShmem: 1024 kB\nSReclaimable: ${String(slab / 1024)} kB`,
    );
  };
  if (version === 'v2') put(join(root, 'cgroup/cgroup.controllers'), 'memory');
  put(join(at, version === 'v1' ? 'memory.limit_in_bytes' : 'memory.max'), String(512 * MEBI));
  if (version === 'v1')
    for (const nested of ['', 'init.scope']) put(join(at, nested, 'memory.swappiness'), nested === '' ? '60' : '30');
  if (version === 'v2' && options.swap !== undefined) put(join(at, 'memory.swap.max'), options.swap);
  if (options.lacking !== true) put(join(at, version === 'v1' ? 'memory.force_empty' : 'memory.reclaim'), '');
  put(join(root, 'proc/sys/vm/drop_caches'), '0');
  write();
  const log: string[] = [];
  const settle = (file: string, text: string): Promise<void> => {
    const name = file.slice(file.lastIndexOf('/') + 1);
    log.push(`${name} = ${text}`);
    if (name === 'memory.force_empty') usage = { ...usage, cache: 0 };
    else if (name === 'memory.reclaim') {
      if (text.includes('swappiness') && options.swapsOnly === true) return Promise.reject(errno('EINVAL'));
      if (usage.cache === 0) return Promise.reject(errno('EAGAIN'));
      usage = { ...usage, cache: Math.max(0, usage.cache - Number.parseInt(text, 10)) };
    } else if (name === 'drop_caches') slab = 0;
    write();
    return name === 'memory.force_empty' ? (options.emptied ?? Promise.resolve()) : Promise.resolve();
  };
  const files: Files = {
    ...disk,
    settle,
    write: (file, text) => {
      log.push(`${file.slice(file.lastIndexOf('/') + 1)} = ${text}`);
      fs.writeFileSync(file, `${text}\n`);
    },
  };
  const self = { now: NOW };
  const emptying: Emptying = new Map();
  const make = () =>
    memory({
      root: join(root, 'cgroup'),
      procRoot: join(root, 'proc'),
      keptFile: join(root, 'reclaimed.json'),
      files,
      emptying,
      clock: () => self.now,
    });
  const ctx = contextOf([container('web-0', id)], ['cgroup/web-0', WEB]);
  const snapshot = (): unknown => ({ usage, slab, kept: fs.existsSync(join(root, 'reclaimed.json')) });
  return {
    make,
    provider: make(),
    ctx,
    log,
    self,
    files,
    emptying,
    path,
    cgroups: join(root, 'cgroup'),
    snapshot,
    read: (name: string) => fs.readFileSync(join(at, name), 'utf8'),
  };
}

type Lab = ReturnType<typeof lab>;

async function look({ provider, ctx }: Pick<Lab, 'provider' | 'ctx'>, ref: Ref): Promise<Known<MemoryState>> {
  const item = (await provider.observe(ctx)).find((one) => one.ref === ref);
  assert.ok(item?.known, JSON.stringify(item));
  return item;
}

const swappiness = (value: number): string => `memory.swappiness = ${String(value)}`;

/** Has a rule applied to what is seen; gives what was done. */
async function relieve(one: Lab, wanted: Desired<MemorySpec>): Promise<string> {
  const [change] = one.provider.diff([wanted], [await look(one, wanted.ref)]);
  return change ? (await one.provider.apply(change, one.ctx)).did : 'nothing';
}

describe('how memory is used', () => {
  for (const version of ['v1', 'v2'] as const)
    it(`${version}: RSS and shared beside what the kernel counts, and what only caches`, async () => {
      const { state } = await look(lab(version), WEB);
      const { counted, used, total, spare } = state;
      const slab = version === 'v2' ? 40 * MEBI : 0;
      assert.deepEqual(
        { counted, used, total, spare },
        { counted: 120 * MEBI, used: 460 * MEBI, total: 512 * MEBI, spare: 300 * MEBI + slab },
      );
    });

  it('of the machine as well', async () => {
    const { counted, used, total, spare } = (await look(lab('v1'), HOST)).state;
    assert.deepEqual(
      { counted, used, total, spare },
      { counted: GIBI + MEBI, used: 3 * GIBI, total: 8 * GIBI, spare: 2 * GIBI },
    );
  });

  it('is read at each look of a replica with a rule, and of another once a minute or when it is asked for', async () => {
    const one = lab('v1');
    const free = { provider: one.provider, ctx: { ...one.ctx, wanted: ['cgroup/web-0'] as const } };
    const used = async (where: Pick<Lab, 'provider' | 'ctx'>): Promise<number> => (await look(where, WEB)).state.used;
    const use = (mebi: number): void => {
      fs.writeFileSync(join(one.cgroups, 'memory', one.path, 'memory.usage_in_bytes'), String(mebi * MEBI));
    };
    assert.equal(await used(free), 460 * MEBI);
    use(300);
    assert.equal(await used(free), 460 * MEBI);
    const [asked] = await one.provider.observe(free.ctx, [WEB]);
    assert.ok(asked?.known && asked.state.used === 300 * MEBI, 'when it is asked for');
    use(200);
    assert.equal(await used(one), 200 * MEBI, 'with a rule');
    use(100);
    one.self.now += 59_000;
    assert.equal(await used(free), 200 * MEBI);
    one.self.now += 1_000;
    assert.equal(await used(free), 100 * MEBI, 'a minute later');
  });

  it('is told of replicas that run, and of no others', async () => {
    const { provider, ctx } = lab('v2');
    const refs = (await provider.observe({ ...ctx, wanted: ['cgroup/web-0', 'cgroup/web-1'] })).map(({ ref }) => ref);
    assert.deepEqual(refs, [HOST, WEB]);
  });
});

describe('giving back page cache', () => {
  it('v1: all of it, and nothing is swapped for it', async () => {
    const one = lab('v1');
    assert.equal(await relieve(one, want(WEB)), `gave back ${String(300 * MEBI)} bytes in 0 ms`);
    const [none, back] = [Array<string>(2).fill('memory.swappiness = 0'), [60, 30].map(swappiness)];
    assert.deepEqual(one.log, [...none, 'memory.force_empty = 0', ...back]);
    assert.deepEqual([one.read('memory.swappiness'), one.read('init.scope/memory.swappiness')], ['60\n', '30\n']);
  });

  it('v2: down to half of what the rule says, in steps', async () => {
    const one = lab('v2');
    await relieve(one, want(WEB));
    assert.equal((await look(one, WEB)).state.spare, 50 * MEBI);
    assert.deepEqual(one.log.slice(0, 2), Array(2).fill(`memory.reclaim = ${String(64 * MEBI)} swappiness=0`));
    assert.equal(one.log.length, 5);
  });

  it('v2 before Linux 6.9: nothing may be swapped meanwhile, which nobody puts right', async () => {
    const one = lab('v2', { swapsOnly: true, swap: String(64 * MEBI) });
    await relieve(one, want(WEB, { above: MEBI }));
    assert.equal((await look(one, WEB)).state.spare, 40 * MEBI, 'slab that the kernel does not give');
    const asked = `memory.reclaim = ${String(64 * MEBI)}`;
    const [none, back] = ['0', String(64 * MEBI)].map((text) => `memory.swap.max = ${text}`);
    assert.deepEqual(one.log.slice(0, 3), [`${asked} swappiness=0`, none, asked]);
    assert.equal(one.log.at(-1), back);
    assert.equal(one.emptying.size, 0);
  });

  it('v2 before Linux 6.9: one after the other, so that what the App may swap comes back', async () => {
    const one = lab('v2', { swapsOnly: true, swap: String(64 * MEBI) });
    const limits = cgroups({ root: one.cgroups, files: one.files, emptying: one.emptying });
    const spec = { ...limitsOf('web-0'), memory: 512 * MEBI, swap: 64 * MEBI };
    const seen: unknown[] = [];
    const settle = one.files.settle.bind(one.files);
    one.files.settle = async (file, text) => {
      const [item] = await limits.observe(one.ctx, ['cgroup/web-0']);
      assert.ok(item?.known);
      seen.push(
        one.read('memory.swap.max'),
        limits.diff([{ ref: 'cgroup/web-0', spec, dependsOn: [], origin }], [item]),
      );
      await settle(file, text);
    };
    await Promise.all([relieve(one, want(WEB)), relieve(one, want(HOST, { above: '20%', first: ['web-0'] }))]);
    assert.equal(one.read('memory.swap.max'), `${String(64 * MEBI)}\n`);
    assert.ok(seen.includes('0\n'));
    assert.deepEqual(
      [...new Set(seen.filter((one) => typeof one !== 'string').map((one) => JSON.stringify(one)))],
      ['[]'],
    );
  });

  it('v2 before Linux 6.9 without a limit of swap: refused where there is swap', async () => {
    const one = lab('v2', { swapsOnly: true });
    await assert.rejects(relieve(one, want(WEB)), (error: PlumbError) => {
      assert.equal(error.code, 'KNOB_REFUSED');
      assert.match(error.message, /before Linux 6\.9/);
      return true;
    });
    assert.equal(
      one.log.some((line) => /^memory\.reclaim = [0-9]+$/.test(line)),
      false,
    );
  });

  it('is not asked where there is less than the rule says, nor where the kernel has no way', async () => {
    assert.equal(await relieve(lab('v2'), want(WEB, { above: '80%' })), 'nothing');
    const one = lab('v2', { lacking: true });
    assert.equal(await relieve(one, want(WEB)), 'nothing');
    const [limitation] = (await look(one, WEB)).limitations ?? [];
    assert.deepEqual([limitation?.state, limitation?.path], ['Unsupported', '/above']);
    assert.match(limitation?.why ?? '', /Linux 5\.19/);
  });

  it('is not done once the slot of the host is over', async () => {
    const one = lab('v2');
    const [change] = one.provider.diff([want(WEB)], [await look(one, WEB)]);
    assert.ok(change);
    one.self.now += 10_000;
    await assert.rejects(one.provider.apply(change, one.ctx), (error: PlumbError) => error.code === 'CONFLICT');
    assert.deepEqual(one.log, []);
  });

  it('is remembered, also by the next agent', async () => {
    const one = lab('v2');
    await relieve(one, want(WEB));
    const { state } = await look({ provider: one.make(), ctx: one.ctx }, WEB);
    assert.deepEqual(state.reclaimed, { at: NOW, freed: 290 * MEBI });
  });
});

describe('a v1 cgroup that is being emptied', () => {
  it('has a swappiness of 0 until the end, which nobody puts right meanwhile', async () => {
    let end = (): void => undefined;
    const one = lab('v1', { emptied: new Promise<void>((resolve) => (end = resolve)) });
    const path = join(one.cgroups, 'memory/docker/memory.swappiness');
    fs.writeFileSync(path, '60\n');
    const limits = cgroups({ root: one.cgroups, files: one.files, emptying: one.emptying });
    const spec = { ...limitsOf('web-0'), memory: 512 * MEBI };
    const rule = { ref: 'cgroup/web-0', spec, dependsOn: [], origin } as const;
    const fields = async (): Promise<readonly string[]> => {
      const [seen] = await limits.observe(one.ctx, ['cgroup/web-0']);
      assert.ok(seen?.known, JSON.stringify(seen));
      return limits.diff([rule], [seen])[0]?.fields.map((field) => field.path) ?? [];
    };
    assert.deepEqual(await fields(), []);
    const both = [relieve(one, want(WEB)), relieve(one, want(HOST, { above: '20%', first: ['web-0'] }))];
    await until(() => one.log.includes('memory.force_empty = 0'));
    assert.equal(one.read('memory.swappiness'), '0\n');
    assert.deepEqual(await fields(), []);
    end();
    await Promise.all(both);
    assert.equal(one.log.filter((line) => line.startsWith('memory.force_empty')).length, 1, 'once for both');
    assert.equal(one.read('memory.swappiness'), '60\n');
    fs.writeFileSync(path, '40\n');
    assert.deepEqual(await fields(), ['/swappiness']);
  });
});

describe('giving back that does not go well', () => {
  it('is remembered all the same, and not tried again in each slot', async () => {
    const failed = Promise.reject(errno('EINTR'));
    failed.catch(() => undefined);
    const one = lab('v1', { emptied: failed });
    await assert.rejects(relieve(one, want(WEB)), /force_empty = 0: EINTR/);
    assert.deepEqual((await look(one, WEB)).state.reclaimed, { at: NOW, freed: 0 });
    assert.equal(one.read('memory.swappiness'), '60\n');
  });

  it('is remembered where the disk takes nothing', async () => {
    const one = lab('v2');
    fs.mkdirSync(join(one.cgroups, '../reclaimed.json/full'), { recursive: true });
    await assert.rejects(relieve(one, want(WEB)));
    assert.equal((await look(one, WEB)).state.reclaimed?.at, NOW);
  });

  it('begins nothing more in the second half of the slot on v1, where nobody knows how long it takes', async () => {
    let end = (): void => undefined;
    const one = lab('v1', { emptied: new Promise<void>((resolve) => (end = resolve)) });
    const done = relieve(one, want(HOST, { above: '20%', first: ['web-0', 'web-0'] }));
    await until(() => one.log.includes('memory.force_empty = 0'));
    one.self.now += 6_000;
    end();
    assert.match(await done, /page cache of replicas, and none of the slab, as the time was over/);
    assert.equal(one.log.filter((line) => /force_empty|drop_caches/.test(line)).length, 1);
  });
});

describe('giving back slab of the machine', () => {
  it('asks replicas with a rule first, and the whole machine last', async () => {
    const one = lab('v1');
    const did = await relieve(one, want(HOST, { above: '20%', first: ['web-0', 'gone-0'] }));
    assert.match(
      did,
      /^gave back 314572800 bytes of page cache of replicas, 2147483648 bytes of slab \(drop_caches=2\)/,
    );
    assert.deepEqual(one.log.slice(2), ['memory.force_empty = 0', ...[60, 30].map(swappiness), 'drop_caches = 2']);
  });

  it('is not asked where there is less', async () => {
    assert.equal(await relieve(lab('v1'), want(HOST, { above: '26%' })), 'nothing');
  });
});

for (const version of ['v1', 'v2'] as const)
  conforms(`memory on ${version}`, () => {
    const { provider, ctx, snapshot } = lab(version);
    return Promise.resolve({
      provider,
      ctx,
      states: [[want(WEB)], [want(WEB), want(HOST, { above: '20%' })], []],
      snapshot: () => Promise.resolve(snapshot()),
      close: () => Promise.resolve(),
    });
  });
