import { lastOf } from '../reconciler/loop/view.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { Entry, EntryQuery } from '../reconciler/model/journal.ts';
import { journalDirectory } from '../reconciler/store/embedded/embedded.ts';
import { readJournal } from '../reconciler/store/journal/read.ts';
import { storeUrl } from './fleet-store.ts';
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
      const away = error instanceof PlumbError && error.code === 'NOT_RUNNING' && storeUrl(flags, io) === undefined;
      if (follow || !away) throw error;
      const { last, host: _all, ...filter } = query;
      yield* lastOf(readJournal(journalDirectory(pathsOf(flags, io).state), filter), last);
    } finally {
      await opened.close();
    }
  };
}
