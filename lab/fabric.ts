import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PlumbError } from '../reconciler/model/errors.ts';
import { hostOf, background, processesIn, tool } from './context.ts';
import type { LabContext } from './context.ts';
import { until } from './process.ts';
import { CORE_ADDRESS, hostPaths, nicAddress } from './topology.ts';

/**
 * The network between the hosts: a bridge for each rack's switch and one core bridge, in a network namespace that a sleeping process
 * holds. The kernel takes it all away with that process. A bridge without VLAN filtering passes tagged frames as they are. Each host has
 * two NICs: `up0` for Open vSwitch, and `mg0` with an address on the management network, whose core is this namespace.
 */

function fabricPid(ctx: LabContext): number | undefined {
  return processesIn(ctx, 'fabric').find(({ command }) => command === 'sleep')?.pid;
}

async function ip(
  ctx: LabContext,
  what: string,
  pid: number,
  lines: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  await tool(ctx, what, ['nsenter', '-t', String(pid), '-n', '--', 'ip', '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    signal,
  });
}

/** The fabric's pid; it is built if it does not run (first `up`, or the machine was rebooted). */
export async function ensureFabric(ctx: LabContext, signal?: AbortSignal): Promise<number> {
  const running = fabricPid(ctx);
  if (running !== undefined) return running;
  background(ctx, 'fabric', ['unshare', '--net', '--', 'sleep', 'infinity'], join(ctx.topology.dir, 'fabric.log'));
  const pid = await until('the fabric did not start', () => fabricPid(ctx), { signal, timeout: 10_000 });
  const quiet = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];
  await tool(
    ctx,
    'switching IPv6 off in the fabric',
    ['nsenter', '-t', String(pid), '-n', '--', 'sysctl', '-qew', ...quiet],
    { signal },
  );
  const bridge = (name: string): readonly string[] => [
    `link add ${name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${name} up`,
  ];
  const racks = ctx.topology.racks.flatMap((rack) => [
    ...bridge(rack),
    `link add ${rack}-core type veth peer name core-${rack}`,
    `link set ${rack}-core master ${rack} up`,
    `link set core-${rack} master core up`,
  ]);
  const core = [`addr add ${CORE_ADDRESS}/24 dev core`, 'link set lo up'];
  await ip(ctx, 'building the fabric', pid, [...bridge('core'), ...core, ...racks], signal);
  return pid;
}

/** The fabric's end of a host's management NIC. */
function managementLink(host: string): string {
  return `${host}m`;
}

/** Plugs a host's NICs into its rack's switch; the links stay down while its cables are cut. */
export async function plugHost(ctx: LabContext, host: string, init: number, signal?: AbortSignal): Promise<void> {
  const { rack, paths } = hostOf(ctx, host);
  const address = nicAddress(ctx.topology.name, host);
  const up = existsSync(paths.cut) ? '' : ' up';
  const lines = [
    `link add ${host} type veth peer name up0 address ${address} netns ${String(init)}`,
    `link set ${host} master ${rack}${up}`,
    `link add ${managementLink(host)} type veth peer name mg0 netns ${String(init)}`,
    `link set ${managementLink(host)} master ${rack}${up}`,
  ];
  await ip(ctx, `plugging ${host} into ${rack}`, await ensureFabric(ctx, signal), lines, signal);
}

/** Takes a host's cables out for good; nothing to do when the kernel already has. */
export async function unplugHost(ctx: LabContext, host: string): Promise<void> {
  const pid = fabricPid(ctx);
  if (pid === undefined) return;
  for (const link of [host, managementLink(host)]) {
    if (!(await links(ctx)).has(link)) continue;
    // the kernel drops the dead host's end at a time of its own choosing
    await ip(ctx, `unplugging ${host}`, pid, [`link del ${link}`]).catch(async (error: unknown) => {
      if ((await links(ctx)).has(link)) throw error;
    });
  }
}

/** Link names of the fabric, each with whether it is administratively up. */
export async function links(ctx: LabContext): Promise<ReadonlyMap<string, boolean>> {
  const pid = fabricPid(ctx);
  if (pid === undefined) return new Map();
  const text = await tool(ctx, 'reading the fabric', [
    'nsenter',
    '-t',
    String(pid),
    '-n',
    '--',
    'ip',
    '-json',
    'link',
    'show',
  ]);
  const rows = JSON.parse(text) as readonly { readonly ifname: string; readonly flags: readonly string[] }[];
  return new Map(rows.map(({ ifname, flags }) => [ifname, flags.includes('UP')]));
}

/** The fabric's ends of the cables of a host, or of a rack's uplink to the core. */
export function cablesOf(ctx: LabContext, target: string): readonly string[] {
  if (ctx.topology.racks.includes(target)) return [`core-${target}`];
  const { name } = hostOf(ctx, target);
  return [name, managementLink(name)];
}

/** The process that holds the network's namespace. Throws LAB_FAILED when it does not run. */
export function requireFabric(ctx: LabContext): number {
  const pid = fabricPid(ctx);
  if (pid === undefined) throw new PlumbError('LAB_FAILED', `the network of lab ${ctx.topology.name} is down`);
  return pid;
}

/** Takes links of the fabric up or down; links that do not exist (a dead host's) are left. */
export async function setLinks(
  ctx: LabContext,
  names: readonly string[],
  state: 'up' | 'down',
  signal?: AbortSignal,
): Promise<void> {
  const pid = await ensureFabric(ctx, signal);
  const there = await links(ctx);
  const lines = names.filter((name) => there.has(name)).map((name) => `link set ${name} ${state}`);
  if (lines.length > 0) await ip(ctx, `taking ${names.join(' ')} ${state}`, pid, lines, signal);
}

/** Marker file that keeps a host's or a rack's cable cut, also over a boot. */
export function cutMarker(ctx: LabContext, target: string): string {
  return ctx.topology.racks.includes(target)
    ? join(ctx.topology.dir, `${target}.cut`)
    : hostPaths(ctx.topology.dir, target).cut;
}
