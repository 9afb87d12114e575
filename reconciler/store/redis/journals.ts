import type { Entry } from '../../model/journal.ts';
import type { Journals } from '../../model/store.ts';
import { lineOf } from '../journal/chain.ts';
import type { Context } from './context.ts';
import { headOfJournal, readerOf } from './journal.ts';

/** The journals of a fleet on Redis: of controllers (`listed`) and hosts, copies of what each has on its own disk. */
export function createJournals(context: Context, writer: string, listed: boolean): Journals {
  const { calls, keys, keep, scripts } = context;
  return {
    writers: async () => {
      const [controllers, hosts] = await calls.ask(['smembers', keys.writers], ['smembers', keys.reporting]);
      return [...new Set([...(controllers as string[]), ...(hosts as string[])])].sort();
    },
    of: (other) => readerOf(context, other),
    head: () => headOfJournal(context, writer),
    mirror: async (entries: readonly Entry[], anew = false) => {
      const [first] = entries;
      const last = entries.at(-1);
      if (!first || !last) return headOfJournal(context, writer);
      const words = entries.flatMap((entry) => [entry.hash, lineOf(entry).slice(0, -1)]);
      const args = [first.seq - 1, first.prev, keep.entries, keys.onEntry(writer), anew ? 'anew' : '', ...words];
      const touched = [keys.entries(writer), keys.start(writer)];
      // hosts are known by their Reports
      const list = listed ? [['sadd', keys.writers, writer]] : [];
      const other = (await calls.write(...list, { script: scripts.append, keys: touched, args })).at(-1);
      if (Array.isArray(other)) return { seq: Number(other[0]), hash: String(other[1]) };
      return { seq: last.seq, hash: last.hash };
    },
  };
}
