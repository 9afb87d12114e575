import assert from 'node:assert/strict';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { ofDevices, ownerOf, withOwners } from '../../../providers/host/knobs/owners.ts';
import { treeAt } from '../../../providers/host/inventory/tree.ts';
import { context, converge, look, machine, machineWith, want, type Machine } from '../../support/knobs-rig.ts';

const CARD = 'enp65s0f0';

/** Puts another device into the place of a card: elsewhere on the bus, or of another maker. */
function swap({ root }: Machine, name: string, vendor = '0x15b3'): void {
  const device = join(root, 'sys/devices/pci0000:00/0000:99:00.0');
  fs.cpSync(fs.realpathSync(join(root, 'sys/class/net', name, 'device')), device, {
    recursive: true,
    verbatimSymlinks: true,
  });
  fs.writeFileSync(join(device, 'vendor'), `${vendor}\n`);
  fs.rmSync(join(root, 'sys/class/net', name, 'device'));
  fs.symlinkSync(device, join(root, 'sys/class/net', name, 'device'));
  fs.writeFileSync(join(root, 'sys/class/net', name, 'ifindex'), '77\n');
}

const rings = (text: string | undefined): string => /Current[^]*?RX:\s+(\d+)/.exec(text ?? '')?.[1] ?? '';

describe('what a device said first', () => {
  it('is forgotten when another card comes under its name, and noted anew of that one', async () => {
    const one = machine('storage server');
    const provider = one.again();
    const desired = [want('nic.rings.rx', '1024'), want('nic.mtu', '9000')];
    const ring = (): string => rings(one.all()[`ethtool/${CARD}/rings`]);
    await converge(provider, desired);
    swap(one, CARD);
    await one.cards.set(CARD, '-G', 'rx', '256');
    fs.writeFileSync(join(one.root, 'sys/class/net', CARD, 'mtu'), '1400\n');
    for (const { ref } of desired) {
      const [change] = provider.diff(desired, await provider.observe(context(), [ref]));
      assert.ok(change);
      const { did } = await provider.apply(change, context());
      assert.match(
        did,
        /1 of 1 files set to .*; 1 originals forgotten, which were of a device that is not there any more/,
      );
    }
    assert.equal(ring(), '1024');
    await converge(one.again(), []);
    assert.deepEqual([ring(), one.read(`sys/class/net/${CARD}/mtu`)], ['256', '1400\n']);
  });

  it('does not come back to another card, where the knob leaves Git after it came', async () => {
    const one = machine('storage server');
    await converge(one.again(), [want('nic.mtu', '9000')]);
    swap(one, CARD);
    fs.writeFileSync(join(one.root, 'sys/class/net', CARD, 'mtu'), '1400\n');
    const provider = one.again();
    const [change] = provider.diff([], [await look(provider, 'nic.mtu')]);
    assert.deepEqual([change?.verb, change?.fields], ['delete', []]);
    await converge(provider, []);
    assert.equal(one.read(`sys/class/net/${CARD}/mtu`), '1400\n');
    assert.equal((await look(provider, 'nic.mtu')).owned, false);
  });

  it('follows a card to another name', async () => {
    const one = machine('storage server');
    const folder = join(one.root, 'sys/class/net');
    await converge(one.again(), [want('nic.mtu', '9000')]);
    fs.renameSync(join(folder, CARD), join(folder, 'lan0'));
    const provider = one.again();
    assert.deepEqual(await converge(provider, [want('nic.mtu', '8000')]), ['update knob/nic.mtu']);
    await converge(provider, []);
    assert.equal(one.read('sys/class/net/lan0/mtu'), '1500\n');
  });

  it('stays with a card whose device gets representors, which have their own', async () => {
    const one = machine('storage server');
    const folder = join(one.root, 'sys/class/net');
    await converge(one.again(), [want('nic.mtu', '9000')]);
    fs.writeFileSync(join(folder, CARD, 'phys_port_name'), 'p0\n');
    for (const [at, name] of ['rep0', 'rep1'].entries()) {
      const card = join(folder, name);
      fs.mkdirSync(card);
      fs.symlinkSync(fs.realpathSync(join(folder, CARD, 'device')), join(card, 'device'));
      fs.writeFileSync(join(card, 'mtu'), '1400\n');
      fs.writeFileSync(join(card, 'ifindex'), `${String(90 + at)}\n`);
    }
    for (const name of [CARD, 'rep0', 'rep1'])
      fs.mkdirSync(join(folder, CARD, 'device/net', name), { recursive: true });
    const provider = one.again();
    assert.deepEqual(await converge(provider, [want('nic.mtu', '9000')]), ['update knob/nic.mtu']);
    // one of them goes
    fs.rmSync(join(folder, 'rep1'), { recursive: true });
    fs.rmSync(join(folder, CARD, 'device/net/rep1'), { recursive: true });
    await converge(one.again(), []);
    assert.equal(one.read(`sys/class/net/${CARD}/mtu`), '1500\n');
    assert.equal(one.read('sys/class/net/rep0/mtu'), '1400\n');
  });

  it('is kept while its card is away', async () => {
    const one = machine('storage server');
    const folder = join(one.root, 'sys/class/net');
    const desired = [want('nic.mtu', '9000')];
    await converge(one.again(), desired);
    fs.renameSync(join(folder, CARD), join(one.root, 'away'));
    const provider = one.again();
    await converge(provider, desired);
    fs.renameSync(join(one.root, 'away'), join(folder, CARD));
    await converge(provider, []);
    assert.equal(one.read(`sys/class/net/${CARD}/mtu`), '1500\n');
  });

  it('of an interrupt is not put back to another one of its number', async () => {
    const one = machine('two-socket server');
    const file = join(one.root, 'proc/interrupts');
    const before = one.all();
    await converge(one.again(), [want('nic.interrupts', 'spread')]);
    const text = fs.readFileSync(file, 'utf8');
    const [line = '', name = ''] = /^ 101:.*\s(\S+)$/m.exec(text) ?? [];
    fs.writeFileSync(file, text.replace(line, line.replace(name, 'nvme0q7').replace(/\d+-edge/, '524288-edge')));
    fs.writeFileSync(join(one.root, 'proc/irq/101/smp_affinity_list'), '7\n');
    await converge(one.again(), []);
    const after = one.all();
    assert.equal(after['proc/irq/101/smp_affinity_list'], '7\n');
    assert.equal(after['proc/irq/102/smp_affinity_list'], before['proc/irq/102/smp_affinity_list']);
  });

  it('of an interrupt comes back where its card has another name', async () => {
    for (const source of ['IR-PCI-MSI 524301-edge', 'IR-PCI-MSIX-0000:41:00.0    3-edge', 'ITS-MSI 1572864 Edge  ']) {
      const one = machine('two-socket server');
      const file = join(one.root, 'proc/interrupts');
      const rename = (name: string): void => {
        const text = fs.readFileSync(file, 'utf8');
        fs.writeFileSync(file, text.replace(/^ 101:.*$/m, ` 101:    1   0  ${source}      ${name}`));
      };
      rename('i40e-ens1f0-TxRx-1');
      const before = one.all();
      await converge(one.again(), [want('nic.interrupts', 'spread')]);
      assert.notDeepEqual(one.all(), before);
      rename('i40e-lan0-TxRx-1');
      await converge(one.again(), []);
      rename('i40e-ens1f0-TxRx-1');
      assert.deepEqual(one.all(), before, source);
    }
  });

  it('of a disk is not put back to the next one of its name', async () => {
    const one = machine('storage server');
    const seq = join(one.root, 'sys/block/sda/diskseq');
    fs.mkdirSync(dirname(seq), { recursive: true });
    fs.writeFileSync(seq, '3\n');
    await converge(one.again(), [want('disk.rotating.readAhead', '4096')]);
    fs.writeFileSync(seq, '9\n');
    fs.writeFileSync(join(one.root, 'sys/block/sda/queue/read_ahead_kb'), '256\n');
    await converge(one.again(), []);
    assert.equal(one.read('sys/block/sda/queue/read_ahead_kb'), '256\n');
  });

  it('of a version that did not note the device comes back by its path', async () => {
    const one = machine('storage server');
    const before = one.all();
    await converge(one.again(), [want('nic.mtu', '9000')]);
    const kept = fs.readFileSync(one.originalsFile, 'utf8');
    const knobs = JSON.parse(kept) as { knobs: Record<string, { owners?: unknown }> };
    assert.ok(knobs.knobs['nic.mtu']?.owners);
    delete knobs.knobs['nic.mtu'].owners;
    fs.writeFileSync(one.originalsFile, JSON.stringify(knobs));
    await converge(one.again(), []);
    assert.deepEqual(one.all(), before);
  });
});

it('what a card refused is tried again of another one', async () => {
  const one = machine('storage server');
  const provider = one.again();
  const desired = [want('nic.rings.rx', '8192')];
  const changes = async () => provider.diff(desired, [await look(provider, 'nic.rings.rx')]);
  const [change] = await changes();
  assert.ok(change);
  await assert.rejects(provider.apply(change, context()));
  assert.deepEqual(await changes(), []);
  swap(one, CARD);
  assert.equal((await changes()).length, 1);
});

describe('which device a file is about', () => {
  /** Two ports of one device and its representor, a disk, and interrupts of three kinds. */
  const planted = (files: Readonly<Record<string, string>> = {}) => {
    const device = 'sys/devices/pci0/0000:41:00.0';
    const root = machineWith({
      [`${device}/vendor`]: '0x15b3\n',
      [`${device}/device`]: '0x1015\n',
      ...Object.fromEntries(['p0', 'p1', 'pf0'].map((card) => [`${device}/net/${card}/x`, ''])),
      'sys/class/net/p0/dev_port': '0\n',
      'sys/class/net/p0/ifindex': '2\n',
      'sys/class/net/p1/dev_port': '1\n',
      'sys/class/net/p1/ifindex': '3\n',
      'sys/class/net/pf0/dev_port': '0\n',
      'sys/class/net/pf0/ifindex': '9\n',
      'sys/class/net/br0/mtu': '1500\n',
      'sys/block/sda/diskseq': '5\n',
      'sys/block/sdb/size': '1\n',
      'proc/interrupts': [
        '           CPU0       CPU1',
        '  24:          0          1  IR-PCI-MSIX-0000:41:00.0    3-edge      mlx5_comp3@pci:0000:41:00.0',
        '  25:          7          0   PCI-MSI 524288-edge      i40e-p0-TxRx-0',
        '   1:          9          0   IO-APIC   1-edge      i8042',
        ' NMI:          0          0   Non-maskable interrupts',
        '',
      ].join('\n'),
      ...files,
    });
    for (const card of ['p0', 'p1', 'pf0'])
      fs.symlinkSync(join(root, device), join(root, 'sys/class/net', card, 'device'));
    return { proc: treeAt(join(root, 'proc')), sys: treeAt(join(root, 'sys')) };
  };
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['nic/p0/rings/rx', '0000:41:00.0 0 0x15b3 0x1015'],
    ['sys/class/net/p1/mtu', '0000:41:00.0 1 0x15b3 0x1015'],
    // it says the port of the uplink, and came later
    ['sys/class/net/pf0/mtu', '0000:41:00.0 0 0x15b3 0x1015 pf0'],
    ['sys/class/net/br0/mtu', undefined],
    ['sys/block/sda/queue/scheduler', '5'],
    ['sys/block/sdb/queue/scheduler', undefined],
    ['proc/irq/24/smp_affinity_list', 'IR-PCI-MSIX-0000:41:00.0 3'],
    // its name is that of a card
    ['proc/irq/25/smp_affinity_list', 'PCI-MSI 524288'],
    ['proc/irq/1/smp_affinity_list', 'IO-APIC 1'],
    ['proc/irq/77/smp_affinity_list', undefined],
    ['sys/devices/system/cpu/cpufreq/policy0/scaling_governor', undefined],
  ];
  for (const [id, owner] of cases)
    it(`${id}: ${owner ?? 'is not known'}`, () => {
      assert.equal(ownerOf(planted(), id), owner);
    });

  const kept = { value: '9000', originals: { 'sys/class/net/p0/mtu': '1500\n' } };
  it('is kept with what it said, and stays known while it is away', () => {
    const { owners } = withOwners(planted(), kept, undefined);
    assert.deepEqual(owners, { 'sys/class/net/p0/mtu': '0000:41:00.0 0 0x15b3 0x1015' });
    const gone = { 'sys/class/net/x/mtu': '1500\n' };
    const before = { value: '9000', originals: gone, owners: { 'sys/class/net/x/mtu': 'elsewhere' } };
    assert.deepEqual(withOwners(planted(), { value: '9000', originals: gone }, before).owners, before.owners);
  });
  const originals: readonly (readonly [string, string, string, readonly string[]])[] = [
    ['of the same device stay', 'sys/class/net/p0/mtu', '0000:41:00.0 0 0x15b3 0x1015', ['sys/class/net/p0/mtu']],
    [
      'of one that has another name by now move',
      'sys/class/net/old/mtu',
      '0000:41:00.0 1 0x15b3 0x1015',
      ['sys/class/net/p1/mtu'],
    ],
    ['of one in whose place there is another are let go', 'sys/class/net/p0/mtu', '0000:99:00.0 0 0x15b3 0x1015', []],
    ['of one that is away stay', 'sys/class/net/old/mtu', '0000:99:00.0 0 0x15b3 0x1015', ['sys/class/net/old/mtu']],
  ];
  for (const [name, id, owner, now] of originals)
    it(`originals ${name}`, () => {
      const all = { value: '9000', originals: { [id]: '1500\n' }, owners: { [id]: owner } };
      assert.deepEqual(Object.keys(ofDevices(planted(), all).originals), now);
    });
});
