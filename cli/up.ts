import { rmSync } from 'node:fs';
import type { Entry } from '../reconciler/model/journal.ts';
import { serveLocal } from '../server/local.ts';
import { openUp, upOptions, type UpFlags } from './compose.ts';
import { renderEntry } from './events.ts';
import type { Io } from './io.ts';
import { command, outputOption, parse } from './options.ts';
import { pathsOf, stateOptions } from './paths.ts';

interface Options extends UpFlags {
  readonly output: 'text' | 'json';
  readonly quiet?: boolean;
}

/** `plumb up`: until SIGINT or SIGTERM; 0 after a graceful stop. */
export async function upCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'up',
    'Converge and keep it so, in the foreground, until interrupted.',
    'plumb up --repo /srv/fleet.git --ref main',
    io,
  )
    .addOption(outputOption('text', 'json'))
    .option('-q, --quiet', 'do not show what happens');
  upOptions(cmd);
  stateOptions(cmd);
  const options = parse(cmd, argv)?.opts<Options>();
  if (!options) return 0;
  const { socket } = pathsOf(options, io);
  const { up, close, host, happening } = await openUp(options, io);
  const closing = new AbortController();
  try {
    await serveLocal(socket, up.view, closing.signal);
    if (options.quiet !== true) {
      io.err(`plumb up: host ${host}, answering at ${socket}\n`);
      void show(happening(closing.signal), options, io);
    }
    await up.run(io.signal);
  } finally {
    closing.abort();
    rmSync(socket, { force: true });
    await close();
  }
  return 0;
}

/** Prints what happens from now on. */
async function show(entries: AsyncIterable<Entry>, { output }: Options, io: Io): Promise<void> {
  for await (const entry of entries) io.out(output === 'json' ? `${JSON.stringify(entry)}\n` : renderEntry(entry, io));
}
