import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { remoteView } from '../cli/local.ts';
import { endChild } from '../test/support/child.ts';
import { measure, quantile, type BenchOptions, type BenchResult } from './bench.ts';
import { startUp } from './drift.ts';
import { setRig } from './rig.ts';

const head = (name: string): string =>
  `apiVersion: plumbline/v1\nkind: App\nmetadata: { name: ${name} }\nspec:\n  image: plumbline/busybox:1\n  zone: main\n  network: { name: front }\n  stop: { signal: SIGKILL, grace: 1s }\n`;

/** Counts, one after five thousand turns of a loop of the shell. */
const COUNTS =
  'i=0; while :; do j=0; while [ $j -lt 5000 ]; do j=$((j+1)); done; i=$((i+1)); echo $i > /dev/shm/count; done';
/** Four that never rest. */
const SPINS = 'for n in 1 2 3 4; do (while :; do :; done) & done; wait';

function quiet(cpu: string): string {
  return `${head('quiet')}  command: [sh, -c, "${COUNTS}"]\n  resources: { cpu: { ${cpu} }, memory: { limit: 32Mi } }\n`;
}

function noise(replicas: number): string {
  return `${head('noise')}  command: [sh, -c, "${SPINS}"]\n  replicas: ${String(replicas)}\n  resources: { cpu: { cores: 200m, shares: 2048 }, memory: { limit: 32Mi } }\n`;
}

/** What is said inside: counts a second alone and beside spinners, in turns; CPUs of the replica and of the spinners. */
interface Said {
  readonly rates: readonly (readonly [number, number])[];
  readonly cpus: readonly [string, string];
}

/** A replica's rate beside spinning neighbours, as a share of its rate alone: with a core of its own, and without. */
export async function run({ signal, rounds = 9, seconds = 4, log }: BenchOptions): Promise<BenchResult> {
  const cpus = availableParallelism();
  if (cpus < 2) throw new Error('a core of its own needs two CPUs');
  const rig = await setRig(
    'noisy',
    { 'quiet.yaml': quiet('cores: 1, pinned: true'), 'noise.yaml': noise(cpus) },
    signal,
  );
  try {
    const up = await startUp(rig, signal);
    const view = remoteView(join(rig.dir, 'state', 'plumb.sock'));
    const shares = async (what: string): Promise<readonly number[]> => {
      const said = await rig.run(process.execPath, rig.script('noisy-inside.js'), String(rounds), String(seconds));
      const { rates, cpus: on } = JSON.parse(said) as Said;
      const of = (at: 0 | 1): string =>
        quantile(
          rates.map((pair) => pair[at]),
          0.5,
        ).toFixed(0);
      log(`${what}, on CPUs ${on[0]}: ${of(0)} counts a second alone, ${of(1)} beside spinners on CPUs ${on[1]}`);
      return rates.map(([alone, beside]) => beside / alone);
    };
    const pinned = await shares('pinned');
    rig.commit({ 'quiet.yaml': quiet('cores: 1') });
    await view.settle(signal);
    const shared = await shares('shared');
    await endChild(up);
    return {
      name: 'noisy',
      measures: [
        measure('pinned, beside spinners', 'of its rate alone', pinned, { least: 0.95 }),
        measure('shared, beside spinners', 'of its rate alone', shared, { limit: 0.95 }),
      ],
      notes: [
        `alone and beside in turns of ${String(seconds)} s; what else runs on the machine counts as well: it has to be calm`,
      ],
    };
  } finally {
    await rig.down();
  }
}
