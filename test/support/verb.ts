import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { Io } from '../../cli/io.ts';
import type { LocalView } from '../../reconciler/loop/status/view.ts';
import { serveLocal } from '../../server/local.ts';

/** A folder for `speak` where a running `up` answers with this view, for the suite that calls it. */
export function answering(view: Partial<LocalView>): string {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-verb-'));
  const closing = new AbortController();
  before(async () => {
    mkdirSync(join(dir, 'state'));
    await serveLocal(join(dir, 'state', 'plumb.sock'), view as LocalView, closing.signal);
  });
  after(() => {
    closing.abort();
    rmSync(dir, { recursive: true });
  });
  return dir;
}

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
