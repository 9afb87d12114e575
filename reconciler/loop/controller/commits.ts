import { randomUUID } from 'node:crypto';
import type { CommitRequest, ConflictReason, Proposal, Verdict } from '../../model/reservations.ts';
import type { Reservations } from '../../model/store.ts';
import { absorb, takeBack } from '../../place/ground.ts';
import { proposeAgain, turnsOf } from '../../place/place.ts';
import type { Run } from '../../place/run.ts';

/** Proposals of one request: a store decides it in some milliseconds, and nobody else waits for longer. */
const BATCH = 100;
/** Where others refuse much, requests are smaller down to this, so that more of what they did is heard before each proposal. */
const LEAST = 10;
/** Part of a request that may be refused before the next is half as large. */
const REFUSED = 0.01;
/**
 * Requests under way: enough for the store to have work while it writes the last to its disk, and while the next proposals are looked for. A store that is written to
 * its disk with each answers several at once.
 */
const AT_ONCE = 24;

/**
 * Begins the ids of the requests of one commit, in words and with what no other has: at the same cursor another commit, of this leader or of
 * the next, must not be given the reply of this one. A request that is tried again keeps its id.
 */
export function requestId(why: string): string {
  return `${why}-${randomUUID()}`;
}

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

interface Shared {
  /** Begins the id of each request. */
  readonly id: string;
  /** How far the ground of the run knows what was committed. */
  readonly cursor: number;
  /** Told of each proposal that is refused, and why, before it is made anew. */
  readonly refuse: (proposal: Proposal, reason: ConflictReason) => void;
}

/**
 * Takes the turns of a run and commits as it goes, beside others who do the same: a request of about a hundred at a time, fewer where
 * others are in the way, and all that anybody has committed is heard before the next is proposed. What was refused is proposed again at once, with what is known
 * then. Throws what the store throws: CONFLICT when it no longer knows what was committed since the last request.
 */
export async function commitTurns(
  reservations: Pick<Reservations, 'commit' | 'since'>,
  run: Run,
  { id, cursor, refuse }: Shared,
): Promise<{ readonly proposed: number; readonly accepted: number }> {
  const turns = turnsOf(run);
  let [at, told, refusals, size] = [cursor, 0, 0, BATCH];
  for (let requests = 0, done = false; ; requests += 1) {
    while (!done && run.proposals.length - told < size) done = turns.next().done === true;
    const proposals = run.proposals.slice(told);
    if (proposals.length === 0) return { proposed: told, accepted: told - refusals };
    told += proposals.length;
    const { verdicts } = await reservations.commit({ id: `${id}.${String(requests)}`, now: run.input.now, proposals });
    for (const commit of await reservations.since(at)) {
      absorb(run, commit.deltas);
      at = commit.cursor;
    }
    takeBack(run);
    const refused = proposals.filter((proposal, index) => {
      const verdict = verdicts[index];
      if (verdict?.accepted === false) refuse(proposal, verdict.reason);
      return verdict?.accepted === false;
    });
    refusals += refused.length;
    size = refused.length > REFUSED * proposals.length ? Math.max(LEAST, size / 2) : Math.min(BATCH, size + LEAST);
    proposeAgain(run, refused);
  }
}
