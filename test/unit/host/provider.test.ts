import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { host } from '../../../providers/host/index.ts';
import { normalise } from '../../../providers/host/key.ts';
import type { Observed } from '../../../reconciler/model/change.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import { errno } from '../../support/cgroup-tree.ts';
import { ctx, want, machine, seen, converge } from '../../support/sysctl-rig.ts';

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
