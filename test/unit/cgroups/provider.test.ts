import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Known } from '../../../reconciler/model/change.ts';
import type { CgroupState } from '../../../reconciler/model/resources.ts';
import { container, contextOf, fakeTree, idOf, limits } from '../../support/cgroup-tree.ts';
import { ID, REF, want, running, roots, lab, seen, converge } from '../../support/cgroup-rig.ts';

describe('what the kernel says, in the units of the spec', () => {
  it('v1', async () => {
    const { provider, put } = lab('v1');
    put('cpu', 'cpu.cfs_quota_us', '25000');
    put('cpu', 'cpu.cfs_period_us', '50000');
    put('memory', 'memory.limit_in_bytes', '67108864');
    put('memory', 'memory.memsw.limit_in_bytes', '134217728');
    put('pids', 'pids.max', '50');
    const { state, version, owned, limitations } = await seen(provider);
    const { raw, ...told } = state;
    assert.deepEqual(told, {
      id: ID,
      shares: 1024,
      quota: 500,
      memory: 67108864,
      swap: 67108864,
      swappiness: 60,
      pids: 50,
      blockIoWeight: 100,
      unsupported: ['high', 'oomGroup'],
    });
    assert.equal(raw?.['cpu.shares'], '1024');
    assert.deepEqual({ version, owned, lacks: limitations?.length }, { version: ID, owned: true, lacks: 2 });
  });

  it('v2', async () => {
    const { provider, put } = lab('v2');
    put('', 'cpu.weight', '39');
    put('', 'cpu.max', '50000 100000');
    put('', 'memory.max', '67108864');
    put('', 'memory.swap.max', '0');
    put('', 'memory.low', '33554432');
    const { raw, ...told } = (await seen(provider)).state;
    const rest = { memory: 67108864, swap: 0, reservation: 33554432, blockIoWeight: 20, unsupported: ['swappiness'] };
    assert.deepEqual(told, { id: ID, shares: 998, quota: 500, ...rest });
    assert.equal(raw?.['cpu.weight'], '39');
  });

  for (const version of ['v1', 'v2'] as const)
    for (const path of [`docker/${ID}`, `plumblab/h1/docker/${ID}`, `system.slice/docker-${ID}.scope`])
      it(`finds ${path.replace(ID, 'ID')} on ${version}, and the next one without a search`, async () => {
        const { provider, root } = lab(version, { path });
        const other = path.replace(ID, idOf('b'));
        for (const each of version === 'v2' ? [''] : ['cpu', 'memory', 'pids', 'blkio'])
          fs.cpSync(join(root, each, path), join(root, each, other), { recursive: true });
        await seen(provider);
        const ctx = contextOf([container('web-1', idOf('b'))]);
        assert.equal((await provider.observe(ctx, ['cgroup/web-1']))[0]?.known, true);
      });

  it('is nothing where there is no running container, Unknown where that is not known or it has no cgroup', async () => {
    const { provider } = lab('v1');
    assert.deepEqual(await provider.observe(contextOf([]), [REF]), []);
    assert.deepEqual(await provider.observe(contextOf([container('web-0', ID, 'exited')]), [REF]), []);
    const silent = { known: false as const, ref: 'container/web-0' as const, why: 'Docker is away' };
    assert.deepEqual(await provider.observe(contextOf([silent]), [REF]), [{ ...silent, ref: REF }]);
    const [lost] = await provider.observe(contextOf([container('web-0', idOf('c'))]), [REF]);
    assert.equal(lost?.known, false);
  });

  it('covers what is wanted and what was asked for before when nothing is named', async () => {
    const { provider } = lab('v1');
    assert.deepEqual(await provider.observe(running), []);
    const wanted: readonly `${string}/${string}`[] = [REF, 'sysctl/vm.swappiness'];
    assert.deepEqual(
      (await provider.observe(contextOf([container('web-0', ID)], wanted))).map(({ ref }) => ref),
      [REF],
    );
    assert.deepEqual(
      (await provider.observe(running)).map(({ ref }) => ref),
      [REF],
    );
  });

  it('is told anew when a restarted container has a cgroup of the same name', async () => {
    const { provider, root, path, put } = lab('v2');
    await seen(provider);
    fs.rmSync(join(root, path), { recursive: true });
    const copy = fakeTree('v2', path);
    roots.push(copy);
    fs.cpSync(join(copy, path), join(root, path), { recursive: true });
    put('', 'pids.max', '7');
    // a plain file lives on through its descriptor, a cgroup's does not: ask as for another id first
    await provider.observe(contextOf([container('web-0', idOf('c'))]), [REF]);
    assert.equal((await seen(provider)).state.pids, 7);
  });
});

describe('drift', () => {
  for (const version of ['v1', 'v2'] as const) {
    it(`every knob of ${version}, moved by hand, is put back`, async () => {
      const { provider, put, read } = lab(version);
      const spec = want();
      await converge(provider, spec);
      assert.equal(await converge(provider, spec), 'nothing to do');
      const hands: readonly [string, string, string, string][] =
        version === 'v1'
          ? [
              ['cpu', 'cpu.shares', '2048', '/shares'],
              ['cpu', 'cpu.cfs_quota_us', '10000', '/quota'],
              ['cpu', 'cpu.cfs_quota_us', '-1', '/quota'],
              ['cpu', 'cpu.cfs_period_us', '50000', '/quota'],
              ['memory', 'memory.limit_in_bytes', '33554432', '/memory'],
              ['memory', 'memory.memsw.limit_in_bytes', '268435456', '/swap'],
              ['memory', 'memory.soft_limit_in_bytes', '9223372036854771712', '/reservation'],
              ['pids', 'pids.max', 'max', '/pids'],
              ['blkio', 'blkio.bfq.weight', '100', '/blockIoWeight'],
            ]
          : [
              ['', 'cpu.weight', '100', '/shares'],
              ['', 'cpu.max', 'max 100000', '/quota'],
              ['', 'memory.max', 'max', '/memory'],
              ['', 'memory.swap.max', 'max', '/swap'],
              ['', 'memory.low', '0', '/reservation'],
              ['', 'pids.max', '1', '/pids'],
              ['', 'io.weight', 'default 2929', '/blockIoWeight'],
            ];
      for (const [controller, file, text, path] of hands) {
        const before = read(controller, file);
        put(controller, file, text);
        const [change] = provider.diff([spec], [await seen(provider)]);
        assert.deepEqual(
          change?.fields.map((field) => field.path),
          [path],
          file,
        );
        assert.equal(change?.disruption, 'none');
        await converge(provider, spec);
        const after = read(controller, file);
        if (file !== 'cpu.cfs_period_us') assert.equal(after, before, file);
      }
    });
  }

  it('a limit that left Git is taken off', async () => {
    for (const version of ['v1', 'v2'] as const) {
      const { provider } = lab(version);
      await converge(provider, want());
      const { quota: _q, reservation: _r, blockIoWeight: _b, ...bare } = limits('web-0');
      await converge(provider, { ...want(), spec: bare });
      const { state } = await seen(provider);
      assert.deepEqual([state.quota, state.reservation], [undefined, undefined]);
    }
  });

  it('shares that an engine converted by any of the three formulas are right', async () => {
    const { provider, put } = lab('v2');
    await converge(provider, want({ shares: 1024 }));
    for (const weight of ['39', '100']) {
      put('', 'cpu.weight', weight);
      assert.equal(await converge(provider, want({ shares: 1024 })), 'nothing to do');
    }
    put('', 'cpu.weight', '50');
    assert.equal(await converge(provider, want({ shares: 512 })), 'nothing to do');
    assert.match(await converge(provider, want({ shares: 2048 })), /cpu\.weight 50 -> 174/);
  });

  it('the same share in another period, and bytes rounded to pages, are right', async () => {
    const { provider, put } = lab('v1');
    await converge(provider, want({ memory: 10_000_001, reservation: 5_000_001 }));
    put('cpu', 'cpu.cfs_quota_us', '7500');
    put('cpu', 'cpu.cfs_period_us', '10000');
    assert.equal(await converge(provider, want({ memory: 10_000_001, reservation: 5_000_001 })), 'nothing to do');
  });

  it('a foreign, an absent and an unknown cgroup give no change', () => {
    const { provider } = lab('v1');
    assert.deepEqual(provider.diff([want()], []), []);
    assert.deepEqual(provider.diff([want()], [{ known: false, ref: REF, why: 'x' }]), []);
    const known: Known<CgroupState> = { known: true, ref: REF, owned: true, state: { id: ID, unsupported: [] } };
    assert.deepEqual(provider.diff([], [known]), []);
  });

  it('states without the kernel words are compared by value', () => {
    const { provider } = lab('v1');
    const { replica: _r, cpu: _c, ...values } = limits('web-0');
    const known: Known<CgroupState> = {
      known: true,
      ref: REF,
      owned: true,
      state: { id: ID, unsupported: [], ...values },
    };
    assert.deepEqual(provider.diff([want()], [known]), []);
    const [change] = provider.diff([want({ pids: 5 })], [known]);
    assert.deepEqual(change?.fields, [{ path: '/pids', have: 100, want: 5 }]);
  });
});

describe('watching', () => {
  it('hints at a container whose file was changed by hand, and ends with the signal', async () => {
    const { provider, put } = lab('v1');
    await seen(provider);
    const stop = new AbortController();
    const hints = provider.watch?.({ ...running, signal: stop.signal })[Symbol.asyncIterator]();
    assert.ok(hints);
    const next = hints.next();
    await new Promise((resolve) => setImmediate(resolve));
    put('pids', 'pids.max', '3');
    assert.equal((await next).value, REF);
    const last = hints.next();
    stop.abort();
    let end = await last;
    while (end.done !== true) end = await hints.next();
    assert.equal(end.done, true);
  });
});
