import { spawn } from 'node:child_process';

export interface Finished {
  /** Exit status; -1 when a signal ended it or it could not be started. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly signal: AbortSignal;
  /** Milliseconds after which it is asked to end (SIGTERM) and its result is taken as it is. */
  readonly term?: number;
}

/** Runs programs, from argument vectors. */
export interface Exec {
  /** Never throws: a program that is missing has status -1 and says so in stderr. */
  run(file: string, args: readonly string[], options: RunOptions): Promise<Finished>;
}

function start(file: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      signal: options.signal,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    const timer = options.term === undefined ? undefined : setTimeout(() => child.kill('SIGTERM'), options.term);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin?.on('error', () => undefined); // it may end before it has read everything
    child.stdin?.end(options.input);
    child.once('error', (error) => (stderr += error.message));
    child.once('close', (status) => {
      clearTimeout(timer);
      resolve({ status: status ?? -1, stdout, stderr: stderr.trim() });
    });
  });
}

/** Programs of this machine, at most `width` at once. */
export function systemExec(width: number): Exec {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run(file, args, options) {
      if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve));
      running += 1;
      try {
        return await start(file, args, options);
      } finally {
        running -= 1;
        waiting.shift()?.();
      }
    },
  };
}
