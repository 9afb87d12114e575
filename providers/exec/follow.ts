import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { environment } from './exec.ts';

/**
 * Tells each line of a program that goes on for ever, until it ends or the signal aborts. It ends with this process, also where that is
 * killed. Resolves once it has ended, also where it could not be started.
 */
export async function follow(
  file: string,
  args: readonly string[],
  told: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', file, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: environment(),
    signal,
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'close').catch(() => undefined); // missing, or the signal: it has ended
  createInterface({ input: child.stdout }).on('line', told);
  await ended;
}
