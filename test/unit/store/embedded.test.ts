import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  promises,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { ErrorCode } from '../../../reconciler/model/errors.ts';
import { journalDirectory, openEmbedded } from '../../../reconciler/store/embedded/embedded.ts';
import { storeConforms } from '../../conformance/store.ts';
import { hostRecord } from '../../support/reservations.ts';

const code =
  (wanted: ErrorCode, text = '') =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === wanted && error.message.includes(text);

storeConforms('the embedded store', async (clock) => {
  const state = mkdtempSync(join(tmpdir(), 'plumb-store-'));
  let store = await openEmbedded(state, { clock });
  return {
    store,
    reopen: async () => {
      await store.close();
      return (store = await openEmbedded(state, { clock }));
    },
    close: async () => {
      await store.close();
      rmSync(state, { recursive: true, force: true });
    },
  };
});

describe('the embedded store on disk', () => {
  let state: string;
  const clock = (): number => 1_000_000;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'plumb-store-'));
  });
  afterEach(() => {
    rmSync(state, { recursive: true, force: true });
  });
  const logs = (): string[] => readdirSync(join(state, 'store'));
  const logFile = (): string => join(state, 'store', logs()[0] ?? '');

  async function fill(count: number): Promise<void> {
    const store = await openEmbedded(state, { clock });
    for (let index = 0; index < count; index++) {
      const record = hostRecord(`h${String(index)}`);
      await store.reservations.commit({ id: `r${String(index)}`, now: 0, proposals: [{ op: 'host', record }] });
    }
    await store.close();
  }

  async function hosts(): Promise<number> {
    const store = await openEmbedded(state, { clock });
    const { hosts: all } = await store.reservations.snapshot();
    await store.close();
    return all.size;
  }

  it('knows as what things were last converged to, also from a log that was written anew', async () => {
    const many = 12_000;
    const store = await openEmbedded(state, { clock });
    await store.settled.note(
      new Map([
        ['port/a-0', 'x'],
        ['port/b-0', 'x'],
      ]),
    );
    await store.settled.note(new Map([['port/b-0', undefined]]));
    for (let round = 0; round < 4; round += 1)
      await store.settled.note(
        new Map(
          Array.from({ length: many }, (_, index) => [`port/c-${String(index)}`, `0123456789abcde${String(round)}`]),
        ),
      );
    await store.close();
    assert.notDeepEqual(logs(), ['00000001.log']);
    const next = await openEmbedded(state, { clock });
    const all = await next.settled.read();
    assert.deepEqual(
      [all.size, all.get('port/a-0'), all.get('port/b-0'), all.get('port/c-0')],
      [many + 1, 'x', undefined, '0123456789abcde3'],
    );
    await next.close();
  });
  it('sweeps what killed processes left half-written, beside it and in its journal', async () => {
    const lay = (): string[] =>
      [join(state, 'cores.json'), join(journalDirectory(state), 'start.json')].map((path) => {
        const draft = `${path}.0011223344ff.new`;
        writeFileSync(draft, '');
        utimesSync(draft, 1, 1);
        return draft;
      });
    await fill(1);
    const drafts = lay();
    await fill(2);
    assert.deepEqual(drafts.filter(existsSync), []);
  });

  it('leaves out a torn last line and goes on behind it', async () => {
    await fill(3);
    const whole = statSync(logFile()).size;
    appendFileSync(logFile(), readFileSync(logFile()).subarray(-100, -7));
    assert.equal(await hosts(), 3);
    assert.equal(statSync(logFile()).size, whole);
    await fill(5);
    assert.equal(await hosts(), 5);
  });

  it('refuses a damaged log, naming file and line', async () => {
    await fill(3);
    const text = readFileSync(logFile(), 'utf8');
    writeFileSync(logFile(), text.replace('"h1"', '"hX"'));
    await assert.rejects(hosts(), code('STORE_UNAVAILABLE', `${logFile()}, line 4`));
  });

  it('refuses the log of a newer version and a foreign file', async () => {
    await fill(1);
    const text = readFileSync(logFile(), 'utf8');
    writeFileSync(logFile(), text.replace('"format":2', '"format":3'));
    await assert.rejects(hosts(), code('STORE_UNAVAILABLE', 'newer plumb (format 3'));
    writeFileSync(logFile(), 'something else\n');
    await assert.rejects(hosts(), code('STORE_UNAVAILABLE', 'not a store'));
  });

  it('compacts what has grown, and loses nothing by it', async () => {
    const store = await openEmbedded(state, { clock });
    const labels = 'x'.repeat(20_000);
    for (let epoch = 1; epoch < 200; epoch++) {
      const record = hostRecord('h1', { epoch, rack: labels });
      await store.reservations.commit({ id: 'again', now: 0, proposals: [{ op: 'host', record }] });
      await store.reservations.commit({ id: `e${String(epoch)}`, now: 0, proposals: [{ op: 'host', record }] });
    }
    await store.close();
    assert.equal(logs().length, 1);
    assert.ok(statSync(logFile()).size < 1_500_000, `${String(statSync(logFile()).size)} bytes are left`);
    const again = await openEmbedded(state, { clock });
    const { hosts: all, cursor } = await again.reservations.snapshot();
    assert.deepEqual([all.get('h1')?.epoch, cursor], [199, 199]);
    await again.close();
  });

  it('goes on with the old log where the new one cannot be opened, and leaves none that would be taken for the newest', async () => {
    const { open } = promises;
    const store = await openEmbedded(state, { clock });
    const rack = 'x'.repeat(20_000);
    const put = async (epoch: number): Promise<void> => {
      const record = hostRecord('h1', { epoch, rack });
      await store.reservations.commit({ id: `e${String(epoch)}`, now: 0, proposals: [{ op: 'host', record }] });
    };
    let refused = 0;
    promises.open = (...asked) => {
      if (!String(asked[0]).endsWith('00000002.log')) return open(...asked);
      refused += 1;
      return Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    };
    syncBuiltinESMExports();
    try {
      for (let epoch = 1; epoch < 80; epoch += 1) await put(epoch);
    } finally {
      promises.open = open;
      syncBuiltinESMExports();
    }
    assert.ok(refused > 0, 'it was to be compacted');
    assert.deepEqual(logs(), ['00000001.log']);
    await put(80);
    await store.close();
    const again = await openEmbedded(state, { clock });
    assert.equal((await again.reservations.snapshot()).hosts.get('h1')?.epoch, 80);
    await again.close();
  });

  it('forgets a compaction that a kill cut short', async () => {
    await fill(2);
    writeFileSync(join(state, 'store', '00000002.log.new'), 'half');
    assert.equal(await hosts(), 2);
    assert.deepEqual(logs(), ['00000001.log']);
  });

  it('is open to one at a time', async () => {
    const store = await openEmbedded(state, { clock });
    await assert.rejects(openEmbedded(state, { clock }), code('STORE_LOCKED', String(process.pid)));
    await store.close();
    assert.equal(await hosts(), 0);
  });

  it('does not write a report that says nothing new', async () => {
    const store = await openEmbedded(state, { clock });
    const report = { host: 'h1', at: 1, observed: [] } as unknown as Parameters<typeof store.mailbox.report>[0];
    await store.mailbox.report(report);
    const { size } = statSync(logFile());
    await store.mailbox.report({ ...report, at: 2 });
    assert.equal(statSync(logFile()).size, size);
    assert.equal((await store.mailbox.reports(['h1']))[0]?.at, 2);
    await store.close();
  });

  it('refuses a state directory that is none', async () => {
    writeFileSync(join(state, 'file'), '');
    await assert.rejects(openEmbedded(join(state, 'file'), { clock }), code('STORE_UNAVAILABLE'));
    await assert.rejects(openEmbedded(state, { clock, writer: '../x' }), code('USAGE'));
    assert.equal(existsSync(join(state, 'journal')), false);
  });
});
