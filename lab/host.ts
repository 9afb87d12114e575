import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PlumbError } from '../reconciler/model/errors.ts';
import { killGroup, makeGroup, members, removeGroup } from './cgroups.ts';
import { background, hostOf, initPid, inside } from './context.ts';
import type { LabContext } from './context.ts';
import { startDaemon } from './daemons.ts';
import { plugHost, unplugHost } from './fabric.ts';
import { processFacts, startTime, until } from './process.ts';
import { managementAddress, type HostPaths } from './topology.ts';

/** The machine's resolver file, when it is a link that would dangle in a host (systemd-resolved keeps it in /run). */
function resolvConf(): string | undefined {
  try {
    if (!lstatSync('/etc/resolv.conf').isSymbolicLink()) return undefined;
    const text = readFileSync('/etc/resolv.conf', 'utf8');
    // the stub listens on the machine's loopback, which no host of the lab has
    const upstream = '/run/systemd/resolve/resolv.conf';
    return text.includes('127.0.0.53') && existsSync(upstream) ? readFileSync(upstream, 'utf8') : text;
  } catch {
    return '';
  }
}

/** What is the host's own in /etc, written into the upper layer before the first boot. */
function firstBoot(host: string, paths: HostPaths): void {
  for (const dir of [
    paths.etc,
    `${paths.etc}.work`,
    join(paths.lib, 'docker'),
    `${paths.lib}.work`,
    paths.docker,
    paths.logs,
  ])
    mkdirSync(dir, { recursive: true });
  writeFileSync(join(paths.etc, 'hostname'), `${host}\n`);
  writeFileSync(join(paths.etc, 'hosts'), `127.0.0.1 localhost\n127.0.1.1 ${host}\n`);
  const resolver = resolvConf();
  if (resolver !== undefined) writeFileSync(join(paths.etc, 'resolv.conf'), resolver);
  writeFileSync(join(paths.etc, 'machine-id'), `${randomBytes(16).toString('hex')}\n`);
}

/** Gives the host's mount namespace its own /run, /sys, /etc and /var/lib. */
async function mountOwn(ctx: LabContext, host: string, paths: HostPaths, signal?: AbortSignal): Promise<void> {
  const mount = async (...args: readonly string[]): Promise<void> => {
    await inside(ctx, host, ['mount', ...args], { signal });
  };
  const overlay = async (upper: string, target: string): Promise<void> => {
    await mount('-t', 'overlay', '-o', `lowerdir=${target},upperdir=${upper},workdir=${upper}.work`, 'overlay', target);
  };
  await mount('--bind', paths.run, '/run');
  // a sysfs of this network namespace (queues/rx-*/rps_cpus…), which must keep the cgroup tree
  const aside = join(paths.root, 'cgroup');
  mkdirSync(aside, { recursive: true });
  await mount('--rbind', '/sys/fs/cgroup', aside);
  await mount('-t', 'sysfs', 'sysfs', '/sys');
  await mount('--rbind', aside, '/sys/fs/cgroup');
  await inside(ctx, host, ['umount', '-l', aside], { signal });
  await overlay(paths.etc, '/etc');
  await overlay(paths.lib, '/var/lib');
  await mount('--bind', paths.docker, '/var/lib/docker');
}

/** Boots a dead host: its Docker data, OVSDB, /etc and /var/lib are those it had; /run and its processes are new. */
export async function bootHost(ctx: LabContext, host: string, init: string, signal?: AbortSignal): Promise<void> {
  const { paths } = hostOf(ctx, host);
  await clearHost(ctx, host);
  const fresh = !existsSync(join(paths.etc, 'machine-id'));
  if (fresh) firstBoot(host, paths);
  rmSync(paths.run, { recursive: true, force: true });
  for (const dir of ['lock', 'openvswitch']) mkdirSync(join(paths.run, dir), { recursive: true });
  makeGroup(ctx.cgroups, `${ctx.group}/${host}/docker`);

  const log = join(paths.logs, 'init.log');
  // slave: what the machine unmounts is unmounted in the host as well, and nothing goes the other way
  const namespaces = [
    '--pid',
    '--net',
    '--mount',
    '--uts',
    '--ipc',
    '--fork',
    '--kill-child',
    '--propagation=slave',
    '--mount-proc',
  ];
  background(ctx, `${host}/host`, ['unshare', ...namespaces, '--', init, '--', 'sleep', 'infinity'], log);
  const pid = await until(`${host} did not start (see ${log})`, () => initPid(ctx, host), { signal, timeout: 10_000 });
  await plugHost(ctx, host, pid, signal);
  await mountOwn(ctx, host, paths, signal);
  if (fresh) await inside(ctx, host, ['rm', '-rf', '/etc/docker'], { signal }); // the machine's daemon.json is not the host's
  const noIpv6 = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];
  await inside(ctx, host, ['sysctl', '-qew', `kernel.hostname=${host}`, ...noIpv6], { signal });
  await inside(ctx, host, ['ip', '-batch', '-'], {
    signal,
    input: `link set lo up\nlink set up0 up\naddr add ${managementAddress(ctx.topology, host)}/24 dev mg0\nlink set mg0 up\n`,
  });
  const switching = async (): Promise<void> => {
    await startDaemon(ctx, host, 'ovsdb-server', signal);
    await startDaemon(ctx, host, 'ovs-vswitchd', signal);
  };
  await Promise.all([switching(), startDaemon(ctx, host, 'dockerd', signal)]);
}

/** Ends every process of `group` and removes it; returns when they are gone. Throws LAB_FAILED when the kernel does not let go. */
export async function clearGroup(ctx: LabContext, group: string): Promise<void> {
  const killed = new Map<number, number | undefined>();
  const cleared = (): true | undefined => {
    const pids = killGroup(ctx.cgroups, group);
    for (const pid of pids) killed.set(pid, startTime(pid));
    // a dying process leaves its cgroup before it is gone
    const dying = [...killed].some(([pid, began]) => processFacts(pid) !== undefined && startTime(pid) === began);
    return pids.length === 0 && !dying && removeGroup(ctx.cgroups, group) ? true : undefined;
  };
  try {
    await until(`cgroup ${group} was not emptied`, cleared);
  } catch (error) {
    const left = members(ctx.cgroups, group);
    throw left.length === 0
      ? error
      : new PlumbError('LAB_FAILED', `processes ${left.join(' ')} of ${group} do not end`, { left }, error);
  }
}

/** A power cut, and nothing to do for a host that has no power: all its processes end at once, and its cable is dead. */
export async function clearHost(ctx: LabContext, host: string): Promise<void> {
  await clearGroup(ctx, `${ctx.group}/${hostOf(ctx, host).name}`);
  await unplugHost(ctx, host);
}
