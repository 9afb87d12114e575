import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compile } from '../../../reconciler/compile/compile.ts';
import { knobsOf } from '../../../reconciler/model/knobs.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

function compiled(spec: string): ReturnType<typeof compile> {
  return compile(sourceFiles({ ...SOUND, 't0.yaml': manifest('Tuning', 't0', `hosts: {}\novs:\n${spec}`) }), 'r1');
}

/** Keys with values that are right, and some that are not. */
const KEYS: Readonly<Record<string, readonly [right: readonly string[], wrong: readonly string[]]>> = {
  'bundle-idle-timeout': [['10'], ['0']],
  'dpdk-alloc-mem': [['0'], ['1G']],
  'dpdk-extra': [['"-a 0000:3b:00.0"'], ['" "']],
  'dpdk-hugepage-dir': [['/dev/hugepages'], ['hugepages']],
  'dpdk-init': [
    ['"true"', 'try'],
    ['"yes"', '1'],
  ],
  'dpdk-lcore-mask': [['"0x1"'], ['"0x0"', '"1-3"']],
  'dpdk-max-memzones': [['2560'], ['-1']],
  'dpdk-socket-limit': [['"1024,0"'], ['"1024;0"']],
  'dpdk-socket-mem': [['1024', '"1024,0,2048"'], ['"1024,"']],
  'emc-insert-inv-prob': [['0', '4294967295'], ['4294967296']],
  'enable-statistics': [['"false"'], ['"off"']],
  'flow-limit': [['200000'], ['-1']],
  'flow-restore-wait': [['"false"'], ['0']],
  'hw-offload': [['"true"'], ['"on"']],
  'max-idle': [['500'], ['499', '10s']],
  'max-revalidator': [['100'], ['99']],
  'min-revalidate-pps': [['5'], ['x']],
  'n-handler-threads': [['4'], ['0']],
  'n-offload-threads': [['10'], ['11']],
  'n-revalidator-threads': [['4'], ['0', '"1.5"']],
  'offload-rebalance': [['"true"'], ['2']],
  'per-port-memory': [['"true"'], ['2']],
  'pmd-auto-lb': [['"true"'], ['2']],
  'pmd-auto-lb-improvement-threshold': [['25'], ['101']],
  'pmd-auto-lb-load-threshold': [['95'], ['101']],
  'pmd-auto-lb-rebal-interval': [['20000'], ['20001']],
  'pmd-cpu-mask': [
    ['"0xff"', '"6"', '1000'],
    ['"0xfg"', '0'],
  ],
  'pmd-maxsleep': [['50'], ['10001']],
  'pmd-perf-metrics': [['"true"'], ['2']],
  'pmd-rxq-assign': [['group'], ['random']],
  'pmd-rxq-isolate': [['"true"'], ['2']],
  'pmd-sleep-max': [['50', '"0:50,1:100"'], ['"0:"']],
  'shared-mempool-config': [['"9000,1500:1"'], ['"big"']],
  'smc-enable': [['"true"'], ['2']],
  'stats-update-interval': [['5000'], ['4999']],
  'tc-policy': [['skip_sw'], ['skip-sw']],
  'tx-flush-interval': [['0', '1000000'], ['1000001']],
  'userspace-tso-enable': [['"true"'], ['2']],
  'vhost-iommu-support': [['"true"'], ['2']],
  'vhost-postcopy-support': [['"true"'], ['2']],
  'vhost-sock-dir': [['sockets'], ['/run']],
  'vlan-limit': [['2'], ['-1']],
};

describe('keys of other_config', () => {
  for (const [key, [right, wrong]] of Object.entries(KEYS))
    it(`${key} has its type and range`, () => {
      for (const value of right) assert.deepEqual(compiled(`  otherConfig: { ${key}: ${value} }`).problems, [], value);
      for (const value of wrong) {
        const [problem, ...others] = compiled(`  otherConfig:\n    ${key}: ${value}`).problems;
        assert.deepEqual([problem?.code, problem?.file, problem?.line], ['BAD_VALUE', 't0.yaml', 9], value);
        assert.match(problem?.message ?? '', new RegExp(`^${key} cannot be `));
        assert.deepEqual(others, []);
      }
    });

  const said = (spec: string): readonly string[] =>
    compiled(spec).problems.map(({ code, message, hint = '' }) => `${code} ${message}: ${hint}`);

  it('that are nearly a known one are taken for that, and others are taken as they are', () => {
    assert.deepEqual(said('  otherConfig: { max-idel: 500 }'), [
      'BAD_VALUE Open vSwitch knows no max-idel in other_config: did you mean "max-idle"?',
    ]);
    assert.deepEqual(said('  otherConfig: { site-key: any, pmd-sleep-show: 1 }'), []);
  });

  it('that are of a bridge stand there, with their lines', () => {
    assert.match(said('  otherConfig: { mac-table-size: 4096 }')[0] ?? '', /as ovs\.bridges\.br-int\.mac-table-size/);
    const { tunings, problems } = compiled(
      '  bridges:\n    br-int: { mac-table-size: 4096 }\n    br.ex: { mac-aging-time: 600 }',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      knobsOf(tunings.get('t0')!).map(({ kind, key, value, origin }) => [kind, key, value, origin.line]),
      [
        ['ovs-config', 'mac-table-size[bridge=br-int]', '4096', 9],
        ['ovs-config', 'mac-aging-time[bridge=br.ex]', '600', 10],
      ],
    );
    assert.match(said('  bridges: { br-int: { mac-aging-time: 5 } }')[0] ?? '', /^BAD_VALUE .*mac-aging-time/);
    assert.match(
      said('  bridges: { br-int: { mac-ageing-time: 50 } }')[0] ?? '',
      /^UNKNOWN_FIELD .*did you mean "mac-aging-time"/,
    );
  });

  it('that stand against each other are a problem', () => {
    assert.deepEqual(said('  otherConfig: { pmd-rxq-isolate: "false", pmd-rxq-assign: group }'), []);
    assert.match(
      said('  otherConfig: { pmd-rxq-isolate: "false" }')[0] ?? '',
      /^BAD_VALUE pmd-rxq-isolate can be false only/,
    );
  });
});
