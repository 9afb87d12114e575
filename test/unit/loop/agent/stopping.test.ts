import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createFleetController } from '../../../../reconciler/loop/fleet-controller.ts';
import { CONTROLLER_LEASE } from '../../../../reconciler/loop/hearing.ts';
import type { Journals } from '../../../../reconciler/model/store.ts';
import { openEmbedded } from '../../../../reconciler/store/embedded/embedded.ts';
import { appSpec, catalogOf, reportOf } from '../../../support/catalog.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };

const shipped: string[] = [];
const COPIES: Journals = {
  writers: () => Promise.resolve([]),
  of: () => {
    throw new Error('nobody reads here');
  },
  head: () => Promise.resolve({ seq: 0, hash: '' }),
  mirror: (entries) => {
    for (const entry of entries) if (entry.type === 'event') shipped.push(entry.reason);
    return Promise.resolve({ seq: 0, hash: entries.at(-1)?.hash ?? '' });
  },
};

describe('a controller that is stopped in the middle of a pass', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-stopping-'));
  after(() => {
    rmSync(dir, { recursive: true });
  });

  it('leads until that pass is over, and then lets another lead', async () => {
    const store = await openEmbedded(dir, { clock: Date.now });
    await store.mailbox.report(reportOf('h1'));
    const revision = 'rev1';
    let begin = (): void => undefined;
    let end = (): void => undefined;
    const reading = new Promise<void>((resolve) => (begin = resolve));
    const read = new Promise<void>((resolve) => (end = resolve));
    const stop = new AbortController();
    const running = createFleetController({
      holder: 'core/1',
      repository: {
        fetch: () => Promise.resolve({ url: 'u', ref: 'main', revision, fetchedAt: 0, notes: [] }),
        catalog: () => Promise.resolve(catalogOf({ apps: { web: appSpec({}) }, hosts: { h1: {} }, revision })),
        // one that stands by does not ask for it
        commit: async () => {
          begin();
          await read;
          return { author: 'Ann', subject: 'change' };
        },
      },
      store: { ...store, journals: COPIES, onBack: () => undefined },
      journal: store.journal,
      allowDeletions: false,
      clock: Date.now,
      log: quiet,
    }).run(stop.signal);
    await reading;
    stop.abort();
    // whatever the abort starts at once is done after this
    await store.mailbox.report(reportOf('h1'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await store.leases.get(CONTROLLER_LEASE))?.holder, 'core/1');
    end();
    await running;
    assert.equal(await store.leases.get(CONTROLLER_LEASE), undefined);
    const told: string[] = [];
    for await (const entry of store.journal.read()) if (entry.type === 'event') told.push(entry.reason);
    assert.ok(told.includes('RevisionSynced'), told.join());
    assert.ok(shipped.includes('RevisionSynced'), shipped.join());
    assert.ok(!told.includes('PassFailed'), told.join());
    await store.close();
  });
});
