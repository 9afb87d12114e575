import { PlumbError } from '../reconciler/model/errors.ts';
import type { Entry, EntryFilter } from '../reconciler/model/journal.ts';
import { journalDirectory } from '../reconciler/store/embedded/embedded.ts';
import { readJournal } from '../reconciler/store/journal/read.ts';
import { remoteView } from './local.ts';
import type { Paths } from './paths.ts';

/** Reads the audit chain; with `follow` it goes on as entries come. */
export type ReadJournal = (filter: EntryFilter, follow: boolean, signal: AbortSignal) => AsyncIterable<Entry>;

/** The journal of a running `up` through its socket, or of a state directory as its files are. Following needs a running one. */
export function journalOf({ socket, state }: Paths): ReadJournal {
  return async function* (filter, follow, signal) {
    try {
      yield* remoteView(socket).journal(filter, follow, signal);
    } catch (error) {
      if (follow || !(error instanceof PlumbError) || error.code !== 'NOT_RUNNING') throw error;
      yield* readJournal(journalDirectory(state), filter);
    }
  };
}
