import { closeSync, openSync, readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { PlumbError } from '../reconciler/model/errors.ts';
import { joinFiles, makeGroup, members, parseLayout } from './cgroups.ts';
import type { CgroupLayout } from './cgroups.ts';
import { entering, must, PLAIN_ENV, processFacts, start } from './process.ts';
import type { ProcessFacts, RunOptions } from './process.ts';
import { hostPaths, labGroup } from './topology.ts';
import type { HostPaths, Topology } from './topology.ts';

/** What every step of the lab works on. */
export interface LabContext {
  readonly topology: Topology;
  readonly cgroups: CgroupLayout;
  /** Cgroup of the whole lab; below it `ctl` (our own tools), `fabric`, and for each host HOST/host and HOST/docker. */
  readonly group: string;
}

/** The context of a lab on this machine. Throws LAB_FAILED where no cgroups are mounted. */
export function labContext(topology: Topology): LabContext {
  const cgroups = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (cgroups === undefined) throw new PlumbError('LAB_FAILED', 'no cgroups are mounted below /sys/fs/cgroup');
  return { topology, cgroups, group: labGroup(topology.name) };
}

/** A host of the lab with its rack and its files. Throws USAGE for a name that is not one. */
export function hostOf(
  ctx: LabContext,
  name: string,
): { readonly name: string; readonly rack: string; readonly paths: HostPaths } {
  const host = ctx.topology.hosts.find((item) => item.name === name);
  if (host === undefined)
    throw new PlumbError(
      'USAGE',
      `no host "${name}" in lab ${ctx.topology.name}: it has ${ctx.topology.hosts.map((item) => item.name).join(' ')}`,
    );
  return { ...host, paths: hostPaths(ctx.topology.dir, name) };
}

/** Living processes directly in a group of the lab. */
export function processesIn(ctx: LabContext, group: string): readonly ProcessFacts[] {
  return members(ctx.cgroups, `${ctx.group}/${group}`).flatMap((pid) => processFacts(pid) ?? []);
}

/** Runs one of our tools, in the lab's cgroup. */
export async function tool(
  ctx: LabContext,
  what: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  makeGroup(ctx.cgroups, `${ctx.group}/ctl`);
  return await must(what, entering(joinFiles(ctx.cgroups, `${ctx.group}/ctl`), argv), options);
}

/** Starts a process of the lab that outlives us, in `group`, its output appended to `log`. */
export function background(ctx: LabContext, group: string, argv: readonly string[], log: string): ChildProcess {
  makeGroup(ctx.cgroups, `${ctx.group}/${group}`);
  const out = openSync(log, 'a', 0o644);
  try {
    const argvIn = entering(joinFiles(ctx.cgroups, `${ctx.group}/${group}`), argv);
    const child = start(argvIn, { detached: true, stdio: ['ignore', out, out], env: PLAIN_ENV, cwd: '/' });
    child.on('error', () => undefined); // /bin/sh could not start: what waits for the process says so
    child.unref();
    return child;
  } finally {
    closeSync(out);
  }
}

/** PID 1 of a running host, as we see it: the only process of the host's cgroup that is 1 in a pid namespace just below ours. */
export function initPid(ctx: LabContext, host: string): number | undefined {
  const inits = processesIn(ctx, `${host}/host`).filter(
    ({ pids, command }) => pids.length === 2 && pids[1] === 1 && command !== 'unshare',
  );
  return inits[0]?.pid;
}

/** PID 1 of a host. Throws LAB_FAILED when it is not running. */
export function requireInit(ctx: LabContext, host: string): number {
  const pid = initPid(ctx, hostOf(ctx, host).name);
  if (pid === undefined)
    throw new PlumbError(
      'LAB_FAILED',
      `${host} is not running: boot it with: plumb lab boot ${host} --dir ${ctx.topology.dir}`,
    );
  return pid;
}

/** The argument vector that runs `argv` inside a running host: in its namespaces and in its cgroup. */
export function insideHost(ctx: LabContext, host: string, argv: readonly string[]): readonly string[] {
  const target = ['nsenter', '-t', String(requireInit(ctx, host)), '-p', '-n', '-m', '-u', '-i', '--'];
  return entering(joinFiles(ctx.cgroups, `${ctx.group}/${host}/host`), [...target, ...argv]);
}

/** Runs a command of ours inside a host and returns what it printed. */
export async function inside(
  ctx: LabContext,
  host: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return await must(`${argv[0] ?? ''} on ${host}`, insideHost(ctx, host, argv), options);
}
