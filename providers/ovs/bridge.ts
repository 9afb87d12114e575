import type { Change, Evidence } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf } from '../../reconciler/model/ref.ts';
import type { BridgeSpec } from '../../reconciler/model/resources.ts';
import { bridgeFields } from './diff.ts';
import type { Hands } from './port.ts';
import { createBridgeOps, deleteBridgeOps, plugUplinkOps, setDatapathOps, unplugOps, type Owner } from './rowops.ts';
import type { Row, Tables } from './rows.ts';
import { bridgeState, datapathOf, portRows } from './state.ts';

interface Found {
  readonly uuid: string;
  readonly row: Row<'Bridge'>;
}

function find(tables: Tables, name: string): Found | undefined {
  for (const [uuid, row] of tables.Bridge) if (row.name === name) return { uuid, row };
  return undefined;
}

/** Why the bridge's own port or the NIC's did not come up. */
function trouble(tables: Tables, bridge: string, port: string): string | undefined {
  const rows = [...portRows(tables)].find((one) => one.row.name === port && one.bridge.name === bridge);
  const iface = rows?.interface;
  if (iface?.error !== undefined) return iface.error;
  if (iface?.ofport !== undefined && iface.ofport > 0) return undefined;
  return 'it has no port number; the log of ovs-vswitchd says why';
}

async function checkUplink(hands: Hands, tables: Tables, nic: string, signal: AbortSignal): Promise<void> {
  const taken = [...portRows(tables)].find(({ row }) => row.name === nic);
  const why = taken
    ? `${nic} is plugged into ${taken.bridge.name} already: unplug it there, or name that bridge in the Network`
    : await hands.links.refusal(nic, signal);
  if (why !== undefined) throw new PlumbError('UPLINK_REFUSED', `${nic} is not plugged in as uplink: ${why}`, { nic });
}

async function setUplink(hands: Hands, owner: Owner, bridge: string, nic: string | undefined, signal: AbortSignal) {
  const tables = await hands.client.tables(signal);
  const row = find(tables, bridge)?.row;
  if (!row) return;
  const { uplinks } = bridgeState(tables, row, owner.fleet);
  const leaving = [...portRows(tables)].filter((one) => uplinks.includes(one.row.name) && one.row.name !== nic);
  const uuids = leaving.map(({ uuid }) => uuid);
  if (uuids.length > 0) await hands.commits.commit({ operations: () => unplugOps(uuids), effective: true }, signal);
  if (nic === undefined || uplinks.includes(nic)) return;
  await checkUplink(hands, tables, nic, signal);
  await hands.links.raise(nic);
  const operations = (prefix: string) => plugUplinkOps(owner, bridge, nic, prefix);
  const after = await hands.commits.commit({ operations, effective: true }, signal);
  const why = trouble(after, bridge, nic);
  if (why === undefined) return;
  const bad = [...portRows(after)].filter((one) => one.row.name === nic).map(({ uuid }) => uuid);
  await hands.commits.commit({ operations: () => unplugOps(bad), effective: false }, signal);
  throw new PlumbError('PORT_FAILED', `Open vSwitch did not plug in ${nic}: ${why}`);
}

async function create(hands: Hands, owner: Owner, spec: BridgeSpec, signal: AbortSignal): Promise<void> {
  if (spec.uplink !== undefined) await checkUplink(hands, await hands.client.tables(signal), spec.uplink, signal);
  const operations = (prefix: string) => createBridgeOps(owner, spec, prefix);
  const tables = await hands.commits.commit({ operations, effective: true }, signal);
  const why = trouble(tables, spec.name, spec.name);
  if (why === undefined) return;
  const made = find(tables, spec.name);
  if (made) await hands.commits.commit({ operations: () => deleteBridgeOps(made.uuid), effective: false }, signal);
  const other = spec.datapath === 'system' ? 'netdev (without the kernel module openvswitch, that is)' : 'system';
  const text = `Open vSwitch could not make bridge ${spec.name} with datapath ${spec.datapath}: ${why}. The other datapath is ${other}`;
  throw new PlumbError('PORT_FAILED', text, { bridge: spec.name });
}

async function setDatapath(hands: Hands, owner: Owner, spec: BridgeSpec, { uuid, row }: Found, signal: AbortSignal) {
  const have = datapathOf(row);
  if (have === spec.datapath) return;
  if (!bridgeState(await hands.client.tables(signal), row, owner.fleet).made) {
    const text = `bridge ${spec.name} is not ours and has datapath ${have}: set datapath: ${have} in the Network, or name another bridge`;
    throw new PlumbError('NOT_OURS', text, { bridge: spec.name });
  }
  const operations = () => setDatapathOps(uuid, spec.name, spec.datapath);
  await hands.commits.commit({ operations, effective: true }, signal);
}

async function remove(hands: Hands, owner: Owner, signal: AbortSignal): Promise<Evidence> {
  const name = nameOf(owner.ref);
  const tables = await hands.client.fresh(signal);
  const found = find(tables, name);
  if (!found) return { did: 'already gone' };
  const { made, foreign, sandboxes, uplinks } = bridgeState(tables, found.row, owner.fleet);
  if (sandboxes > 0 || (made && foreign.length > 0))
    throw new PlumbError('CONFLICT', `bridge ${name} is in use by now`, { foreign, sandboxes });
  if (!made && uplinks.length === 0) return { did: 'already gone' };
  const uuids = [...portRows(tables)].filter(({ row }) => uplinks.includes(row.name)).map(({ uuid }) => uuid);
  const operations = () => (made ? deleteBridgeOps(found.uuid) : unplugOps(uuids));
  await hands.commits.commit({ operations, effective: true }, signal);
  return { did: made ? `deleted bridge ${name}` : `unplugged ${uplinks.join(', ')} from ${name}` };
}

/** Makes one change of a bridge. Throws PORT_FAILED, UPLINK_REFUSED, NOT_OURS, OVS_UNAVAILABLE, TIMEOUT, CONFLICT. */
export async function applyBridge(hands: Hands, change: Change<BridgeSpec>, ctx: Context): Promise<Evidence> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(hands.limit * 3)]);
  const owner = { fleet: ctx.fleet, ref: change.ref };
  if (change.verb === 'delete') return remove(hands, owner, signal);
  const spec = change.want;
  if (!spec) throw new PlumbError('INTERNAL', `${change.verb} of ${change.ref} without a spec`);

  const observed = async () => {
    const tables = await hands.client.fresh(signal);
    return hands.observer.bridges(tables, ctx.fleet).find((seen) => seen.ref === change.ref);
  };
  const before = await observed();
  if (before && bridgeFields(spec, before.state).length === 0) return { did: 'already so', observed: before };
  if (change.guard !== undefined && before?.version !== change.guard)
    throw new PlumbError('CONFLICT', `${change.ref} has changed since it was observed`);

  const found = find(await hands.client.tables(signal), spec.name);
  if (found) await setDatapath(hands, owner, spec, found, signal);
  else await create(hands, owner, spec, signal);
  await setUplink(hands, owner, spec.name, spec.uplink, signal);
  const after = await observed();
  const uplink = spec.uplink === undefined ? '' : ` with uplink ${spec.uplink}`;
  return {
    did: `${found ? 'changed' : 'made'} bridge ${spec.name} (${spec.datapath})${uplink}`,
    ...(after === undefined ? {} : { observed: after }),
  };
}
