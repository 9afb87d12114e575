import type { CommitRequest, Verdict } from '../model/reservations.ts';
import type { Reservations } from '../model/store.ts';

/** Proposals of one request: a store decides it in some milliseconds, and nobody else waits for longer. */
const BATCH = 100;
/** Requests under way: enough for the store to have the next one while it writes the last to its disk. */
const AT_ONCE = 8;

/**
 * Commits any number of proposals, in order, as requests of about a hundred, and gives the verdicts. It is the proposals
 * that are atomic, not all of them together. Throws what the store throws; some may then be committed, and others not.
 */
export async function commitAll(
  reservations: Pick<Reservations, 'commit'>,
  { id, now, proposals }: CommitRequest,
): Promise<readonly Verdict[]> {
  const batches = Array.from({ length: Math.ceil(proposals.length / BATCH) }, (_, at) => ({
    id: `${id}.${String(at)}`,
    now,
    proposals: proposals.slice(at * BATCH, (at + 1) * BATCH),
  }));
  const verdicts: (readonly Verdict[])[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let batch = batches[next]; batch; batch = batches[next]) {
      const at = next++;
      try {
        verdicts[at] = (await reservations.commit(batch)).verdicts;
      } catch (error) {
        next = batches.length;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return verdicts.flat();
}
