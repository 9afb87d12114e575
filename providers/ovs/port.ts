import type { Change, Evidence, Known } from '../../reconciler/model/change.ts';
import { PlumbError, asPlumbError } from '../../reconciler/model/errors.ts';
import type { Context } from '../../reconciler/model/provider.ts';
import { nameOf, type Ref } from '../../reconciler/model/ref.ts';
import type { PortSpec } from '../../reconciler/model/resources.ts';
import type { Announce } from './announce.ts';
import type { OvsdbClient } from './client.ts';
import type { Commits } from './commit.ts';
import { portFields } from './diff.ts';
import type { Flows } from './flows.ts';
import type { Inside } from './inside.ts';
import { freshDevice, type Links } from './links.ts';
import { MARKS } from './marks.ts';
import type { AskDaemon } from './daemon.ts';
import { guardedPorts, sandboxOf, type Observer } from './observe.ts';
import type { Probe } from './probe.ts';
import { plugPortOps, removeOps, updatePortOps, type Owner } from './rowops.ts';
import type { Tables } from './rows.ts';
import { datapathOf, ownPorts, type PortRows, type PortSeen } from './state.ts';

/** What changes are made with. Times are milliseconds. */
export interface Hands {
  readonly client: OvsdbClient;
  readonly commits: Commits;
  readonly links: Links;
  readonly inside: Inside;
  readonly probe: Probe;
  readonly announce: Announce;
  readonly flows: Flows;
  readonly observer: Observer;
  readonly daemon: AskDaemon;
  /** How long another machine may take to answer for an address. */
  readonly probeWindow: number;
  readonly limit: number;
}

/** One port to be changed. */
interface Job {
  readonly hands: Hands;
  readonly owner: Owner;
  readonly ctx: Context;
  readonly signal: AbortSignal;
  readonly rows: readonly PortRows[];
}
type Sandbox = NonNullable<ReturnType<typeof sandboxOf>>;

/** Milliseconds for which it counts that nobody answered for an address. */
const FRESH = 5_000;

function deadline(ctx: Context, { limit }: Hands): AbortSignal {
  return AbortSignal.any([ctx.signal, AbortSignal.timeout(limit * 3)]);
}

function runningSandbox({ ctx, owner }: Job): Sandbox {
  const sandbox = sandboxOf(ctx.world, nameOf(owner.ref));
  if (sandbox) return sandbox;
  throw new PlumbError('PORT_FAILED', `${owner.ref} waits: sandbox/${nameOf(owner.ref)} does not run`);
}

async function see({ hands, ctx, owner, signal }: Job): Promise<Known<PortSeen> | undefined> {
  const tables = await hands.client.tables(signal);
  const [seen] = await hands.observer.ports(tables, { ...ctx, signal }, new Set([owner.ref]));
  return seen?.known === true ? seen : undefined;
}

async function syncFlows({ hands, ctx, signal }: Job, bridges: ReadonlySet<string>): Promise<void> {
  const tables = await hands.client.tables(signal);
  await Promise.all(
    [...bridges]
      .filter((bridge) => [...tables.Bridge.values()].some((row) => row.name === bridge))
      .map((bridge) => hands.flows.sync(ctx.fleet, bridge, () => guardedPorts(tables, ctx.fleet, bridge))),
  );
}

function withFlows(rows: readonly PortRows[]): ReadonlySet<string> {
  return new Set(rows.filter(({ row }) => row.external_ids[MARKS.antiSpoofing] === 'on').map((one) => one.bridge.name));
}

/** Throws PORT_FAILED where Open vSwitch took the row and not the device. */
function checkPlugged(tables: Tables, { owner }: Job, device: string): void {
  const rows = ownPorts(tables, owner.fleet)
    .get(owner.ref)
    ?.find(({ row }) => row.name === device);
  const iface = rows?.interface;
  if (iface?.error === undefined && (iface?.ofport ?? 0) > 0) return;
  const why = iface?.error ?? 'it has no port number; the log of ovs-vswitchd says why';
  throw new PlumbError('PORT_FAILED', `Open vSwitch did not plug in ${device}: ${why}`, { ref: owner.ref });
}

function announce({ hands, owner }: Job, tables: Tables, device: string, bridge: string, spec: PortSpec): void {
  const ofport = (): number | undefined =>
    ownPorts(tables, owner.fleet)
      .get(owner.ref)
      ?.find(({ row }) => row.name === device)?.interface?.ofport;
  hands.announce({ bridge, ofport, mac: spec.mac, address: spec.address });
}

async function probe({ hands, signal, owner, ctx }: Job, spec: PortSpec): Promise<void> {
  const tables = await hands.client.tables(signal);
  const guards = () => guardedPorts(tables, ctx.fleet, spec.bridge);
  const mac = await hands.probe(spec, hands.probeWindow, guards, signal);
  if (mac === undefined) return;
  const text = `${spec.address} is in use on VLAN ${String(spec.vlan)}: ${mac} answers for it. Stop that machine, or exclude the address in the Network's ranges`;
  throw new PlumbError('ADDRESS_IN_USE', text, { ref: owner.ref, address: spec.address, mac });
}

/** Makes the veth; an eth0 that a killed run left in our sandbox goes first. */
async function makePair({ hands, signal }: Job, device: string, pid: number, mtu: number): Promise<void> {
  if (await hands.links.pair({ device, pid, mtu })) return;
  await hands.inside.clear(pid, signal);
  if (await hands.links.pair({ device, pid, mtu })) return;
  throw new PlumbError('PORT_FAILED', `the sandbox has an eth0 that cannot be deleted`);
}

/** Waits until the sandbox is there, and makes sure meanwhile that nobody else has the address: an answer counts for a while. */
async function prepare(job: Job, spec: PortSpec, asked: boolean): Promise<Job> {
  const { hands, owner, rows, ctx } = job;
  const bridge = [...(await hands.client.tables(job.signal)).Bridge.values()].find((row) => row.name === spec.bridge);
  if (!bridge) throw new PlumbError('PORT_FAILED', `${owner.ref} waits: bridge ${spec.bridge} is not there`);
  // what a killed run left would answer for its own address
  await hands.links.unlink(rows.map(({ row }) => row.name));
  if (asked) await probe(job, spec);
  const told = performance.now();
  await ctx.ready?.();
  const ready = { ...job, signal: deadline(ctx, hands) };
  if (asked && performance.now() - told > FRESH) await probe(ready, spec);
  return ready;
}

/** Makes the device and what is inside the sandbox. Gives whether the sandbox holds the sending rate. */
async function wire(job: Job, spec: PortSpec, device: string, pid: number): Promise<boolean> {
  const { hands, signal } = job;
  await makePair(job, device, pid, spec.mtu);
  const tables = await hands.client.tables(signal);
  const bridge = [...tables.Bridge.values()].find((row) => row.name === spec.bridge);
  const [limited, opened] = await Promise.allSettled([
    // the limit needs the device alone
    spec.egress === undefined ? true : hands.inside.limit(pid, spec.egress, signal),
    hands.inside.open(pid, bridge !== undefined && datapathOf(bridge) === 'netdev', spec, signal),
  ]);
  if (opened.status === 'rejected') throw opened.reason;
  if (limited.status === 'rejected') throw limited.reason;
  return limited.value;
}

/** Makes device, inside and row. A fresh device name each time: a veth made anew under its old name looks healthy and is deaf. */
async function plug(early: Job, spec: PortSpec, asked: boolean): Promise<string> {
  const device = freshDevice();
  try {
    const job = await prepare(early, spec, asked);
    const { hands, owner, signal, rows } = job;
    const { id, pid } = runningSandbox(job);
    const enforced = await wire(job, spec, device, pid);
    const old = rows.map(({ uuid }) => uuid);
    const operations = (prefix: string) => plugPortOps(owner, spec, device, { id, enforced }, old, prefix);
    const tables = await hands.commits.commit({ operations, effective: true }, signal);
    checkPlugged(tables, job, device);
    await syncFlows(job, new Set([...withFlows(rows), ...(spec.antiSpoofing ? [spec.bridge] : [])]));
    announce(job, tables, device, spec.bridge, spec);
  } catch (error) {
    await undo(early, device);
    throw asPlumbError(error, 'PORT_FAILED', early.owner.ref);
  }
  early.hands.observer.forget();
  return device;
}

/** Takes back a port that did not come up; what cannot be taken back is seen as broken later. */
async function undo({ hands, owner, ctx }: Job, device: string): Promise<void> {
  const signal = AbortSignal.timeout(hands.limit);
  try {
    const tables = await hands.client.tables(signal);
    const uuids = (ownPorts(tables, ctx.fleet).get(owner.ref) ?? []).map(({ uuid }) => uuid);
    if (uuids.length > 0)
      await hands.commits.commit({ operations: () => removeOps(owner, uuids), effective: false }, signal);
  } catch {
    // Open vSwitch is away: the row stays and is judged once it is back
  }
  await hands.links.unlink([device]).catch(() => undefined);
}

/** Puts right in place what differs. */
async function update(job: Job, spec: PortSpec, rows: PortRows, fields: ReadonlySet<string>): Promise<void> {
  const { hands, owner, signal } = job;
  const ids = rows.row.external_ids;
  const touches = (...names: readonly (keyof PortSpec)[]): boolean => names.some((name) => fields.has(`/${name}`));
  const wiring = touches('address', 'prefix', 'gateway', 'mac', 'mtu');
  const pid = wiring || touches('egress') ? runningSandbox(job).pid : undefined;
  const wanted = `${spec.address}/${String(spec.prefix)}`;
  if (pid !== undefined && wiring) {
    const moved = ids[MARKS.address] !== undefined && ids[MARKS.address] !== wanted;
    if (ids[MARKS.address]?.split('/')[0] !== spec.address) await probe(job, spec);
    if (touches('mtu')) await hands.links.raise(rows.row.name, spec.mtu);
    await hands.inside.address(pid, spec, moved, signal);
  }
  const limited = pid !== undefined && touches('egress');
  const enforced = limited ? await hands.inside.limit(pid, spec.egress, signal) : ids[MARKS.unsupported] !== 'egress';
  const port = { uuid: rows.uuid, name: rows.row.name, interfaces: rows.row.interfaces };
  const what = { ingress: touches('ingress'), enforced };
  await hands.commits.commit(
    {
      operations: (prefix) => updatePortOps(owner, spec, port, what, prefix),
      effective: touches('vlan', 'ingress', 'egress'),
    },
    signal,
  );
  if (what.ingress) hands.observer.forget();
  if (touches('antiSpoofing', 'address', 'mac'))
    await syncFlows(job, new Set([...withFlows([rows]), ...(spec.antiSpoofing ? [rows.bridge.name] : [])]));
  if (!touches('vlan', 'address', 'mac')) return;
  const tables = await hands.client.tables(signal);
  announce(job, tables, rows.row.name, rows.bridge.name, spec);
}

async function remove(job: Job): Promise<Evidence> {
  const { hands, owner, signal, rows } = job;
  if (rows.length === 0) return { did: 'already gone' };
  const uuids = rows.map(({ uuid }) => uuid);
  const devices = rows.map(({ row }) => row.name);
  const flows = withFlows(rows);
  await hands.commits.commit({ operations: () => removeOps(owner, uuids), effective: false }, signal);
  await hands.links.unlink(devices);
  await syncFlows(job, flows);
  return { did: `unplugged ${devices.join(', ')}` };
}

function conflict(ref: Ref): PlumbError {
  return new PlumbError('CONFLICT', `${ref} has changed since it was observed`, { ref });
}

/** Makes one change of a port. Throws PORT_FAILED, ADDRESS_IN_USE, OVS_UNAVAILABLE, TIMEOUT, CONFLICT. */
export async function applyPort(hands: Hands, change: Change<PortSpec>, ctx: Context): Promise<Evidence> {
  const signal = deadline(ctx, hands);
  const owner = { fleet: ctx.fleet, ref: change.ref };
  const tables = await hands.client.fresh(signal);
  const rows = ownPorts(tables, ctx.fleet).get(change.ref) ?? [];
  const job: Job = { hands, owner, ctx, signal, rows };
  const stale = change.guard !== undefined && rows[0]?.uuid !== change.guard;
  if (change.verb === 'delete') {
    if (stale && rows.length > 0) throw conflict(change.ref);
    return remove(job);
  }
  const spec = change.want;
  if (!spec) throw new PlumbError('INTERNAL', `${change.verb} of ${change.ref} without a spec`);

  const now = await see(job);
  const whole = now !== undefined && now.state.broken === undefined && now.state.bridge === spec.bridge;
  const fields = whole ? portFields(spec, now.state) : [];
  if (whole && fields.length === 0) return { did: 'already so', observed: now };
  if (stale) throw conflict(change.ref);

  const [first] = rows;
  let did: string;
  if (whole && first) {
    await update(job, spec, first, new Set(fields.map((field) => field.path)));
    did = `set ${fields.map((field) => field.path.slice(1)).join(', ')} of ${first.row.name}`;
  } else {
    if (change.verb === 'update') throw conflict(change.ref);
    const had = first?.row.external_ids[MARKS.address]?.split('/')[0];
    const device = await plug(job, spec, had !== spec.address);
    did = `plugged ${device} into ${spec.bridge}, VLAN ${String(spec.vlan)}, as ${spec.address}`;
  }
  const seen = await see(job);
  return {
    did,
    ...(seen === undefined ? {} : { observed: seen, facts: { device: seen.state.device, mac: spec.mac } }),
  };
}
