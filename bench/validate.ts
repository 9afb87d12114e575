import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { measure } from './bench.ts';
import type { BenchOptions, BenchResult } from './bench.ts';
import { appText, fleetOf, writeFiles } from './fleet.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const APPS = 5000;
const CHANGED = 10;
const exec = promisify(execFile);

/** Wall time of whole processes, in milliseconds. */
export async function run({ signal, rounds = 5, log }: BenchOptions): Promise<BenchResult> {
  const base = mkdtempSync(join(tmpdir(), 'plumb-bench-'));
  const folder = join(base, 'fleet');
  const cache = join(base, 'cache');
  const timed = async (args: readonly string[]): Promise<number> => {
    const start = performance.now();
    await exec(process.execPath, args, { signal, timeout: 120_000, env: { ...process.env, PLUMB_CACHE_DIR: cache } });
    return performance.now() - start;
  };
  const validate = [join(ROOT, 'bin/plumb'), 'validate', folder];
  const samples = { floor: [], cold: [], changed: [], unchanged: [], node: [], help: [] } as Record<
    'floor' | 'cold' | 'changed' | 'unchanged' | 'node' | 'help',
    number[]
  >;
  try {
    writeFiles(folder, fleetOf(APPS));
    for (let round = 0; round < rounds; round++) {
      log(`round ${String(round + 1)} of ${String(rounds)}`);
      samples.floor.push(await timed([join(ROOT, 'dist/bench/validate-floor.js'), folder]));
      rmSync(cache, { recursive: true, force: true });
      samples.cold.push(await timed(validate));
      for (let at = 0; at < CHANGED; at++) {
        const path = join(folder, `apps/team-${String(at)}/app-${String(at * 50)}.yaml`);
        writeFileSync(path, appText(`app-${String(at * 50)}`, `team-${String(at)}`, at * 50, (round % 5) + 2));
      }
      samples.changed.push(await timed(validate));
      samples.unchanged.push(await timed(validate));
      samples.node.push(await timed(['-e', '0']));
      samples.help.push(await timed([join(ROOT, 'bin/plumb'), '--help']));
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  const yardstick = { name: 'yaml and ajv alone', samples: samples.floor };
  return {
    name: 'validate',
    measures: [
      measure('yaml and ajv alone', 'ms', samples.floor),
      measure('cold', 'ms', samples.cold, { limit: 6000, yardstick }),
      measure(`${String(CHANGED)} changed`, 'ms', samples.changed, { limit: 1000, yardstick }),
      measure('unchanged', 'ms', samples.unchanged, { yardstick }),
      measure('node -e 0', 'ms', samples.node),
      measure('plumb --help', 'ms', samples.help, {
        ratioLimit: 2.5,
        yardstick: { name: 'node -e 0', samples: samples.node },
      }),
    ],
    notes: [`${String(APPS)} App files of 40 lines, 20 Networks, 40 Hosts; whole processes`],
  };
}
