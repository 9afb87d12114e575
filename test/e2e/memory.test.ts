import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { app, base, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

/** It reads 60 MiB into its page cache, and runs on. */
const READER = app(
  'web',
  [
    '  command: [sh, -c, "dd if=/dev/zero of=/big bs=1M count=60; sync; exec sleep 1000000"]',
    '  resources:',
    '    memory:',
    '      limit: 256Mi',
    '      reclaim: { above: 30Mi, window: 1s, coolDown: 1h }',
  ].join('\n'),
);

describe('an App whose page cache is given back', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage('memory', { ...base(), 'web.yaml': READER });
    await stage.up();
  });
  after(async () => {
    await stage.down();
  });

  it('is as Git says all the time, and gives it back once, in the time of its host', async () => {
    await stage.converged();
    const end = Date.now() + 600_000;
    let told = (await stage.status()).items[0]?.memory;
    // one slot in four is its: within two minutes
    for (; told?.reclaimed === undefined; await sleep(1_000)) {
      assert.ok(Date.now() < end, JSON.stringify(told));
      const { sync, items } = await stage.status();
      assert.equal(sync, 'Synced', JSON.stringify(items));
      told = items[0]?.memory;
    }
    // its time may have come while it was still writing
    assert.ok(told.reclaimed.freed > 30 * 2 ** 20, JSON.stringify(told));
    assert.ok(told.used < 30 * 2 ** 20, JSON.stringify(told));
    assert.equal(Math.floor((told.reclaimed.at % 120_000) / 30_000), 0, 'the first of four slots');
    const { out } = await stage.plumb('events');
    assert.equal(out.match(/memory\/web-0: gave back \d+ bytes/g)?.length, 1, out);
    assert.match((await stage.plumb('status', 'app/web')).out, /\nweb-0 gave back \d[\d.]*Mi \d+ s ago\n/);
    assert.match((await stage.plumb('status', 'host/h1')).out, /\nmemory: \d+% RSS/);
  });
});
