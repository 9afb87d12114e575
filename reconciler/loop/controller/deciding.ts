import type { Catalog } from '../../model/catalog.ts';
import { ended } from '../../model/ended.ts';
import type { Draining, LostHost, Preemption, Reopening } from '../../model/notice.ts';
import type { RolloutRecord } from '../../model/release.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { Proposal, ReservationState } from '../../model/reservations.ts';
import type { Scope } from '../../model/whereabouts.ts';
import { hostViews } from '../../place/hosts.ts';
import type { HostView } from '../../place/hosts.ts';
import { startPlacing, type PlaceResult, type Placing } from '../../place/place.ts';
import type { PlaceInput } from '../../place/input.ts';
import type { Waiting } from '../../place/waiting.ts';
import { overBudget } from '../../plan/budget.ts';
import { isUnderWay, reserving } from '../../plan/reserve.ts';
import type { Look } from './attention.ts';
import type { Image } from './image.ts';
import type { Decision } from './posting.ts';

/** What placing is decided by. */
export interface Seen extends Pick<PlaceInput, 'kept' | 'scope' | 'preempts'> {
  readonly snapshot: ReservationState;
  readonly reports: readonly Report[];
  readonly assignments: readonly Assignment[];
  readonly lost?: readonly LostHost[];
  /** Where somebody keeps them; else they are made of the others. */
  readonly hosts?: readonly HostView[];
  /** Who found no room before; absent where nobody remembers. */
  readonly waiting?: Waiting;
}

export interface Decided {
  readonly placed: PlaceResult;
  /** Why the deletion budget holds some of it. */
  readonly held?: string;
  /** The catalog with what the budget keeps. */
  readonly catalog: Catalog;
}

/** What a pass of a controller has seen. */
export interface FleetSeen extends Seen {
  readonly image: Image;
  /** How far drains were after the last pass. */
  readonly drains: readonly Draining[];
  /** Who made room for others by then. */
  readonly preempted: readonly Preemption[];
  /** What is remembered of changes under way, whoever led then. */
  readonly records: readonly RolloutRecord[];
  /** How far the store of a fleet is on its way back that was emptied; undefined when it is open. */
  readonly reopening: Reopening | undefined;
  /** Hosts that must be heard before their Zones open. */
  readonly awaited: readonly string[];
  /** In an audit: what a pass that is none would have looked at. */
  readonly expected?: Scope;
}

/** What was decided before, which a pass goes on from. */
type Before = Pick<Decision, 'rollouts' | 'draining' | 'preemptions'>;

/** Nothing is under way, as far as is known. */
export const NOTHING_DECIDED: Before = {};

/** What a pass sees, of what it looks at in an image. A store that knows all there is has neither `reopening` nor `awaited`. */
export function seenIn(
  image: Image,
  look: Look,
  lost: readonly LostHost[],
  { rollouts = [], draining = [], preemptions = [] }: Before,
  { reopening, awaited }: Pick<FleetSeen, 'reopening' | 'awaited'> = OPEN,
): FleetSeen {
  const { book, whereabouts } = image;
  return {
    ...look,
    reports: [...whereabouts.reports.values()],
    assignments: [...whereabouts.assignments.values()],
    image,
    snapshot: book,
    ...(reopening ? {} : { kept: { book, whereabouts }, waiting: image.waiting }),
    lost,
    reopening,
    awaited,
    records: rollouts,
    drains: draining,
    preempted: preemptions,
  };
}

/** A store that knows all there is. */
export const OPEN = { reopening: undefined, awaited: [] } as const;

/** Proposals as they are found, and the decision in the end. */
export type Deciding = Iterator<Proposal, Decided>;

/** What it is about to decide by that. */
export interface ToDecide {
  readonly catalog: Catalog;
  readonly seen: FleetSeen;
  readonly decisions: Deciding;
}

/** What it decided then. */
export interface Planned extends Decided {
  readonly seen: FleetSeen;
}

/** What is decided by what was seen. */
type Question = readonly [
  catalog: Catalog,
  seen: Seen,
  now: number,
  allowDeletions: boolean,
  records?: readonly RolloutRecord[],
];

/**
 * Where everything goes, within the deletion budget. The proposals come as they are found, so that the first may be committed while the next are looked
 * for; the decision comes last. Pure.
 */
export function* deciding(
  ...[catalog, seen, now, allowDeletions, records = []]: Question
): Generator<Proposal, Decided> {
  const lost = new Set(seen.lost?.map(({ host }) => host));
  const hosts = seen.hosts ?? hostViews(catalog, seen.reports, seen.snapshot, lost);
  const changing = new Set(records.filter(isUnderWay).map(({ app }) => app));
  const begin = (by: Catalog): Placing =>
    startPlacing({ catalog: reserving(by, records), ...seen, hosts, now, changing }, undefined, seen.waiting);
  const placing = begin(catalog);
  const over = overBudget(placing, catalog.fleet.spec.deletions, seen.snapshot.placements.size, allowDeletions);
  if (!over) return { placed: yield* placing.proposals(), catalog };
  const careful: Catalog = { ...catalog, budgetKeeps: over.kept };
  return { placed: yield* begin(careful).proposals(), held: over.message, catalog: careful };
}

/** The same at once. */
export function decidePlacing(...question: Question): Decided {
  return ended(deciding(...question));
}
