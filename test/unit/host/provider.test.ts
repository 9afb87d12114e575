import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { disk, type Files } from '../../../providers/host/files.ts';
import { host } from '../../../providers/host/index.ts';
import { normalise, pathOf } from '../../../providers/host/key.ts';
import type { Desired, Known, Observed } from '../../../reconciler/model/change.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Context } from '../../../reconciler/model/provider.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import type { SysctlSpec, SysctlState } from '../../../reconciler/model/resources.ts';
import { errno } from '../../support/cgroup-tree.ts';

const ctx: Context = { signal: new AbortController().signal, fleet: 'test', world: { get: () => undefined } };
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const folders: string[] = [];

function want(key: string, value: string): Desired<SysctlSpec> {
  return { ref: `sysctl/${key}`, spec: { key, value }, dependsOn: [], origin };
}

/** A fake /proc/sys with some knobs, and a provider over it; `again` is a new process over the same files. */
function machine(
  knobs: Readonly<Record<string, string>>,
  files?: (base: Files, read: (key: string) => string) => Files,
) {
  const folder = fs.mkdtempSync(join(tmpdir(), 'host-'));
  folders.push(folder);
  const at = (key: string): string => join(folder, 'proc/sys', pathOf(key) ?? 'none');
  for (const [key, text] of Object.entries(knobs)) {
    fs.mkdirSync(join(at(key), '..'), { recursive: true });
    fs.writeFileSync(at(key), text);
  }
  const originalsFile = join(folder, 'state/originals.json');
  const read = (key: string): string => fs.readFileSync(at(key), 'utf8');
  const again = () =>
    host({ procRoot: join(folder, 'proc'), originalsFile, ...(files ? { files: files(disk, read) } : {}) });
  const provider = again();
  const put = (key: string, text: string): void => {
    fs.writeFileSync(at(key), text);
  };
  return { provider, again, read, put, originalsFile, at };
}

type Host = ReturnType<typeof host>;

async function seen(provider: Host, key: string): Promise<Known<SysctlState>> {
  const [item] = await provider.observe(ctx, [`sysctl/${key}`]);
  assert.ok(item?.known, JSON.stringify(item));
  return item;
}

/** Brings the knobs, owned and wanted, to what is wanted; the verbs used. */
async function converge(provider: Host, desired: readonly Desired<SysctlSpec>[]): Promise<readonly string[]> {
  const wanted = { ...ctx, wanted: desired.map(({ ref }) => ref) };
  const changes = provider.diff(desired, await provider.observe(wanted));
  for (const change of changes) await provider.apply(change, ctx);
  assert.deepEqual(provider.diff(desired, await provider.observe(wanted)), [], 'converged');
  return changes.map(({ verb, ref }) => `${verb} ${ref}`);
}

afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

describe('a size that the kernel rounds up', () => {
  const cases: readonly (readonly [string, string, (value: number) => number])[] = [
    ['net.netfilter.nf_conntrack_buckets', '300000', (value) => Math.ceil(value / 512) * 512],
    ['net.core.rps_sock_flow_entries', '20000', () => 32768],
  ];
  for (const [key, value, made] of cases)
    it(`stands for what was asked: ${key}`, async () => {
      const { provider, read, put } = machine({ [key]: '4096\n' }, (base) => ({
        ...base,
        write: (path, text) => {
          base.write(path, text === '4096\n' ? text : `${String(made(Number(text)))}\n`);
        },
      }));
      assert.deepEqual(await converge(provider, [want(key, value)]), [`update sysctl/${key}`]);
      assert.equal(read(key), `${String(made(Number(value)))}\n`);
      assert.deepEqual(await converge(provider, [want(key, value)]), []);
      put(key, '65536\n');
      assert.equal(provider.diff([want(key, value)], [await seen(provider, key)])[0]?.because, 'drift');
      await converge(provider, [want(key, value)]);
      await converge(provider, []);
      assert.equal(read(key), '4096\n');
    });
});

describe('a limit below what is in use', () => {
  const cases: readonly (readonly [string, string, string, number])[] = [
    ['kernel.pid_max', 'loadavg', '0.1 0.2 0.3 1/2345 99\n', 2345],
    ['kernel.threads-max', 'loadavg', '0.1 0.2 0.3 1/2345 99\n', 2345],
    ['fs.file-max', 'sys/fs/file-nr', '4096\t0\t9223372036854775807\n', 4096],
    ['fs.aio-max-nr', 'sys/fs/aio-nr', '128\n', 128],
    ['net.netfilter.nf_conntrack_max', 'sys/net/netfilter/nf_conntrack_count', '777\n', 777],
    ['net.nf_conntrack_max', 'sys/net/netfilter/nf_conntrack_count', '777\n', 777],
  ];
  const connections = (limit: string) => {
    const key = 'net.netfilter.nf_conntrack_max';
    const rig = machine({ [key]: `${limit}\n` });
    fs.writeFileSync(join(rig.at(key), '../nf_conntrack_count'), '5000\n');
    return { ...rig, key };
  };

  for (const [name, before, value] of [
    ['is raised towards what is in use, where a hand had put it further down', '1000', '4000'],
    ['is taken away altogether', '65536', '0'],
  ] as const)
    it(name, async () => {
      const { provider, key, read } = connections(before);
      await converge(provider, [want(key, value)]);
      assert.equal(read(key), value);
    });

  it('is refused where there was no limit', async () => {
    const { provider, key, read } = connections('0');
    await assert.rejects(converge(provider, [want(key, '4000')]), /5000 connections are tracked/);
    assert.equal(read(key), '0\n');
  });

  for (const [key, file, text, used] of cases)
    it(`${key} is refused with the figure, and taken from that on`, async () => {
      const { provider, read, at } = machine({ [key]: '65536\n' });
      const told = join(at(key), '../'.repeat(key.split('.').length + 1), file);
      fs.mkdirSync(join(told, '..'), { recursive: true });
      fs.writeFileSync(told, text);
      const low = want(key, String(used - 1));
      await assert.rejects(converge(provider, [low]), (error: PlumbError) => {
        assert.equal(error.code, 'KNOB_REFUSED');
        assert.match(
          error.message,
          new RegExp(`^${key} = ${String(used - 1)}: ${String(used)} .* below that would fail`),
        );
        return true;
      });
      assert.equal(read(key), '65536\n');
      assert.deepEqual(await converge(provider, []), [], 'nothing is ours');
      await converge(provider, [want(key, String(used))]);
      assert.equal(read(key), String(used));
    });
});

describe('names', () => {
  const cases: readonly [string, string | undefined][] = [
    ['vm.swappiness', 'vm/swappiness'],
    ['net/ipv4/ip_forward', 'net/ipv4/ip_forward'],
    ['net.ipv4.conf.eth0/1.rp_filter', 'net/ipv4/conf/eth0.1/rp_filter'],
    ['net/ipv4/conf/eth0.1/rp_filter', 'net/ipv4/conf/eth0.1/rp_filter'],
    ['kernel.threads-max', 'kernel/threads-max'],
    ['net/../../../etc/passwd', undefined],
    ['net.//.x', undefined],
    ['vm..x', undefined],
    ['/etc/passwd', undefined],
    ['vm', undefined],
    ['vm.a\0b', undefined],
  ];
  for (const [key, path] of cases)
    it(`${JSON.stringify(key)} is ${path ?? 'no name'}`, () => {
      assert.equal(pathOf(key), path);
    });
  it('never lead out of /proc/sys', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('.', '/', 'a', '-', '*', '\0', ' ') }), (key) => {
        const path = pathOf(key);
        if (path !== undefined) assert.ok(join('/r', path).startsWith('/r/') && !path.split('/').includes('..'));
      }),
    );
  });
  it('values are compared with white space folded', () => {
    assert.equal(normalise(' 4096\t87380\t 6291456\n'), '4096 87380 6291456');
  });
});

describe('sysctls', () => {
  it('are set, kept, and given back byte for byte when they leave Git', async () => {
    const { provider, read, put, originalsFile } = machine({ 'net.ipv4.tcp_rmem': '4096\t131072\t6291456\n' });
    const desired = [want('net.ipv4.tcp_rmem', '4096  87380 6291456')];
    assert.deepEqual(await converge(provider, desired), ['update sysctl/net.ipv4.tcp_rmem']);
    assert.equal(normalise(read('net.ipv4.tcp_rmem')), '4096 87380 6291456');
    put('net.ipv4.tcp_rmem', '1\t2\t3\n');
    const [change] = provider.diff(desired, [await seen(provider, 'net.ipv4.tcp_rmem')]);
    assert.deepEqual([change?.because, change?.disruption], ['drift', 'none']);
    await converge(provider, desired);
    assert.deepEqual(await converge(provider, []), ['delete sysctl/net.ipv4.tcp_rmem']);
    assert.equal(read('net.ipv4.tcp_rmem'), '4096\t131072\t6291456\n');
    assert.deepEqual(JSON.parse(fs.readFileSync(originalsFile, 'utf8')), { version: 1, originals: {} });
    assert.deepEqual(await converge(provider, []), []);
  });

  it('of another owner are left alone', () => {
    const { provider } = machine({});
    const state = { value: '1', original: '2' };
    assert.deepEqual(provider.diff([], [{ known: true, ref: 'sysctl/vm.x', owned: false, state }]), []);
  });

  it('that are right already are left alone and not owned', async () => {
    const { provider, originalsFile } = machine({ 'vm.swappiness': '10\n' });
    assert.deepEqual(await converge(provider, [want('vm.swappiness', '10')]), []);
    assert.equal(fs.existsSync(originalsFile), false);
  });

  it('keep the first original over many values and processes', async () => {
    const { provider, again, read } = machine({ 'vm.swappiness': '60\n' });
    await converge(provider, [want('vm.swappiness', '10')]);
    await converge(again(), [want('vm.swappiness', '20')]);
    const known = await seen(again(), 'vm.swappiness');
    assert.deepEqual([known.state, known.owned], [{ value: '20', original: '60' }, true]);
    await converge(again(), []);
    assert.equal(read('vm.swappiness'), '60\n');
  });

  it('are remembered on disk before they are written, so that a kill in between harms nothing', async () => {
    const knobs = { 'vm.swappiness': '60\n' };
    const killed = machine(knobs, (base) => ({
      ...base,
      write: () => {
        // what the process would leave behind if it ended here
        const text = fs.readFileSync(killed.originalsFile, 'utf8');
        fs.writeFileSync(`${killed.originalsFile}.then`, text);
        throw errno('EINVAL');
      },
    }));
    const [change] = killed.provider.diff(
      [want('vm.swappiness', '10')],
      [await seen(killed.provider, 'vm.swappiness')],
    );
    assert.ok(change);
    await assert.rejects(killed.provider.apply(change, ctx));
    fs.renameSync(`${killed.originalsFile}.then`, killed.originalsFile);
    const next = host({ procRoot: join(killed.at('vm.x'), '../../..'), originalsFile: killed.originalsFile });
    await converge(next, [want('vm.swappiness', '10')]);
    await converge(next, []);
    assert.equal(killed.read('vm.swappiness'), '60\n');
  });

  it('that the kernel lacks, or that cannot be read, are a limitation and are not written', async () => {
    const { provider } = machine({ 'vm.compact_memory': '' }, (base) => ({
      ...base,
      read: (path) => {
        if (path.endsWith('compact_memory')) throw errno('EACCES');
        return base.read(path);
      },
    }));
    for (const [key, state] of [
      ['vm.no_such_knob', 'Unsupported'],
      ['vm.compact_memory', 'Refused'],
      ['vm.../../x', 'Unsupported'],
    ] as const) {
      const known = await seen(provider, key);
      assert.deepEqual(known.state, {});
      assert.equal(known.limitations?.[0]?.state, state);
      assert.deepEqual(provider.diff([want(key, '1')], [known]), []);
      const forced = { ref: known.ref, provider: 'host', verb: 'update', want: { key, value: '1' } } as const;
      const change = { ...forced, fields: [], disruption: 'none', because: 'new' } as const;
      await assert.rejects(provider.apply(change, ctx), (error: PlumbError) => error.code === 'KNOB_UNSUPPORTED');
    }
  });

  it('that the kernel refuses or clamps are said with its words, and refused ones are not owned', async () => {
    const { provider, put, read } = machine({ 'vm.swappiness': '60\n', 'vm.overcommit_ratio': '50\n' }, (base) => ({
      ...base,
      write: (path, text) => {
        if (path.endsWith('swappiness')) throw errno('EINVAL');
        base.write(path, text === '7' ? '8' : text);
      },
    }));
    for (const [key, value, words] of [
      ['vm.swappiness', '999', /^vm\.swappiness = 999: EINVAL, the kernel does not take/],
      ['vm.overcommit_ratio', '7', /says 8/],
    ] as const) {
      const [change] = provider.diff([want(key, value)], [await seen(provider, key)]);
      assert.ok(change);
      await assert.rejects(provider.apply(change, ctx), (error: PlumbError) => {
        assert.equal(error.code, 'KNOB_REFUSED');
        assert.match(error.message, words);
        return true;
      });
    }
    assert.equal((await seen(provider, 'vm.swappiness')).owned, false);
    put('vm.overcommit_ratio', '8\n');
    await converge(provider, []);
    assert.equal(read('vm.overcommit_ratio'), '50\n');
  });

  it('of a pair come back through their counterpart, where 0 cannot be written', async () => {
    const pair: Record<string, string> = { dirty_bytes: 'dirty_ratio', dirty_ratio: 'dirty_bytes' };
    const { provider, read } = machine({ 'vm.dirty_bytes': '0\n', 'vm.dirty_ratio': '20\n' }, (base) => ({
      ...base,
      write: (path, text) => {
        const name = path.slice(path.lastIndexOf('/') + 1);
        if (name === 'dirty_bytes' && text.trim() === '0') throw errno('EINVAL');
        base.write(path, `${text.trim()}\n`);
        base.write(join(path, '..', pair[name] ?? ''), '0\n');
      },
    }));
    await converge(provider, [want('vm.dirty_bytes', '104857600')]);
    assert.equal(read('vm.dirty_ratio'), '0\n');
    await converge(provider, []);
    assert.deepEqual([read('vm.dirty_bytes'), read('vm.dirty_ratio')], ['0\n', '20\n']);
  });

  it('that went away with their module are forgotten', async () => {
    const { provider, at } = machine({ 'net.netfilter.nf_conntrack_max': '1\n' });
    await converge(provider, [want('net.netfilter.nf_conntrack_max', '2')]);
    fs.rmSync(at('net.netfilter.nf_conntrack_max'));
    await converge(provider, []);
    assert.equal((await seen(provider, 'net.netfilter.nf_conntrack_max')).owned, false);
  });

  it('a random walk over wanted sets always ends where it began', async () => {
    const before = { 'vm.a': '1\n', 'vm.b': '2 3\n', 'vm.c': 'x\n' };
    const { provider, again, read } = machine(before);
    const wanted = fc.dictionary(fc.constantFrom('vm.a', 'vm.b', 'vm.c', 'vm.none'), fc.constantFrom('1', '5', '2 3'));
    await fc.assert(
      fc.asyncProperty(fc.array(wanted, { maxLength: 6 }), async (walk) => {
        for (const each of walk)
          await converge(
            provider,
            Object.entries(each).map(([key, value]) => want(key, value)),
          );
        await converge(again(), []);
        for (const [key, text] of Object.entries(before)) assert.equal(read(key), text);
        await converge(provider, []);
      }),
      { numRuns: 15 },
    );
  });
});

describe('the file of originals', () => {
  const bad = [
    '',
    'nonsense',
    '{"version":2,"originals":{}}',
    '{"version":1,"originals":{"vm.swappiness":{"value":7}}}',
  ];
  for (const text of bad)
    it(`that says ${JSON.stringify(text)} stops all writing and stays as it is`, async () => {
      const { provider, originalsFile, read } = machine({ 'vm.swappiness': '60\n' });
      fs.mkdirSync(join(originalsFile, '..'), { recursive: true });
      fs.writeFileSync(originalsFile, text);
      const [unknown] = (await provider.observe(ctx, ['sysctl/vm.swappiness'])) as readonly [Observed];
      assert.equal(unknown.known, false);
      assert.match(unknown.known ? '' : unknown.why, /originals\.json.*repair the file/);
      const corrupt = (error: PlumbError): boolean => error.code === 'ORIGINALS_CORRUPT';
      await assert.rejects(provider.observe(ctx), corrupt);
      const change = { ref: 'sysctl/vm.swappiness' as Ref, provider: 'host', verb: 'update', fields: [] } as const;
      const spec = { key: 'vm.swappiness', value: '10' };
      await assert.rejects(provider.apply({ ...change, want: spec, disruption: 'none', because: 'new' }, ctx), corrupt);
      assert.deepEqual([read('vm.swappiness'), fs.readFileSync(originalsFile, 'utf8')], ['60\n', text]);
      fs.rmSync(originalsFile);
      await converge(provider, [want('vm.swappiness', '10')]);
    });

  it('that cannot be written stops the write to the knob', async () => {
    const { provider, originalsFile, read } = machine({ 'vm.swappiness': '60\n' });
    fs.writeFileSync(join(originalsFile, '..'), 'a file where the folder should be');
    const change = { ref: 'sysctl/vm.swappiness' as Ref, provider: 'host', verb: 'update', fields: [] } as const;
    const spec = { key: 'vm.swappiness', value: '10' };
    await assert.rejects(
      provider.apply({ ...change, want: spec, disruption: 'none', because: 'new' }, ctx),
      (error: PlumbError) => error.code === 'STORE_UNAVAILABLE',
    );
    assert.equal(read('vm.swappiness'), '60\n');
  });
});

describe('watching', () => {
  it('hints at a knob that was written by hand', async () => {
    const { provider, put } = machine({ 'vm.swappiness': '60\n' });
    await seen(provider, 'vm.swappiness');
    const stop = new AbortController();
    const hints = provider.watch?.({ ...ctx, signal: stop.signal })[Symbol.asyncIterator]();
    assert.ok(hints);
    const next = hints.next();
    await new Promise((resolve) => setImmediate(resolve));
    put('vm.swappiness', '1\n');
    assert.equal((await next).value, 'sysctl/vm.swappiness');
    stop.abort();
    let end = await hints.next();
    while (end.done !== true) end = await hints.next();
  });
});

it('a knob that a module of the kernel brings is told with the command, while that is not there', async () => {
  const fix = async (key: string, some: string): Promise<string | undefined> =>
    (await seen(machine({ [some]: '1\n' }).provider, key)).limitations?.[0]?.fix;
  assert.equal(await fix('net.netfilter.nf_conntrack_buckets', 'vm.swappiness'), 'modprobe nf_conntrack');
  assert.equal(await fix('net.nf_conntrack_max', 'vm.swappiness'), 'modprobe nf_conntrack');
  assert.equal(await fix('net.netfilter.nf_conntrack_helper', 'net.netfilter.nf_conntrack_max'), undefined);
  assert.equal(await fix('net.bridge.bridge-nf-call-iptables', 'vm.swappiness'), 'modprobe br_netfilter');
  assert.equal(await fix('net.ipv4.no_such', 'vm.swappiness'), undefined);
});
