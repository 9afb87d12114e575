import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createUp, type Up } from '../../../reconciler/loop/up.ts';
import { openEmbedded } from '../../../reconciler/store/embedded/embedded.ts';
import type { Provider } from '../../../reconciler/model/provider.ts';
import type { HostStore } from '../../../reconciler/model/store.ts';
import { catalogOf, reportOf } from '../../support/catalog.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** An `up` of host h1 on a store, how often it asked Git, and a way to have it told that Git may say something new. */
function upOn(
  store: HostStore,
  providers: readonly Provider[] = [],
): { readonly up: Up; readonly fetches: () => number; readonly hint: () => void } {
  let fetches = 0;
  let moved = (): void => undefined;
  const up = createUp({
    host: 'h1',
    facts: reportOf('h1').facts,
    repository: {
      fetch: () => {
        fetches += 1;
        return Promise.resolve({ url: 'u', ref: 'main', revision: 'r1', fetchedAt: fetches, notes: [] });
      },
      catalog: () => Promise.resolve(catalogOf({ hosts: { h1: {} }, revision: 'r1' })),
      commit: () => Promise.resolve({ author: 'Ann', subject: 'first' }),
      watch: (tell) => {
        moved = tell;
      },
    },
    store,
    agent: { providers, health: () => ({ set: () => undefined, get: () => undefined, stop: () => undefined }) },
    allowDeletions: false,
    clock: Date.now,
    random: () => 0.5,
    log: quiet,
  });
  return {
    up,
    fetches: () => fetches,
    hint: () => {
      moved();
    },
  };
}

/** Runs an `up` while something is done, and lets it end. */
async function running(up: Up, meanwhile: () => Promise<void>, atLast = (): void => undefined): Promise<void> {
  const stop = new AbortController();
  const ended = up.run(stop.signal);
  try {
    await meanwhile();
  } finally {
    stop.abort();
    atLast();
    await ended;
  }
}

describe('up', () => {
  let state: string;
  let store: HostStore;
  beforeEach(async () => {
    state = mkdtempSync(join(tmpdir(), 'plumb-up-'));
    store = await openEmbedded(state, { clock: Date.now });
  });
  afterEach(async () => {
    await store.close();
    rmSync(state, { recursive: true, force: true });
  });

  it('asks Git once for each wish to converge, and not again for each Report', async () => {
    const made = upOn(store);
    await running(made.up, async () => {
      assert.equal((await made.up.view.settle(AbortSignal.timeout(20_000))).sync, 'Synced');
      const first = made.fetches();
      assert.ok(first <= 2, String(first));
      for (let n = 1; n <= 20; n += 1) {
        await store.mailbox.report({ ...reportOf('h2'), at: n });
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(made.fetches(), first);
      await made.up.view.settle(AbortSignal.timeout(20_000));
      assert.equal(made.fetches(), first + 1);
    });
  });

  it('asks Git soon after it hears that something may be new there, long before the next poll', async () => {
    const { up, fetches, hint } = upOn(store);
    await running(up, async () => {
      await up.view.settle(AbortSignal.timeout(20_000));
      for (let round = 0; round < 2; round += 1) {
        const before = fetches();
        hint();
        for (const end = Date.now() + 20_000; fetches() === before; await sleep(5)) assert.ok(Date.now() < end);
      }
    });
  });

  it('believes no Report from before: neither that of its predecessor nor its own of before the wish', async () => {
    const eyes = slowEyes();
    const first = upOn(store, [eyes.provider]).up;
    await running(
      first,
      async () => {
        eyes.open();
        assert.equal((await first.view.settle(AbortSignal.timeout(20_000))).sync, 'Synced');
        eyes.shut();
        const again = first.view.settle(AbortSignal.timeout(20_000));
        await eyes.looking();
        assert.equal((await first.view.status()).sync, 'Synced');
        assert.equal(await Promise.race([again, sleep(200, 'waits')]), 'waits');
        eyes.open();
        assert.equal((await again).sync, 'Synced');
      },
      eyes.open,
    );
    eyes.shut();
    const second = upOn(store, [eyes.provider]).up;
    await running(
      second,
      async () => {
        const settled = second.view.settle(AbortSignal.timeout(20_000));
        await eyes.looking();
        assert.notEqual((await second.view.status()).sync, 'Synced');
        assert.equal(await Promise.race([settled, sleep(200, 'waits')]), 'waits');
        eyes.open();
        assert.equal((await settled).sync, 'Synced');
      },
      eyes.open,
    );
  });
});

/** A provider that sees nothing, and takes as long for it as its eyes are shut. */
function slowEyes(): { provider: Provider; open: () => void; shut: () => void; looking: () => Promise<void> } {
  let gate = Promise.resolve();
  let open = (): void => undefined;
  let began = (): void => undefined;
  let looking = Promise.resolve();
  return {
    provider: {
      name: 'eyes',
      kinds: ['sysctl'],
      observe: async () => {
        began();
        await gate;
        return [];
      },
      diff: () => [],
      apply: () => Promise.reject(new Error('nothing to do')),
    },
    open: () => {
      open();
    },
    shut: () => {
      gate = new Promise((resolve) => (open = resolve));
      looking = new Promise((resolve) => (began = resolve));
    },
    looking: () => looking,
  };
}
