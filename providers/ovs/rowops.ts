import { fingerprint } from '../../reconciler/model/fingerprint.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import { EXTERNAL_IDS, type BridgeSpec, type PortSpec } from '../../reconciler/model/resources.ts';
import type { Operation } from './client.ts';
import { guard } from './commit.ts';
import { MARKS } from './marks.ts';

/** Who writes: the fleet and the ref that marks the rows. */
export interface Owner {
  readonly fleet: string;
  readonly ref: Ref;
}

const NOTHING = ['set', []] as const;

function map(pairs: Readonly<Record<string, string>>): readonly unknown[] {
  return ['map', Object.entries(pairs)];
}

function mark({ fleet, ref }: Owner): Readonly<Record<string, string>> {
  return { [EXTERNAL_IDS.fleet]: fleet, [EXTERNAL_IDS.ref]: ref };
}

function byUuid(uuid: string): readonly unknown[] {
  return [['_uuid', '==', ['uuid', uuid]]];
}

function access(spec: PortSpec): Operation {
  // VLAN 0 is an access port too: without a tag it would be a trunk of every VLAN
  return { tag: spec.vlan, trunks: NOTHING, vlan_mode: 'access' };
}

/** Deletes the owner's QoS rows, and makes one anew where the port has a rate to receive. */
function shaping(owner: Owner, rate: number | undefined, name: string): { operations: Operation[]; qos: unknown } {
  const operations: Operation[] = [
    { op: 'delete', table: 'QoS', where: [['external_ids', 'includes', map(mark(owner))]] },
  ];
  if (rate === undefined) return { operations, qos: NOTHING };
  const row = { type: 'linux-htb', other_config: map({ 'max-rate': String(rate) }), external_ids: map(mark(owner)) };
  operations.push({ op: 'insert', table: 'QoS', row, 'uuid-name': name });
  return { operations, qos: ['named-uuid', name] };
}

/** Takes ports out of their bridges; rows that nothing refers to are then collected. */
export function unplugOps(uuids: readonly string[]): readonly Operation[] {
  return uuids.flatMap((uuid) => {
    const ports = ['set', [['uuid', uuid]]];
    const where = [['ports', 'includes', ports]];
    return [
      // a row on its way out still counts as a reference to its QoS
      { op: 'update', table: 'Port', where: byUuid(uuid), row: { qos: NOTHING } },
      { op: 'mutate', table: 'Bridge', where, mutations: [['ports', 'delete', ports]] },
    ];
  });
}

/** Takes the owner's ports out and deletes their QoS. */
export function removeOps(owner: Owner, uuids: readonly string[]): readonly Operation[] {
  return [...unplugOps(uuids), ...shaping(owner, undefined, '').operations];
}

/** Plugs a device into a bridge, in place of the owner's ports that are there. */
function plug(bridge: string, device: string, port: Operation, prefix: string): readonly Operation[] {
  const iface = `${prefix}i`;
  const name = `${prefix}p`;
  const row = { ...port, name: device, interfaces: ['named-uuid', iface] };
  return [
    guard('Bridge', [['name', '==', bridge]], { name: bridge }),
    { op: 'insert', table: 'Interface', row: { name: device }, 'uuid-name': iface },
    { op: 'insert', table: 'Port', row, 'uuid-name': name },
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['name', '==', bridge]],
      mutations: [['ports', 'insert', ['set', [['named-uuid', name]]]]],
    },
  ];
}

/** Puts a sandbox's device, whose inside is in place, into its bridge. `enforced`: the sandbox holds the sending rate. */
export function plugPortOps(
  owner: Owner,
  spec: PortSpec,
  device: string,
  sandbox: { readonly id: string; readonly enforced: boolean },
  old: readonly string[],
  prefix: string,
): readonly Operation[] {
  const { operations, qos } = shaping(owner, spec.ingress, `${prefix}q`);
  const external_ids = map({
    ...mark(owner),
    [EXTERNAL_IDS.sandbox]: sandbox.id,
    ...insideMarks(spec, sandbox.enforced),
  });
  return [
    ...unplugOps(old),
    ...operations,
    ...plug(spec.bridge, device, { ...access(spec), qos, external_ids }, prefix),
  ];
}

/** Marks of a port whose inside is as the spec says. `enforced`: the sandbox holds the sending rate. */
function insideMarks(spec: PortSpec, enforced: boolean): Readonly<Record<string, string>> {
  return {
    [MARKS.spec]: fingerprint(spec),
    [MARKS.address]: `${spec.address}/${String(spec.prefix)}`,
    [MARKS.mac]: spec.mac,
    [MARKS.mtu]: String(spec.mtu),
    ...(spec.gateway === undefined ? {} : { [MARKS.gateway]: spec.gateway }),
    ...(spec.egress === undefined ? {} : { [MARKS.egress]: String(spec.egress) }),
    ...(spec.egress === undefined || enforced ? {} : { [MARKS.unsupported]: 'egress' }),
    ...(spec.antiSpoofing ? { [MARKS.antiSpoofing]: 'on' } : {}),
  };
}

/** Marks the port row as wired. Does not hold when the row is gone. */
function markOps(name: string, uuid: string, spec: PortSpec, enforced: boolean): readonly Operation[] {
  const mutations = [
    ['external_ids', 'delete', ['set', Object.values(MARKS)]],
    ['external_ids', 'insert', map(insideMarks(spec, enforced))],
  ];
  return [guard('Port', byUuid(uuid), { name }), { op: 'mutate', table: 'Port', where: byUuid(uuid), mutations }];
}

/** Puts tag, rates and marks of a port right. Does not hold when the row is gone. */
export function updatePortOps(
  owner: Owner,
  spec: PortSpec,
  port: { readonly uuid: string; readonly name: string; readonly interfaces: readonly string[] },
  what: { readonly ingress: boolean; readonly enforced: boolean },
  prefix: string,
): readonly Operation[] {
  const shape = what.ingress ? shaping(owner, spec.ingress, `${prefix}q`) : undefined;
  const row = shape ? { ...access(spec), qos: shape.qos } : access(spec);
  return [
    ...markOps(port.name, port.uuid, spec, what.enforced),
    ...(shape?.operations ?? []),
    { op: 'update', table: 'Port', where: byUuid(port.uuid), row },
    ...port.interfaces.map((uuid) => ({
      op: 'update',
      table: 'Interface',
      where: byUuid(uuid),
      row: { ingress_policing_rate: 0, ingress_policing_burst: 0 },
    })),
  ];
}

/** Makes a bridge that learns and forwards as a switch does, without a controller. */
export function createBridgeOps(owner: Owner, spec: BridgeSpec, prefix: string): readonly Operation[] {
  const { name, datapath } = spec;
  const [iface, port, bridge] = [`${prefix}i`, `${prefix}p`, `${prefix}b`];
  const row = {
    name,
    datapath_type: datapath,
    fail_mode: 'standalone',
    ports: ['named-uuid', port],
    external_ids: map(mark(owner)),
  };
  return [
    { op: 'insert', table: 'Interface', row: { name, type: 'internal' }, 'uuid-name': iface },
    { op: 'insert', table: 'Port', row: { name, interfaces: ['named-uuid', iface] }, 'uuid-name': port },
    { op: 'insert', table: 'Bridge', row, 'uuid-name': bridge },
    {
      op: 'mutate',
      table: 'Open_vSwitch',
      where: [],
      mutations: [['bridges', 'insert', ['set', [['named-uuid', bridge]]]]],
    },
  ];
}

export function setDatapathOps(uuid: string, name: string, datapath: string): readonly Operation[] {
  return [
    guard('Bridge', byUuid(uuid), { name }),
    { op: 'update', table: 'Bridge', where: byUuid(uuid), row: { datapath_type: datapath } },
  ];
}

/** Plugs a NIC into the bridge as a trunk of all VLANs. */
export function plugUplinkOps(owner: Owner, bridge: string, nic: string, prefix: string): readonly Operation[] {
  return plug(bridge, nic, { external_ids: map(mark(owner)) }, prefix);
}

export function deleteBridgeOps(uuid: string): readonly Operation[] {
  const mutations = [['bridges', 'delete', ['set', [['uuid', uuid]]]]];
  return [{ op: 'mutate', table: 'Open_vSwitch', where: [], mutations }];
}

/** Sets and deletes pairs of other_config and external_ids of the Open_vSwitch row, or of a bridge; undefined deletes. Does not hold when the bridge is gone. */
export function configOps(
  bridge: string | undefined,
  otherConfig: Readonly<Record<string, string | undefined>>,
  externalIds: Readonly<Record<string, string | undefined>>,
): readonly Operation[] {
  const mutations = Object.entries({ other_config: otherConfig, external_ids: externalIds }).flatMap(
    ([column, wanted]) => {
      const set = Object.entries(wanted).filter((pair): pair is [string, string] => pair[1] !== undefined);
      return [
        [column, 'delete', ['set', Object.keys(wanted)]],
        [column, 'insert', ['map', set]],
      ];
    },
  );
  if (bridge === undefined) return [{ op: 'mutate', table: 'Open_vSwitch', where: [], mutations }];
  const where = [['name', '==', bridge]];
  return [guard('Bridge', where, { name: bridge }), { op: 'mutate', table: 'Bridge', where, mutations }];
}
