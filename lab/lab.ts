import type { ChildProcess } from 'node:child_process';
import { existsSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { asPlumbError, PlumbError } from '../reconciler/model/errors.ts';
import { members } from './cgroups.ts';
import { hostOf, initPid, labContext } from './context.ts';
import type { LabContext } from './context.ts';
import { daemonPid, DAEMONS, endDaemon, startDaemon } from './daemons.ts';
import type { DaemonAct, DaemonName } from './daemons.ts';
import { importImage } from './docker.ts';
import { execInHost, spawnAtCore, spawnInHost } from './exec.ts';
import type { ExecInHost, SpawnInHost } from './exec.ts';
import { cablesOf, cutMarker, ensureFabric, setLinks } from './fabric.ts';
import { bootHost, clearGroup, clearHost } from './host.ts';
import { imageChanges, readBusybox, TEST_IMAGE, TEST_TAGS, testImage } from './image.ts';
import { startTime } from './process.ts';
import type { Ended } from './process.ts';
import { builder, readRecord, removeLabDir, writeRecord } from './record.ts';
import { makeLabDir, requireMachine, requireRoot } from './requirements.ts';
import { hostPaths, LAB_BASE, labGroup, labPlace, planTopology } from './topology.ts';
import type { HostPaths, LabWish, Topology } from './topology.ts';

export interface LabOptions extends LabWish {
  readonly signal?: AbortSignal | undefined;
  /** Told what happens, one line at a time, without a line end. */
  readonly progress?: (line: string) => void;
}

/** What a host of the lab is doing. */
export interface HostStatus {
  readonly name: string;
  readonly rack: string;
  readonly state: 'running' | 'dead';
  /** PID 1 of the host as this machine sees it. */
  readonly pid?: number;
  /** Its cable is cut (its rack's may be as well). */
  readonly cut: boolean;
  /** Pids of the daemons that run. */
  readonly daemons: Readonly<Partial<Record<DaemonName, number>>>;
  readonly docker: string;
  readonly ovsdb: string;
}

export interface LabStatus {
  readonly version: 1;
  readonly name: string;
  readonly dir: string;
  readonly racks: readonly { readonly name: string; readonly cut: boolean }[];
  readonly hosts: readonly HostStatus[];
}

/** A lab that is up. Hosts are named h1…, racks r1…; an unknown name throws USAGE, what the machine refuses throws LAB_FAILED. */
export interface Lab {
  readonly name: string;
  readonly dir: string;
  readonly racks: readonly string[];
  readonly hosts: readonly { readonly name: string; readonly rack: string; readonly paths: HostPaths }[];
  /** Runs a command in a host's namespaces and cgroup, to its end. */
  readonly exec: (host: string, argv: readonly string[], options?: ExecInHost) => Promise<Ended>;
  /** The same without waiting; `kill` of the child reaches the command. */
  readonly spawn: (host: string, argv: readonly string[], options?: SpawnInHost) => ChildProcess;
  /** Starts a command at the core of the network, in no host: what is there reaches all by the management network, at CORE_ADDRESS. */
  readonly spawnAtCore: (argv: readonly string[], options?: SpawnInHost) => ChildProcess;
  /** Power cut. */
  readonly kill: (host: string) => Promise<void>;
  /** Boots a dead host; returns when Docker and Open vSwitch answer. */
  readonly boot: (host: string, signal?: AbortSignal) => Promise<void>;
  /** Takes the cable of a host, or of a rack's switch to the core, out; it stays out over a boot. */
  readonly cut: (target: string) => Promise<void>;
  /** Puts one cable back, or all of them. */
  readonly heal: (target?: string) => Promise<void>;
  readonly daemon: (host: string, name: DaemonName, act: DaemonAct, signal?: AbortSignal) => Promise<void>;
  readonly status: () => LabStatus;
  readonly down: () => Promise<void>;
}

function labOf(ctx: LabContext): Lab {
  const { topology } = ctx;
  const cable = async (target: string, state: 'up' | 'down'): Promise<void> => {
    const links = cablesOf(ctx, target);
    const marker = cutMarker(ctx, target);
    if (state === 'down') writeFileSync(marker, '');
    else rmSync(marker, { force: true });
    await setLinks(ctx, links, state);
  };
  return {
    name: topology.name,
    dir: topology.dir,
    racks: topology.racks,
    hosts: topology.hosts.map((host) => hostOf(ctx, host.name)),
    exec: async (host, argv, options) => await execInHost(ctx, host, argv, options),
    spawn: (host, argv, options) => spawnInHost(ctx, host, argv, options),
    spawnAtCore: (argv, options) => spawnAtCore(ctx, argv, options),
    kill: async (host) => {
      await clearHost(ctx, host);
    },
    boot: async (host, signal) => {
      await powerOn(ctx, hostOf(ctx, host).name, signal);
    },
    cut: async (target) => {
      await cable(target, 'down');
    },
    heal: async (target) => {
      const all = [...topology.racks, ...topology.hosts.map(({ name }) => name)];
      for (const one of target === undefined ? all.filter((name) => existsSync(cutMarker(ctx, name))) : [target])
        await cable(one, 'up');
    },
    daemon: async (host, name, act, signal) => {
      if (act !== 'start')
        await endDaemon(ctx, hostOf(ctx, host).name, name, act === 'kill' ? 'SIGKILL' : 'SIGTERM', signal);
      if (act === 'start' || act === 'restart') await startDaemon(ctx, hostOf(ctx, host).name, name, signal);
    },
    status: () => statusOf(ctx),
    down: async () => {
      await labDown(topology);
    },
  };
}

/** Boots a host; one that does not come up is powered off again. */
async function powerOn(ctx: LabContext, host: string, signal?: AbortSignal): Promise<void> {
  if (initPid(ctx, host) !== undefined) throw new PlumbError('LAB_FAILED', `${host} is running already`);
  try {
    await bootHost(ctx, host, requireMachine().init, signal);
  } catch (error) {
    await clearHost(ctx, host);
    throw error;
  }
}

function statusOf(ctx: LabContext): LabStatus {
  const { name, dir, racks, hosts } = ctx.topology;
  const cut = (target: string): boolean => existsSync(cutMarker(ctx, target));
  const status = (host: Topology['hosts'][number]): HostStatus => {
    const pid = initPid(ctx, host.name);
    const daemons = DAEMONS.flatMap((daemon) => {
      const found = daemonPid(ctx, host.name, daemon);
      return found === undefined ? [] : [[daemon, found] as const];
    });
    const { dockerSocket, ovsdbSocket } = hostPaths(dir, host.name);
    return {
      ...host,
      ...(pid === undefined ? { state: 'dead' } : { state: 'running', pid }),
      cut: cut(host.name),
      daemons: Object.fromEntries(daemons),
      docker: `unix://${dockerSocket}`,
      ovsdb: `unix:${ovsdbSocket}`,
    };
  };
  return {
    version: 1,
    name,
    dir,
    racks: racks.map((rack) => ({ name: rack, cut: cut(rack) })),
    hosts: hosts.map(status),
  };
}

function claim(topology: Topology): void {
  const { name, dir } = topology;
  const { cgroups, group } = labContext(topology);
  if (!existsSync(dir) && cgroups.roots.some((root) => existsSync(`${root}/${group}`)))
    throw new PlumbError(
      'LAB_FAILED',
      `another lab is named ${name}: choose another --name, or take it down with: plumb lab down --name ${name}`,
    );
  makeLabDir(dir);
  writeRecord({ topology, starting: { pid: process.pid, started: startTime(process.pid) ?? 0 } });
}

/**
 * Makes a lab and returns when every host's Docker and Open vSwitch answer and the test images are imported. What was made is
 * removed again when it fails or is aborted. Throws USAGE, MISSING_PROGRAM, LAB_FAILED, TIMEOUT or CANCELLED.
 */
export async function labUp(options: LabOptions = {}): Promise<Lab> {
  const topology = planTopology(options);
  const { init, busybox } = requireMachine();
  claim(topology);
  const ctx = labContext(topology);
  // one host's failure stops the others, so that nothing is started any more when the lab is taken down
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([failed.signal, options.signal]);
  const began = performance.now();
  try {
    await ensureFabric(ctx, signal);
    const { elf, applets } = await readBusybox(busybox, signal);
    const images = TEST_TAGS.map((tag) => ({
      repository: TEST_IMAGE,
      tag,
      rootfs: testImage(elf, applets, tag),
      changes: imageChanges(tag),
    }));
    const power = async (host: string): Promise<void> => {
      await bootHost(ctx, host, init, signal);
      for (const image of images) await importImage(hostPaths(topology.dir, host).dockerSocket, image, signal);
      options.progress?.(`${host} is up after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    };
    const failures: PlumbError[] = [];
    const guarded = topology.hosts.map(({ name }) =>
      power(name).catch((error: unknown) => {
        failures.push(asPlumbError(error, 'LAB_FAILED', name));
        failed.abort();
      }),
    );
    await Promise.all(guarded);
    if (failures[0] !== undefined) throw failures[0]; // the others were stopped because of it
    writeRecord({ topology });
    return labOf(ctx);
  } catch (error) {
    await labDown(topology);
    throw options.signal?.aborted === true
      ? new PlumbError('CANCELLED', 'the lab was stopped while it came up', {}, error)
      : error;
  }
}

/** The lab in `dir`, or of that name in the usual place. Throws LAB_FAILED where there is none. */
export function openLab(wish: Pick<LabWish, 'name' | 'dir'> = {}): Lab {
  const { dir } = labPlace(wish);
  requireRoot();
  const record = readRecord(dir);
  if (record === undefined)
    throw new PlumbError('LAB_FAILED', `there is no lab in ${dir}: start one with: plumb lab up`);
  return labOf(labContext(record.topology));
}

/**
 * Takes a lab down, whatever state it is in: processes, namespaces, cgroups, links and its directory. Idempotent; a crashed `up`,
 * an interrupted `down` and a directory removed by hand are all taken care of. Throws LAB_FAILED while another process is starting it.
 */
export async function labDown(
  wish: Pick<LabWish, 'name' | 'dir'> = {},
): Promise<{ readonly found: boolean; readonly dir: string }> {
  const place = labPlace(wish);
  requireRoot();
  const record = readRecord(place.dir);
  const other = builder(record);
  if (other !== undefined)
    throw new PlumbError(
      'LAB_FAILED',
      `process ${String(other)} is starting this lab now: stop it, then run down again`,
    );
  const name = record?.topology.name ?? place.name;
  const ctx = labContext(record?.topology ?? { version: 1, ...place, racks: [], hosts: [] });
  const found = record !== undefined || existsSync(place.dir) || members(ctx.cgroups, labGroup(name)).length > 0;
  await clearGroup(ctx, labGroup(name));
  removeLabDir(place.dir, record !== undefined);
  if (dirname(place.dir) === LAB_BASE) {
    try {
      rmdirSync(LAB_BASE);
    } catch {
      // other labs are there, or it never was
    }
  }
  return { found, dir: place.dir };
}
