import { spawn } from 'node:child_process';
import { semaphore } from '../../reconciler/model/semaphore.ts';

export interface Finished {
  /** Exit status; -1 when a signal ended it or it could not be started. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly signal: AbortSignal;
  /** What it prints is not wanted: a pipe less. */
  readonly silent?: true;
}

/** Runs programs, from argument vectors. */
export interface Exec {
  /** Never throws: a program that is missing has status -1 and says so in stderr. */
  run(file: string, args: readonly string[], options: RunOptions): Promise<Finished>;
}

function start(file: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', options.silent ? 'ignore' : 'pipe', 'pipe'],
      signal: options.signal,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin?.on('error', () => undefined); // it may end before it has read everything
    child.stdin?.end(options.input);
    child.once('error', (error) => (stderr += error.message));
    child.once('close', (status) => {
      resolve({ status: Math.max(status ?? -1, -1), stdout, stderr: stderr.trim() });
    });
  });
}

/** Programs at once. */
export const WORKING = 6;

/** Programs of this machine, at most `width` at once. */
export function systemExec(width: number = WORKING): Exec {
  const slots = semaphore(width);
  return { run: (file, args, options) => slots(() => start(file, args, options)) };
}
