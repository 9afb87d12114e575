import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { announcementLines, gratuitousArp } from '../../../providers/ovs/announce.ts';
import { bundleOf, cookieOf, wholeCookies } from '../../../providers/ovs/flows.ts';
import { isLocal, routeHex, routesBy } from '../../../providers/ovs/kernel.ts';
import { batchErrors, refusalOf } from '../../../providers/ovs/links.ts';
import { answersOf, arpProbe, askerOf, questionLines } from '../../../providers/ovs/probe.ts';

const port = { ofport: 3, mac: '02:64:0a:01:00:05', address: '10.1.0.5' };

describe('flows', () => {
  it('replace those of the fleet at once', () => {
    const cookie = cookieOf('f', port);
    assert.match(cookie, /^504c[0-9a-f]{12}$/);
    assert.equal(
      bundleOf('f', [port]),
      [
        `delete cookie=0x${cookie.slice(0, 8)}00000000/0xffffffff00000000`,
        `add cookie=0x${cookie},table=0,priority=2110,in_port=3,arp,dl_src=02:64:0a:01:00:05,arp_sha=02:64:0a:01:00:05,arp_spa=10.1.0.5,actions=NORMAL`,
        `add cookie=0x${cookie},table=0,priority=2110,in_port=3,ip,dl_src=02:64:0a:01:00:05,nw_src=10.1.0.5,actions=NORMAL`,
        `add cookie=0x${cookie},table=0,priority=2100,in_port=3,actions=drop`,
        '',
      ].join('\n'),
    );
  });

  it('have a cookie that follows port number, MAC, address and fleet', () => {
    const all = [port, { ...port, ofport: 4 }, { ...port, mac: 'x' }, { ...port, address: 'y' }];
    assert.equal(new Set([...all.map((one) => cookieOf('f', one)), cookieOf('g', port)]).size, 5);
  });

  it('are whole only with all three', () => {
    const line = (cookie: string, action: string): string =>
      ` cookie=0x${cookie}, duration=1.5s, table=0, n_packets=0, n_bytes=0, priority=2110,arp,in_port=3 actions=${action}\n`;
    const whole =
      line('504c000000000001', 'NORMAL') + line('504c000000000001', 'drop') + line('504c000000000001', 'NORMAL');
    const half = line('504c000000000002', 'NORMAL') + line('504c000000000002', 'drop');
    const altered = [1, 2].map(() => line('504c000000000003', 'NORMAL')).join('') + line('504c000000000003', 'NORMAL');
    assert.deepEqual([...wholeCookies(`NXST_FLOW reply (xid=0x4):\n${whole}${half}${altered}`)], ['504c000000000001']);
  });
});

describe('gratuitous ARP', () => {
  it('is 42 bytes of broadcast that name the sender as its own target', () => {
    const head = 'ffffffffffff02640a010005080600010800060400';
    assert.equal(gratuitousArp('request', port.mac, port.address), `${head}0102640a0100050a0100050000000000000a010005`);
    assert.equal(gratuitousArp('reply', port.mac, port.address), `${head}0202640a0100050a01000502640a0100050a010005`);
  });

  it('is not sent for a port that is gone', () => {
    const { mac, address } = port;
    assert.equal(announcementLines({ bridge: 'b', ofport: () => 3, mac, address }).length, 2);
    assert.equal(announcementLines({ bridge: 'b', ofport: () => undefined, mac, address }).length, 0);
  });
});

describe('an ARP probe', () => {
  const asker = askerOf(Buffer.from('a1b2c3d4e5f6', 'hex'));
  const mac = asker.mac(100);
  const arp = (from: string): string => `08060001080006040001${from}000000000000000000000a010005`;

  it('comes from a MAC that no replica has, in its VLAN, and names no sender', () => {
    assert.equal(mac, 'a6:1b:2c:3d:40:64');
    assert.equal(arpProbe(mac, 100, '10.1.0.5'), `ffffffffffffa61b2c3d406481000064${arp('a61b2c3d4064')}`);
    assert.equal(arpProbe(mac, 0, '10.1.0.5'), `ffffffffffffa61b2c3d4064${arp('a61b2c3d4064')}`);
  });

  it('has answers noted in each VLAN, and asks for each address', () => {
    const questions = [100, 100, 7].map((vlan, n) => ({ bridge: 'b', vlan, address: `10.1.0.${String(n)}` }));
    const lines = questionLines(asker, questions);
    assert.deepEqual(
      lines.map((line) => line.split(' ')[0]),
      ['flow', 'flow', 'packet-out', 'packet-out', 'packet-out'],
    );
    const life = 'hard_timeout=10,cookie=0x5051a1b2c3d4e5f6';
    const note = 'eth_type=0x0806,NXM_OF_ETH_DST[],NXM_OF_ARP_SPA[],NXM_NX_ARP_SHA[],NXM_OF_IN_PORT[]';
    assert.equal(
      lines[0],
      `flow add table=0,${life},priority=2200,arp,arp_op=2,dl_dst=${mac},actions=learn(table=253,${life},${note})`,
    );
  });

  it('is answered by what the notes say', () => {
    const dump = `OFPST_FLOW reply (OF1.4) (xid=0x2):
 cookie=0x5051a1b2c3d4e5f6, duration=0.2s, table=253, n_packets=0, n_bytes=0, hard_timeout=10, arp,in_port=3,dl_dst=${mac},arp_spa=10.1.0.5,arp_sha=02:00:00:00:00:99 actions=drop
`;
    assert.deepEqual(answersOf(dump), [{ to: mac, address: '10.1.0.5', mac: '02:00:00:00:00:99', ofport: 3 }]);
  });
});

describe('files of /proc', () => {
  const trie = '  |-- 10.1.0.5\n     /32 host LOCAL\n  |-- 10.1.0.50\n     /32 link BROADCAST\n';
  it('tell the own addresses', () => {
    assert.ok(isLocal(trie, '10.1.0.5'));
    assert.ok(!isLocal(trie, '10.1.0.50'));
    assert.ok(!isLocal(trie, '10.1.0'));
  });

  it('tell the default route', () => {
    const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n';
    const via = `${head}eth0\t00000000\tFE01010A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`;
    assert.equal(routeHex('10.1.1.254'), 'FE01010A');
    assert.ok(routesBy(via, '10.1.1.254'));
    assert.ok(!routesBy(via, '10.1.1.253'));
    assert.ok(!routesBy(via, undefined));
    assert.ok(routesBy(head, undefined));
  });
});

describe('replies of ip', () => {
  it('give each failed line its words', () => {
    const text = 'RTNETLINK answers: File exists\nCommand failed -:5\nCannot find device "x"\nCommand failed -:7\n';
    assert.deepEqual(
      [...batchErrors(text)],
      [
        [4, 'RTNETLINK answers: File exists'],
        [6, 'Cannot find device "x"'],
      ],
    );
  });

  const address = { family: 'inet', local: '192.0.2.1', scope: 'global' };
  const cases: readonly [
    string,
    Parameters<typeof refusalOf>[1],
    Parameters<typeof refusalOf>[2],
    RegExp | undefined,
  ][] = [
    ['a free NIC', [{ addr_info: [] }], [{ dev: 'eth0' }], undefined],
    ['a link-local address only', [{ addr_info: [{ ...address, scope: 'link' }] }], [], undefined],
    ['an address of the host', [{ addr_info: [address] }], [], /192\.0\.2\.1/],
    ['the default route', [{}], [{ dev: 'eth1' }], /default route/],
    ['a member of a bond', [{ master: 'bond0' }], [], /bond0/],
    ['a port of OVS in the kernel', [{ master: 'ovs-system' }], [], undefined],
    ['no NIC', [], [], /no NIC eth1/],
  ];
  for (const [name, links, routes, why] of cases)
    it(`judge an uplink: ${name}`, () => {
      const refusal = refusalOf('eth1', links, routes);
      if (why) assert.match(refusal ?? '', why);
      else assert.equal(refusal, undefined);
    });
});
