import type { Ref } from '../../reconciler/model/ref.ts';
import {
  EXTERNAL_IDS,
  type BridgeState,
  type OvsConfigState,
  type PortState,
} from '../../reconciler/model/resources.ts';
import type { Kernel, Seen } from './kernel.ts';
import { configName } from '../../reconciler/model/ovs-config.ts';
import { MARKS, ORIGINAL, readOriginal, type Ran } from './marks.ts';
import type { Row, Tables } from './rows.ts';

/** A Port row with what belongs to it. */
export interface PortRows {
  readonly uuid: string;
  readonly row: Row<'Port'>;
  readonly interface: Row<'Interface'> | undefined;
  readonly bridge: Row<'Bridge'>;
  readonly qos: Row<'QoS'> | undefined;
}

export interface PortSeen extends PortState {
  /** Fingerprint of the spec last applied. */
  readonly fingerprint?: string;
}
export interface BridgeSeen extends BridgeState {
  /** It carries our mark. */
  readonly made: boolean;
  /** Ports that are not ours. */
  readonly foreign: readonly string[];
  /** Ports of ours beside the uplinks. */
  readonly sandboxes: number;
}
export interface OvsConfigSeen extends OvsConfigState {
  /** What we wrote last; the value is another where a hand was at it. */
  readonly wrote?: string;
  /** Of a key that is read at the start: what the ovs-vswitchd had read that ran when we first wrote it. */
  readonly ran?: Ran;
  /** There is no such bridge. */
  readonly absent?: true;
}

/** `system` is also what an empty datapath_type means. */
export function datapathOf(bridge: Row<'Bridge'>): 'system' | 'netdev' {
  return bridge.datapath_type === 'netdev' ? 'netdev' : 'system';
}

/** All ports of all bridges. */
export function* portRows(tables: Tables): Iterable<PortRows> {
  for (const bridge of tables.Bridge.values()) {
    for (const uuid of bridge.ports) {
      const row = tables.Port.get(uuid);
      if (!row) continue;
      const [first] = row.interfaces;
      yield {
        uuid,
        row,
        bridge,
        interface: first === undefined ? undefined : tables.Interface.get(first),
        qos: row.qos === undefined ? undefined : tables.QoS.get(row.qos),
      };
    }
  }
}

/** The fleet's sandbox ports by ref. More than one row of a ref is what a hand or a crash left. */
export function ownPorts(tables: Tables, fleet: string): ReadonlyMap<Ref, readonly PortRows[]> {
  const found = new Map<Ref, PortRows[]>();
  for (const rows of portRows(tables)) {
    const ids = rows.row.external_ids;
    const ref = ids[EXTERNAL_IDS.ref];
    if (ids[EXTERNAL_IDS.fleet] !== fleet || ref?.startsWith('port/') !== true) continue;
    const known = found.get(ref as Ref);
    if (known) known.push(rows);
    else found.set(ref as Ref, [rows]);
  }
  return found;
}

/** What judging a port takes beside its rows. */
export interface Facts {
  readonly kernel: Kernel;
  /** Whether the MAC and MTU inside are read, or taken as they were read last. */
  readonly link: 'read' | 'known';
  /** The sandbox that runs now, where it is known. */
  readonly sandbox: { readonly id: string; readonly pid: number } | undefined;
  /** Whether its flows are in the table. */
  readonly flows: boolean;
}

function whyBroken(all: readonly PortRows[], first: PortRows, { kernel, sandbox }: Facts): string | undefined {
  const { row, interface: iface } = first;
  if (all.length > 1) return `ports ${all.map((rows) => rows.row.name).join(', ')} all carry its mark`;
  if (iface === undefined) return 'it has no Interface';
  if (iface.error !== undefined) return `Open vSwitch: ${iface.error}`;
  if (iface.ofport === -1) return 'Open vSwitch could not plug it in';
  const bound = row.external_ids[EXTERNAL_IDS.sandbox];
  if (sandbox && bound !== sandbox.id) return 'its sandbox is gone';
  const device = kernel.device(row.name);
  if (device === 'absent') return `${row.name} has vanished: the veth or its peer was deleted`;
  return device === 'down' ? `${row.name} or its peer is down` : undefined;
}

function vlanOf(row: Row<'Port'>): number | undefined {
  return row.trunks.length > 0 || row.vlan_mode !== 'access' ? undefined : row.tag;
}

/** Bits a second that it may receive: 0 stands for a QoS that is none of ours. */
function ingressOf({ row, qos }: PortRows): number | undefined {
  if (row.qos === undefined) return undefined;
  return qos?.type === 'linux-htb' ? Number(qos.other_config['max-rate'] ?? 0) : 0;
}

function egressOf({ row, interface: iface }: PortRows): number | undefined {
  if (iface && iface.ingress_policing_rate > 0) return iface.ingress_policing_rate * 1000;
  const marked = row.external_ids[MARKS.egress];
  return marked === undefined ? undefined : Number(marked);
}

function defined<T extends object>(value: { readonly [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

/** The state of a port from its rows and the kernel. */
export function portState(all: readonly [PortRows, ...PortRows[]], facts: Facts): PortSeen {
  const [first] = all;
  const ids = first.row.external_ids;
  const [address, prefix] = (ids[MARKS.address] ?? '').split('/');
  const gateway = ids[MARKS.gateway];
  const broken = whyBroken(all, first, facts);
  const { sandbox } = facts;
  const seen: Seen =
    sandbox && broken === undefined && address !== undefined && address !== ''
      ? facts.kernel.inside(sandbox.pid, first.row.name, address, gateway, facts.link)
      : {};
  // a sandbox that was restarted has another namespace, and what still runs in the old one keeps eth0 there
  const astray = seen.device === false ? 'its eth0 is in another network namespace' : undefined;
  const there = address !== '' && seen.address !== false;
  return defined<PortSeen>({
    device: first.row.name,
    sandbox: ids[EXTERNAL_IDS.sandbox] ?? '',
    bridge: first.bridge.name,
    datapath: datapathOf(first.bridge),
    vlan: vlanOf(first.row),
    address: there ? address : undefined,
    prefix: there && prefix !== undefined ? Number(prefix) : undefined,
    // a default route that should not be there shows as one by way of nobody
    gateway: seen.gateway === false ? (gateway === undefined ? '0.0.0.0' : undefined) : gateway,
    mac: seen.mac ?? ids[MARKS.mac],
    mtu: seen.mtu ?? (ids[MARKS.mtu] === undefined ? undefined : Number(ids[MARKS.mtu])),
    egress: egressOf(first),
    ingress: ingressOf(first),
    antiSpoofing: ids[MARKS.antiSpoofing] === 'on' && facts.flows,
    fingerprint: ids[MARKS.spec],
    broken: broken ?? astray,
  });
}

/** The state of a bridge: who is plugged in. */
export function bridgeState(tables: Tables, bridge: Row<'Bridge'>, fleet: string): BridgeSeen {
  const uplinks: string[] = [];
  const foreign: string[] = [];
  let sandboxes = 0;
  for (const uuid of bridge.ports) {
    const port = tables.Port.get(uuid);
    if (!port || port.name === bridge.name) continue;
    if (port.external_ids[EXTERNAL_IDS.fleet] !== fleet) foreign.push(port.name);
    else if (port.external_ids[EXTERNAL_IDS.ref]?.startsWith('bridge/') === true) uplinks.push(port.name);
    else sandboxes += 1;
  }
  const made = bridge.external_ids[EXTERNAL_IDS.fleet] === fleet;
  return { datapath: datapathOf(bridge), made, uplinks: uplinks.sort(), foreign: foreign.sort(), sandboxes };
}

type ConfigSeen = OvsConfigSeen & { readonly owned: boolean };

/** The state of each key of a row's other_config that is set or whose original is kept. */
function statesOf(
  { other_config, external_ids }: Pick<Row<'Bridge'>, 'other_config' | 'external_ids'>,
  fleet: string,
): readonly (readonly [string, ConfigSeen])[] {
  const kept = Object.keys(external_ids).filter((key) => key.startsWith(ORIGINAL));
  const keys = new Set([...Object.keys(other_config), ...kept.map((name) => name.slice(ORIGINAL.length))]);
  return [...keys].map((key) => {
    const original = readOriginal(external_ids[`${ORIGINAL}${key}`]);
    const owned = original?.fleet === fleet;
    const state = defined<OvsConfigSeen>({
      value: other_config[key],
      original: owned ? original.value : undefined,
      wrote: owned ? original.wrote : undefined,
      ran: owned ? original.ran : undefined,
    });
    return [key, { ...state, owned }];
  });
}

/** Keys of bridges that are knobs; others are told only where they are ours. */
const OF_BRIDGES: ReadonlySet<string> = new Set(['mac-aging-time', 'mac-table-size']);

/** The state of each key of other_config, of all Open vSwitch and of bridges, by its name. */
export function configStates(tables: Tables, fleet: string): ReadonlyMap<string, ConfigSeen> {
  const [root] = tables.Open_vSwitch.values();
  const states = new Map<string, ConfigSeen>(root ? statesOf(root, fleet) : []);
  for (const bridge of tables.Bridge.values())
    for (const [key, state] of statesOf(bridge, fleet))
      if (state.owned || OF_BRIDGES.has(key)) states.set(configName({ key, bridge: bridge.name }), state);
  return states;
}
