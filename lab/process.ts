import { execFile, spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlumbError } from '../reconciler/model/errors.ts';

/** How a command ended; a signal counts as 128 and its number, as in a shell. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; a minute unless given. */
  readonly timeout?: number;
  readonly input?: string;
}

const PATH = [
  ...(process.env['PATH'] ?? '').split(':'),
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];
/** The caller's PATH and the directories that a user's PATH often lacks. */
export const SEARCH_PATH: string = [...new Set(PATH.filter((dir) => dir.startsWith('/')))].join(':');
/** What daemons and tools of the lab get: nothing that points them to the machine's own daemons. */
export const PLAIN_ENV: Readonly<Record<string, string>> = { PATH: SEARCH_PATH, HOME: '/root', LANG: 'C.UTF-8' };

/** Absolute path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  for (const path of SEARCH_PATH.split(':').map((dir) => join(dir, name))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this directory
    }
  }
  return undefined;
}

// The one place with a shell, and only this fixed text: a process must be in its cgroup before it becomes the command, so that
// whatever happens to us, `down` finds it. When the group is gone (a late child of a killed `up`) it ends instead.
const ENTER = 'for g; do shift; [ "$g" = -- ] && break; echo 0 2>/dev/null >"$g" || exit 125; done; exec "$@"';

/** The argument vector that joins the cgroups of `files`, then becomes `argv`. */
export function entering(files: readonly string[], argv: readonly string[]): readonly string[] {
  return ['/bin/sh', '-c', ENTER, 'plumb-lab', ...files, '--', ...argv];
}

/** Starts `argv` without a shell. Throws USAGE for an empty vector. */
export function start(argv: readonly string[], options: SpawnOptions): ChildProcess {
  const [file, ...args] = argv;
  if (file === undefined) throw new PlumbError('USAGE', 'no command given');
  return spawn(file, args, options);
}

/** Runs `argv` to its end and returns its output, whatever its exit code. Throws CANCELLED or TIMEOUT. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const [file = '', ...args] = argv;
  const timeout = options.timeout ?? 60_000;
  return await new Promise<Ended>((resolve, reject) => {
    const settings = {
      env: PLAIN_ENV,
      timeout,
      killSignal: 'SIGKILL',
      maxBuffer: 64 << 20,
      signal: options.signal,
    } as const;
    const child = execFile(file, args, settings, (error, stdout, stderr) => {
      if (options.signal?.aborted === true) reject(new PlumbError('CANCELLED', 'stopped before it was done'));
      else if (error?.killed === true)
        reject(
          new PlumbError('TIMEOUT', `"${argv.slice(-6).join(' ')}" did not end within ${String(timeout / 1000)} s`),
        );
      else if (error !== null && typeof error.code !== 'number')
        reject(new PlumbError('LAB_FAILED', `cannot run ${file}: ${error.message}`, {}, error));
      else resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
    child.stdin?.on('error', () => undefined); // the command may end without reading it
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs `argv` and returns its standard output. Throws LAB_FAILED with what it said when it fails; `what` names the step. */
export async function must(what: string, argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code === 0) return stdout;
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-5).join('; ');
  throw new PlumbError('LAB_FAILED', `${what} failed (exit ${String(code)}): ${said || 'no message'}`, { code });
}

/** Asks `probe` until it returns something; `what` completes "… did not happen within N s". Throws TIMEOUT or CANCELLED. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  options: { readonly signal?: AbortSignal | undefined; readonly timeout?: number; readonly pause?: number } = {},
): Promise<T> {
  const timeout = options.timeout ?? 30_000;
  const deadline = performance.now() + timeout;
  for (;;) {
    if (options.signal?.aborted === true) throw new PlumbError('CANCELLED', 'stopped before it was done');
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new PlumbError('TIMEOUT', `${what} within ${String(timeout / 1000)} s`);
    await sleep(options.pause ?? 10);
  }
}

/** A live process as /proc/PID/status tells it. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** Its pid in each pid namespace, ours first. */
  readonly pids: readonly number[];
}

/** Facts of a process, or undefined when it is gone or a zombie. */
export function processFacts(pid: number): ProcessFacts | undefined {
  let text;
  try {
    text = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  } catch {
    return undefined;
  }
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  if (field('State').startsWith('Z') || field('State').startsWith('X')) return undefined;
  return { pid, parent: Number(field('PPid')), command: field('Name'), pids: field('NSpid').split(/\s+/).map(Number) };
}

/** Start time of a process in clock ticks since boot; with the pid it names a process for good. Undefined when it is gone. */
export function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}
