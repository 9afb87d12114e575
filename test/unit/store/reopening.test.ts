import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createReopening } from '../../../reconciler/store/reopening.ts';
import type { FleetStore } from '../../../reconciler/model/store.ts';

describe('a store that does not answer yet', () => {
  const never = (): Promise<FleetStore> => new Promise(() => undefined);
  const closed = { code: 'STORE_UNAVAILABLE', message: 'the store is closed' };

  it('is waited for by nobody once the process is to stop', async () => {
    const stop = new AbortController();
    const store = createReopening(never, stop.signal);
    const asked = Promise.all([
      assert.rejects(store.leases.get('x'), closed),
      assert.rejects(store.bulletin.read(), closed),
    ]);
    stop.abort();
    await asked;
    await assert.rejects(store.leases.get('x'), closed);
    await store.close();
  });

  it('that refuses is told with its own words, and asked anew', async () => {
    let asked = 0;
    const store = createReopening(() => {
      asked += 1;
      return Promise.reject(new Error(`refused ${String(asked)}`));
    }, new AbortController().signal);
    await assert.rejects(store.leases.get('x'), /refused 1/);
    await assert.rejects(store.leases.get('x'), /refused 2/);
  });
});
