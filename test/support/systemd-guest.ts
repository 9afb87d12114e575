import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { app } from './stage.ts';

/** What tests inside a guest under systemd share. The guest has one slow CPU: it is waited for long, and commands are asked seldom. */
const PATIENCE = 400_000;

export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url));
export const PLUMB: string = join(ROOT, 'bin/plumb');
export const CGROUPS = '/sys/fs/cgroup';
const FILES = ['cpu.max', 'cpu.weight', 'memory.max', 'memory.low', 'memory.swap.max', 'pids.max'];

/** The text of each file of limits. */
export type Knobs = Readonly<Record<string, string>>;

export function knobsIn(directory: string): Knobs {
  return Object.fromEntries(FILES.map((file) => [file, readFileSync(join(directory, file), 'utf8').trim()]));
}

/** App web with these limits, and a weight that the kernel cannot keep. */
export function limitedWeb(quota: string, memory: string, pids: number): string {
  return app(
    'web',
    `  resources:
    cpu: { shares: 512, quota: ${quota} }
    memory: { limit: ${memory}, reservation: 16Mi }
    pids: ${String(pids)}
    blockIoWeight: 300`,
  );
}

/** What a command printed; it must succeed. */
export async function sh(file: string, ...args: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(file, args, { timeout: PATIENCE, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${file} ${args.join(' ')}: ${error.message}\n${stdout}\n${stderr}`));
      else resolve(stdout.trim());
    });
  });
}

/** Asks until the answer is as wanted, with that pause in milliseconds between two looks. */
export async function becomes<T>(
  what: string,
  look: () => Promise<T> | T,
  good: (seen: T) => boolean,
  pause = 50,
): Promise<T> {
  let last: T | undefined;
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(pause)) {
    last = await look();
    if (good(last)) return last;
  }
  throw new Error(`${what}: not within ${String(PATIENCE / 1000)} s, but ${JSON.stringify(last)}`);
}
