import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { remoteView } from '../cli/local.ts';
import { endChild } from '../test/support/child.ts';
import { measure, quantile, type BenchOptions, type BenchResult, type Measure } from './bench.ts';
import { app, setRig, type Rig } from './rig.ts';

const TUNING =
  'apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: t }\nspec:\n  hosts: {}\n  sysctls: { net.ipv4.tcp_keepalive_time: 601, net.ipv4.tcp_keepalive_intvl: 61, net.ipv4.tcp_fin_timeout: 21, net.ipv4.tcp_syn_retries: 121, net.ipv4.tcp_retries2: 120 }\n';

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

const KINDS = [
  { kind: 'tag', what: 'OVS tag', over: 20 },
  { kind: 'cgroup', what: 'cgroup knob', over: 20 },
  { kind: 'sysctl', what: 'sysctl', over: 20 },
  { kind: 'kill', what: 'killed container', over: 60 },
] as const;

/** From the hand's act to the repaired state, beside a bare watcher that does only that repair, in the same run. */
export async function run({ signal, rounds, log }: BenchOptions): Promise<BenchResult> {
  const count = rounds ?? 75;
  const rig = await setRig('drift', { 'web.yaml': app(20), 'tuning.yaml': TUNING }, signal);
  try {
    const measures: Measure[] = [];
    for (const { kind, what, over } of KINDS) {
      const up = await startUp(rig, signal);
      await sleep(3000);
      const ours = await acts(rig, kind, count);
      await endChild(up);
      const floor = await bare(rig, kind, count);
      const limit = quantile(floor, 0.5) + over;
      measures.push(
        measure(`${what}: bare watcher`, 'ms', floor),
        measure(`${what}: plumb`, 'ms', ours, {
          yardstick: { name: 'bare watcher', samples: floor },
          limit: Math.round(limit * 10) / 10,
        }),
      );
      const p95 = (list: readonly number[]): string => quantile(list, 0.95).toFixed(1);
      log(`${what}: p95 ${p95(ours)} ms, bare watcher ${p95(floor)} ms`);
    }
    const notes = measures.map(({ name, p95 }) => `${name}: p95 ${(p95 ?? 0).toFixed(1)} ms`);
    return { name: 'drift', measures, notes };
  } finally {
    await rig.down();
  }
}
