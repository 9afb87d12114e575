import type { Io } from './io.ts';
import { remoteView } from './local.ts';
import { command, outputOption, parse } from './options.ts';
import { pathsOf, stateOptions } from './paths.ts';
import { renderStatus } from './status.ts';
import { statusCode, type Status } from '../reconciler/loop/status.ts';
import { openUp, upOptions, type UpFlags } from './compose.ts';
import { PlumbError } from '../reconciler/model/errors.ts';

interface Options extends UpFlags {
  readonly output: 'text' | 'json';
  readonly timeout: string;
}

/** `plumb apply`: 0 converged, 1 not converged or error, 3 held. */
export async function applyCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'apply',
    'Converge once and exit. Asks a running plumb up to do it, if there is one.',
    'plumb apply --repo .',
    io,
  )
    .addOption(outputOption('text', 'json'))
    .option('--timeout <seconds>', 'give up after this long', '600');
  upOptions(cmd);
  stateOptions(cmd);
  const options = parse(cmd, argv)?.opts<Options>();
  if (!options) return 0;
  const seconds = Number(options.timeout);
  if (!(seconds > 0)) throw new PlumbError('USAGE', `--timeout takes seconds, not ${options.timeout}`);
  const deadline = AbortSignal.any([io.signal, AbortSignal.timeout(seconds * 1000)]);
  const status = (await asked(options, io, deadline)) ?? (await converged(options, io, deadline));
  io.out(options.output === 'json' ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status, io));
  return status.held.length > 0 ? 3 : statusCode(status) === 0 ? 0 : 1;
}

/** A running `up` does it; undefined when there is none. */
async function asked(options: Options, io: Io, signal: AbortSignal): Promise<Status | undefined> {
  const view = remoteView(pathsOf(options, io).socket);
  try {
    await view.status();
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'NOT_RUNNING') return undefined;
    throw error;
  }
  io.err('asking the running plumb up\n');
  return view.settle(signal);
}

async function converged(options: Options, io: Io, signal: AbortSignal): Promise<Status> {
  const { up, close } = await openUp(options, io);
  const stop = new AbortController();
  const running = up.run(stop.signal);
  try {
    return await Promise.race([up.view.settle(signal), running.then(() => up.view.status())]);
  } finally {
    stop.abort();
    await running;
    await close();
  }
}
