import type { Catalog } from '../../model/catalog.ts';
import type { Reopening } from '../../model/notice.ts';
import type { Store } from '../../model/store.ts';
import { counted } from '../../model/words.ts';
import { closedZones, rebuild, REOPEN } from '../../place/rebuild.ts';
import type { Rebuild, Remains } from '../../place/rebuild.ts';
import { commitAll, requestId } from './commits.ts';
import type { Image } from './image.ts';
import type { Posting } from './posting.ts';
import type { Telling } from './telling.ts';

export interface RebuildingOptions {
  readonly reservations: Pick<Store['reservations'], 'commit' | 'snapshot'>;
  readonly telling: Pick<Telling, 'tell'>;
  readonly posting: Pick<Posting, 'decided' | 'decide' | 'post'>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Throws when another leads by now. */
  readonly mustLead: () => Promise<void>;
}

/** How far a store is then, and the hosts that its closed Zones wait for. */
type Learnt = Pick<Rebuild, 'awaited'> & { readonly reopening: Reopening | undefined };

/** Has the store of a fleet learn from the hosts what it does not know. */
export async function learn(image: Image, catalog: Catalog, options: RebuildingOptions): Promise<Learnt> {
  const { book, whereabouts, unstored } = image;
  const { reopening } = options.posting.decided;
  if (!reopening && unstored.size === 0 && book.hosts.size > 0) return { reopening: undefined, awaited: [] };
  const stored = [...whereabouts.assignments.values()].filter(({ host }) => !unstored.has(host));
  const remains = { reports: [...whereabouts.reports.values()], snapshot: book, stored, reopening };
  const found = await teach({ ...remains, catalog, now: options.clock() }, options);
  if (found.proposals.length > 0) await image.refresh();
  return { reopening: found.reopening, awaited: found.awaited };
}

/**
 * Teaches a store what the hosts know and it does not. That it reopens is posted before anything is committed: who takes
 * over in between must not take what is there for all there is.
 */
async function teach(
  remains: Remains,
  { reservations, telling, posting, mustLead }: RebuildingOptions,
): Promise<Rebuild> {
  const { now, snapshot } = remains;
  const found = rebuild(remains);
  if (!remains.reopening && snapshot.hosts.size === 0) {
    posting.decide({ ...posting.decided, reopening: { since: now, open: [] } });
    await posting.post();
  }
  if (found.proposals.length === 0) return found;
  await mustLead();
  const id = requestId(`rebuild-${found.opens[0] ?? ''}`);
  const verdicts = await commitAll(reservations, { id, now, proposals: found.proposals });
  const places = found.proposals.flatMap((proposal, at) => (proposal.op === 'place' ? [{ proposal, at }] : []));
  const placed = places.filter(({ at }) => verdicts[at]?.accepted === true);
  const hosts = new Set(placed.map(({ proposal }) => proposal.placement.host));
  if (places.length > 0)
    await telling.tell({
      level: 'warn',
      reason: 'StoreRebuilt',
      message: `the store did not know what the hosts know: ${counted(hosts.size, 'host')} told it of ${counted(placed.length, 'replica')}`,
    });
  return found;
}

/** What is held while Zones are closed, for people. */
export function heldBy(catalog: Catalog, reopening: Reopening, awaited: readonly string[]): string {
  const closed = [...closedZones(catalog, reopening)].sort();
  const some = (names: readonly string[]): string => names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
  const until = new Date(reopening.since + REOPEN).toISOString();
  return `the store knew no host: nothing is placed in ${counted(closed.length, 'Zone')} (${some(closed)}) before ${counted(awaited.length, 'host')} (${some(awaited)}) reported, or ${until}`;
}
