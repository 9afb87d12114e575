import type { AppSpec, Resource } from '../model/catalog.ts';
import { ended } from '../model/ended.ts';
import type { Departed, Draining, Preemption } from '../model/notice.ts';
import { outdatedIn } from '../model/pool.ts';
import { appOf } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';
import type { PlaceProposal, Proposal } from '../model/reservations.ts';
import { gangOf, settleGang } from './gang.ts';
import { growApp, growing, makeWhole, resizeAll } from './growth.ts';
import { departures } from './hosts.ts';
import type { Ground } from './ground.ts';
import { inOrder } from './order.ts';
import { withdraw } from './marks.ts';
import { drainsOf } from './drain.ts';
import { proposeAll, startRun } from './run.ts';
import type { Run, Unplaceable } from './run.ts';
import { settleApp } from './seat.ts';
import type { Settled } from './seat.ts';
import type { Survey } from './survey.ts';
import type { Wish } from './wishes.ts';
import type { Resize } from './resizes.ts';
import type { Misplaced } from './misplaced.ts';
import { wordsOf } from './witness.ts';
import type { PlaceInput } from './input.ts';
import type { Waiting } from './waiting.ts';

export interface PlaceResult {
  /** In the order in which they must be decided. */
  readonly proposals: readonly Proposal[];
  /** The placements as they will be when all is accepted. */
  readonly placements: ReadonlyMap<string, Placement>;
  readonly unplaceable: readonly Unplaceable[];
  /** Replicas that give up host and address for good. */
  readonly releases: readonly string[];
  /** Unwanted replicas that wait until nothing of them runs. */
  readonly leaving: readonly string[];
  /** Replicas that stay only because errors in the repository forbid to remove them. */
  readonly kept: readonly string[];
  readonly misplaced: readonly Misplaced[];
  readonly draining: readonly Draining[];
  /** Hosts that have left Git, or all its Zones, with replicas that stay there. */
  readonly departed: readonly Departed[];
  /** Replicas that make room for others, or do so with this. */
  readonly preemptions: readonly Preemption[];
  /** Replicas whose turn to leave a host that is drained has come, and that stay until others have made room for them elsewhere. */
  readonly turned: readonly string[];
  /** Replicas whose place or address is no longer what Git says, and whose turn to give it up has not come. */
  readonly outdated: readonly string[];
  /** Apps of which something is to be done, or is waited for: they are looked at again. */
  readonly busy: ReadonlySet<string>;
}

/** What is still to be done in a run. */
interface Pending {
  readonly resizes: Survey['resizes'];
  readonly wanted: Survey['wanted'];
}

/** The Apps that are looked at, in the order in which they are placed. */
function lookedAt({ input, book }: Run): readonly Resource<AppSpec>[] {
  const room = { cpu: 0, memory: 0 };
  for (const { allocatable } of book.hosts.values()) {
    room.cpu += allocatable.cpu;
    room.memory += allocatable.memory;
  }
  return inOrder(input.catalog.apps, room, input.scope?.apps);
}

/** A run just before the turn of an App, and before that of each of its replicas. */
export interface Turn {
  readonly run: Run;
  readonly app: Resource<AppSpec>;
}

interface Pass {
  readonly left: Pending;
  readonly unplaceable: readonly Unplaceable[];
  /** Something gave room back, so that what found none may find some now. */
  readonly freed: boolean;
}

function* pass(run: Run, apps: readonly Resource<AppSpec>[], pending: Pending): Generator<Turn, Pass> {
  const resized = resizeAll(run, pending.resizes);
  const left = growing(resized.left);
  const resizes: Resize[] = [];
  const unplaceable: Unplaceable[] = [];
  const wanted = new Map<string, readonly Wish[]>();
  let { freed } = resized;
  const swaps = run.preempting.swaps;
  const wishesOf = (app: string): readonly Wish[] => pending.wanted.get(app) ?? [];
  const note = (app: string, { failed, waiting }: Settled, wishes = wishesOf(app)): void => {
    const without = new Set(failed.map(({ replica }) => replica));
    freed ||= wishes.some(({ replica, from }) => from && !without.has(replica) && !waiting.has(replica));
    if (failed.length > 0)
      wanted.set(
        app,
        wishes.filter(({ replica }) => without.has(replica)),
      );
    unplaceable.push(...failed);
  };
  for (const app of apps) {
    const grows = growApp(run, app, left.get(app.name) ?? []);
    resizes.push(...grows.resizes);
    unplaceable.push(...grows.unplaceable);
    if (app.spec.gang === undefined) {
      yield { run, app };
      const wishes = [...wishesOf(app.name), ...displacedOf(run, app.name)];
      if (wishes.length > 0) note(app.name, yield* settleApp(run, app, wishes), wishes);
      continue;
    }
    const members = gangOf(apps, app);
    // at the turn of the last, when whomever they are to be near to has its place
    if (members.at(-1) !== app) continue;
    for (const [name, settled] of yield* settleGang(run, members, wishesOf)) {
      note(name, settled);
      // who is to be near to one of them may have asked before
      freed ||= settled.failed.length === 0 && wishesOf(name).length > 0;
    }
  }
  freed ||= run.preempting.swaps > swaps;
  return { left: { resizes, wanted }, unplaceable, freed };
}

/** Replicas of an App that made room for others and now look for a place as those do that have none. */
function displacedOf({ preempting: { displaced } }: Run, app: string): readonly Wish[] {
  const wishes = displaced.get(app) ?? [];
  displaced.delete(app);
  return wishes;
}

/**
 * Places in passes: what found no room is tried again while moves and smaller demands give some back, so that the result
 * is at rest. Whoever asks for no more turns ends it there.
 */
export function* turnsOf(run: Run): Generator<Turn, readonly Unplaceable[]> {
  const apps = lookedAt(run);
  let last = yield* pass(run, apps, run.survey);
  while (last.freed && last.unplaceable.length + run.preempting.displaced.size > 0)
    last = yield* pass(run, apps, last.left);
  const unplaceable = [...last.unplaceable, ...(yield* settleDisplaced(run, apps))];
  makeWhole(run, run.survey.resizes);
  return unplaceable;
}

/**
 * Finds places for those that made room after the turn of their App, for whom did not come. They take some only from less critical ones, so that it
 * comes to an end.
 */
function* settleDisplaced(run: Run, apps: readonly Resource<AppSpec>[]): Generator<Turn, readonly Unplaceable[]> {
  const unplaceable: Unplaceable[] = [];
  const next = (): Resource<AppSpec> | undefined => apps.find(({ name }) => run.preempting.displaced.has(name));
  for (let app = next(); app; app = next())
    unplaceable.push(...(yield* settleApp(run, app, displacedOf(run, app.name))).failed);
  return unplaceable;
}

/** Lets a run come to rest; gives what found no room. */
export function finishRun(run: Run): readonly Unplaceable[] {
  return ended(turnsOf(run));
}

/** Whether a host is to be looked for, or more room on one. */
function isPending({ resizes, wanted }: Pending): boolean {
  return resizes.length > 0 || [...wanted.values()].some((wishes) => wishes.length > 0);
}

/** Who makes room for whom, as far as a run has claimed it. */
export function preemptionsOf({ preempting: { claims } }: Run): readonly Preemption[] {
  return [...claims].flatMap(([by, { host, victims }]) => victims.map((replica) => ({ replica, host, by })));
}

/** Whether one whose turn to move has come is where it was, until others have made room. */
function isWaiting({ book, input, preempting }: Run, replica: string): boolean {
  return preempting.claims.has(replica) && book.placements.get(replica) === input.snapshot.placements.get(replica);
}

/** Those whose place or address is still not what Git says, and that were not looked for in vain. */
function stillOutdated({ book, input: { catalog }, survey }: Run, without: ReadonlySet<string>): readonly string[] {
  return survey.outdated.filter((replica) => {
    const [placement, app] = [book.placements.get(replica), catalog.apps.get(appOf(replica))];
    return placement && app && !without.has(replica) && outdatedIn(catalog, app.spec)(placement);
  });
}

function busyIn({ releases, leaving, kept, resizes, wanted, stuck }: Survey): ReadonlySet<string> {
  const placements = [...releases, ...leaving, ...kept, ...resizes.map(({ placement }) => placement)];
  const wishing = [...wanted].flatMap(([app, wishes]) => (wishes.length > 0 ? [app] : []));
  return new Set([...placements.map(({ app }) => app), ...wishing, ...[...stuck.keys()].map(appOf)]);
}

/** What a replica wants whose proposal was refused. Undefined when it has what it needs by now. */
function wishAgain({ book }: Run, { op, placement }: Proposal & { readonly op: 'place' | 'move' }): Wish | undefined {
  const { replica } = placement;
  const from = book.placements.get(replica);
  if (op === 'place') return from ? undefined : { replica };
  return from && { replica, from, moves: 'free' }; // its turn was taken before
}

/** A gang whose places were refused looks for others: all of it that has none, or nothing. */
function gangAgain(run: Run, places: readonly PlaceProposal[]): readonly Unplaceable[] {
  const wishes = new Map<string, Wish[]>();
  for (const { placement } of places) {
    const mine = wishes.get(placement.app) ?? [];
    wishes.set(placement.app, mine);
    if (!run.book.placements.has(placement.replica)) mine.push({ replica: placement.replica });
  }
  const members = [...wishes.keys()].flatMap((name) => run.input.catalog.apps.get(name) ?? []);
  const settled = ended(settleGang(run, members, (app) => wishes.get(app) ?? []));
  return [...settled.values()].flatMap(({ failed }) => failed);
}

/**
 * Proposes anew, on the ground as it stands after `absorb` and `takeBack`, for the replicas of which a proposal was refused; gives
 * what finds no room now. What else was refused is for the next run.
 */
export function proposeAgain(run: Run, refused: readonly Proposal[]): readonly Unplaceable[] {
  const unplaceable: Unplaceable[] = [];
  for (const proposal of refused) {
    if (proposal.op === 'gang') unplaceable.push(...gangAgain(run, proposal.places));
    if (proposal.op !== 'place' && proposal.op !== 'move') continue;
    const app = run.input.catalog.apps.get(proposal.placement.app);
    const wish = wishAgain(run, proposal);
    if (!app || !wish) continue;
    unplaceable.push(...ended(settleApp(run, app, [wish])).failed);
  }
  return unplaceable;
}

/** What is known of a placing before anything is looked for, and the rest as it is asked for. */
export interface Placing extends Pick<PlaceResult, 'releases' | 'leaving'> {
  /** Each proposal as it is found, so that the first may be committed while the next are looked for; the result comes last. Once only. */
  proposals(): Generator<Proposal, PlaceResult>;
}

const idsOf = (placements: readonly Placement[]): readonly string[] => placements.map(({ replica }) => replica);

function* proposalsOf(
  run: Run,
  { hosts, snapshot, catalog, scope }: PlaceInput,
): Generator<Proposal, Pick<PlaceResult, 'unplaceable' | 'departed'>> {
  let told = 0;
  let unplaceable: readonly Unplaceable[] = [];
  if (isPending(run.survey)) {
    const turns = turnsOf(run);
    let turn = turns.next();
    for (; turn.done !== true; turn = turns.next())
      for (; told < run.proposals.length; told += 1) yield run.proposals[told] as Proposal;
    unplaceable = turn.value;
  }
  withdraw(run);
  const departed = departures(hosts, snapshot, catalog, run.book, scope?.hosts);
  const empty = departed.filter(({ replicas }) => replicas === 0);
  proposeAll(
    run,
    empty.map(({ host }) => ({ op: 'forget-host', host })),
  );
  for (const more of run.proposals.slice(told)) yield more;
  return { unplaceable, departed: departed.filter(({ replicas }) => replicas > 0) };
}

/**
 * Proposes a host and an address for every replica that wants one, gives up what nobody wants, and moves nothing that need
 * not move. Equal input gives equal output; once all is committed, the same input proposes nothing. On a ground that is kept,
 * which must know what `input` says, the proposals stay tentative until their commits are absorbed, or they are taken back. Who `waiting` remembers is
 * not looked for again where nothing can have helped.
 */
export function startPlacing(input: PlaceInput, ground?: Ground, waiting?: Waiting): Placing {
  const run = startRun(input, ground, waiting);
  const { releases, leaving, kept, misplaced, wanted } = run.survey;
  const known = { releases: idsOf(releases), leaving: idsOf(leaving) };
  return {
    ...known,
    *proposals() {
      const { unplaceable, departed } = yield* proposalsOf(run, input);
      const moving = new Set([...wanted.values()].flat().flatMap((wish) => (wish.moves ? [wish.replica] : [])));
      return {
        ...known,
        proposals: run.proposals,
        placements: run.book.placements,
        // what cannot be moved off a host that is drained has its place still
        unplaceable: unplaceable.filter(({ replica }) => !moving.has(replica)),
        kept: idsOf(kept),
        misplaced,
        preemptions: preemptionsOf(run),
        turned: [...run.preempting.turned].filter((replica) => isWaiting(run, replica)),
        outdated: stillOutdated(run, new Set(unplaceable.map(({ replica }) => replica))),
        departed,
        draining: drainsOf(run, unplaceable, wordsOf(input)),
        busy: busyIn(run.survey),
      };
    },
  };
}

/** The same at once. */
export function place(input: PlaceInput, ground?: Ground, waiting?: Waiting): PlaceResult {
  return ended(startPlacing(input, ground, waiting).proposals());
}
