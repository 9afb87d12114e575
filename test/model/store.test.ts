import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { createBook } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import type { OpenStore } from '../conformance/store.ts';
import { plain } from '../support/reservations.ts';
import { messages, storeIsModel } from '../support/store-model.ts';
import { draftOf, requestOf } from '../support/store-writer.ts';

async function openEmpty(clock: () => number): Promise<OpenStore> {
  const state = mkdtempSync(join(tmpdir(), 'plumb-model-'));
  let store = await openEmbedded(state, { clock });
  return {
    store,
    reopen: async () => {
      await store.close();
      store = await openEmbedded(state, { clock });
      return store;
    },
    close: async () => {
      await store.close();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

describe('embedded store', () => {
  it('is what a simple model says, over restarts', () => fc.assert(storeIsModel(openEmpty), { numRuns: 40 }));

  const writer = fileURLToPath(new URL('../support/store-writer.js', import.meta.url));

  /** Lets a child write until it is killed at some instant; gives the numbers that it was promised. */
  async function writeAndKill(state: string, seed: number, after: number): Promise<Set<number>> {
    const child = spawn(process.execPath, [writer, state, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
    await once(child.stdout, 'data');
    await sleep(after);
    child.kill('SIGKILL');
    await once(child, 'close');
    return new Set(text.split('\n').slice(0, -1).map(Number));
  }

  it('loses nothing it promised and shows nothing half, killed at any instant', async () => {
    let promises = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const state = mkdtempSync(join(tmpdir(), 'plumb-kill-'));
      const promised = await writeAndKill(state, seed, (seed * 37) % 90);
      promises += promised.size;
      const store = await openEmbedded(state, { clock: () => 1 });
      const { cursor, ...snapshot } = await store.reservations.snapshot();
      // the state after some number of requests, and that number is at least what was promised
      const book = createBook();
      let at = 0;
      let done = 0;
      const least = Math.max(-1, ...promised) + 1;
      for (; done < least || at < cursor; done++) {
        const { deltas } = decide(book, requestOf(seed, done));
        book.apply(deltas);
        if (deltas.length > 0) at++;
      }
      assert.equal(at, cursor, 'a promised commit is missing');
      assert.deepEqual(plain(snapshot), plain(book));
      const wanted = (await messages(store)).map((_, number) => draftOf(seed, number));
      assert.ok(wanted.length >= least, `${String(wanted.length)} entries of ${String(least)} promised`);
      assert.deepEqual(
        await messages(store),
        wanted.map((draft) => draft.type === 'event' && draft.message),
      );
      assert.equal((await store.journal.verify()).entries, wanted.length);
      await store.close();
      rmSync(state, { recursive: true, force: true });
    }
    assert.ok(promises > 100, `only ${String(promises)} writes were promised`);
  });
});
