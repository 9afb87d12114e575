import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HardwareSelector, HostSpec, TuningSpec } from '../../../reconciler/model/catalog.ts';
import { compareKernels, passesBy, tuningsOf, zoneOf } from '../../../reconciler/model/tunings.ts';
import { catalogOf } from '../../support/catalog.ts';

const HARDWARE: NonNullable<HostSpec['hardware']> = {
  cpu: { vendor: 'GenuineIntel', model: 'Intel(R) Xeon(R) Gold 6148', cores: 40, nodes: 2 },
  memory: 256 * 2 ** 30,
  kernel: '6.1.0-18-amd64',
  nics: [
    { name: 'eno1', driver: 'tg3', vendor: '0x14e4', speed: 1000 },
    { name: 'ens1f0', driver: 'mlx5_core', vendor: '0x15b3', speed: 25_000 },
  ],
  disks: [
    { name: 'sda', rotational: true, model: 'ST8000NM0055' },
    { name: 'nvme0n1', rotational: false },
  ],
};

const { hosts, zones } = catalogOf({
  hosts: { h1: { labels: { pool: 'main' }, hardware: HARDWARE }, bare: { labels: { pool: 'main' } } },
  zones: { main: { hosts: { matchLabels: { pool: 'main' } } }, far: { hosts: { matchLabels: { pool: 'far' } } } },
});
const [h1, bare] = [hosts.get('h1')!, hosts.get('bare')!];

function tuning(change: Partial<TuningSpec>): TuningSpec {
  return catalogOf({ tunings: { t: change } }).tunings.get('t')!.spec;
}

describe('a Tuning concerns a host', () => {
  const selectors: readonly (readonly [HardwareSelector, RegExp | undefined])[] = [
    [{ cpu: { vendor: 'GenuineIntel' } }, undefined],
    [{ cpu: { vendor: 'AuthenticAMD' } }, /^spec\.hardware: cpu\.vendor is GenuineIntel, not AuthenticAMD$/],
    [{ cpu: { model: '*Xeon*6148' } }, undefined],
    [{ cpu: { model: 'Xeon*' } }, /cpu\.model is Intel/],
    [{ cpu: { minCores: 40, maxCores: 40, minNodes: 2 } }, undefined],
    [{ cpu: { minCores: 41 } }, /cpu\.cores: 40, less than 41/],
    [{ cpu: { maxCores: 39 } }, /cpu\.cores: 40, more than 39/],
    [{ cpu: { minNodes: 3 } }, /cpu\.nodes: 2, less than 3/],
    [{ minMemory: 256 * 2 ** 30 }, undefined],
    [{ minMemory: 257 * 2 ** 30 }, /memory: 256Gi, less than 257Gi/],
    [{ kernel: { min: '5.15', below: '6.10' } }, undefined],
    [{ kernel: { min: '6.1.1' } }, /kernel is 6\.1\.0-18-amd64/],
    [{ kernel: { below: '6.1' } }, /kernel is/],
    [{ nic: { driver: 'mlx5_core', minSpeed: 25_000 } }, undefined],
    // the one of that driver is not so fast, and the fast one has another driver
    [{ nic: { driver: 'tg3', minSpeed: 25_000 } }, /none of its NICs/],
    [{ nic: { name: 'en*1', vendor: '0x14e4' } }, undefined],
    [{ disk: { rotational: true, model: 'ST*' } }, undefined],
    [{ disk: { rotational: false, model: 'ST*' } }, /none of its disks/],
  ];
  for (const [hardware, why] of selectors)
    it(`with ${JSON.stringify(hardware)}: ${why === undefined ? 'yes' : 'no'}`, () => {
      const said = passesBy(tuning({ hardware }), h1, 'main');
      if (why === undefined) assert.equal(said, undefined);
      else assert.match(said ?? 'it does', why);
      assert.match(passesBy(tuning({ hardware }), bare, 'main') ?? 'it does', /its Host document has none/);
    });

  const silent: HostSpec['hardware'] = { cpu: {}, nics: [], disks: [] };
  const [untold] = catalogOf({ hosts: { h2: { labels: { pool: 'main' }, hardware: silent } } }).hosts.values();
  const bounds: readonly (readonly [HardwareSelector, RegExp])[] = [
    [{ cpu: { maxCores: 64 } }, /cpu\.cores is not told$/],
    [{ cpu: { minCores: 1 } }, /cpu\.cores is not told$/],
    [{ cpu: { minNodes: 1 } }, /cpu\.nodes is not told/],
    [{ cpu: { vendor: 'GenuineIntel' } }, /cpu\.vendor is not told/],
    [{ minMemory: 1 }, /memory is not told$/],
    [{ kernel: { below: '6.1' } }, /kernel is not told$/],
    [{ kernel: { min: '0' } }, /kernel is not told$/],
    [{ nic: { name: '*' } }, /none of its NICs/],
    [{ disk: { rotational: false } }, /none of its disks/],
  ];
  for (const [hardware, why] of bounds)
    it(`not where that is not told: ${JSON.stringify(hardware)}`, () => {
      assert.match(passesBy(tuning({ hardware }), untold!, 'main') ?? 'it does', why);
    });

  it('of its Zone, and with its labels', () => {
    assert.equal(zoneOf(zones, h1), 'main');
    assert.equal(passesBy(tuning({ zone: 'main' }), h1, zoneOf(zones, h1)), undefined);
    assert.match(passesBy(tuning({ zone: 'far' }), h1, 'main') ?? '', /spec\.zone is far, and it is in main/);
    assert.match(passesBy(tuning({ zone: 'far' }), h1, undefined) ?? '', /in none/);
    assert.match(passesBy(tuning({ hosts: { matchLabels: { pool: 'far' } } }), h1, 'main') ?? '', /labels/);
  });

  it('the highest priority first, of one priority by name', () => {
    const { tunings } = catalogOf({ tunings: { a: {}, b: { priority: 5 }, c: { priority: -1 }, d: {} } });
    assert.deepEqual(
      tuningsOf(tunings.values(), h1, 'main').map(({ name }) => name),
      ['b', 'a', 'd', 'c'],
    );
  });
});

describe('kernel versions', () => {
  it('are compared number by number', () => {
    const sorted = ['5.15', '6.1', '6.1.0-18-amd64', '6.1.9', '6.10', '10.0'];
    for (let at = 1; at < sorted.length; at += 1)
      assert.ok(compareKernels(sorted[at - 1]!, sorted[at]!) <= 0, sorted[at]);
    assert.ok(compareKernels('6.9', '6.10') < 0);
    assert.equal(compareKernels('6.1', '6.1.0-18-amd64'), 0);
  });
  it('of one order: the other way round is the opposite', () => {
    const version = fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }).map((numbers) => numbers.join('.'));
    fc.assert(
      fc.property(version, version, (a, b) => {
        assert.equal(Math.sign(compareKernels(a, b)), -Math.sign(compareKernels(b, a)) || 0);
      }),
    );
  });
});
