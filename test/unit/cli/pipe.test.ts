import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LocalView } from '../../../reconciler/loop/status/view.ts';
import type { Entry } from '../../../reconciler/model/journal.ts';
import { serveLocal } from '../../../server/local.ts';

const PLUMB = fileURLToPath(new URL('../../../../bin/plumb', import.meta.url));

/** A journal in which something happens again and again, for whoever follows. */
const view: Pick<LocalView, 'journal'> = {
  async *journal(_filter, follow, signal) {
    for (let seq = 1; follow && !signal.aborted; seq++) {
      const base = {
        type: 'event',
        host: '',
        level: 'info',
        reason: 'Seen',
        message: 'x',
        prev: '',
        hash: '',
      } as const;
      yield { ...base, seq, at: 0 } satisfies Entry;
      await sleep(20);
    }
  },
};

describe('a reader that has enough', () => {
  it('ends events --follow, without a word', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'plumb-pipe-'));
    const closing = new AbortController();
    await serveLocal(join(dir, 'plumb.sock'), view as LocalView, closing.signal);
    const child = spawn(process.execPath, [PLUMB, 'events', '--follow', '--state-dir', dir], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    let err = '';
    child.stderr.on('data', (text) => (err += String(text)));
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = (await once(child, 'close')) as [number | null];
    closing.abort();
    rmSync(dir, { recursive: true });
    assert.deepEqual([code, err], [0, '']);
  });

  it('of messages ends what runs on, as an interrupt does', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'plumb-pipe-'));
    const argv = ['agent', '--simulated', '--store', 'redis://127.0.0.1:1', '--host', 'h1', '--state-dir', dir];
    const child = spawn(process.execPath, [PLUMB, ...argv], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000 });
    child.stderr.destroy();
    const [code] = (await once(child, 'close')) as [number | null];
    rmSync(dir, { recursive: true });
    assert.deepEqual([code, child.killed], [0, false]);
  });
});
