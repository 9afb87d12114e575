import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compile } from '../../../reconciler/compile/compile.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { knobsOf, valueOn } from '../../../reconciler/model/knobs.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

function compiled(...specs: readonly string[]): Catalog {
  const tunings = specs.map((spec, at) => [`t${String(at)}.yaml`, manifest('Tuning', `t${String(at)}`, spec)]);
  return compile(sourceFiles({ ...SOUND, ...Object.fromEntries(tunings) }), 'r1');
}

describe('knobs that are files', () => {
  it('are known by a key, in units of the kernel, with their lines', () => {
    const { tunings, problems } = compiled(
      'hosts: {}\ncpu:\n  governor: performance\ndisks:\n  solid:\n    readAhead: 2Mi\nnics:\n  - mtu: 9000\n    match:\n      name: eth*\n      driver: ixgbe',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      knobsOf(tunings.get('t0')!).map(({ kind, key, value, origin }) => [kind, key, value, origin.line]),
      [
        ['knob', 'cpu.governor', 'performance', 8],
        ['knob', 'disk.solid.readAhead', '2048', 11],
        ['knob', 'nic.mtu[name=eth*,driver=ixgbe]', '9000', 13],
      ],
    );
  });

  it('memory that is given back and kept free has its own', () => {
    const { tunings, problems } = compiled(
      'hosts: {}\nmemory:\n  hugepages: never\n  minFree: 1.5%\n  reclaim:\n    slab: 20%\n    coolDown: 2h',
    );
    assert.deepEqual(problems, []);
    const knobs = knobsOf(tunings.get('t0')!);
    assert.deepEqual(
      knobs.map(({ kind, key, value, origin }) => [kind, key, value, origin.line]),
      [
        ['sysctl', 'vm.min_free_kbytes', '1.5%', 9],
        ['knob', 'memory.hugepages', 'never', 8],
        ['knob', 'memory.reclaim', 'above 20% for 5m, once in 2h', 11],
      ],
    );
    assert.deepEqual(
      knobs.map((knob) => valueOn(knob, 2 ** 30)),
      ['15728', 'never', 'above 20% for 5m, once in 2h'],
    );
  });

  it('of cards are in groups, each with its line, selected also by model', () => {
    const { tunings, problems } = compiled(
      'hosts: {}\nnics:\n  - match: { vendor: "0x15b3", model: "0x1017" }\n    receiveFlows: 2048\n    offloads:\n      tso: off\n      rx-gro-hw: on\n    rings: { rx: max }\n    channels: { combined: 8 }\n    coalescing: { adaptive-rx: off, rx-usecs: 0 }',
    );
    assert.deepEqual(problems, []);
    const at = '[vendor=0x15b3,model=0x1017]';
    assert.deepEqual(
      knobsOf(tunings.get('t0')!).map(({ key, value, origin }) => [key, value, origin.line]),
      [
        [`nic.receiveFlows${at}`, '2048', 9],
        [`nic.offloads.tso${at}`, 'off', 11],
        [`nic.offloads.rx-gro-hw${at}`, 'on', 12],
        [`nic.rings.rx${at}`, 'max', 13],
        [`nic.channels.combined${at}`, '8', 14],
        [`nic.coalescing.adaptive-rx${at}`, 'off', 15],
        [`nic.coalescing.rx-usecs${at}`, '0', 15],
      ],
    );
  });

  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'a bias that there is not',
      ['hosts: {}\ncpu: { energyBias: 16 }'],
      /^BAD_VALUE spec\.cpu\.energyBias cannot be 16/,
    ],
    [
      'a read-ahead of half a KiB',
      ['hosts: {}\ndisks: { solid: { readAhead: 512 } }'],
      /^BAD_VALUE 512 is not in whole KiB/,
    ],
    [
      'a table of flows of no power of two',
      ['hosts: {}\nnics: [{ receiveFlows: 3000 }]'],
      /^BAD_VALUE 3000 is not a power of two, as 4096/,
    ],
    [
      'an offload that ethtool does not know',
      ['hosts: {}\nnics: [{ offloads: { tos: on } }]'],
      /^UNKNOWN_FIELD .*tos.*did you mean "tso"/,
    ],
    [
      'a ring of a word',
      ['hosts: {}\nnics: [{ rings: { rx: most } }]'],
      /^BAD_VALUE "most" is not a valid value of spec\.nics\[0\]\.rings\.rx, expected: .*max for the most/,
    ],
    ['an adaptive that is a number', ['hosts: {}\nnics: [{ coalescing: { adaptive-rx: 1 } }]'], /adaptive-rx/],
    [
      'one knob twice in a Tuning',
      ['hosts: {}\nnics: [{ mtu: 9000 }, { mtu: 1500 }]'],
      /^TUNING_CONFLICT "nic\.mtu" is set twice/,
    ],
    [
      'more than 5 % kept free',
      ['hosts: {}\nmemory: { minFree: 7% }'],
      /^BAD_VALUE 7% of the memory cannot be kept free/,
    ],
    [
      'more than that by its kernel name',
      ['hosts: {}\nsysctls: { vm.min_free_kbytes: 50% }'],
      /^BAD_VALUE 50% of the memory cannot be kept free/,
    ],
    [
      'a share to keep free beside a number',
      ['hosts: {}\nmemory: { minFree: 1% }\nsysctls: { vm.min_free_kbytes: 65536 }'],
      /^TUNING_CONFLICT "vm\.min_free_kbytes" is set twice/,
    ],
    ['all slab given back', ['hosts: {}\nmemory: { reclaim: { slab: 0% } }'], /^BAD_VALUE slab cannot be 0/],
    [
      'memory given back without a rest',
      ['hosts: {}\nmemory: { reclaim: { slab: 1Gi, coolDown: 5s } }'],
      /^BAD_VALUE a coolDown of 5s is too short/,
    ],
    [
      'two Tunings of one priority that disagree',
      ['hosts: {}\ncpu: { governor: performance }', 'hosts: {}\ncpu: { governor: powersave }'],
      /^TUNING_CONFLICT Tuning t1 sets cpu\.governor to powersave, Tuning t0 to performance/,
    ],
  ];
  for (const [name, specs, says] of cases)
    it(`${name} is a problem`, () => {
      const said = compiled(...specs).problems.map(({ code, message, hint = '' }) => `${code} ${message}, ${hint}`);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0] ?? '', says);
    });
});
