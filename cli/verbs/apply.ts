import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { remoteView } from '../local.ts';
import { command, outputOption, parse } from '../options.ts';
import { pathsOf, stateOptions } from '../paths.ts';
import { rememberedSource, urlOf } from '../repository.ts';
import { statusCode, type Status } from '../../reconciler/loop/status/status.ts';
import { upOptions, type UpFlags } from '../flags.ts';
import { openUp } from '../open-up.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';

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
  const parsed = parse(cmd, argv);
  if (!parsed) return 0;
  const options = parsed.opts<Options>();
  const seconds = Number(options.timeout);
  if (!(seconds > 0)) throw new PlumbError('USAGE', `--timeout takes seconds, not ${options.timeout}`);
  const deadline = AbortSignal.any([io.signal, AbortSignal.timeout(seconds * 1000)]);
  const status = (await asked(parsed, io, deadline)) ?? (await converged(options, io, deadline));
  const { renderWhole } = await import('./status.ts');
  io.out(options.output === 'json' ? `${JSON.stringify(status, null, 2)}\n` : renderWhole(status, io));
  return status.held.length > 0 ? 3 : statusCode(status) === 0 ? 0 : 1;
}

/** Options that a running `up` has already and cannot take from another process. */
const ITS_OWN = ['host', 'simulated', 'allowEmpty', 'dockerSocket', 'ovsDir', 'logLevel'];
const WHERE = ['repo', 'ref', 'tag', 'commit', 'path'] as const;

/** Nothing that was asked for may be left out in silence: throws USAGE where the running `up` works otherwise. */
function refuseOthers(parsed: Command, io: Io): void {
  const options = parsed.opts<Options>();
  const given = (name: string): boolean => parsed.getOptionValueSource(name) === 'cli';
  const flag = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const its = ITS_OWN.find(given);
  if (its !== undefined)
    throw new PlumbError(
      'USAGE',
      `plumb up runs here with options of its own: leave ${flag(its)} out, or stop it first`,
    );
  const followed = rememberedSource(pathsOf(options, io).state);
  if (!followed) return;
  const asked = { ...options, repo: urlOf(options, io) };
  const other = WHERE.find((name) => given(name) && asked[name] !== followed[name]);
  if (other === undefined) return;
  const instead = followed[other] === undefined ? `without ${flag(other)}` : (followed[other] ?? '');
  throw new PlumbError(
    'USAGE',
    `plumb up runs here and follows ${instead}, not ${String(asked[other])}: leave ${flag(other)} out, or stop it first`,
  );
}

/** A running `up` does it; undefined when there is none. */
async function asked(parsed: Command, io: Io, signal: AbortSignal): Promise<Status | undefined> {
  const options = parsed.opts<Options>();
  const view = remoteView(pathsOf(options, io).socket);
  try {
    await view.status();
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'NOT_RUNNING') return undefined;
    throw error;
  }
  refuseOthers(parsed, io);
  io.err('asking what runs here to do it\n');
  return view.settle(signal, options.allowDeletions);
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
