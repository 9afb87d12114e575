import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventsCommand, renderEntry } from '../../../../cli/verbs/events.ts';
import { historyCommand } from '../../../../cli/verbs/history.ts';
import { readJournal, type LocalView } from '../../../../reconciler/loop/status/view.ts';
import type { Entry } from '../../../../reconciler/model/journal.ts';
import { answering, speak } from '../../../support/verb.ts';

const DAY = Date.UTC(2026, 10, 24, 1, 17, 15, 639);

function event(seq: number, more: Partial<Extract<Entry, { type: 'event' }>> = {}): Entry {
  const base = { type: 'event', host: 'h1', level: 'info', reason: 'Seen', prev: '', hash: '', at: DAY + seq } as const;
  return { ...base, seq, message: `number ${String(seq)}`, ...more };
}

const ENTRIES = [event(1), event(2, { ref: 'container/web-0' }), event(3, { reason: 'Held', revision: 'abcdef0123' })];

/** The journal of an up that was told of number 4 when somebody began to follow, and stopped. */
const view: Pick<LocalView, 'journal'> = {
  journal: (query, follow, signal) => {
    const journal = {
      read: async function* () {
        yield* await Promise.resolve(ENTRIES);
      },
      follow: async function* () {
        yield await Promise.resolve(event(4, { ref: 'container/web-0' }));
      },
    };
    return readJournal(journal, query, follow, signal);
  },
};

describe('events and history', () => {
  const dir = answering(view);
  const seen = async (...argv: readonly string[]): Promise<readonly number[]> =>
    (await speak(eventsCommand, dir, '-o', 'json', ...argv)).out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Entry).seq);

  for (const { argv, shows } of [
    { argv: [], shows: [1, 2, 3] },
    { argv: ['-n', '1'], shows: [3] },
    { argv: ['-n', '0'], shows: [] },
    { argv: ['-n', '0', '-f'], shows: [4] },
    { argv: ['-n', '2', '-f'], shows: [2, 3, 4] },
    { argv: ['container/web-0'], shows: [2] },
    { argv: ['container/web-0', '-f', '-n', '0'], shows: [4] },
    { argv: ['container/api-0', '-f'], shows: [] },
  ])
    it(`events ${argv.join(' ')} shows ${shows.join(', ')}`, async () => {
      assert.deepEqual(await seen(...argv), shows);
    });

  for (const { verb, count } of [
    { verb: eventsCommand, count: 'abc' },
    { verb: eventsCommand, count: '-3' },
    { verb: eventsCommand, count: '1e3' },
    { verb: historyCommand, count: 'x' },
    { verb: historyCommand, count: '0' },
    { verb: historyCommand, count: '1.5' },
  ])
    it(`${verb.name} refuses -n ${count}`, async () => {
      await assert.rejects(speak(verb, dir, `--last=${count}`), {
        code: 'USAGE',
        message: /--last takes a whole number/,
      });
    });

  it('a line has its date when that is not today', () => {
    const io = { color: false };
    assert.match(renderEntry(event(0), io, DAY + 1000), /^01:17:15\.639Z /);
    assert.match(renderEntry(event(0), io, DAY + 86_400_000), /^2026-11-24 01:17:15\.639Z /);
  });

  it('history of a ref has the revisions that changed it', async () => {
    assert.match((await speak(historyCommand, dir, 'host/h1')).out, /abcdef0 +held/);
    assert.equal((await speak(historyCommand, dir, 'app/web')).out, 'no revision changed app/web\n');
    const { out } = await speak(historyCommand, dir, 'app/web', '-o', 'json');
    assert.deepEqual(JSON.parse(out), { version: 1, ref: 'app/web', revisions: [] });
    await assert.rejects(speak(historyCommand, dir, 'web'), {
      code: 'USAGE',
      message: /web is no ref; write kind\/name/,
    });
  });

  it('history shows what is sound, and says whose journal is broken', async () => {
    const told = { reason: 'JournalCorrupt', message: 'The journal of h2 is broken' };
    ENTRIES.push(event(3, { ...told, host: 'h2' }));
    const { out, err } = await speak(historyCommand, dir);
    ENTRIES.pop();
    assert.match(out, /abcdef0 +held/);
    assert.equal(err, 'The journal of h2 is broken\n');
  });

  it('history says which zone its times are in, and what is held', async () => {
    const { out } = await speak(historyCommand, dir);
    assert.match(out, /^REVISION +RESULT +SINCE \(UTC\) /);
    assert.match(out, /abcdef0 +held/);
  });
});
