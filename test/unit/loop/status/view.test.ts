import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readJournals } from '../../../../reconciler/loop/status/view.ts';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import type { Entry } from '../../../../reconciler/model/journal.ts';
import type { Journals } from '../../../../reconciler/model/store.ts';

function event(host: string, at: number): Entry {
  const base = { type: 'event', level: 'info', reason: 'Seen', prev: '', hash: '' } as const;
  return { ...base, host, at, seq: at, message: `${host} at ${String(at)}` };
}

/** The journals of h1, which breaks after its first entry, and of h2. While they are followed h1 writes one more. */
function journals(): Journals {
  const reader = (writer: string) => ({
    read: async function* () {
      yield await Promise.resolve(event(writer, 1));
      if (writer === 'h1') throw new PlumbError('JOURNAL_CORRUPT', 'that of h1 is broken');
      yield event(writer, 2);
    },
    follow: async function* (signal: AbortSignal) {
      if (writer === 'h1') yield await Promise.resolve(event(writer, 9));
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
    },
  });
  const some = { writers: () => Promise.resolve(['h1', 'h2']), of: reader };
  return some as Pick<Journals, 'writers'> as Journals;
}

const messageOf = (entry: Entry): string => (entry.type === 'event' ? entry.message : entry.type);

it('a journal that is broken takes the place of no entry', async () => {
  const told: string[] = [];
  for await (const entry of readJournals(journals(), { last: 2 }, false, new AbortController().signal))
    told.push(messageOf(entry));
  assert.deepEqual(told, ['h2 at 1', 'h2 at 2', 'that of h1 is broken']);
});

it('what comes to a broken journal is shown to who follows', { timeout: 20_000 }, async ({ signal }) => {
  const stop = new AbortController();
  const told: string[] = [];
  for await (const entry of readJournals(journals(), { last: 0 }, true, AbortSignal.any([stop.signal, signal]))) {
    told.push(messageOf(entry));
    if (told.length > 1) stop.abort();
  }
  assert.deepEqual(told, ['that of h1 is broken', 'h1 at 9']);
});
