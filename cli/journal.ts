import { JOURNAL_CORRUPT, lastOf } from '../reconciler/loop/status/view.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { Entry, EntryFilter, EntryQuery } from '../reconciler/model/journal.ts';
import { journalDirectories } from '../reconciler/store/embedded/embedded.ts';
import { readJournal } from '../reconciler/store/journal/read.ts';
import { askedStore } from './fleet-store.ts';
import type { Io } from './io.ts';
import { pathsOf } from './paths.ts';
import { openView, type Looking } from './view.ts';

/** Reads the audit chain; with `follow` it goes on as entries come. */
export type ReadJournal = (query: EntryQuery, follow: boolean, signal: AbortSignal) => AsyncIterable<Entry>;

/**
 * The journals of a fleet from its store, or the journal of what runs here through its socket, or of a state directory as its
 * files are. Following needs one of the first two.
 */
export function journalOf(flags: Looking, io: Io): ReadJournal {
  return async function* (query, follow, signal) {
    const opened = await openView(flags, io);
    try {
      yield* opened.view.journal(query, follow, signal);
    } catch (error) {
      const away = error instanceof PlumbError && error.code === 'NOT_RUNNING' && askedStore(flags, io) === undefined;
      if (follow || !away) throw error;
      const { last, host: _all, ...filter } = query;
      yield* lastOf(readKept(pathsOf(flags, io).state, filter), last);
    } finally {
      await opened.close();
    }
  };
}

/** The same for who makes something of the entries: whose journal is broken is said once, and is none of them. */
export function soundJournalOf(flags: Looking, io: Io): ReadJournal {
  const journal = journalOf(flags, io);
  const said = new Set<string>();
  return async function* (...asked) {
    for await (const entry of journal(...asked))
      if (entry.type !== 'event' || entry.reason !== JOURNAL_CORRUPT) yield entry;
      else if (!said.has(entry.message)) {
        said.add(entry.message);
        io.err(`${entry.message}\n`);
      }
  };
}

/** What is kept in a state directory, by time: of an `up` or an agent, and of controllers. */
async function* readKept(state: string, filter: EntryFilter): AsyncGenerator<Entry> {
  const directories = journalDirectories(state);
  const [only] = directories;
  if (only !== undefined && directories.length === 1) {
    yield* readJournal(only, filter);
    return;
  }
  const all: Entry[] = [];
  for (const directory of directories) for await (const entry of readJournal(directory, filter)) all.push(entry);
  yield* all.sort((a, b) => a.at - b.at);
}
