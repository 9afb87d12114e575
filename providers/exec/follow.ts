import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { environment } from './exec.ts';

/** By sh, once setpriv has asked the kernel for its end: of a parent that was killed before that nothing is heard. */
const LIVING = '[ "$PPID" = "$0" ] && exec "$@"';

/** Programs by setpriv that end with the process `parent`, which starts them from its main thread (what the kernel waits for is the end of that). */
export function ending(parent: number, file: string, args: readonly string[]): readonly string[] {
  return ['--pdeathsig', 'KILL', 'sh', '-c', LIVING, String(parent), file, ...args];
}

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
  let ended: Promise<unknown>;
  try {
    const child = spawn('setpriv', ending(process.pid, file, args), {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: environment(),
      signal,
      killSignal: 'SIGKILL',
    });
    ended = once(child, 'close').catch(() => undefined); // missing, or the signal: it has ended
    // without a descriptor to spare (EMFILE) there is no pipe, whatever the types say
    const output = child.stdout as typeof child.stdout | undefined;
    if (!output) return;
    createInterface({ input: output }).on('line', told);
  } catch {
    return; // no memory for another process: it has not been started
  }
  await ended;
}
