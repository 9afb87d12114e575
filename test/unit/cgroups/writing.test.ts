import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import { container, contextOf, idOf, kernelRules } from '../../support/cgroup-tree.ts';
import { ID, want, running, lab, seen, converge } from '../../support/cgroup-rig.ts';

describe('writing', () => {
  const cases = [
    { name: 'raised: the sum first', have: [64, 64], want: { memory: 128, swap: 0 }, order: ['memsw', 'limit'] },
    { name: 'lowered: the limit first', have: [128, 128], want: { memory: 64, swap: 0 }, order: ['limit', 'memsw'] },
    { name: 'limit up, sum down', have: [64, 256], want: { memory: 128, swap: 0 }, order: ['limit', 'memsw'] },
    { name: 'limit down, sum up', have: [128, 128], want: { memory: 64, swap: 128 }, order: ['limit', 'memsw'] },
  ];
  for (const { name, have, want: spec, order } of cases)
    it(`memory and memory+swap, ${name}`, async () => {
      const { provider, put, log } = lab('v1');
      put('memory', 'memory.limit_in_bytes', String((have[0] ?? 0) * 2 ** 20));
      put('memory', 'memory.memsw.limit_in_bytes', String((have[1] ?? 0) * 2 ** 20));
      await converge(provider, want({ memory: spec.memory * 2 ** 20, swap: spec.swap * 2 ** 20 }));
      const written = log.filter((file) => file.includes('limit_in') && !file.includes('soft'));
      assert.deepEqual(
        written.map((file) => (file.includes('memsw') ? 'memsw' : 'limit')),
        order,
      );
    });

  it('from any limits to any others in one apply, on both', async () => {
    const mebi = fc.integer({ min: 8, max: 4096 }).map((n) => n * 2 ** 20);
    const spec = fc.record(
      {
        replica: fc.constant('web-0'),
        cpu: fc.constant(100),
        shares: fc.integer({ min: 2, max: 262_144 }),
        quota: fc.integer({ min: 1, max: 64_000 }),
        memory: mebi,
        reservation: mebi,
        swap: mebi,
        pids: fc.integer({ min: 1, max: 10_000 }),
        blockIoWeight: fc.integer({ min: 10, max: 1000 }),
      },
      { requiredKeys: ['replica', 'cpu', 'shares', 'memory', 'swap', 'pids'] },
    );
    for (const version of ['v1', 'v2'] as const) {
      const { provider } = lab(version);
      await fc.assert(
        fc.asyncProperty(fc.array(spec, { minLength: 1, maxLength: 8 }), async (walk) => {
          for (const each of walk) await converge(provider, { ...want(), spec: each });
        }),
        { numRuns: 15 },
      );
    }
  });

  it('a limit below what is in use is refused with both figures, and the others are still set', async () => {
    for (const version of ['v1', 'v2'] as const) {
      const { provider, put, read } = lab(version);
      await converge(provider, want());
      put('memory', version === 'v1' ? 'memory.usage_in_bytes' : 'memory.current', '50000000');
      const [change] = provider.diff([want({ memory: 10_000_000, pids: 7 })], [await seen(provider)]);
      assert.ok(change);
      await assert.rejects(provider.apply(change, running), (error: PlumbError) => {
        assert.equal(error.code, 'KNOB_REFUSED');
        assert.match(error.message, /50000000 bytes are in use.* 10000000 are wanted/);
        return true;
      });
      assert.equal(read('pids', 'pids.max'), '7');
    }
  });

  it('what the kernel refuses is said with file, value and errno', async () => {
    const { provider } = lab('v1', { files: { ...kernelRules(), write: refuse } });
    const [change] = provider.diff([want()], [await seen(provider)]);
    assert.ok(change);
    await assert.rejects(provider.apply(change, running), /cpu\.shares = 512: EPERM, not permitted/);
    function refuse(): void {
      throw Object.assign(new Error('no'), { code: 'EPERM' });
    }
  });

  it('what the kernel lacks is a limitation and no drift', async () => {
    const lacking = ['memory.memsw.limit_in_bytes', 'memory.memsw.usage_in_bytes', 'blkio.bfq.weight'];
    const { provider } = lab('v1', { lacking, files: { ...kernelRules(), write: fs.writeFileSync } });
    const known = await seen(provider);
    assert.deepEqual(known.state.unsupported, ['swap', 'high', 'oomGroup', 'blockIoWeight']);
    assert.deepEqual(
      known.limitations?.map(({ path, state }) => [path, state]),
      [
        ['/swap', 'Unsupported'],
        ['/high', 'Unsupported'],
        ['/oomGroup', 'Unsupported'],
        ['/blockIoWeight', 'Unsupported'],
      ],
    );
    await converge(provider, want());
  });

  it('reaches the container that the replica has by then; that it ended is a conflict', async () => {
    const { provider, root, path, read } = lab('v1');
    const [change] = provider.diff([want()], [await seen(provider)]);
    assert.ok(change);
    for (const each of ['cpu', 'memory', 'pids', 'blkio'])
      fs.cpSync(join(root, each, path), join(root, each, path.replace(ID, idOf('b'))), { recursive: true });
    const { observed } = await provider.apply(change, contextOf([container('web-0', idOf('b'))]));
    assert.equal(observed?.known === true && observed.version, idOf('b'));
    assert.equal(read('pids', 'pids.max'), 'max');
    await assert.rejects(provider.apply(change, contextOf([])), (error: PlumbError) => error.code === 'CONFLICT');
  });
});

describe("Docker's record", () => {
  it('is told after the kernel, and what an engine made worse is mended', async () => {
    const told: string[] = [];
    const { provider, put, read } = lab('v2', {
      updateLimits: (id) => {
        told.push(id, read('', 'pids.max'));
        put('', 'memory.low', 'max');
        put('', 'cpu.weight', '20');
        return Promise.resolve();
      },
    });
    await converge(provider, want());
    assert.deepEqual(told, [ID, '100']);
    assert.equal(read('', 'memory.low'), '33554432');
    put('', 'cpu.weight', '77');
    await converge(provider, want());
    assert.equal(read('', 'cpu.weight'), '20', 'the engine’s own formula is used from then on');
  });

  it('that cannot be brought up to date is said, and the kernel holds the limits', async () => {
    const { provider, read } = lab('v1', { updateLimits: () => Promise.reject(new Error('dockerd is away')) });
    const [change] = provider.diff([want()], [await seen(provider)]);
    assert.ok(change);
    const { facts } = await provider.apply(change, running);
    assert.deepEqual(facts, { dockerNotUpdated: 'dockerd is away' });
    assert.match(
      JSON.stringify((await seen(provider)).claims),
      /"by":"Docker","when":"when the container is started again"/,
    );
    assert.equal(read('cpu', 'cpu.shares'), '512');
  });
});
