import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { maskOf, plainMask } from '../../../providers/host/knobs/masks.ts';
import { MEANINGS } from '../../../providers/host/knobs/rules.ts';
import type { KnobSpec, KnobState } from '../../../reconciler/model/resources.ts';
import { conforms } from '../../conformance/provider.ts';
import { errno } from '../../support/cgroup-tree.ts';
import type { HardwareName } from '../../support/hardware.ts';
import { kernel } from '../../support/kernel-files.ts';
import { context, converge, look, machine, want } from '../../support/knobs-rig.ts';

const CPU = 'sys/devices/system/cpu';
const CARD = 'sys/class/net/ens1f0';
/** Settings of cards: the value that is asked for, and the line that ethtool shows then, on the two-socket server if no other is named. */
const CARDS: readonly (readonly [string, string, string, string, HardwareName?])[] = [
  ['offloads.rx', 'off', 'ens1f0/offloads', 'rx-checksumming: off'],
  ['offloads.tx', 'off', 'eno1/offloads', 'tx-checksumming: off'],
  ['offloads.sg', 'off', 'ens1f0/offloads', 'scatter-gather: off'],
  ['offloads.tso', 'off', 'ens1f0/offloads', 'tcp-segmentation-offload: off'],
  ['offloads.gso', 'off', 'ens1f0/offloads', 'generic-segmentation-offload: off'],
  ['offloads.gro', 'off', 'eth0/offloads', 'generic-receive-offload: off', 'virtual machine'],
  ['offloads.lro', 'on', 'enp65s0f0/offloads', 'large-receive-offload: on', 'storage server'],
  ['offloads.rxvlan', 'off', 'ens1f0/offloads', 'rx-vlan-offload: off'],
  ['offloads.txvlan', 'off', 'ens1f0/offloads', 'tx-vlan-offload: off'],
  ['offloads.rxhash', 'off', 'ens1f0/offloads', 'receive-hashing: off'],
  ['offloads.ntuple', 'on', 'ens1f0/offloads', 'ntuple-filters: on'],
  ['offloads.rx-gro-list', 'on', 'ens1f0/offloads', 'rx-gro-list: on'],
  ['offloads.rx-udp-gro-forwarding', 'on', 'ens1f0/offloads', 'rx-udp-gro-forwarding: on'],
  ['offloads.rx-vlan-filter', 'off', 'enp65s0f0/offloads', 'rx-vlan-filter: off', 'storage server'],
  ['offloads.tx-nocache-copy', 'on', 'ens1f0/offloads', 'tx-nocache-copy: on'],
  ['offloads.tx-udp-segmentation', 'off', 'ens1f0/offloads', 'tx-udp-segmentation: off'],
  ['offloads.tx-udp_tnl-segmentation', 'off', 'ens1f0/offloads', 'tx-udp_tnl-segmentation: off'],
  ['offloads.hw-tc-offload', 'on', 'enp65s0f0/offloads', 'hw-tc-offload: on', 'storage server'],
  ['rings.rx', 'max', 'ens1f0/rings', 'RX:\t\t8192'],
  ['rings.tx', '256', 'eno1/rings', 'TX:\t\t256'],
  ['rings.rx-jumbo', 'max', 'eno1/rings', 'RX Jumbo:\t255'],
  ['channels.combined', '20', 'ens1f0/channels', 'Combined:\t20'],
  ['channels.rx', '2', 'eno1/channels', 'RX:\t\t2'],
  ['coalescing.adaptive-rx', 'off', 'ens1f0/coalescing', 'Adaptive RX: off  TX: on'],
  ['coalescing.adaptive-tx', 'off', 'ens1f0/coalescing', 'Adaptive RX: on  TX: off'],
  ['coalescing.rx-usecs', '50', 'ens1f0/coalescing', 'rx-usecs: 50'],
  ['coalescing.rx-frames', '64', 'eth0/coalescing', 'rx-frames: 64', 'virtual machine'],
  ['coalescing.rx-usecs-irq', '9', 'eno1/coalescing', 'rx-usecs-irq: 9'],
  ['coalescing.rx-frames-irq', '9', 'eno1/coalescing', 'rx-frames-irq: 9'],
  ['coalescing.tx-usecs', '8', 'enp65s0f0/coalescing', 'tx-usecs: 8', 'storage server'],
  ['coalescing.tx-frames', '64', 'eno1/coalescing', 'tx-frames: 64'],
  ['coalescing.tx-usecs-irq', '9', 'eno1/coalescing', 'tx-usecs-irq: 9'],
  ['coalescing.tx-frames-irq', '9', 'eno1/coalescing', 'tx-frames-irq: 9'],
];

/** Each knob, a value, and what files say then; on the two-socket server if no other is named. */
const TABLE: readonly (readonly [string, string, Readonly<Record<string, string>>, HardwareName?])[] = [
  [
    'cpu.governor',
    'performance',
    {
      [`${CPU}/cpufreq/policy0/scaling_governor`]: 'performance\n',
      [`${CPU}/cpufreq/policy79/scaling_governor`]: 'performance\n',
    },
  ],
  ['cpu.energyBias', '0', { [`${CPU}/cpu79/power/energy_perf_bias`]: '0\n' }],
  [
    'cpu.energyPreference',
    'performance',
    { [`${CPU}/cpufreq/policy3/energy_performance_preference`]: 'performance\n' },
  ],
  // C1 takes 2 µs, C1E 10
  [
    'cpu.maxIdleLatency',
    '5',
    { [`${CPU}/cpu1/cpuidle/state1/disable`]: '0\n', [`${CPU}/cpu1/cpuidle/state2/disable`]: '1\n' },
  ],
  ['cpu.workqueue', '0-1', { 'sys/devices/virtual/workqueue/cpumask': '0000,00000000,00000003\n' }],
  ['memory.hugepages', 'never', { 'sys/kernel/mm/transparent_hugepage/enabled': 'always madvise [never]\n' }],
  [
    'memory.hugepageDefrag',
    'defer+madvise',
    { 'sys/kernel/mm/transparent_hugepage/defrag': 'always defer [defer+madvise] madvise never\n' },
  ],
  ['disk.solid.scheduler', 'mq-deadline', { 'sys/block/nvme1n1/queue/scheduler': 'none [mq-deadline]\n' }],
  ['disk.solid.readAhead', '0', { 'sys/block/nvme0n1/queue/read_ahead_kb': '0\n' }],
  ['disk.solid.queueDepth', '1023', { 'sys/block/nvme0n1/queue/nr_requests': '1023\n' }],
  [
    'disk.rotating.scheduler',
    'none',
    {
      'sys/block/sda/queue/scheduler': 'mq-deadline [none]\n',
      'sys/block/sdd/queue/scheduler': '[mq-deadline] none\n',
    },
    'storage server',
  ],
  [
    'disk.rotating.readAhead',
    '4096',
    { 'sys/block/sdc/queue/read_ahead_kb': '4096\n', 'sys/block/sdd/queue/read_ahead_kb': '128\n' },
    'storage server',
  ],
  ['disk.rotating.queueDepth', '512', { 'sys/block/sdb/queue/nr_requests': '512\n' }, 'storage server'],
  [
    'nic.mtu',
    '9000',
    { [`${CARD}/mtu`]: '9000\n', 'sys/class/net/eno1/mtu': '9000\n', 'sys/class/net/br-int/mtu': '1500\n' },
  ],
  ['nic.mtu[name=ens*,driver=mlx5_core]', '9000', { [`${CARD}/mtu`]: '9000\n', 'sys/class/net/eno1/mtu': '1500\n' }],
  [
    'nic.txQueueLength[vendor=0x15b3]',
    '5000',
    { [`${CARD}/tx_queue_len`]: '5000\n', 'sys/class/net/eno1/tx_queue_len': '1000\n' },
  ],
  // the interrupt that is no queue's stays where it is
  [
    'nic.interrupts',
    'spread',
    {
      'proc/irq/100/smp_affinity_list': '0-79\n',
      'proc/irq/101/smp_affinity_list': '0\n',
      'proc/irq/140/smp_affinity_list': '39\n',
    },
  ],
  [
    'nic.receiveSteering[driver=tg3]',
    'spread',
    { 'sys/class/net/eno1/queues/rx-3/rps_cpus': 'ffff,ffffffff,ffffffff\n' },
  ],
  ['nic.receiveFlows[driver=tg3]', '2048', { 'sys/class/net/eno1/queues/rx-3/rps_flow_cnt': '2048\n' }],
  // the other card has the first four CPUs
  ['nic.transmitSteering', 'spread', { [`${CARD}/queues/tx-33/xps_cpus`]: '0000,00000020,00000000\n' }],
];

describe('settings of cards', () => {
  for (const name of ['two-socket server', 'storage server', 'virtual machine'] as const)
    it(`are set on the ${name}, and come back as they were`, async () => {
      const { again, all } = machine(name);
      const before = all();
      for (const [setting, value, at, line, on = 'two-socket server'] of CARDS) {
        if (on !== name) continue;
        const key = `nic.${setting}[name=${at.split('/')[0] ?? ''}]`;
        assert.deepEqual(await converge(again(), [want(key, value)]), [`update knob/${key}`]);
        const shown = all()[`ethtool/${at}`] ?? '';
        assert.ok(
          shown.split('\n').some((text) => text.trim() === line),
          `${key}: ${shown}`,
        );
        assert.equal((await look(again(), key)).state.value, value);
        assert.deepEqual(await converge(again(), []), [`delete knob/${key}`]);
        assert.deepEqual(all(), before);
      }
      assert.deepEqual(await converge(again(), []), []);
    });
});

describe('knobs that are files', () => {
  for (const [key, value, files, name = 'two-socket server'] of TABLE)
    it(`${key} = ${value}, and back byte for byte`, async () => {
      const { again, read, all } = machine(name);
      const before = all();
      assert.deepEqual(await converge(again(), [want(key, value)]), [`update knob/${key}`]);
      for (const [path, text] of Object.entries(files)) assert.equal(read(path), text, path);
      assert.equal((await look(again(), key)).state.value, value);
      assert.deepEqual(await converge(again(), []), [`delete knob/${key}`]);
      assert.deepEqual(all(), before);
      assert.deepEqual(await converge(again(), []), []);
    });

  it('each has its case', () => {
    const keys = new Set([
      ...TABLE.map(([key]) => key.replace(/\[.*/, '')),
      ...CARDS.map(([setting]) => `nic.${setting}`),
      // no card of these transcripts lets them be set: see the test of what a driver lacks
      ...['nic.channels.tx', 'nic.rings.rx-mini', 'nic.offloads.rx-gro-hw'],
    ]);
    assert.deepEqual(
      Object.keys(MEANINGS).filter((key) => !keys.has(key)),
      [],
    );
  });

  it('a plan names files that go the same way once', async () => {
    const provider = machine('two-socket server').again();
    const [change] = provider.diff([want('cpu.governor', 'performance')], [await look(provider, 'cpu.governor')]);
    assert.deepEqual(change?.fields, [{ path: '/policy0 and 79 others', have: 'powersave', want: 'performance' }]);
  });

  it('what drifts in one file is put right there', async () => {
    const { again, root } = machine('two-socket server');
    const provider = again();
    const desired = [want('cpu.governor', 'performance')];
    await converge(provider, desired);
    fs.writeFileSync(join(root, CPU, 'cpufreq/policy7/scaling_governor'), 'powersave\n');
    const [change] = provider.diff(desired, [await look(provider, 'cpu.governor')]);
    assert.deepEqual([change?.because, change?.fields.map(({ path }) => path)], ['drift', ['/policy7']]);
    await converge(provider, desired);
  });

  it('that refuse a value say what they take', async () => {
    const { again, root } = machine('two-socket server', {
      ...kernel,
      write: (path, text) => {
        if (path.endsWith('scaling_governor')) throw errno('EINVAL');
        kernel.write(path, text);
      },
    });
    const refused = async (key: string, value: string): Promise<string> => {
      const provider = again();
      const [change] = provider.diff([want(key, value)], [await look(provider, key)]);
      assert.ok(change);
      return provider.apply(change, context()).then(
        () => '',
        (error: unknown) => (error as Error).message,
      );
    };
    assert.match(await refused('cpu.governor', 'turbo'), /: policy0: EINVAL: it takes performance, powersave$/);
    assert.match(await refused('disk.solid.scheduler', 'bfq'), /: nvme0n1: EINVAL: it takes none, mq-deadline$/);
    fs.rmSync(join(root, CPU, 'cpufreq/policy0/scaling_available_governors'));
    assert.match(await refused('cpu.governor', 'turbo'), /: policy0: EINVAL$/);
  });

  it('that this machine lacks are a limitation', async () => {
    const provider = machine('virtual machine').again();
    const known = await look(provider, 'cpu.governor');
    assert.deepEqual(
      known.limitations?.map(({ state }) => state),
      ['Unsupported'],
    );
    assert.deepEqual(provider.diff([want('cpu.governor', 'performance')], [known]), []);
  });
});

describe('originals of knobs', () => {
  it('are on disk before the first write: a kill in the middle harms nothing', async () => {
    for (const moment of [1, 2, 40, 80]) {
      let writes = 0;
      const world = machine('two-socket server', {
        ...kernel,
        write: (path, text) => {
          writes += 1;
          // what a process that ends here leaves behind
          if (writes === moment) fs.copyFileSync(world.originalsFile, `${world.originalsFile}.then`);
          if (writes >= moment) throw errno('EINTR');
          kernel.write(path, text);
        },
      });
      const before = world.all();
      const killed = world.again();
      const [change] = killed.diff([want('cpu.governor', 'performance')], [await look(killed, 'cpu.governor')]);
      assert.ok(change);
      await killed.apply(change, context()).catch(() => undefined);
      fs.renameSync(`${world.originalsFile}.then`, world.originalsFile);
      await converge(world.again(kernel), [want('cpu.governor', 'performance')]);
      await converge(world.again(kernel), []);
      assert.deepEqual(world.all(), before, `killed at write ${String(moment)}`);
    }
  });

  it('of another boot count for nothing: the boot has put all back', async () => {
    const { again, root, read, originalsFile } = machine('two-socket server');
    await converge(again(), [want('memory.hugepages', 'never')]);
    fs.writeFileSync(join(root, 'proc/sys/kernel/random/boot_id'), 'second\n');
    fs.writeFileSync(join(root, 'sys/kernel/mm/transparent_hugepage/enabled'), '[always] madvise never\n');
    assert.deepEqual(await converge(again(), []), []);
    await converge(again(), [want('memory.hugepages', 'never')]);
    await converge(again(), []);
    assert.equal(read('sys/kernel/mm/transparent_hugepage/enabled'), '[always] madvise never\n');
    assert.match(fs.readFileSync(originalsFile, 'utf8'), /"boot": "second"/);
  });

  it('of a device that went away are forgotten', async () => {
    const { again, root } = machine('two-socket server');
    await converge(again(), [want('nic.txQueueLength', '5000')]);
    fs.rmSync(join(root, CARD), { recursive: true });
    await converge(again(), []);
    assert.equal((await look(again(), 'nic.txQueueLength')).owned, false);
  });

  it('that cannot be understood stop all writing', async () => {
    const { again, originalsFile } = machine('two-socket server');
    for (const text of [
      '',
      '{"version":2,"knobs":{}}',
      '{"version":1,"boot":"first","knobs":{"a":{"value":1,"originals":{}}}}',
      '{"version":1,"knobs":{"a":null}}',
    ]) {
      fs.mkdirSync(join(originalsFile, '..'), { recursive: true });
      fs.writeFileSync(originalsFile, text);
      const [unknown] = await again().observe(context(), ['knob/cpu.governor']);
      assert.match(unknown?.known === false ? unknown.why : '', /knobs\.json.*repair the file/, text);
    }
  });
});

describe('two knobs that match one card', () => {
  it('do not fight: the first keeps it, and the other says who has it', async () => {
    const { again, read } = machine('two-socket server');
    const provider = again();
    const both = [want('nic.mtu[driver=mlx5_core]', '9000'), want('nic.mtu', '4000')];
    await converge(provider, both);
    assert.deepEqual([read(`${CARD}/mtu`), read('sys/class/net/eno1/mtu')], ['9000\n', '4000\n']);
    const { limitations } = await look(provider, 'nic.mtu');
    assert.match(limitations?.[0]?.why ?? '', /^ens1f0: it is set by knob\/nic\.mtu\[driver=mlx5_core\]$/);
    await converge(provider, []);
    assert.deepEqual([read(`${CARD}/mtu`), read('sys/class/net/eno1/mtu')], ['1500\n', '1500\n']);
  });
});

it('a random walk over all knobs always ends where it began', async () => {
  const { again, all } = machine('two-socket server');
  const before = all();
  const ofCards = CARDS.flatMap(([setting, value, , , name]) =>
    // without its checksums a card takes no other setting of segmentation
    name === undefined && setting !== 'offloads.tx' ? [[`nic.${setting}`, value] as const] : [],
  );
  const ofFiles = TABLE.filter(([key, , , name]) => name === undefined && !key.startsWith('nic.mtu['));
  const settings = [...ofFiles.map(([key, value]) => [key, value] as const), ...ofCards];
  const wanted = fc.subarray(settings, { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(wanted, { maxLength: 3 }), async (walk) => {
      for (const each of walk)
        await converge(
          again(),
          each.map(([key, value]) => want(key, value)),
        );
      await converge(again(), []);
      assert.deepEqual(all(), before);
    }),
    { numRuns: 6 },
  );
});

it('masks are written in groups of 32 bits, the highest first', () => {
  assert.deepEqual(
    [maskOf([]), maskOf([0, 1]), maskOf([31]), maskOf([32]), maskOf([64, 0])],
    ['0', '3', '80000000', '00000001,00000000', '00000001,00000000,00000001'],
  );
  assert.deepEqual([plainMask('00000000,000000ff\n'), plainMask('0\n')], ['ff', '0']);
});

conforms<KnobSpec, KnobState>('knobs', () => {
  const { again, all, originalsFile } = machine('two-socket server');
  return Promise.resolve({
    provider: again(),
    ctx: {
      ...context('4-5'),
      wanted: [
        ...(['knob/cpu.governor', 'knob/nic.interrupts', 'knob/memory.hugepages'] as const),
        ...(['knob/nic.rings.rx', 'knob/nic.offloads.gro'] as const),
      ],
    },
    states: [
      [want('cpu.governor', 'performance'), want('nic.interrupts', 'spread'), want('nic.rings.rx', 'max')],
      [want('cpu.governor', 'schedutil'), want('memory.hugepages', 'always'), want('nic.offloads.gro', 'off')],
      [],
    ],
    strangers: [],
    snapshot: () => Promise.resolve([all(), fs.existsSync(originalsFile) && fs.readFileSync(originalsFile, 'utf8')]),
    close: () => Promise.resolve(),
  });
});
