import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { commandsIn } from '../../../providers/host/rivals/commands.ts';
import { netplanFix } from '../../../providers/host/rivals/netplan.ts';
import { createRivals } from '../../../providers/host/rivals/rivals.ts';
import { machineWith } from '../../support/knobs-rig.ts';

describe('a line of a shell sets', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['ethtool -G $IFACE rx 4096 tx 512', ['/nic/ens1/rings/rx=4096', '/nic/ens1/rings/tx=512']],
    ['/sbin/ethtool -K "ens1" tso off gro on || true', ['/nic/ens1/offloads/tso=off', '/nic/ens1/offloads/gro=on']],
    [
      'ethtool --coalesce ens1 adaptive-rx off rx-usecs 8',
      ['/nic/ens1/coalescing/adaptive-rx=off', '/nic/ens1/coalescing/rx-usecs=8'],
    ],
    ['ethtool -L ens1 combined 8 2>&1', ['/nic/ens1/channels/combined=8']],
    ['ethtool -s ens1 speed 1000', []],
    ['ethtool -G ens2 rx 4096', []],
    [
      'ip link set dev ens1 mtu 9000 txqueuelen 5000',
      ['/sys/class/net/ens1/mtu=9000', '/sys/class/net/ens1/tx_queue_len=5000'],
    ],
    ['ip link set $IFACE up', []],
    ['ifconfig ens1 mtu 1400 up; sleep 1', ['/sys/class/net/ens1/mtu=1400']],
    ['echo ff > /sys/class/net/$IFACE/queues/rx-0/rps_cpus', ['/sys/class/net/ens1/queues/rx-0/rps_cpus=ff']],
    ["/bin/sh -c 'echo 512 > /sys/block/sda/queue/nr_requests'", ['/sys/block/sda/queue/nr_requests=512']],
    ['echo done > /run/x', []],
    ['sysctl -w net.core.somaxconn=4096 && true', ['/proc/sys/net/core/somaxconn=4096']],
    ['sysctl -q -w "net.ipv4.tcp_rmem=4096 87380 1"', ['/proc/sys/net/ipv4/tcp_rmem=4096 87380 1']],
    ['route add default gw 10.0.0.1', []],
  ];
  const cardOf = (word: string): string | undefined => (word === '$IFACE' || word === 'ens1' ? 'ens1' : undefined);
  for (const [line, sets] of cases)
    it(`${sets.length === 0 ? 'nothing' : sets.join(' ')}: ${line}`, () => {
      assert.deepEqual(
        commandsIn(line, cardOf).map(({ path, value }) => `${path}=${value}`),
        sets,
      );
    });
});

const MTU = '/sys/class/net/ens1/mtu';
const RINGS = '/nic/ens1/rings/rx';
const DEVICES = {
  'sys/class/net/ens1/address': '00:1B:21:aa:bb:cc\n',
  'sys/class/net/ens1/mtu': '1500\n',
  'sys/class/net/ens1/device/vendor': '0x8086\n',
  'sys/class/net/bond0/mtu': '1500\n',
  'usr/sbin/ifup': '',
  'proc/20/comm': 'systemd-network\n',
  'proc/21/comm': 'NetworkManager\n',
};

/** Who sets a file or a setting of the card besides, on a machine with these files: file, line and value; when; what leaves it to Git. */
function claims(files: Readonly<Record<string, string>>, path: string): readonly (readonly string[])[] {
  const root = machineWith({ ...DEVICES, ...files });
  const driver = join(root, 'sys/bus/pci/drivers/ixgbe');
  fs.mkdirSync(driver, { recursive: true });
  fs.symlinkSync(driver, join(root, 'sys/class/net/ens1/device/driver'));
  const rivals = createRivals({ root, procRoot: join(root, 'proc'), sysRoot: join(root, 'sys') });
  return rivals
    .claimsOn('knob/nic.any', [path])
    .map(({ by, value, when, fix }) => [`${by}: ${value ?? '?'}`, when, fix]);
}

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly path: string;
  readonly says?: string;
}

function table(when: string, cases: readonly Case[]): void {
  for (const { name, files, path, says } of cases)
    it(name, () => {
      assert.deepEqual(
        claims(files, path),
        says === undefined ? [] : [[says, when, `remove ${says.replace(/: .*$/, '')}`]],
      );
    });
}

describe('ifupdown sets a card', () => {
  const interfaces = (text: string): Readonly<Record<string, string>> => ({ 'etc/network/interfaces': text });
  table('when ifup brings the card up', [
    {
      name: 'by mtu',
      files: interfaces(
        '# all\nauto lo ens1\niface lo inet loopback\n\niface ens1 inet static\n  address 10.0.0.1/24\n  mtu 9000\n',
      ),
      path: MTU,
      says: '/etc/network/interfaces:7: 9000',
    },
    {
      name: 'and not by that of another',
      files: interfaces('iface ens2 inet manual\n  mtu 9000\nauto ens1\n  mtu 1\n'),
      path: MTU,
    },
    {
      name: 'by a command of a stanza, that goes on in the next line',
      files: interfaces('iface ens1 inet dhcp\n  pre-up ethtool -G $IFACE \\\n    rx 4096\n'),
      path: RINGS,
      says: '/etc/network/interfaces:2: 4096',
    },
    {
      name: 'by a command of the stanza of something that is no card',
      files: interfaces('iface bond0 inet manual\n  up ethtool -G ens1 rx 512\n  up ip link set bond0 mtu 9000\n'),
      path: RINGS,
      says: '/etc/network/interfaces:2: 512',
    },
    {
      name: 'and not by one that only takes it down',
      files: interfaces('iface ens1 inet dhcp\n  pre-down ethtool -G ens1 rx 1\n'),
      path: RINGS,
    },
    {
      name: 'by options of the scripts of ethtool',
      files: interfaces(
        'iface ens1 inet dhcp\n  offload-tso off\n  hardware-dma-ring-rx 2048\n  hardware-irq-coalesce-rx-usecs 8\n',
      ),
      path: RINGS,
      says: '/etc/network/interfaces:3: 2048',
    },
    {
      name: 'by its offload',
      files: interfaces('iface ens1 inet dhcp\n  offload-tso off\n'),
      path: '/nic/ens1/offloads/tso',
      says: '/etc/network/interfaces:2: off',
    },
    {
      name: 'by a pattern of names',
      files: interfaces('iface ens* inet manual\n  mtu 9000\n'),
      path: MTU,
      says: '/etc/network/interfaces:2: 9000',
    },
    {
      name: 'by files that are read besides, the last of them',
      files: {
        ...interfaces('iface ens1 inet dhcp\n  mtu 1\nsource /etc/network/interfaces.d/*.cfg\nsource-directory more\n'),
        'etc/network/interfaces.d/a.cfg': 'iface ens1 inet dhcp\n  mtu 2\n',
        'etc/network/interfaces.d/b.old': 'iface ens1 inet dhcp\n  mtu 3\n',
        'etc/network/more/10-x': 'iface ens1 inet6 auto\n  mtu 4\n',
        'etc/network/more/10-x.bak': 'iface ens1 inet6 auto\n  mtu 5\n',
      },
      path: MTU,
      says: '/etc/network/more/10-x:2: 4',
    },
    {
      name: 'and a kernel parameter besides',
      files: interfaces('iface lo inet loopback\n  up sysctl -w net.core.somaxconn=4096\n'),
      path: '/proc/sys/net/core/somaxconn',
      says: '/etc/network/interfaces:2: 4096',
    },
  ]);

  it('only where it is installed, and each file once', () => {
    const text = 'iface ens1 inet dhcp\n  mtu 1\nsource /etc/network/interfaces\n';
    assert.equal(claims(interfaces(text), MTU).length, 1);
    const root = machineWith({ ...interfaces(text), 'sys/class/net/ens1/device/vendor': 'x\n' });
    const rivals = createRivals({ root, procRoot: join(root, 'proc'), sysRoot: join(root, 'sys') });
    assert.deepEqual(rivals.claimsOn('knob/nic.mtu', [MTU]), []);
  });
});

describe('systemd-networkd sets a card', () => {
  const network = (match: string, rest: string): string => `[Match]\n${match}\n\n${rest}\n`;
  table('when systemd-networkd brings the card up', [
    {
      name: 'by MTUBytes',
      files: { 'etc/systemd/network/20-a.network': network('Name=ens* !ens2', '[Link]\nMTUBytes=9K') },
      path: MTU,
      says: '/etc/systemd/network/20-a.network:5: 9216',
    },
    {
      name: 'by the first file that is about it, with what its folder adds',
      files: {
        'etc/systemd/network/10-a.network': network('Driver=ixgbe', '[Link]\nMTUBytes=1400'),
        'run/systemd/network/10-a.network.d/x.conf': '[Link]\nMTUBytes=1300\n',
        'usr/lib/systemd/network/80-b.network': network('Name=*', '[Link]\nMTUBytes=9000'),
      },
      path: MTU,
      says: '/run/systemd/network/10-a.network.d/x.conf:2: 1300',
    },
    {
      name: 'by what a server says',
      files: { 'etc/systemd/network/1.network': network('MACAddress=00:1b:21:aa:bb:cc', '[DHCPv4]\nUseMTU=yes') },
      path: MTU,
      says: '/etc/systemd/network/1.network:5: ?',
    },
    {
      name: 'and not by files of others, of what software makes, or of none',
      files: {
        'etc/systemd/network/1.network': network('Name=eth0', '[Link]\nMTUBytes=1'),
        'etc/systemd/network/2.network': network('Kind=bond', '[Link]\nMTUBytes=2'),
        'etc/systemd/network/3.network': '[Link]\nMTUBytes=3\n',
        'etc/systemd/network/4.network': network('Name=ens1', '[Network]\nMTUBytes=4'),
        'etc/systemd/network/5.netdev': '[NetDev]\nName=ens1\nMTUBytes=5\n',
      },
      path: MTU,
    },
    {
      name: 'and not where it does not run',
      files: { 'proc/20/comm': 'bash\n', 'etc/systemd/network/1.network': network('Name=*', '[Link]\nMTUBytes=1') },
      path: MTU,
    },
  ]);
});

describe('NetworkManager sets a card', () => {
  const profile = (connection: string, rest: string): string =>
    `[connection]\nid=x\ntype=ethernet\n${connection}\n\n${rest}\n`;
  const at = (name: string): string => `etc/NetworkManager/system-connections/${name}.nmconnection`;
  table('when NetworkManager brings the card up', [
    {
      name: 'by its MTU',
      files: { [at('a')]: profile('interface-name=ens1', '[ethernet]\nmtu=9000') },
      path: MTU,
      says: `/${at('a')}:7: 9000`,
    },
    {
      name: 'by rings, under the name that the section had',
      files: {
        [at('a')]:
          '[connection]\ntype=802-3-ethernet\n[802-3-ethernet]\nmac-address=00:1B:21:AA:BB:CC\n[ethtool]\nring-rx=4096\n',
      },
      path: RINGS,
      says: `/${at('a')}:6: 4096`,
    },
    {
      name: 'by an offload',
      files: {
        [at('a')]: profile('', '[match]\ninterface-name=en*;!ens2;\ndriver=ixgbe;\n[ethtool]\nfeature-tso=false'),
      },
      path: '/nic/ens1/offloads/tso',
      says: `/${at('a')}:10: off`,
    },
    {
      name: 'by coalescing',
      files: { [at('a')]: profile('', '[ethtool]\ncoalesce-adaptive-rx=1\ncoalesce-rx-usecs=8') },
      path: '/nic/ens1/coalescing/adaptive-rx',
      says: `/${at('a')}:7: on`,
    },
    {
      name: 'by channels, and of several profiles by the one of the higher priority',
      files: {
        [at('a')]: profile('autoconnect-priority=10', '[ethtool]\nchannels-combined=8'),
        [at('b')]: profile('', '[ethtool]\nchannels-combined=4'),
      },
      path: '/nic/ens1/channels/combined',
      says: `/${at('a')}:7: 8`,
    },
    {
      name: 'and not by profiles of others, or that leave it as it is',
      files: {
        [at('a')]: profile('interface-name=ens2', '[ethernet]\nmtu=1'),
        [at('b')]: profile('', '[ethernet]\nmac-address=00:00:00:00:00:01\nmtu=2'),
        [at('c')]: profile('', '[match]\ninterface-name=!ens1;\n[ethernet]\nmtu=3'),
        [at('d')]: profile('', '[match]\ndriver=mlx5_core;\n[ethernet]\nmtu=4'),
        [at('e')]: '[connection]\ntype=bond\ninterface-name=ens1\n[ethernet]\nmtu=5\n',
        [at('f')]: profile('interface-name=ens1', '[ethernet]\nmtu=0'),
      },
      path: MTU,
    },
    {
      name: 'and not where it does not run',
      files: { 'proc/21/comm': 'bash\n', [at('a')]: profile('', '[ethernet]\nmtu=9000') },
      path: MTU,
    },
  ]);
});

describe('files ifcfg-* of Red Hat set a card', () => {
  const at = (name: string): string => `etc/sysconfig/network-scripts/${name}`;
  table('when NetworkManager brings the card up', [
    {
      name: 'by its MTU',
      files: { [at('ifcfg-ens1')]: '# a\nTYPE=Ethernet\nDEVICE=ens1\nMTU="9000"\n' },
      path: MTU,
      says: `/${at('ifcfg-ens1')}:4: 9000`,
    },
    {
      name: 'by options of ethtool, of a card by its MAC',
      files: {
        [at('ifcfg-lan')]:
          'HWADDR=00:1b:21:AA:BB:CC\nETHTOOL_OPTS="-K ${DEVICE} tso off; -G ${DEVICE} rx 4096; -s ens1 speed 1000"\n',
      },
      path: RINGS,
      says: `/${at('ifcfg-lan')}:2: 4096`,
    },
    {
      name: 'and not those of others, copies, or of no card',
      files: {
        [at('ifcfg-eth0')]: 'DEVICE=eth0\nHWADDR=00:1b:21:aa:bb:cc\nMTU=1\n',
        [at('ifcfg-ens1.bak')]: 'DEVICE=ens1\nMTU=2\n',
        [at('route-ens1')]: 'DEVICE=ens1\nMTU=3\n',
        [at('ifcfg-any')]: 'TYPE=Ethernet\nMTU=4\n',
        [at('ifcfg-ens1')]: 'DEVICE=ens1\nMTU=\n',
      },
      path: MTU,
    },
    {
      name: 'and not where nothing reads them',
      files: { 'proc/21/comm': 'bash\n', [at('ifcfg-ens1')]: 'DEVICE=ens1\nMTU=9000\n' },
      path: MTU,
    },
  ]);
  table('when ifup brings the card up', [
    {
      name: 'by scripts that read them',
      files: { 'proc/21/comm': 'bash\n', [at('ifup-eth')]: '', [at('ifcfg-ens1')]: 'DEVICE=ens1\nMTU=9000\n' },
      path: MTU,
      says: `/${at('ifcfg-ens1')}:2: 9000`,
    },
  ]);
});

describe('what netplan writes is taken out of its own files', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['/run/systemd/network/10-netplan-lan.network:8', 'lan'],
    ['/run/systemd/network/10-netplan-lan.link:3', 'lan'],
    ['/run/NetworkManager/system-connections/netplan-lan.nmconnection:9', 'lan'],
    ['/etc/systemd/network/10-lan.network:8', undefined],
  ];
  for (const [by, id] of cases)
    it(by, () => {
      assert.equal(netplanFix(by), id && `take it out of ${id} in /etc/netplan, and netplan apply`);
    });

  it('is told so of a card', () => {
    const files = { 'run/systemd/network/10-netplan-lan.network': '[Match]\nName=ens1\n\n[Link]\nMTUBytes=9000\n' };
    assert.deepEqual(claims(files, MTU), [
      [
        '/run/systemd/network/10-netplan-lan.network:5: 9000',
        'when systemd-networkd brings the card up',
        'take it out of lan in /etc/netplan, and netplan apply',
      ],
    ]);
  });
});

it('what brings a card up counts after what udev set as it found it', () => {
  const files = {
    'etc/systemd/network/10-a.link': '[Match]\nOriginalName=*\n[Link]\nMTUBytes=1400\n',
    'etc/systemd/network/10-a.network': '[Match]\nName=ens1\n[Link]\nMTUBytes=9000\n',
  };
  assert.deepEqual(
    claims(files, MTU).map(([by]) => by),
    ['/etc/systemd/network/10-a.network:4: 9000'],
  );
});
