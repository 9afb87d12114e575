import type { Catalog } from '../../model/catalog.ts';
import type { LostHost } from '../../model/notice.ts';
import { appOf } from '../../model/replica.ts';
import type { Assignment } from '../../model/replica.ts';
import type { Proposal, Single } from '../../model/reservations.ts';
import type { Attention } from './attention.ts';
import { projectionOf } from './concluding.ts';
import { inTurns } from '../turns.ts';
import { deciding, NOTHING_DECIDED, seenIn } from './deciding.ts';
import type { Image } from './image.ts';
import type { Keeping } from './keeping.ts';
import type { Listening } from './listening.ts';
import type { Summary } from './summary.ts';
import type { Tracking } from './tracking.ts';

/** What one that stands by keeps, to be ready to lead. */
export interface StandbyParts {
  readonly tracking: Pick<Tracking, 'ahead'>;
  readonly keeping: Pick<Keeping, 'follow'>;
  readonly attention: Pick<Attention, 'look' | 'rest' | 'forget'>;
  readonly summary: Pick<Summary, 'follow'>;
  readonly listening: Pick<Listening, 'lost'>;
  readonly clock: () => number;
}

/** Is ready to lead, and writes nothing. */
export interface Standby {
  /** Follows the store, and Git too if told to look; gives what that said. */
  turn(look: boolean): Promise<Catalog>;
}

/** What was noted is looked at this often, so that what is at rest by then need not be looked at in a takeover: milliseconds. */
const LOOK = 60_000;

const NOBODY: ReadonlySet<string> = new Set();

/** Apps and hosts that proposals are about. */
function subjectsOf(proposals: readonly Proposal[]): { readonly apps: Set<string>; readonly hosts: Set<string> } {
  const [apps, hosts] = [new Set<string>(), new Set<string>()];
  for (const proposal of proposals.flatMap((one): readonly Single[] => (one.op === 'gang' ? one.places : [one]))) {
    if (proposal.op === 'host') hosts.add(proposal.record.host);
    else if (proposal.op === 'forget-host') hosts.add(proposal.host);
    else apps.add(appOf('placement' in proposal ? proposal.placement.replica : proposal.replica));
  }
  return { apps, hosts };
}

/** Hosts that would be told something else. */
function toTell(assignments: readonly Assignment[], { whereabouts }: Image): readonly string[] {
  return assignments.flatMap((one) => (whereabouts.assignments.get(one.host) === one ? [] : [one.host]));
}

/** Stands by: what a pass would find at rest is found out ahead, and what is new from then on is noted for the first pass. */
export function createStandby({ tracking, keeping, attention, summary, listening, clock }: StandbyParts): Standby {
  let lookAt = 0;

  async function foresee(catalog: Catalog, image: Image, lost: readonly LostHost[]): Promise<void> {
    const silent = new Set(lost.map(({ host }) => host));
    const look = attention.look(catalog, image, image.take(), silent, false);
    if (look.scope && clock() < lookAt) {
      attention.rest(look.scope.apps, look.scope.hosts);
      return;
    }
    lookAt = clock() + LOOK;
    const seen = seenIn(image, look, lost, NOTHING_DECIDED);
    const made = await inTurns(deciding(catalog, seen, clock(), false));
    const when = { now: clock(), judgeFrom: Infinity };
    const projection = await projectionOf({ ...made, seen }, { author: '', silent: NOBODY, ...when });
    const { apps, hosts } = subjectsOf(made.placed.proposals);
    attention.rest(
      [...made.placed.busy, ...apps, ...projection.unsettled],
      new Set([...projection.waitingHosts, ...hosts, ...toTell(projection.assignments, image)]),
    );
  }

  return {
    turn: async (look) => {
      const catalog = await tracking.ahead(look);
      const image = await keeping.follow(catalog);
      const lost = listening.lost();
      summary.follow(image, lost);
      try {
        // an emptied store says nothing about who is at rest
        if (image.unstored.size > 0 || image.book.hosts.size === 0) attention.forget();
        else await foresee(catalog, image, lost);
      } catch (error) {
        attention.forget();
        throw error;
      }
      return catalog;
    },
  };
}
