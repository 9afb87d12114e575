import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Entry, EntryDraft, EntryFilter } from '../../../reconciler/model/journal.ts';
import { openJournal } from '../../../reconciler/store/journal/journal.ts';
import type { JournalOptions, OwnJournal } from '../../../reconciler/store/journal/journal.ts';
import { readJournal, verifyJournal } from '../../../reconciler/store/journal/read.ts';

const broken =
  (text: string) =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === 'JOURNAL_CORRUPT' && error.message.includes(text);

const event = (message: string, ref: `${string}/${string}` = 'container/web-0'): EntryDraft => ({
  type: 'event',
  host: 'h1',
  level: 'info',
  reason: 'Test',
  message,
  ref,
});
const intent = (trace: string): EntryDraft => ({
  type: 'intent',
  trace,
  revision: 'r',
  author: 'a',
  host: 'h1',
  ref: 'container/web-0',
  verb: 'create',
  because: 'new',
  disruption: 'none',
  fields: [],
});
const done = (trace: string): EntryDraft => ({
  type: 'outcome',
  trace,
  host: 'h1',
  ref: 'container/web-0',
  result: 'done',
});

async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const list: Entry[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

describe('journal on disk', () => {
  it('goes on behind the copy of what its disk has lost, and only then', async () => {
    const root = mkdtempSync(join(tmpdir(), 'plumb-behind-'));
    const head = { seq: 41, hash: 'a'.repeat(64) };
    const open = (seq: number): Promise<OwnJournal> =>
      openJournal(join(root, 'one'), { clock: () => 1, behind: () => Promise.resolve({ ...head, seq }) });
    // a head that nothing was written behind is asked for again
    await (await open(40)).close();
    const first = await open(41);
    const [entry] = await first.append([event('one')]);
    assert.deepEqual([entry?.seq, entry?.prev], [42, head.hash]);
    await first.close();
    const second = await open(7);
    assert.deepEqual(
      (await second.append([event('two')])).map(({ seq }) => seq),
      [43],
    );
    assert.equal((await second.verify()).entries, 2);
    await second.close();
    rmSync(root, { recursive: true });
  });

  let directory: string;
  let journal: OwnJournal | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'plumb-journal-'));
  });
  afterEach(async () => {
    await journal?.close();
    journal = undefined;
    rmSync(directory, { recursive: true, force: true });
  });
  const open = async (options: Partial<JournalOptions> = {}): Promise<OwnJournal> => {
    await journal?.close();
    return (journal = await openJournal(directory, { clock: () => 5, ...options }));
  };
  const path = (number: number): string => join(directory, `${String(number).padStart(8, '0')}.jsonl`);
  const segments = (): string[] => readdirSync(directory).filter((name) => name.endsWith('.jsonl'));
  const change = (number: number, edit: (text: string) => string): void => {
    writeFileSync(path(number), edit(readFileSync(path(number), 'utf8')));
  };

  it('cuts off a torn last line, and only that', async () => {
    await (await open()).append([event('one'), event('two')]);
    const whole = readFileSync(path(1), 'utf8');
    for (const tail of ['{"type":"event","me', '\0\0\0\0']) {
      appendFileSync(path(1), tail);
      assert.equal((await (await open()).verify()).entries, 2);
      assert.equal(readFileSync(path(1), 'utf8'), whole);
    }
    await (await open()).append([event('three')]);
    assert.equal((await verifyJournal(directory)).entries, 3);
  });

  it('names the first entry that was changed, left out, doubled or moved', async () => {
    await (await open()).append(['one', 'two', 'three', 'four'].map((message) => event(message)));
    const text = readFileSync(path(1), 'utf8');
    const lines = text.trimEnd().split('\n');
    const [one = '', two = '', three = '', four = ''] = lines;
    const cases: [string[], string][] = [
      [[one, two.replace('"two"', '"TWO"'), three, four], 'entry 2'],
      [[one, two.replace('"at":5', '"at":6'), three, four], 'entry 2'],
      [[one, three, four], 'entry 2 is missing'],
      [[one, two, two, three, four], 'entry 3 is missing'],
      [[two, three, four], 'entry 1 is missing'],
      [[one, 'nonsense', three, four], 'it is not an entry'],
    ];
    for (const [changed, words] of cases) {
      writeFileSync(path(1), `${changed.join('\n')}\n`);
      await assert.rejects(verifyJournal(directory), broken(words), words);
    }
    writeFileSync(path(1), text);
    assert.equal((await verifyJournal(directory)).entries, 4);
  });

  it('does not go on behind a last entry that is not whole', async () => {
    await (await open()).append([event('one'), event('two')]);
    await journal?.close();
    journal = undefined;
    change(1, (text) => text.replace('"two"', '"TWO"'));
    await assert.rejects(open(), broken('entry 2'));
  });

  it('goes over segments, and refuses one that is torn in the middle of the chain or gone', async () => {
    await open({ segmentBytes: 500 });
    for (let index = 0; index < 12; index++) await journal?.append([event(`number ${String(index)}`)]);
    const written = await all((await open()).read());
    assert.deepEqual(
      written.map((entry) => entry.type === 'event' && entry.message),
      Array.from({ length: 12 }, (_, index) => `number ${String(index)}`),
    );
    assert.ok(segments().length > 3);
    assert.deepEqual(
      (await all(journal?.read({ from: 7 }) ?? readJournal('/'))).map(({ seq }) => seq),
      [7, 8, 9, 10, 11, 12],
    );
    assert.deepEqual((await journal?.verify())?.entries, 12);
    await journal?.close();
    journal = undefined;
    const kept = readFileSync(path(2), 'utf8');
    change(2, (text) => text.slice(0, -5));
    await assert.rejects(verifyJournal(directory), broken('torn'));
    unlinkSync(path(2));
    await assert.rejects(verifyJournal(directory), broken('is missing'));
    writeFileSync(path(2), kept);
    assert.equal((await verifyJournal(directory)).entries, 12);
  });

  it('removes the oldest segments, records where the chain begins, and can still be verified', async () => {
    await open({ segmentBytes: 500, totalBytes: 2000 });
    for (let index = 0; index < 60; index++) await journal?.append([event(`number ${String(index)}`)]);
    const kept = await all(journal?.read() ?? readJournal('/'));
    assert.ok(kept.length > 3 && kept.length < 20, `${String(kept.length)} entries are kept`);
    assert.equal(kept.at(-1)?.seq, 60);
    const { entries, head } = await (await open()).verify();
    assert.deepEqual([entries, head], [kept.length, kept.at(-1)?.hash]);
    // killed between recording the new beginning and removing the file
    const first = Number(segments()[0]?.slice(0, 8));
    writeFileSync(
      path(first - 1),
      `${readFileSync(path(first), 'utf8').split('\n')[0] ?? ''}\n`.replace(/"seq":\d+/, '"seq":1'),
    );
    assert.equal((await verifyJournal(directory)).entries, kept.length);
    await open();
    assert.equal(Number(segments()[0]?.slice(0, 8)), first);
    // an older segment taken away by hand is seen
    unlinkSync(path(first));
    await assert.rejects(verifyJournal(directory), broken('is missing'));
  });

  it('can be verified and read while segments are removed', async () => {
    await open({ segmentBytes: 500, totalBytes: 2000 });
    const write = async (): Promise<void> => {
      for (let index = 0; index < 60; index++) await journal?.append([event(`number ${String(index)}`)]);
    };
    let writing = true;
    const written = write().finally(() => (writing = false));
    while (writing) {
      await journal?.verify();
      await all(journal?.read({ ref: 'container/web-0' }) ?? readJournal('/'));
    }
    await written;
  });

  it('closes the intents that a crash left open, once', async () => {
    await (await open()).append([intent('a"\\b'), intent('c'), done('c'), intent('d')]);
    for (const again of [1, 2]) {
      const entries = await all((await open()).read({ types: ['outcome'] }));
      const outcomes = entries.map((entry) => entry.type === 'outcome' && `${entry.trace} ${entry.result}`);
      assert.deepEqual(outcomes, ['c done', 'a"\\b interrupted', 'd interrupted'], String(again));
    }
  });

  it('reads what one ref went through without parsing the rest again', async () => {
    await open({ segmentBytes: 4000 });
    for (let index = 0; index < 40; index++)
      await journal?.append(
        Array.from({ length: 5 }, (_, ref) => event(String(index), `container/web-${String(ref)}`)),
      );
    const read = async (): Promise<number> =>
      (await all(journal?.read({ ref: 'container/web-3' }) ?? readJournal('/'))).length;
    assert.equal(await read(), 40);
    await journal?.append([event('more', 'container/web-3')]);
    assert.equal(await read(), 41);
    assert.equal((await all(readJournal(directory, { ref: 'container/web-3', from: 195 }))).length, 2);
  });

  it('reads from a number on without parsing what lies before it, and from memory what was written last', async (t) => {
    await open({ segmentBytes: 20_000 });
    for (let index = 0; index < 10; index++)
      await journal?.append(Array.from({ length: 20 }, () => event(String(index))));
    const parse = t.mock.method(JSON, 'parse');
    const read = async (from: number, types?: EntryFilter['types']): Promise<[seqs: number[], parsed: number]> => {
      const before = parse.mock.callCount();
      const entries = await all(journal?.read({ from, ...(types ? { types } : {}) }) ?? readJournal('/'));
      return [entries.map(({ seq }) => seq), parse.mock.callCount() - before];
    };
    const upTo200 = (from: number): number[] => Array.from({ length: 201 - from }, (_, index) => from + index);
    assert.deepEqual(await read(3), [upTo200(3), 0]);
    assert.deepEqual(await read(3, ['intent']), [[], 0]);
    await open();
    for (let from = 1; from <= 200; from++) {
      const [seqs, parsed] = await read(from);
      assert.deepEqual(seqs, upTo200(from));
      assert.ok(parsed <= seqs.length + 8, `${String(parsed)} lines were parsed for ${String(seqs.length)} entries`);
    }
    assert.deepEqual((await read(201))[0], []);
    // what is met on the way is an entry
    change(segments().length, (text) => text.replace('"seq":200', '"seq":"x"'));
    await assert.rejects(read(200), broken('it is not an entry'));
  });

  it('keeps what JSON can hold of a draft, and its hash matches that', async () => {
    const facts = { a: Number.NaN, b: undefined } as unknown as Record<string, number>;
    await (await open()).append([{ ...(done('x') as EntryDraft & { type: 'outcome' }), facts }]);
    assert.equal((await verifyJournal(directory)).entries, 1);
  });

  it('takes as many entries at once as a large fleet has replicas', async () => {
    const own = await open();
    const said = await own.append(Array.from({ length: 150_000 }, () => event('x')));
    assert.equal(said.length, 150_000);
    await own.append([event('last')]);
    assert.equal((await all(own.read({ from: 150_001 }))).length, 1);
  });

  it('shows a slow follower everything, from disk where memory no longer has it', async () => {
    await open({ segmentBytes: 20_000 });
    const stop = new AbortController();
    const follower = journal?.follow(stop.signal)[Symbol.asyncIterator]() ?? assert.fail();
    for (let index = 0; index < 50; index++)
      await journal?.append(Array.from({ length: 100 }, () => event(String(index))));
    for (let seq = 1; seq <= 5000; seq++) {
      const { value } = (await follower.next()) as { value: Entry };
      assert.equal(value.seq, seq);
    }
    stop.abort();
    assert.equal((await follower.next()).done, true);
  });
});
