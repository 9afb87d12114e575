import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createUp } from '../../../reconciler/loop/up.ts';
import { openEmbedded } from '../../../reconciler/store/embedded/embedded.ts';
import { catalogOf, reportOf } from '../../support/catalog.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };

describe('up', () => {
  it('asks Git once for each wish to converge, and not again for each Report', async () => {
    const state = mkdtempSync(join(tmpdir(), 'plumb-up-'));
    const store = await openEmbedded(state, { clock: Date.now });
    const catalog = catalogOf({ hosts: { h1: {} }, revision: 'r1' });
    let fetches = 0;
    const up = createUp({
      host: 'h1',
      facts: reportOf('h1').facts,
      repository: {
        fetch: () => {
          fetches += 1;
          return Promise.resolve({ url: 'u', ref: 'main', revision: 'r1', fetchedAt: fetches, notes: [] });
        },
        catalog: () => Promise.resolve(catalog),
        commit: () => Promise.resolve({ author: 'Ann', subject: 'first' }),
      },
      store,
      agent: { providers: [], health: () => ({ set: () => undefined, get: () => undefined, stop: () => undefined }) },
      allowDeletions: false,
      clock: Date.now,
      random: () => 0.5,
      log: quiet,
    });
    const stop = new AbortController();
    const running = up.run(stop.signal);
    try {
      assert.equal((await up.view.settle(AbortSignal.timeout(20_000))).sync, 'Synced');
      const first = fetches;
      assert.ok(first <= 2, String(first));
      for (let n = 1; n <= 20; n += 1) {
        await store.mailbox.report({ ...reportOf('h2'), at: n });
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(fetches, first);
      await up.view.settle(AbortSignal.timeout(20_000));
      assert.equal(fetches, first + 1);
    } finally {
      stop.abort();
      await running;
      await store.close();
      rmSync(state, { recursive: true, force: true });
    }
  });
});
