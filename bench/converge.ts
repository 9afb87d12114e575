import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { measure, type BenchOptions, type BenchResult } from './bench.ts';
import { app, setRig, type Rig } from './rig.ts';

interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

/** Wall and the process's own CPU time in milliseconds, both from outside. */
async function timed(rig: Rig, argv: readonly string[]): Promise<Sample> {
  const began = performance.now();
  const out = await rig.run(
    'bash',
    '-c',
    'TIMEFORMAT="%U %S"; { time "$@" >/tmp/bench.out 2>&1; } 2>&1 || { cat /tmp/bench.out; exit 1; }',
    '-',
    ...argv,
  );
  const wall = performance.now() - began;
  const [user = 0, system = 0] = out.trim().split(' ').map(Number);
  return { wall, cpu: (user + system) * 1000 };
}

async function ours(rig: Rig): Promise<Sample> {
  rmSync(join(rig.dir, 'state'), { recursive: true, force: true });
  return timed(rig, rig.plumb('apply'));
}

async function floor(rig: Rig, count: number): Promise<Sample> {
  await rig.run('ovs-vsctl', 'add-br', 'br-int', '--', 'set', 'Bridge', 'br-int', 'datapath_type=netdev');
  return timed(rig, [process.execPath, rig.script('floor/converge.js'), String(count)]);
}

async function compare(
  rig: Rig,
  count: number,
  rounds: number,
  log: (line: string) => void,
): Promise<{ ours: Sample[]; floor: Sample[] }> {
  rig.commit({ 'web.yaml': app(count) });
  const samples = { ours: [] as Sample[], floor: [] as Sample[] };
  for (let round = 0; round < rounds; round += 1) {
    await rig.clear();
    samples.ours.push(await ours(rig));
    await rig.clear();
    samples.floor.push(await floor(rig, count));
    log(
      `${String(count)} containers, round ${String(round + 1)}: ours ${String(Math.round(samples.ours.at(-1)?.wall ?? 0))} ms, floor ${String(Math.round(samples.floor.at(-1)?.wall ?? 0))} ms`,
    );
  }
  return samples;
}

/** From nothing to converged: 20 and 100 containers with sandbox, port, limits and five sysctls, against the floor. */
export async function run({ signal, rounds, log }: BenchOptions): Promise<BenchResult> {
  const rig = await setRig('converge', { 'web.yaml': app(1) }, signal);
  try {
    await ours(rig); // brings the pause image, warms caches
    const measures = [];
    for (const [count, usual] of [
      [20, 3],
      [100, 2],
    ] as const) {
      const found = await compare(rig, count, rounds ?? usual, log);
      const wall = (list: readonly Sample[]): number[] => list.map((one) => one.wall);
      const cpu = (list: readonly Sample[]): number[] => list.map((one) => one.cpu / count);
      const name = String(count);
      measures.push(
        measure(`${name}: floor`, 'ms', wall(found.floor)),
        measure(`${name}: plumb apply`, 'ms', wall(found.ours), {
          yardstick: { name: 'floor', samples: wall(found.floor) },
          ratioLimit: 1.25,
        }),
        measure(`${name}: floor, own CPU`, 'ms a container', cpu(found.floor)),
        measure(`${name}: plumb, own CPU`, 'ms a container', cpu(found.ours), {
          yardstick: { name: 'floor', samples: cpu(found.floor) },
        }),
      );
    }
    const notes = [
      'both from the start of the process to its end; plumb reads Git, journals and fsyncs, probes addresses and announces them as well',
    ];
    return { name: 'converge', measures, notes };
  } finally {
    await rig.down();
  }
}
