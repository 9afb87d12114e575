import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Io } from './io.ts';
import { under } from './options.ts';

/** Options that say where the state is. */
export interface StateOptions {
  readonly stateDir?: string;
  readonly socket?: string;
}

export interface Paths {
  /** Database, journal, Git mirror, originals of knobs. */
  readonly state: string;
  /** Where a running `up` answers. */
  readonly socket: string;
}

/** Adds `--state-dir` and `--socket`. */
export function stateOptions(cmd: Command): void {
  under('Files:', cmd, () =>
    cmd
      .option(
        '--state-dir <dir>',
        'where store, journal and Git mirror are kept (PLUMB_STATE_DIR; default for root: /var/lib/plumbline)',
      )
      .option(
        '--socket <path>',
        'where a running plumb answers (PLUMB_SOCKET; default for root: /run/plumbline/plumb.sock)',
      ),
  );
}

/**
 * Where state and socket are: the options, else the environment, else /var/lib and /run for root (FHS) and the XDG
 * directories for others; what is empty counts as not given. A state directory of one's own brings its own socket.
 */
export function pathsOf({ stateDir, socket }: StateOptions, { env, cwd }: Pick<Io, 'env' | 'cwd'>): Paths {
  const root = process.getuid?.() === 0;
  const given = (...texts: readonly (string | undefined)[]): string | undefined =>
    texts.find((text) => text !== undefined && text !== '');
  const own = given(stateDir, env['PLUMB_STATE_DIR']);
  const home = given(env['HOME']) ?? '/';
  const state =
    own ??
    (root ? '/var/lib/plumbline' : join(given(env['XDG_STATE_HOME']) ?? join(home, '.local/state'), 'plumbline'));
  const run = root ? '/run/plumbline' : join(given(env['XDG_RUNTIME_DIR']) ?? join(home, '.local/run'), 'plumbline');
  const at = given(socket, env['PLUMB_SOCKET']) ?? join(own === undefined ? run : own, 'plumb.sock');
  return { state: resolve(cwd, state), socket: resolve(cwd, at) };
}
