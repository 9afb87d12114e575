import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GUARD = fileURLToPath(new URL('./machine-guard.js', import.meta.url));

/** Gives files of the machine back. Rejects with what did not come back. */
export type GiveBack = () => Promise<void>;

/**
 * Takes files that all of the machine share (knobs below /proc and /sys), for whoever will change them: one holder at a time, others wait. What they
 * said comes back when they are given back, and also where this process crashes or is killed, since another process sees to it.
 */
export async function holdMachine(
  paths: readonly string[],
  lock: string = join(tmpdir(), 'plumbline-machine.lock'),
): Promise<GiveBack> {
  // a group of its own: what ends a test with all that it started does not end the guard
  const child = spawn('flock', [lock, process.execPath, GUARD, ...paths], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      resolve(code ?? 1);
    });
  });
  const held = new Promise<void>((resolve) => {
    child.stdout.once('data', () => {
      resolve();
    });
  });
  const early = ended.then((code) => {
    throw new Error(`the files cannot be held (${String(code)}): ${said}`);
  });
  // what ends it later is no news here
  early.catch(() => undefined);
  await Promise.race([held, early]);
  return async () => {
    child.stdin.end();
    if ((await ended) !== 0) throw new Error(said);
  };
}
