import type { ChildProcess, StdioOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { PlumbError } from '../reconciler/model/errors.ts';
import { joinFiles, makeGroup } from './cgroups.ts';
import { insideHost, processesIn, requireInit } from './context.ts';
import type { LabContext } from './context.ts';
import { requireFabric } from './fabric.ts';
import { entering, SEARCH_PATH, start } from './process.ts';
import type { Ended } from './process.ts';

export interface SpawnInHost {
  readonly stdio?: StdioOptions;
  /** Added to the caller's environment; without what points to the machine's own daemons and session. */
  readonly env?: Readonly<Record<string, string>>;
  /** Directory to run in; the caller's where the host has it, else /. */
  readonly cwd?: string;
  /** Aborting it kills the command. */
  readonly signal?: AbortSignal | undefined;
  readonly killSignal?: NodeJS.Signals;
}

export interface ExecInHost extends Omit<SpawnInHost, 'stdio'> {
  /** `inherit` hands the command our own input and outputs; else they are returned. */
  readonly stdio?: 'inherit' | 'pipe';
  readonly input?: string;
}

const MACHINE_ONLY =
  /^(DOCKER_|CONTAINERD_|OVS_|XDG_|DBUS_|NOTIFY_SOCKET$|LISTEN_|INVOCATION_ID$|JOURNAL_STREAM$|SYSTEMD_|SSH_|SUDO_)/;

/** The caller's environment as it is fit for a lab host. */
export function hostEnv(
  env: Readonly<Record<string, string | undefined>>,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const kept = Object.entries(env).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && !MACHINE_ONLY.test(pair[0]),
  );
  return { TERM: 'dumb', LANG: 'C.UTF-8', ...Object.fromEntries(kept), HOME: '/root', PATH: SEARCH_PATH, ...added };
}

/**
 * Starts a command in a running host. `kill` of the child (and an aborted signal) reaches the command itself, not the nsenter that
 * waits for it; the command is in the host's cgroup, so a power cut takes it as well. Throws LAB_FAILED when the host is dead.
 */
export function spawnInHost(
  ctx: LabContext,
  host: string,
  argv: readonly string[],
  options: SpawnInHost = {},
): ChildProcess {
  const [command] = argv;
  if (command === undefined || command.includes('='))
    throw new PlumbError('USAGE', `"${command ?? ''}" is not a command`);
  const wanted = options.cwd ?? process.cwd();
  const cwd = existsSync(join(`/proc/${String(requireInit(ctx, host))}/root`, wanted)) ? wanted : '/';
  const child = start(insideHost(ctx, host, ['env', '-C', cwd, ...argv]), {
    stdio: options.stdio ?? 'pipe',
    env: hostEnv(process.env, options.env),
    cwd: '/',
    killSignal: options.killSignal ?? 'SIGTERM',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const killWaiter = child.kill.bind(child);
  child.kill = (signal = 'SIGTERM'): boolean => {
    const command = processesIn(ctx, `${host}/host`).find(({ parent }) => parent === child.pid);
    if (command === undefined || child.exitCode !== null || child.signalCode !== null) return killWaiter(signal);
    try {
      return process.kill(command.pid, signal);
    } catch {
      return false; // it ended meanwhile
    }
  };
  return child;
}

/** Starts a command at the core of the network: in its namespace, and in no host. It ends with the lab at the latest. */
export function spawnAtCore(ctx: LabContext, argv: readonly string[], options: SpawnInHost = {}): ChildProcess {
  const group = `${ctx.group}/core`;
  makeGroup(ctx.cgroups, group);
  const target = ['nsenter', '-t', String(requireFabric(ctx)), '-n', '--', ...argv];
  return start(entering(joinFiles(ctx.cgroups, group), target), {
    stdio: options.stdio ?? 'pipe',
    env: hostEnv(process.env, options.env),
    cwd: options.cwd ?? process.cwd(),
    killSignal: options.killSignal ?? 'SIGTERM',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** Runs a command in a running host to its end. Throws LAB_FAILED when the host is dead, CANCELLED when aborted. */
export async function execInHost(
  ctx: LabContext,
  host: string,
  argv: readonly string[],
  options: ExecInHost = {},
): Promise<Ended> {
  const { input, stdio = 'pipe', ...rest } = options;
  const child = spawnInHost(ctx, host, argv, { ...rest, stdio });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => out.push(part));
  child.stderr?.on('data', (part: Buffer) => err.push(part));
  child.stdin?.on('error', () => undefined); // the command may end without reading it
  child.stdin?.end(input ?? '');
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', (error) => {
      if (options.signal?.aborted !== true)
        reject(new PlumbError('LAB_FAILED', `cannot run ${argv.join(' ')} on ${host}: ${error.message}`, {}, error));
    });
    child.on('close', (status, signal) => {
      if (options.signal?.aborted === true) reject(new PlumbError('CANCELLED', `stopped ${argv.join(' ')} on ${host}`));
      else resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  return { code, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') };
}
