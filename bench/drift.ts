import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { remoteView } from '../cli/local.ts';
import { endChild } from '../test/support/child.ts';
import { holdMachine } from '../test/support/machine.ts';
import { measure, quantile, type BenchOptions, type BenchResult, type Measure } from './bench.ts';
import { MAX_IDLE } from './floor/config.ts';
import { HELD } from './floor/held.ts';
import { app, setRig, type Rig } from './rig.ts';

const TUNING = `apiVersion: plumbline/v1
kind: Tuning
metadata: { name: t }
spec:
  hosts: {}
  sysctls: { net.ipv4.tcp_keepalive_time: 601, net.ipv4.tcp_keepalive_intvl: 61, net.ipv4.tcp_fin_timeout: 21, net.ipv4.tcp_syn_retries: 121, net.ipv4.tcp_retries2: 120 }
  limits: { aioMaxRequests: 1048576 }
  memory: { minFree: 0.5% }
  cpu: { workqueue: "0" }
  disks: { rotating: { readAhead: 256Ki }, solid: { readAhead: 256Ki } }
  nics: [{ txQueueLength: 1500 }]
  ovs: { otherConfig: { max-idle: ${MAX_IDLE} } }
`;

/** What runs elsewhere is moved back. */
const APP = app(20).replace('  resources:\n', '  resources:\n    escape: return\n');

/** A link of the lab host that stands for a card: its directory in /sys says that it is a device. All else there stays as it comes and goes. */
const CARD =
  'n=$(readlink -f /sys/class/net/up0); o=/run/link; d=/run/card; mkdir -p $o $d/device; mount --bind $n $o; ln -s $o/* $d/; mount --bind $d $n';

/** One that has a core for itself, so that all others share the rest. */
const PINNED = app(1).replace('name: web', 'name: solo').replace('cores: 100m, quota: 500m', 'cores: 1, pinned: true');

/** Starts `plumb up` in the rig's host and waits until all is converged. */
export async function startUp(rig: Rig, signal: AbortSignal): Promise<ChildProcess> {
  const state = join(rig.dir, 'state');
  const child = rig.lab.spawn('h1', rig.plumb('up', '-q'), { stdio: ['ignore', 'ignore', 'inherit'] });
  while (!existsSync(join(state, 'plumb.sock')) && !signal.aborted) await sleep(50);
  const status = await remoteView(join(state, 'plumb.sock')).settle(signal);
  if (status.sync !== 'Synced') throw new Error(`not converged: ${status.messages.join()}`);
  return child;
}

async function acts(rig: Rig, kind: string, count: number): Promise<number[]> {
  return JSON.parse(await rig.run(process.execPath, rig.script('acts.js'), kind, String(count))) as number[];
}

async function bare(rig: Rig, kind: string, count: number): Promise<number[]> {
  const watcher = rig.lab.spawn('h1', [process.execPath, rig.script('floor/watch.js'), kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => watcher.stdout?.once('data', resolve));
  try {
    return await acts(rig, kind, count);
  } finally {
    await endChild(watcher);
  }
}

/** A knob of every group. Of those with `within` nothing tells, so that there is nothing to watch: they are read in turn, or in every second look at everything. */
const KINDS = [
  { kind: 'tag', what: 'OVS tag', over: 20 },
  { kind: 'ovs', what: 'OVS other_config', over: 20, most: 20 },
  { kind: 'pids', what: 'cgroup pids', over: 20 },
  { kind: 'cpu', what: 'cgroup cpu', over: 20 },
  { kind: 'memory', what: 'cgroup memory', over: 20 },
  { kind: 'io', what: 'cgroup io', over: 20 },
  { kind: 'cores', what: 'cores', over: 20, most: 20 },
  { kind: 'sysctl', what: 'sysctl', over: 20 },
  { kind: 'free', what: 'memory that is kept free', over: 20, most: 20 },
  { kind: 'limits', what: 'limit of the host', over: 20, most: 20 },
  { kind: 'power', what: 'mask of workqueues', over: 20, most: 8 },
  { kind: 'disk', what: 'file of a disk', over: 20, most: 20 },
  { kind: 'nic', what: 'file of a NIC', over: 20, most: 20 },
  { kind: 'kill', what: 'killed container', over: 60 },
  { kind: 'sandbox', what: 'sysctl of a sandbox', within: 60_000 },
  { kind: 'oom', what: 'OOM score of a process', within: 66_000 },
  { kind: 'class', what: 'scheduling class of a process', within: 66_000 },
  { kind: 'escape', what: 'process outside its cgroup', within: 66_000 },
] as const;

/** Files of the machine that the acts change. */
const shared = (): readonly string[] =>
  Object.values(HELD).flatMap(({ shared: isShared, paths }) => (isShared ? paths() : []));

/** One kind of drift, under plumb and under the bare watcher; none where the host has no such thing. */
async function measuresOf(
  rig: Rig,
  { kind, what, ...more }: (typeof KINDS)[number],
  rounds: number,
  { signal, log }: Pick<BenchOptions, 'signal' | 'log'>,
): Promise<readonly Measure[]> {
  const count = 'most' in more ? Math.min(rounds, more.most) : rounds;
  const up = await startUp(rig, signal);
  await sleep(3000);
  const ours = await acts(rig, kind, count);
  await endChild(up);
  if (ours.length === 0) {
    log(`${what}: a lab host has none`);
    return [];
  }
  const p95 = (list: readonly number[]): string => quantile(list, 0.95).toFixed(1);
  if ('within' in more) {
    log(`${what}: p95 ${p95(ours)} ms`);
    return [measure(`${what}: plumb`, 'ms', ours, { limit: more.within })];
  }
  const floor = await bare(rig, kind, count);
  const limit = Math.round((quantile(floor, 0.5) + more.over) * 10) / 10;
  log(`${what}: p95 ${p95(ours)} ms, bare watcher ${p95(floor)} ms`);
  return [
    measure(`${what}: bare watcher`, 'ms', floor),
    measure(`${what}: plumb`, 'ms', ours, { yardstick: { name: 'bare watcher', samples: floor }, limit }),
  ];
}

/** From the hand's act to the repaired state, beside a bare watcher that does only that repair, in the same run. */
export async function run({ signal, rounds, log }: BenchOptions): Promise<BenchResult> {
  const files = { 'web.yaml': APP, 'solo.yaml': PINNED, 'tuning.yaml': TUNING };
  const giveBack = await holdMachine(shared());
  const rig = await setRig('drift', files, signal);
  try {
    await rig.run('sh', '-c', CARD);
    const measures: Measure[] = [];
    for (const kind of KINDS) measures.push(...(await measuresOf(rig, kind, rounds ?? 75, { signal, log })));
    const notes = measures.map(({ name, p95 }) => `${name}: p95 ${(p95 ?? 0).toFixed(1)} ms`);
    return { name: 'drift', measures, notes };
  } finally {
    // the machine is put back also where the lab does not go away
    await rig.down().finally(giveBack);
  }
}
