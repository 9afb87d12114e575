import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ethtool } from '../../../providers/host/ethtool.ts';
import { knobs } from '../../../providers/host/knobs/index.ts';
import { rivalsOf } from '../../../providers/host/inventory/rivals.ts';
import { treeAt } from '../../../providers/host/inventory/tree.ts';
import { isOfCards, placesOf } from '../../../providers/host/knobs/places.ts';
import { MEANINGS } from '../../../providers/host/knobs/rules.ts';
import { createRivals } from '../../../providers/host/rivals/rivals.ts';
import { udevReader } from '../../../providers/host/rivals/udev.ts';
import { kernel } from '../../support/kernel-files.ts';
import { converge, look, machine as hardware, machineWith, want } from '../../support/knobs-rig.ts';

/** A machine with a card of ixgbe, renamed by udev, and two disks. */
const DEVICES = {
  'sys/class/net/ens1/address': '00:1B:21:aa:bb:cc\n',
  'sys/class/net/ens1/name_assign_type': '4\n',
  'sys/class/net/ens1/device/vendor': '0x8086\n',
  'sys/block/sda/size': '4096\n',
  'sys/block/sda/device/vendor': 'x\n',
  'sys/block/sda/queue/rotational': '1\n',
  'sys/block/sda/queue/scheduler': '[mq-deadline] none\n',
  'sys/block/sda/queue/read_ahead_kb': '128\n',
  'sys/block/sda/queue/nr_requests': '64\n',
  'sys/block/nvme0n1/size': '4096\n',
  'sys/block/nvme0n1/device/vendor': 'x\n',
  'sys/block/nvme0n1/queue/rotational': '0\n',
};
const RINGS = '/nic/ens1/rings/rx';
const SCHEDULER = '/sys/block/sda/queue/scheduler';
const UDEV = 'when udev sees the device: at each boot, and when it is plugged in';

describe('who else sets a device as udev finds it', () => {
  const link = (match: string, settings: string): string => `[Match]\n${match}\n\n[Link]\n${settings}\n`;
  const cases: readonly {
    readonly name: string;
    readonly files: Readonly<Record<string, string>>;
    readonly path: string;
    readonly says?: string;
  }[] = [
    {
      name: 'a .link file of all cards, by line',
      files: { 'etc/systemd/network/10-a.link': link('OriginalName=*', 'RxBufferSize=4096') },
      path: RINGS,
      says: '/etc/systemd/network/10-a.link:5: 4096',
    },
    {
      name: 'the first by name that is about the card, and no later one',
      files: {
        'etc/systemd/network/50-b.link': link('OriginalName=*', 'RxBufferSize=1'),
        'usr/lib/systemd/network/10-a.link': link('Driver=ixgbe igb', 'TxBufferSize=2'),
      },
      path: RINGS,
    },
    {
      name: 'a later one where of the first only udev knows',
      files: {
        'usr/lib/systemd/network/10-usb.link': link('Property=ID_BUS=usb', 'NamePolicy=mac'),
        'etc/systemd/network/50-b.link': link('OriginalName=*', 'RxBufferSize=max'),
      },
      path: RINGS,
      says: '/etc/systemd/network/50-b.link:5: max',
    },
    {
      name: 'none of another driver, MAC, type or name',
      files: {
        'etc/systemd/network/1.link': link('Driver=mlx5_core', 'RxBufferSize=1'),
        'etc/systemd/network/2.link': link('MACAddress=00:1b:21:aa:bb:00', 'RxBufferSize=1'),
        'etc/systemd/network/3.link': link('Type=wlan', 'RxBufferSize=1'),
        'etc/systemd/network/4.link': link('OriginalName=enp*', 'RxBufferSize=1'),
        'etc/systemd/network/5.link': link('Driver=!ixgbe', 'RxBufferSize=1'),
      },
      path: RINGS,
    },
    {
      name: 'one of a name that only udev knows the card had',
      files: { 'etc/systemd/network/1.link': link('OriginalName=eth1', 'RxBufferSize=1') },
      path: RINGS,
      says: '/etc/systemd/network/1.link:5: 1',
    },
    {
      name: 'a later one than that of such a name',
      files: {
        'etc/systemd/network/1.link': link('OriginalName=eth0', 'TxBufferSize=1'),
        'etc/systemd/network/2.link': link('OriginalName=*', 'RxBufferSize=2'),
      },
      path: RINGS,
      says: '/etc/systemd/network/2.link:5: 2',
    },
    {
      name: 'none of all names but those that the kernel gives',
      files: { 'etc/systemd/network/1.link': link('OriginalName=!eth*', 'RxBufferSize=1') },
      path: RINGS,
    },
    {
      name: 'one by MAC, however it is written, and what its folder adds',
      files: {
        'etc/systemd/network/1.link': link('PermanentMACAddress=00:1b:21:AA:BB:CC', 'RxBufferSize=1'),
        'etc/systemd/network/1.link.d/x.conf': '[Link]\nRxBufferSize=2\n',
      },
      path: RINGS,
      says: '/etc/systemd/network/1.link.d/x.conf:2: 2',
    },
    {
      name: 'an offload in its own words',
      files: { 'etc/systemd/network/1.link': link('OriginalName=eth*', 'GenericReceiveOffload=no') },
      path: '/nic/ens1/offloads/gro',
      says: '/etc/systemd/network/1.link:5: off',
    },
    {
      name: 'coalescing in microseconds',
      files: { 'etc/systemd/network/1.link': link('OriginalName=*', 'RxCoalesceSec=1ms\nTxCoalesceSec=30us') },
      path: '/nic/ens1/coalescing/rx-usecs',
      says: '/etc/systemd/network/1.link:5: 1000',
    },
    {
      name: 'an MTU',
      files: { 'etc/systemd/network/1.link': link('OriginalName=*', 'MTUBytes=9K') },
      path: '/sys/class/net/ens1/mtu',
      says: '/etc/systemd/network/1.link:5: 9216',
    },
    {
      name: 'steering',
      files: { 'etc/systemd/network/1.link': link('OriginalName=*', 'ReceivePacketSteeringCPUMask=0-3') },
      path: '/sys/class/net/ens1/queues/rx-5/rps_cpus',
      says: '/etc/systemd/network/1.link:5: f',
    },
    {
      name: 'a rule that writes an attribute',
      files: {
        'etc/udev/rules.d/60-io.rules':
          '# disks\nACTION=="add|change", KERNEL=="sd[a-z]|nvme*", \\\n  ATTR{queue/rotational}=="1", ATTR{queue/scheduler}="bfq"\n',
      },
      path: SCHEDULER,
      says: '/etc/udev/rules.d/60-io.rules:2: bfq',
    },
    {
      name: 'the last of the rules',
      files: {
        'etc/udev/rules.d/60-io.rules': 'KERNEL=="sd?", ATTR{queue/scheduler}="bfq"\nATTR{queue/scheduler}="none"\n',
        'lib/udev/rules.d/50-io.rules': 'ATTR{queue/scheduler}="kyber"\n',
      },
      path: SCHEDULER,
      says: '/etc/udev/rules.d/60-io.rules:2: none',
    },
    {
      name: 'no rule of another disk, subsystem or action, nor one that is led past',
      files: {
        'etc/udev/rules.d/60-io.rules': [
          'KERNEL=="nvme*", ATTR{queue/scheduler}="none"',
          'SUBSYSTEM=="net", ATTR{queue/scheduler}="none"',
          'ACTION=="remove", ATTR{queue/scheduler}="none"',
          'ATTR{queue/rotational}!="1", ATTR{queue/scheduler}="none"',
          'SUBSYSTEM=="block", GOTO="end"',
          'ATTR{queue/scheduler}="none"',
          'LABEL="end"',
        ].join('\n'),
      },
      path: SCHEDULER,
    },
    {
      name: 'a rule of which only udev knows whether it is about the disk',
      files: { 'etc/udev/rules.d/60-io.rules': 'ENV{ID_MODEL}=="ST8000*", ATTR{queue/read_ahead_kb}="4096"\n' },
      path: '/sys/block/sda/queue/read_ahead_kb',
      says: '/etc/udev/rules.d/60-io.rules:1: 4096',
    },
    {
      name: 'a rule with a value that it works out',
      files: { 'etc/udev/rules.d/60-io.rules': 'ATTR{queue/nr_requests}="$env{DEPTH}"\n' },
      path: '/sys/block/sda/queue/nr_requests',
      says: '/etc/udev/rules.d/60-io.rules:1: ?',
    },
    {
      name: 'a rule that runs a shell',
      files: {
        'etc/udev/rules.d/60-io.rules': `KERNEL=="sd?", RUN+="/bin/sh -c 'echo 512 > /sys/block/%k/queue/nr_requests'"\n`,
      },
      path: '/sys/block/sda/queue/nr_requests',
      says: '/etc/udev/rules.d/60-io.rules:1: 512',
    },
    {
      name: 'a rule that runs ethtool',
      files: {
        'etc/udev/rules.d/70-nic.rules':
          'ACTION=="add", SUBSYSTEM=="net", DRIVERS=="ixgbe", RUN+="/usr/sbin/ethtool -G $name rx 4096 tx 512"\n',
      },
      path: '/nic/ens1/rings/tx',
      says: '/etc/udev/rules.d/70-nic.rules:1: 512',
    },
  ];
  for (const { name, files, path, says } of cases)
    it(`is ${name}`, () => {
      const root = machineWith({ ...DEVICES, ...files });
      const driver = join(root, 'sys/bus/pci/drivers/ixgbe');
      fs.mkdirSync(driver, { recursive: true });
      fs.symlinkSync(driver, join(root, 'sys/class/net/ens1/device/driver'));
      const rivals = createRivals({ root, procRoot: join(root, 'proc'), sysRoot: join(root, 'sys') });
      const told = rivals.claimsOn('knob/nic.any', [path]);
      assert.deepEqual(
        told.map(({ by, value, when, fix }) => [`${by}: ${value ?? '?'}`, when, fix]),
        says === undefined ? [] : [[says, UDEV, `remove ${says.replace(/: .*$/, '')}`]],
      );
    });

  it('is found out without reading what waits for drivers', (t) => {
    const rule =
      'ATTR{phys_switch_id}!="", ATTR{phys_port_name}=="p0", ATTR{speed}=="1", ATTR{none}=="", ATTR{mtu}="9000"\n';
    const root = machineWith({
      ...DEVICES,
      ...Object.fromEntries(
        ['phys_switch_id', 'phys_port_name', 'speed', 'mtu'].map((name) => [`sys/class/net/ens1/${name}`, '1500\n']),
      ),
      'etc/udev/rules.d/82-net.rules': rule,
    });
    const read = t.mock.method(fs, 'readFileSync');
    const rivals = createRivals({ root, procRoot: join(root, 'proc'), sysRoot: join(root, 'sys') });
    const told = rivals.claimsOn('knob/nic.any', ['/sys/class/net/ens1/mtu']);
    assert.deepEqual(
      told.map(({ value }) => value),
      ['9000'],
      'only udev knows',
    );
    const paths = read.mock.calls.map(({ arguments: [path] }) => String(path));
    assert.deepEqual(
      paths.filter((path) => /phys_|speed/.test(path)),
      [],
    );
  });

  it('is found out each minute with rules read but where they changed, and no more of devices than rules ask for', (t) => {
    const rules = Array.from({ length: 60 }, (_, at) => [
      `usr/lib/udev/rules.d/${String(at + 10)}.rules`,
      'ACTION=="remove", GOTO="end"\nATTR{size}=="1", GOTO="end"\nENV{A}=="b", ENV{C}="d"\nLABEL="end"\n',
    ]);
    const mine = 'etc/udev/rules.d/60-mine.rules';
    const line = (scheduler: string): string => `ATTR{queue/rotational}=="1", ATTR{queue/scheduler}="${scheduler}"\n`;
    const root = machineWith({ ...DEVICES, ...Object.fromEntries(rules), [mine]: line('none') });
    let now = 0;
    const rivals = createRivals({ root, procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), now: () => now });
    const told = (): unknown => {
      now += 60_000;
      return rivals.claimsOn('knob/x', [SCHEDULER])[0]?.value;
    };
    assert.equal(told(), 'none');
    const read = t.mock.method(fs, 'readFileSync');
    const paths = (): readonly string[] => read.mock.calls.map(({ arguments: [path] }) => String(path));
    assert.equal(told(), 'none');
    assert.deepEqual(
      paths().filter((path) => path.endsWith('.rules')),
      [],
    );
    assert.deepEqual(
      paths()
        .filter((path) => path.includes('/block/sda/'))
        .map((path) => path.replace(/^.*sda./, '')),
      ['size', 'removable', 'queue/rotational'],
    );
    fs.writeFileSync(join(root, mine), line('kyber'));
    assert.equal(told(), 'kyber');
  });

  it('is told of each file that is a knob of a disk or a card, and of no other', () => {
    const { root } = hardware('storage server');
    fs.writeFileSync(join(root, 'sys/block/sda/queue/nomerges'), '0\n');
    const roots = { proc: treeAt(join(root, 'proc')), sys: treeAt(join(root, 'sys')) };
    const files = Object.keys(MEANINGS)
      .filter((key) => /^(disk|nic)\./.test(key) && !isOfCards(key) && key !== 'nic.interrupts')
      .map((key) => placesOf(roots, key).find(({ path }) => path !== '')?.path ?? '')
      .filter((path) => path !== '');
    assert.ok(files.length >= 8, files.join(' '));
    const attributes = files.map((path) => path.replace(/^(block|class\/net)\/[^/]+\//, ''));
    const rules = [...attributes, 'queue/nomerges', 'power/control'].map((name) => `ATTR{${name}}="1"\n`).join('');
    const read = udevReader(machineWith({ 'etc/udev/rules.d/1.rules': rules }));
    const devices = [...new Set(files.map((path) => /^(block|class\/net)\/[^/]+/.exec(path)?.[0] ?? ''))];
    const told = new Set(read(roots.sys, devices).map(({ path }) => path.slice('/sys/'.length)));
    assert.deepEqual(
      files.filter((path) => !told.has(path)),
      [],
    );
    assert.ok([...told].every((path) => !/nomerges|power/.test(path)));
    const none = machineWith({ 'etc/udev/rules.d/1.rules': 'ATTR{queue/nomerges}="1"\nRUN+="/bin/true"\n' });
    assert.deepEqual(rivalsOf(join(root, 'none'), none, roots.sys), []);
  });

  it('is worked out again of a disk that rules ask something else of by now', () => {
    const root = machineWith({
      ...DEVICES,
      'etc/udev/rules.d/60-io.rules': 'ATTR{queue/rotational}=="0", ATTR{queue/scheduler}="none"\n',
    });
    let now = 0;
    const rivals = createRivals({ root, procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), now: () => now });
    const told = (): number => {
      now += 60_000;
      return rivals.claimsOn('knob/x', [SCHEDULER]).length;
    };
    assert.deepEqual([told(), told()], [0, 0]);
    fs.writeFileSync(join(root, 'sys/block/sda/queue/rotational'), '0\n');
    assert.equal(told(), 1);
  });

  it('is nobody where it says the same: `max` is the most of the card', async () => {
    const claims = async (size: string) => {
      const { root, originalsFile, cards } = hardware('storage server');
      const text = link('Driver=ixgbe', `RxBufferSize=${size}`);
      const at = { procRoot: join(root, 'proc'), sysRoot: join(root, 'sys'), originalsFile };
      const rivals = createRivals({
        root: machineWith({ 'etc/systemd/network/1.link': text }),
        procRoot: join(root, 'none'),
        sysRoot: join(root, 'sys'),
      });
      const provider = knobs({ ...at, files: kernel, rivals, program: ethtool(cards.run) });
      await converge(provider, [want('nic.rings.rx', 'max')]);
      return (await look(provider, 'nic.rings.rx')).claims?.map(({ value }) => value);
    };
    assert.equal(await claims('max'), undefined);
    assert.equal(await claims('4096'), undefined);
    assert.deepEqual(await claims('1024'), ['1024']);
  });
});
