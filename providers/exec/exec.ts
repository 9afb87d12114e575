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

/** Runs programs, from argument vectors; they speak English (LC_ALL=C). */
export interface Exec {
  /**
   * Never throws: a program that is missing has status -1 and says so in stderr. One that the signal does not end, because it hangs in
   * the kernel, is left behind.
   */
  run(file: string, args: readonly string[], options: RunOptions): Promise<Finished>;
}

/** Milliseconds that a program has to end in once it was killed. */
const GRACE = 1000;

/** How one ends that was not to begin. */
export const ABORTED: Finished = { status: -1, stdout: '', stderr: 'The operation was aborted' };
/** How one ends that hangs. */
export const LEFT: Finished = { status: -1, stdout: '', stderr: 'it was killed and does not end' };

/** Calls back when a program should have ended by a signal for a while; returns what ends the wait. */
export function afterKill(signal: AbortSignal, left: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const killed = (): void => {
    timer = setTimeout(left, GRACE);
  };
  if (signal.aborted) killed();
  else signal.addEventListener('abort', killed, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', killed);
  };
}

/** The environment of all programs. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' };
}

function start(file: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  // a short program would be done before it is killed
  if (options.signal.aborted) return Promise.resolve(ABORTED);
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', options.silent ? 'ignore' : 'pipe', 'pipe'],
      env: environment(),
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
    const ended = afterKill(options.signal, () => {
      // nothing of it is to keep this process alive
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy();
      child.unref();
      resolve(LEFT);
    });
    child.once('close', (status) => {
      ended();
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
