import type { Io } from '../../cli/io.ts';

/** What a verb said. */
export interface Spoken {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a verb in a folder, which is its home and holds its state in `state`, and gives what it said. */
export async function speak(
  verb: (argv: readonly string[], io: Io) => Promise<number>,
  cwd: string,
  ...argv: readonly string[]
): Promise<Spoken> {
  let out = '';
  let err = '';
  const code = await verb(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: { PATH: process.env['PATH'], HOME: cwd, PLUMB_STATE_DIR: 'state', PLUMB_CACHE_DIR: `${cwd}/cache` },
    cwd,
    color: false,
    isTTY: false,
    signal: AbortSignal.timeout(60_000),
  });
  return { code, out, err };
}
