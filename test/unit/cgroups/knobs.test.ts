import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { cgroups } from '../../../providers/cgroups/index.ts';
import { KNOBS } from '../../../providers/cgroups/knobs.ts';
import type { CgroupSpec } from '../../../reconciler/model/resources.ts';
import { container, contextOf, fakeTree, idOf, kernelRules, limits } from '../../support/cgroup-tree.ts';

const ID = idOf('a');
const REF = 'cgroup/web-0';
const PATH = `docker/${ID}`;
const MEBI = 2 ** 20;
const GIBI = 2 ** 30;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const roots: string[] = [];

/** Docker was told already whether it stands still. */
const worldFor = ({ frozen }: CgroupSpec) =>
  contextOf([container('web-0', ID, frozen === true ? 'paused' : 'running')]);

/** A fake kernel, and what makes it hold limits; each step is seen to end where it should. */
function lab(version: 'v1' | 'v2', lacking: readonly string[] = [], also: Case['also'] = {}) {
  const root = fakeTree(version, PATH, lacking);
  roots.push(root);
  for (const [path, text] of Object.entries(also)) fs.writeFileSync(join(root, path.replace('ID', PATH)), `${text}\n`);
  const provider = cgroups({ root, sysRoot: join(root, 'sys'), files: kernelRules() });
  const look = async (spec: CgroupSpec) => {
    const [item] = await provider.observe(worldFor(spec), [REF]);
    assert.ok(item?.known);
    return { item, change: provider.diff([{ ref: REF, spec, dependsOn: [], origin }], [item])[0] };
  };
  const fileOf = (name: string): string => {
    const at = version === 'v2' ? [''] : ['cpu', 'memory', 'pids', 'blkio', 'hugetlb', 'freezer'];
    return at.map((each) => join(root, each, PATH, name)).find((path) => fs.existsSync(path)) ?? '';
  };
  return {
    look,
    converge: async (spec: CgroupSpec): Promise<readonly string[]> => {
      const { change } = await look(spec);
      if (change) await provider.apply(change, worldFor(spec));
      assert.deepEqual((await look(spec)).change, undefined, 'converged after one apply');
      return change?.fields.map(({ path }) => path) ?? [];
    },
    read: (name: string): string => fs.readFileSync(fileOf(name), 'utf8').trim(),
    put: (name: string, text: string): void => {
      fs.writeFileSync(fileOf(name), `${text}\n`);
    },
  };
}

afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

/** A knob: what is asked for, the file that holds it, what that says then, what a hand makes of it, and what it says when nothing is asked for. */
interface Case {
  readonly on: 'v1' | 'v2';
  readonly spec: Partial<CgroupSpec>;
  readonly field: keyof CgroupSpec;
  readonly file: string;
  readonly says: string;
  readonly hand: string;
  readonly unset: string;
  /** What is seen of it, where a conversion loses. */
  readonly seen?: number;
  /** Files that this kernel has as well, by path; ID is the container's. */
  readonly also?: Readonly<Record<string, string>>;
  /** The kernel has the file wherever it has the controller. */
  readonly always?: true;
}

const THROTTLED = { sda: { readBytes: MEBI, writeOps: 50 } };
const CASES: readonly Case[] = [
  { on: 'v1', spec: { shares: 700 }, field: 'shares', file: 'cpu.shares', says: '700', hand: '99', unset: '512' },
  {
    ...{ on: 'v2', spec: { shares: 700 }, field: 'shares', file: 'cpu.weight', says: '75', hand: '33', unset: '59' },
    seen: 1942,
  },
  {
    ...{ on: 'v1', spec: { quota: 250 }, field: 'quota', file: 'cpu.cfs_quota_us', says: '25000' },
    ...{ hand: '-1', unset: '75000' },
  },
  {
    ...{ on: 'v2', spec: { quota: 250 }, field: 'quota', file: 'cpu.max', says: '25000 100000' },
    ...{ hand: 'max 100000', unset: '75000 100000' },
  },
  {
    ...{ on: 'v1', spec: { memory: 80 * MEBI }, field: 'memory', file: 'memory.limit_in_bytes', says: '83886080' },
    ...{ hand: '73400320', unset: '67108864', always: true },
  },
  {
    ...{ on: 'v2', spec: { memory: 80 * MEBI }, field: 'memory', file: 'memory.max', says: '83886080' },
    ...{ hand: 'max', unset: '67108864' },
  },
  {
    ...{ on: 'v1', spec: { swap: 16 * MEBI }, field: 'swap', file: 'memory.memsw.limit_in_bytes', says: '83886080' },
    ...{ hand: '71303168', unset: '67108864', always: true },
  },
  {
    ...{ on: 'v2', spec: { swap: 16 * MEBI }, field: 'swap', file: 'memory.swap.max', says: '16777216' },
    ...{ hand: 'max', unset: '0' },
  },
  {
    ...{ on: 'v1', spec: { reservation: 16 * MEBI }, field: 'reservation', file: 'memory.soft_limit_in_bytes' },
    ...{ says: '16777216', hand: '9223372036854771712', unset: '33554432' },
  },
  {
    ...{ on: 'v2', spec: { reservation: 16 * MEBI }, field: 'reservation', file: 'memory.low' },
    ...{ says: '16777216', hand: '0', unset: '33554432' },
  },
  { on: 'v1', spec: { pids: 77 }, field: 'pids', file: 'pids.max', says: '77', hand: 'max', unset: '100' },
  { on: 'v2', spec: { pids: 77 }, field: 'pids', file: 'pids.max', says: '77', hand: 'max', unset: '100' },
  {
    ...{ on: 'v1', spec: { blockIoWeight: 200 }, field: 'blockIoWeight', file: 'blkio.bfq.weight' },
    ...{ says: '200', hand: '100', unset: '300' },
  },
  {
    ...{ on: 'v1', spec: { blockIoWeight: 200 }, field: 'blockIoWeight', file: 'blkio.weight' },
    ...{ says: '200', hand: '500', unset: '300', also: { 'blkio/ID/blkio.weight': '500' } },
  },
  {
    ...{ on: 'v2', spec: { blockIoWeight: 200 }, field: 'blockIoWeight', file: 'io.weight' },
    ...{ says: 'default 1920', hand: 'default 100', unset: 'default 2930' },
  },
  {
    ...{ on: 'v2', spec: { blockIoWeight: 200 }, field: 'blockIoWeight', file: 'io.bfq.weight' },
    ...{ says: '200', hand: 'default 100', unset: '300', also: { 'ID/io.bfq.weight': 'default 100' } },
  },
  ...(['v1', 'v2'] as const).flatMap((on): Case[] => {
    const burst = on === 'v1' ? 'cpu.cfs_burst_us' : 'cpu.max.burst';
    return [
      { on, spec: { quota: 750, burst: 200 }, field: 'burst', file: burst, says: '20000', hand: '0', unset: '0' },
      { on, spec: { idle: true }, field: 'idle', file: 'cpu.idle', says: '1', hand: '0', unset: '0' },
    ];
  }),
  {
    on: 'v1',
    spec: { swappiness: 0 },
    field: 'swappiness',
    file: 'memory.swappiness',
    says: '0',
    hand: '99',
    unset: '40',
  },
  {
    on: 'v2',
    spec: { high: 48 * MEBI },
    field: 'high',
    file: 'memory.high',
    says: '50331648',
    hand: 'max',
    unset: 'max',
  },
  { on: 'v2', spec: { oomGroup: true }, field: 'oomGroup', file: 'memory.oom.group', says: '1', hand: '0', unset: '0' },
  ...(['2M', '1G'] as const).flatMap((size): Case[] => {
    const field = `hugetlb${size}` as const;
    const bytes = size === '2M' ? 6 * MEBI : 2 * GIBI;
    const same = { spec: { [field]: bytes }, field, says: String(bytes), hand: '0' };
    return [
      {
        on: 'v1',
        ...same,
        file: `hugetlb.${size}B.limit_in_bytes`,
        unset: size === '2M' ? '9223372036853727232' : '9223372035781033984',
      },
      { on: 'v2', ...same, file: `hugetlb.${size}B.max`, unset: 'max' },
    ];
  }),
  {
    ...{ on: 'v1', spec: { blockIoLimits: THROTTLED }, field: 'blockIoLimits' },
    ...{ file: 'blkio.throttle.read_bps_device', says: '8:0 1048576', hand: '8:16 7', unset: '' },
  },
  {
    ...{ on: 'v1', spec: { blockIoLimits: THROTTLED }, field: 'blockIoLimits' },
    ...{ file: 'blkio.throttle.write_iops_device', says: '8:0 50', hand: '', unset: '' },
  },
  {
    ...{ on: 'v1', spec: { frozen: true }, field: 'frozen', file: 'freezer.state' },
    ...{ says: 'FROZEN', hand: 'THAWED', unset: 'THAWED' },
  },
  {
    ...{ on: 'v2', spec: { frozen: true }, field: 'frozen', file: 'cgroup.freeze' },
    ...{ says: '1', hand: '0', unset: '0' },
  },
  {
    ...{ on: 'v2', spec: { blockIoLimits: THROTTLED }, field: 'blockIoLimits', file: 'io.max' },
    ...{
      says: '8:0 rbps=1048576 wbps=max riops=max wiops=50',
      hand: '8:0 rbps=1 wbps=max riops=max wiops=max',
      unset: '',
    },
  },
];

describe('knobs, each for itself', () => {
  for (const { on, spec, field, file, says, hand, unset, seen, also } of CASES)
    it(`${on} ${file}: set, moved by hand, put back, taken off`, async () => {
      const { converge, look, read, put } = lab(on, [], also);
      await converge(limits('web-0', spec));
      assert.equal(read(file), says);
      assert.deepEqual((await look(limits('web-0', spec))).item.state[field as 'burst'], seen ?? spec[field]);
      put(file, hand);
      // what is idle no longer has shares of its own again
      assert.ok((await converge(limits('web-0', spec))).includes(`/${field}`));
      assert.equal(read(file), says);
      await converge(limits('web-0'));
      assert.equal(read(file), unset);
    });

  it('each knob of the registry has its case', () => {
    // of processes, not of the cgroup: processes.test and scheduling.test
    const others = new Set<string>(['oomScoreAdj', 'scheduling']);
    const lacks = KNOBS.filter(
      (knob) => !CASES.some(({ field, file }) => field === knob.field && knob.files.includes(file)),
    );
    assert.deepEqual(
      lacks.filter(({ field }) => !others.has(field)).map(({ field, files }) => `${field}: ${files.join(' ')}`),
      [],
    );
  });

  for (const { on, spec, field, file } of CASES.filter(({ always, also }) => !always && !also))
    it(`${on} without ${file}: unsupported, and all else is held`, async () => {
      const { converge, look } = lab(on, [file]);
      await converge(limits('web-0', spec));
      const { item } = await look(limits('web-0', spec));
      assert.ok(item.state.unsupported.includes(field));
      assert.ok(item.limitations?.some(({ path, state }) => path === `/${field}` && state === 'Unsupported'));
    });

  it('a burst follows its quota: down before it, up after it, and into another period', async () => {
    for (const on of ['v1', 'v2'] as const) {
      const { converge, read } = lab(on);
      const burst = on === 'v1' ? 'cpu.cfs_burst_us' : 'cpu.max.burst';
      const steps: readonly (readonly [number | undefined, number | undefined, string])[] = [
        [500, 500, '50000'],
        [100, 100, '10000'],
        [1000, 900, '90000'],
        [undefined, undefined, '0'],
        [5, 5, '5000'],
        [2000, undefined, '0'],
      ];
      for (const [quota, more, says] of steps) {
        const { quota: _quota, ...rest } = limits('web-0');
        await converge({
          ...rest,
          ...(quota === undefined ? {} : { quota }),
          ...(more === undefined ? {} : { burst: more }),
        });
        assert.equal(read(burst), says, `${on}: quota ${String(quota)}, burst ${String(more)}`);
      }
    }
  });

  it('a quota goes below a burst that somebody set by hand', async () => {
    for (const on of ['v1', 'v2'] as const) {
      const { converge, put, read } = lab(on);
      put(on === 'v1' ? 'cpu.cfs_burst_us' : 'cpu.max.burst', '90000');
      await converge(limits('web-0', { quota: 100 }));
      assert.match(read(on === 'v1' ? 'cpu.cfs_quota_us' : 'cpu.max'), /^10000\b/);
    }
  });

  it('idle has no shares to drift, and has them again at once when it is so no longer', async () => {
    for (const [on, file, says] of [
      ['v1', 'cpu.shares', '512'],
      ['v2', 'cpu.weight', '59'],
    ] as const) {
      const { converge, read, put, look } = lab(on);
      const idle = limits('web-0', { idle: true });
      await converge(idle);
      assert.equal((await look(idle)).item.state.shares, undefined);
      put(file, '77');
      assert.equal((await look(idle)).change, undefined);
      await converge(limits('web-0'));
      assert.equal(read(file), says);
    }
  });

  it('each disk is limited as * says, but for those that are named; others only by name', async () => {
    const { converge, read } = lab('v2');
    await converge(limits('web-0', { blockIoLimits: { '*': { readOps: 9 }, sdb: { writeBytes: 4096 } } }));
    assert.deepEqual(read('io.max').split('\n').sort(), [
      '8:0 rbps=max wbps=max riops=9 wiops=max',
      '8:16 rbps=max wbps=4096 riops=max wiops=max',
    ]);
    await converge(limits('web-0', { blockIoLimits: { loop0: { readOps: 3 }, sdz: { readOps: 5 } } }));
    assert.equal(read('io.max'), '7:0 rbps=max wbps=max riops=3 wiops=max');
  });
});

describe('all knobs together', () => {
  const mebi = fc.integer({ min: 8, max: 4096 }).map((n) => n * MEBI);
  const io = fc.record(
    {
      readBytes: mebi,
      writeBytes: mebi,
      readOps: fc.nat(999).map((n) => n + 1),
      writeOps: fc.nat(99).map((n) => n + 1),
    },
    { requiredKeys: ['readOps'], noNullPrototype: true },
  );
  const spec: fc.Arbitrary<CgroupSpec> = fc
    .record(
      {
        replica: fc.constant('web-0'),
        cpu: fc.constant(100),
        shares: fc.integer({ min: 2, max: 262_144 }),
        quota: fc.integer({ min: 10, max: 64_000 }),
        share: fc.integer({ min: 0, max: 100 }),
        idle: fc.constant(true as const),
        memory: mebi,
        reservation: mebi,
        swap: mebi,
        high: mebi,
        swappiness: fc.integer({ min: 0, max: 200 }),
        oomGroup: fc.constant(true as const),
        hugetlb2M: fc.nat(64).map((n) => n * 2 * MEBI),
        hugetlb1G: fc.nat(4).map((n) => n * GIBI),
        pids: fc.integer({ min: 1, max: 10_000 }),
        blockIoWeight: fc.integer({ min: 10, max: 1000 }),
        blockIoLimits: fc.dictionary(fc.constantFrom('sda', 'sdb', 'loop0', '*'), io, { noNullPrototype: true }),
      },
      { requiredKeys: ['replica', 'cpu', 'shares', 'memory', 'swap', 'pids'], noNullPrototype: true },
    )
    .map(({ share, ...rest }) => {
      const { quota } = rest;
      return share === undefined || quota === undefined ? rest : { ...rest, burst: Math.floor((quota * share) / 100) };
    });

  for (const version of ['v1', 'v2'] as const)
    it(`a random walk ends in the wanted state from any state, on ${version}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(spec, { minLength: 1, maxLength: 8 }), async (walk) => {
          const { converge } = lab(version);
          for (const each of walk) await converge(each);
        }),
        { numRuns: 20 },
      );
    });
});
