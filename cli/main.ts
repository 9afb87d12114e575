import { setMaxListeners } from 'node:events';
import { asPlumbError, PlumbError } from '../reconciler/model/errors.ts';
import type { Io } from './io.ts';
import { VERBS } from './verbs.ts';

/** Version of this build. */
const VERSION = '0.1.0';

function overview(): string {
  const width = Math.max(...VERBS.map(({ name }) => name.length));
  const verbs = VERBS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n');
  return `plumb: keeps containers, Open vSwitch ports, cgroups and host knobs as Git says

Usage: plumb VERB [OPTIONS]

${verbs}

Each verb explains itself: plumb help VERB. Data goes to standard output, messages to standard error;
-o json gives every verb's result to programs. Example:

  plumb validate examples/manifests/shop
`;
}

/** Runs one command line (without `node` and the script) and gives its exit status. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === 'help' && rest[0] !== undefined && !rest[0].startsWith('-')) return main([...rest, '--help'], io);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(overview());
    return name === undefined ? 1 : 0;
  }
  if (name === '--version' || name === '-V') {
    io.out(`plumb ${VERSION}\n`);
    return 0;
  }
  if (name === 'complete') return (await import('./verbs/completion.ts')).completeCommand(VERBS, rest, io);
  try {
    const verb = VERBS.find((candidate) => candidate.name === name) ?? (await noVerb(name));
    const run = await verb.load();
    return await run(rest, io);
  } catch (error) {
    const known = asPlumbError(error);
    if (io.signal.aborted && known.code !== 'STORE_LOCKED') return 130;
    await reportError(known, [name, ...rest], io);
    return verbErrorCode(name);
  }
}

async function noVerb(name: string): Promise<never> {
  const { nearest } = await import('../reconciler/compile/suggest.ts');
  const near = nearest(
    name,
    VERBS.map((verb) => verb.name),
  );
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  throw new PlumbError('USAGE', `no verb ${name}${hint} (plumb --help lists them)`);
}

/** 1 for errors, but `validate` keeps 1 for "invalid" and says 2. */
function verbErrorCode(name: string): number {
  return name === 'validate' ? 2 : 1;
}

async function reportError(error: PlumbError, words: readonly string[], io: Io): Promise<void> {
  const { failureOf, asksForJson, nextStepOf } = await import('./failure.ts');
  if (asksForJson(words))
    io.err(`${JSON.stringify({ version: 1, error: failureOf(error, `plumb ${words[0] ?? ''}`) })}\n`);
  else io.err(`plumb: ${error.message} [${error.code}]\n${nextStepOf(error)}`);
  if (error.code === 'INTERNAL' && io.env['PLUMB_DEBUG'] !== undefined)
    io.err(`${(error.cause as Error | undefined)?.stack ?? error.stack ?? ''}\n`);
}

/** Io of this process; its signal aborts on SIGINT and SIGTERM. */
export function processIo(): Io {
  const stop = new AbortController();
  // every watcher of an up listens to it
  setMaxListeners(0, stop.signal);
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      stop.abort();
    });
  // whoever read the output has enough (`| head`, `2>&1 | head`)
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      stop.abort();
    });
  const env = process.env;
  const isTTY = process.stdout.isTTY;
  const forced = !['', '0'].includes(env['FORCE_COLOR'] ?? '');
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    env,
    cwd: process.cwd(),
    color: (isTTY || forced) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    isTTY,
    signal: stop.signal,
  };
}
