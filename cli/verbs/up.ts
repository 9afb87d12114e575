import { upOptions, type UpFlags } from '../flags.ts';
import { openUp } from '../open-up.ts';
import type { Io } from '../io.ts';
import { command, parse } from '../options.ts';
import { pathsOf, stateOptions } from '../paths.ts';
import { serveOptions, serveView, type ServeFlags } from '../serve.ts';

type Options = UpFlags & ServeFlags;

/** `plumb up`: until SIGINT or SIGTERM; 0 after a graceful stop. */
export async function upCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'up',
    'Converge and keep it so, in the foreground, until interrupted.',
    'plumb up --repo /srv/fleet.git --ref main',
    io,
  );
  serveOptions(cmd);
  upOptions(cmd);
  stateOptions(cmd);
  const options = parse(cmd, argv)?.opts<Options>();
  if (!options) return 0;
  const { socket } = pathsOf(options, io);
  const { up, close, host, journal } = await openUp(options, io);
  try {
    await serveView(`plumb up: host ${host}`, up, journal, socket, options, io);
  } finally {
    await close();
  }
  return 0;
}
