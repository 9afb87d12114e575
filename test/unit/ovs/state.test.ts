import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Kernel, Seen } from '../../../providers/ovs/kernel.ts';
import { MARKS } from '../../../providers/ovs/marks.ts';
import { emptyTables, type Row, type Tables, type RowChange } from '../../../providers/ovs/rows.ts';
import { configStates, ownPorts, portState, type PortSeen } from '../../../providers/ovs/state.ts';
import { hintsOf } from '../../../providers/ovs/watch.ts';

const IDS = {
  'plumbline-fleet': 'f',
  'plumbline-ref': 'port/web-0',
  'plumbline-sandbox': 's1',
  [MARKS.address]: '10.1.0.5/24',
  [MARKS.mac]: '02:64:0a:01:00:05',
  [MARKS.mtu]: '1500',
};

interface World {
  readonly port?: Partial<Row<'Port'>>;
  readonly iface?: Partial<Row<'Interface'>>;
  readonly device?: 'up' | 'down' | 'absent';
  readonly inside?: Seen;
  readonly sandbox?: string;
}

function tablesOf({ port, iface }: World, copies = 1): Tables {
  const tables = emptyTables();
  const ports = Array.from({ length: copies }, (_, i) => `p${String(i)}`);
  tables.Bridge.set('b', { name: 'br-int', datapath_type: 'netdev', ports, other_config: {}, external_ids: {} });
  for (const uuid of ports) {
    const row = { name: 'pl1', tag: 100, trunks: [], vlan_mode: 'access', interfaces: ['i'], qos: undefined };
    tables.Port.set(uuid, { ...row, external_ids: IDS, ...port });
  }
  const device = {
    name: 'pl1',
    type: '',
    ofport: 3,
    error: undefined,
    ifindex: 9,
    link_state: 'up',
    admin_state: 'up',
  };
  tables.Interface.set('i', { ...device, ingress_policing_rate: 0, ...iface });
  return tables;
}

function judged(world: World, copies = 1): PortSeen {
  const kernel: Kernel = { device: () => world.device ?? 'up', inside: () => world.inside ?? {} };
  const rows = ownPorts(tablesOf(world, copies), 'f').get('port/web-0') ?? [];
  const [first, ...others] = rows;
  assert.ok(first);
  const sandbox = world.sandbox === undefined ? undefined : { id: world.sandbox, pid: 1 };
  return portState([first, ...others], { kernel, sandbox, flows: false, link: 'read' });
}

describe('judging a port', () => {
  it('takes a whole one as its marks say', () => {
    assert.deepEqual(judged({ sandbox: 's1' }), {
      device: 'pl1',
      sandbox: 's1',
      bridge: 'br-int',
      datapath: 'netdev',
      vlan: 100,
      address: '10.1.0.5',
      prefix: 24,
      mac: '02:64:0a:01:00:05',
      mtu: 1500,
      antiSpoofing: false,
    });
  });

  const broken: readonly [string, World, RegExp | undefined][] = [
    ['an error of the Interface', { iface: { error: 'No such device' } }, /No such device/],
    ['no port number', { iface: { ofport: -1 } }, /could not plug/],
    ['a number still to come', { iface: { ofport: undefined } }, undefined],
    ['a device that vanished', { device: 'absent' }, /vanished/],
    ['a device that is down', { device: 'down' }, /down/],
    ['another sandbox', { sandbox: 's2' }, /sandbox is gone/],
    ['a sandbox that is not known now', {}, undefined],
  ];
  for (const [name, world, why] of broken)
    it(name, () => {
      if (why) assert.match(judged(world).broken ?? '', why);
      else assert.equal(judged(world).broken, undefined);
    });

  it('two rows of one ref', () => {
    assert.match(judged({}, 2).broken ?? '', /all carry its mark/);
  });

  it('believes the inside more than the marks', () => {
    const inside = { address: false, gateway: false, mac: '02:00:00:00:00:01', mtu: 900 };
    const state = judged({ sandbox: 's1', inside });
    assert.deepEqual([state.address, state.prefix, state.gateway], [undefined, undefined, '0.0.0.0']);
    assert.deepEqual([state.mac, state.mtu], ['02:00:00:00:00:01', 900]);
  });

  it('is broken when its sandbox was restarted and has no eth0 any more', () => {
    const state = judged({ sandbox: 's1', inside: { address: false, device: false } });
    assert.match(state.broken ?? '', /another network namespace/);
  });

  it('has no VLAN when it is a trunk', () => {
    assert.equal(judged({ port: { trunks: [1] } }).vlan, undefined);
    assert.equal(judged({ port: { vlan_mode: 'native-tagged' } }).vlan, undefined);
    assert.equal(judged({ port: { vlan_mode: undefined } }).vlan, undefined);
  });

  it('sees policing and a QoS of somebody else as rates', () => {
    assert.equal(judged({ iface: { ingress_policing_rate: 5 } }).egress, 5000);
    assert.equal(judged({ port: { qos: 'q' } }).ingress, 0);
  });

  it("does not see another fleet's port", () => {
    assert.equal(ownPorts(tablesOf({ port: { external_ids: { ...IDS, 'plumbline-fleet': 'g' } } }), 'f').size, 0);
  });
});

describe('other_config', () => {
  it('is ours where an original of this fleet is kept', () => {
    const tables = emptyTables();
    tables.Open_vSwitch.set('o', {
      next_cfg: 0,
      cur_cfg: 0,
      other_config: { a: '1', b: '2', c: '3' },
      external_ids: {
        'plumbline-original:a': '{"fleet":"f","value":"0","wrote":"1"}',
        'plumbline-original:b': '{"fleet":"g","wrote":"2"}',
        'plumbline-original:d': '{"fleet":"f","wrote":"4"}',
        'plumbline-original:c': 'nonsense',
      },
    });
    const mark = { 'plumbline-original:stp-enable': '{"fleet":"f","wrote":"true"}' };
    const bridge = { name: 'br-x', datapath_type: 'netdev', ports: [] };
    tables.Bridge.set('b', { ...bridge, other_config: { 'mac-table-size': '9', hwaddr: 'x' }, external_ids: mark });
    assert.deepEqual(Object.fromEntries(configStates(tables, 'f')), {
      'mac-table-size[bridge=br-x]': { value: '9', owned: false },
      'stp-enable[bridge=br-x]': { wrote: 'true', owned: true },
      a: { value: '1', original: '0', wrote: '1', owned: true },
      b: { value: '2', owned: false },
      c: { value: '3', owned: false },
      d: { wrote: '4', owned: true },
    });
  });
});

describe('hints', () => {
  it('name the port of a changed Interface, and one that left its bridge', () => {
    const tables = tablesOf({});
    const moved = {
      table: 'Bridge',
      uuid: 'b',
      before: { name: 'br-x', ports: ['p0'] },
      after: { name: 'br-x', ports: [] },
    } as const;
    assert.deepEqual([...hintsOf([moved], tables)], ['bridge/br-x', 'port/web-0']);
    assert.deepEqual([...hintsOf([{ table: 'Interface', uuid: 'i', before: {}, after: {} }], tables)], ['port/web-0']);
  });

  it('name no bridge for a sandbox port that was plugged in, but for one of somebody else and for what is set anew', () => {
    const tables = tablesOf({});
    const change = (before: object, after: object): readonly string[] => {
      const row = { name: 'br-x', datapath_type: 'netdev', ports: [] };
      return [
        ...hintsOf(
          [{ table: 'Bridge', uuid: 'b', before: { ...row, ...before }, after: { ...row, ...after } }],
          tables,
        ),
      ];
    };
    assert.deepEqual(change({}, { ports: ['p0'] }), ['port/web-0']);
    assert.deepEqual(change({}, { ports: ['p0', 'theirs'] }), ['bridge/br-x', 'port/web-0']);
    assert.deepEqual(change({}, { ports: ['p0'], datapath_type: '' }), ['bridge/br-x', 'port/web-0']);
    assert.deepEqual(change({ datapath_type: '' }, {}), ['bridge/br-x']);
  });

  it('name the keys that changed, and nothing for a mere cur_cfg', () => {
    const change = (before: Record<string, string>, after: Record<string, string>) =>
      hintsOf(
        [{ table: 'Open_vSwitch', uuid: 'o', before: { other_config: before }, after: { other_config: after } }],
        emptyTables(),
      );
    assert.deepEqual([...change({ a: '1', b: '2' }, { a: '1', b: '3' })], ['ovs-config/b']);
    assert.deepEqual([...change({ a: '1' }, { a: '1' })], []);
  });

  it('name the keys of a bridge that changed, and all of them where the bridge is another', () => {
    const row = (size: string) => ({ name: 'br-x', ports: [], other_config: { 'mac-table-size': size } });
    const change = (before: object | undefined, after: object | undefined) =>
      hintsOf([{ table: 'Bridge', uuid: 'b', before, after } as RowChange], emptyTables());
    assert.deepEqual([...change(row('1'), row('2'))], ['bridge/br-x', 'ovs-config/mac-table-size[bridge=br-x]']);
    assert.deepEqual([...change(undefined, row('1'))], ['bridge/br-x', 'ovs-config/*']);
  });
});
