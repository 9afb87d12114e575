import type { Assignment } from '../../model/replica.ts';
import type { Proposal } from '../../model/reservations.ts';
import type { Store } from '../../model/store.ts';
import { commitAll, requestId } from './commits.ts';
import type { Image } from './image.ts';

/** What a controller writes with. */
export interface WritingOptions {
  readonly store: Pick<Store, 'reservations' | 'mailbox'>;
  readonly clock: () => number;
  /** Throws once another controller leads. Asked before each write. */
  readonly mustLead: () => Promise<void>;
}

/** What a controller writes of placements and Assignments, with its image kept true. */
export interface Writing {
  commit(image: Image, revision: string, proposals: readonly Proposal[]): Promise<void>;
  /** Stores the Assignments that are new. One that another has overtaken is read instead. */
  publish(image: Image, assignments: readonly Assignment[]): Promise<void>;
}

/** Assignments that are stored in one go, and such goes under way: while the store writes one, the next is made. */
const TOGETHER = 8;
const AT_ONCE = 2;
/** Proposals that are committed while the deltas of those before are taken in: a store keeps those of the last commits only. */
const COMMITS = 5_000;

/** Once all have ended. Throws what the first of them has thrown. */
async function all(works: readonly Promise<unknown>[]): Promise<void> {
  for (const end of await Promise.allSettled(works)) if (end.status === 'rejected') throw end.reason;
}

/** Writes to a store. */
export function createWriting({ store, clock, mustLead }: WritingOptions): Writing {
  const { reservations, mailbox } = store;
  return {
    commit: async (image, revision, proposals) => {
      let heard = Promise.resolve();
      for (let at = 0; at < proposals.length; at += COMMITS) {
        await mustLead();
        const some = proposals.slice(at, at + COMMITS);
        await all([commitAll(reservations, { id: requestId(revision), now: clock(), proposals: some }), heard]);
        heard = image.refresh();
        heard.catch(() => undefined); // whoever waits for it hears of it
      }
      await heard;
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
