import type { CommitRequest, Proposal, Verdict } from '../model/reservations.ts';
import type { Reservations } from '../model/store.ts';

/** Proposals of one request: a store decides it in some milliseconds, and nobody else waits for longer. */
const BATCH = 100;
/** Requests under way: enough for the store to have the next one while it writes the last to its disk. */
const AT_ONCE = 8;

/**
 * Commits any number of proposals, in order, as requests of about a hundred, and gives the verdicts. It is the proposals
 * that are atomic, not all of them together. They are asked for no faster than they are committed. Throws what the store
 * throws; some may then be committed, and others not.
 */
export async function commitAll(
  reservations: Pick<Reservations, 'commit'>,
  { id, now, proposals }: Omit<CommitRequest, 'proposals'> & { readonly proposals: Iterable<Proposal> },
): Promise<readonly Verdict[]> {
  const source = proposals[Symbol.iterator]();
  const verdicts: (readonly Verdict[])[] = [];
  let failed = false;
  const nextBatch = (): readonly Proposal[] => {
    const batch: Proposal[] = [];
    for (let size = 0; size < BATCH && !failed;) {
      const next = source.next();
      if (next.done === true) break;
      batch.push(next.value);
      size += next.value.op === 'gang' ? next.value.places.length : 1;
    }
    return batch;
  };
  const lane = async (): Promise<void> => {
    for (let batch = nextBatch(); batch.length > 0; batch = nextBatch()) {
      const at = verdicts.push([]) - 1;
      try {
        verdicts[at] = (await reservations.commit({ id: `${id}.${String(at)}`, now, proposals: batch })).verdicts;
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return verdicts.flat();
}
