import type { Assignment } from '../../model/replica.ts';
import type { Proposal } from '../../model/reservations.ts';
import type { Store } from '../../model/store.ts';
import { inTurns, resumable, upTo } from '../turns.ts';
import { commitAll, requestId } from './commits.ts';
import type { Image } from './image.ts';

/** What a controller writes with. */
export interface WritingOptions {
  readonly store: Pick<Store, 'reservations' | 'mailbox'>;
  readonly clock: () => number;
  /** Throws once another controller leads. Asked before each write. */
  readonly mustLead: () => Promise<void>;
  /** Proposals that are committed before the deltas of the first are taken in; as many as a store keeps when absent. */
  readonly ahead?: number;
}

/** What a controller writes of placements and Assignments, with its image kept true. */
export interface Writing {
  /**
   * Commits what is proposed while more is looked for, and gives what that comes to. The image, by which it is looked for, stays as it is until then.
   */
  commit<T>(image: Image, revision: string, deciding: Iterator<Proposal, T>): Promise<T>;
  /** Stores the Assignments that are new. One that another has overtaken is read instead. */
  publish(image: Image, assignments: readonly Assignment[]): Promise<void>;
}

/** Assignments that are stored in one go, which a store writes to its disk at once, and such goes under way: while the store writes one, the next is made. */
const TOGETHER = 16;
const AT_ONCE = 2;
/** A store keeps the deltas of the last commits only, some 2,000 of a hundred proposals each. */
const AHEAD = 150_000;
/** Proposals behind these that are committed while the deltas of those before are taken in. */
const COMMITS = 5_000;

/** Once all have ended. Throws what the first of them has thrown. */
async function all(works: readonly Promise<unknown>[]): Promise<void> {
  for (const end of await Promise.allSettled(works)) if (end.status === 'rejected') throw end.reason;
}

/** Writes to a store. */
export function createWriting({ store, clock, mustLead, ahead = AHEAD }: WritingOptions): Writing {
  const { reservations, mailbox } = store;
  return {
    commit: async (image, revision, deciding) => {
      let proposed = 0;
      const commit = async (proposals: Iterable<Proposal>): Promise<void> => {
        await mustLead();
        proposed += (await commitAll(reservations, { id: requestId(revision), now: clock(), proposals })).length;
      };
      const given: Proposal[] = [];
      const returned = await image.hold(async () => {
        const source = resumable(deciding);
        await commit(upTo(source, ahead));
        return inTurns(source, (one) => given.push(one));
      });
      if (proposed === 0) return returned;
      let heard = image.refresh();
      for (let at = 0; at < given.length; at += COMMITS) {
        heard.catch(() => undefined); // whoever waits for it hears of it
        await all([commit(given.slice(at, at + COMMITS)), heard]);
        heard = image.refresh();
      }
      await heard;
      return returned;
    },
    publish: async (image, assignments) => {
      const { whereabouts, unstored } = image;
      const fresh = assignments.filter(
        (one) => whereabouts.assignments.get(one.host) !== one || unstored.has(one.host),
      );
      let at = 0;
      const lane = async (): Promise<void> => {
        while (at < fresh.length) {
          const some = fresh.slice(at, (at += TOGETHER));
          await mustLead();
          for (const [index, stored] of (await mailbox.assignAll(some)).entries()) {
            const one = some[index] as Assignment;
            if (stored) image.told(one);
            else await image.overtaken(one.host);
          }
        }
      };
      await all(Array.from({ length: AT_ONCE }, lane));
    },
  };
}
