import { converge, type Steps } from '../../converge.ts';
import type { Catalog } from '../../model/catalog.ts';
import { asPlumbError, PlumbError } from '../../model/errors.ts';
import type { Notice } from '../../model/notice.ts';
import { appOf, type Report } from '../../model/replica.ts';
import type { Hold, Store } from '../../model/store.ts';
import { openPart, untold } from '../../place/rebuild.ts';
import type { Log } from '../log.ts';
import { createAttention } from './attention.ts';
import { belongs } from '../belonging.ts';
import { decisionAfter, projectionOf } from './concluding.ts';
import {
  deciding,
  OPEN,
  seenIn,
  type Decided,
  type Deciding,
  type FleetSeen,
  type Planned,
  type ToDecide,
} from './deciding.ts';
import { drainEvents } from './drains.ts';
import { underLease } from './fenced.ts';
import type { Image } from './image.ts';
import { createKeeping } from './keeping.ts';
import type { Leader } from './leader.ts';
import { createListening } from './listening.ts';
import { createPosting } from './posting.ts';
import { preemptionEvents } from './preemptions.ts';
import { learn } from './rebuilding.ts';
import type { Repository } from './repository.ts';
import { rolloutEvents } from './rollouts.ts';
import type { StatusInput } from '../status/input.ts';
import type { Verdict } from '../status/verdict.ts';
import { createStandby } from './standby.ts';
import { createSummary } from './summary.ts';
import { createTelling, type Homeless, type Told } from './telling.ts';
import { createTracking, type PassScope, type Tracked } from './tracking.ts';
import { createWatching } from './watching.ts';
import { createWriting } from './writing.ts';

export interface ControllerOptions {
  readonly repository: Repository;
  readonly store: Store;
  /** Lets any number of replicas go. */
  readonly allowDeletions: boolean;
  readonly clock: () => number;
  readonly log: Log;
  /** Many controllers share the store: only one that leads acts, and hosts are heard of by their leases. */
  readonly fleet?: Pick<Leader, 'term' | 'holds'>;
}

/** What the controller last saw and decided. */
export interface ControllerView {
  readonly catalog: Catalog | undefined;
  /** Undefined before the first revision. */
  readonly notice: Notice | undefined;
}

export interface Controller {
  pass(how: PassScope): Promise<void>;
  /** What one that stands by does instead: it keeps what it would need to lead. Looks at Git too, if told to; gives what that said. */
  standBy(look: boolean): Promise<Catalog>;
  /** It leads from now on, after another, whose last words count. What is kept of the store is as true as before. */
  takeOver(): void;
  /** Listens for the hosts of a fleet; gives whether one was lost or is back, which asks for a pass. */
  listen(): Promise<boolean>;
  view(): ControllerView;
  /** How the whole is after the last pass, with the number of replicas; undefined before the first. */
  verdict(): (Verdict & { readonly items: number }) | undefined;
  /** All that status is made of, as it is now; undefined before the first pass. */
  sight(): Promise<StatusInput | undefined>;
  /** What is known of the store counts no more. */
  forget(): void;
  /** The store is back, and may have lost something: what is known of it counts no more, nor that hosts were not heard of meanwhile. */
  storeIsBack(): void;
}

/** Whether it is no end, no other controller and no store that was away which kept a controller from its work. */
export function isTrouble(code: string): boolean {
  return !/^(?:CANCELLED|CONFLICT|STORE_.*)$/.test(code);
}

/** The hosts that are to be heard of. */
function expectedIn({ book, whereabouts }: Image, { hosts }: Catalog): readonly string[] {
  const { assignments, reports } = whereabouts;
  const extra = (host: string, report: Report): boolean => {
    const used = whereabouts.on(host).length > 0;
    return belongs({ recorded: book.hosts.has(host), used, assignment: assignments.get(host), report });
  };
  const found: string[] = [];
  for (const [host, report] of reports) if (hosts.has(host) || extra(host, report)) found.push(host);
  return found;
}

/** The controller of a fleet: brings what Git says into placements and Assignments. */
export function createController(options: ControllerOptions): Controller {
  const { clock, fleet } = options;
  /** The time of leading in which the pass began. */
  let term: Hold | undefined;
  /** What is new was taken in, and is being worked on. */
  let underway = false;
  const store = fleet ? underLease(options.store, () => term) : options.store;
  const telling = createTelling(store.journal, options.log);
  const tracking = createTracking(options.repository, telling);
  const listening = createListening(store, clock, telling);
  const watching = createWatching(clock);
  const posting = createPosting(store.bulletin, tracking.last, listening.lost);
  const attention = createAttention();
  const summary = createSummary();
  const keeping = createKeeping({ store, clock, telling, anew, forgotten });
  const standby = createStandby({ tracking, keeping, attention, summary, listening, clock });
  const writing = createWriting({ store, clock, mustLead });
  const rebuilding = { reservations: store.reservations, telling, posting, clock, mustLead };

  const steps: Steps<PassScope, Tracked, Catalog, FleetSeen, Deciding, ToDecide, Decided> = {
    checkout: (how) => tracking.checkout(how),
    compile: ({ catalog }) => catalog,
    observe: async (catalog) => {
      watching.begin();
      const { image, audit } = await keeping.see(catalog);
      if (audit) image.waiting.forget();
      if (fleet && listening.isDue()) await hear();
      const { reopening, awaited } = fleet ? await learn(image, catalog, rebuilding) : OPEN;
      const { decided } = posting;
      // what is closed, or was, concerns all
      if (reopening ?? decided.reopening) attention.forget();
      const lost = listening.lost();
      const fresh = image.take();
      underway = true;
      const look = attention.look(catalog, image, fresh, new Set(lost.map(({ host }) => host)), audit);
      return seenIn(image, look, lost, decided, { reopening, awaited });
    },
    // looked for as it is committed
    place: (catalog, seen) => {
      const allow = options.allowDeletions || tracking.allows(catalog.revision);
      const { reopening, assignments, records } = seen;
      const open = reopening ? openPart(catalog, reopening, assignments) : catalog;
      return deciding(open, seen, clock(), allow, records);
    },
    plan: (catalog, seen, decisions) => ({ catalog, seen, decisions }),
    apply: async ({ catalog: wanted, seen, decisions }) => {
      const made = await writing.commit(seen.image, wanted.revision, decisions);
      const { budgetKeeps } = made.catalog;
      const catalog = budgetKeeps ? { ...wanted, budgetKeeps } : wanted;
      const planned: Planned = { ...made, catalog, seen };
      const { placed } = planned;
      const silent = seen.reopening ? untold(catalog, seen.reopening) : new Set<string>();
      const author = tracking.last()?.author ?? '';
      const judgeFrom = watching.judgeFrom();
      const projection = await projectionOf(planned, { author, silent, now: clock(), judgeFrom });
      const assignments = projection.assignments.filter(({ host }) => !silent.has(host));
      const before = posting.decided;
      const next = decisionAfter(before, planned, projection);
      posting.decide({ ...next, waiting: Math.max(before.waiting, next.waiting) });
      // told before it is remembered: what is told twice after a crash is better than what is never told
      for (const event of rolloutEvents(seen.records, projection.records)) await telling.tell(event);
      // who reads the bulletin must not take what hosts say of the last revision for this one, and what a rollout must
      // remember is kept before it takes a step
      const remembers = projection.records.length + (before.rollouts?.length ?? 0) > 0;
      if (before.published !== catalog.revision || remembers) await posting.post();
      await writing.publish(seen.image, assignments);
      posting.decide({ ...next, published: catalog.revision });
      await posting.post();
      for (const event of goings(planned)) await telling.tell({ ...event, revision: catalog.revision, author });
      const { unsettled, waitingHosts } = projection;
      if (seen.expected) await keeping.audited(seen.expected, placed, unsettled);
      // what is remembered no more is looked at once more: room was kept by it
      attention.rest([...placed.busy, ...unsettled, ...seen.records.map(({ app }) => app)], waitingHosts);
      underway = false;
      return made;
    },
    record: async (_planned, { placed, held }) => {
      await telling.homeless(homelessOf(placed));
      if (held !== undefined) await telling.tellOnce({ level: 'warn', reason: 'Held', message: held });
    },
  };

  /** A pass that another leader has overtaken ends here, with nothing half done: what it decided is decided again. */
  async function mustLead(): Promise<void> {
    if (fleet && !(await fleet.holds(term)))
      throw new PlumbError('CONFLICT', 'it leads no longer, and another controller may');
  }

  /** Listens for the hosts that are to be heard of by now; those of before while nothing is known of the store. */
  function hear(): Promise<boolean> {
    const catalog = tracking.last()?.catalog;
    return listening.listen(keeping.image && catalog && expectedIn(keeping.image, catalog));
  }

  /** What whoever led before had to remember counts from now on, and is looked at. */
  async function anew(): Promise<void> {
    await posting.resume();
    const { rollouts = [], preemptions = [] } = posting.decided;
    attention.note([
      ...rollouts.map(({ app }) => app),
      ...preemptions.flatMap(({ replica, by }) => [appOf(replica), appOf(by)]),
    ]);
  }

  function forgotten(): void {
    attention.forget();
    summary.forget();
  }

  async function pass(how: PassScope): Promise<void> {
    try {
      term = fleet?.term();
      await converge(steps, how);
      watching.ended();
      if (keeping.image) summary.follow(keeping.image, listening.lost());
    } catch (error) {
      const { code, message } = asPlumbError(error);
      // what was taken in and not brought to an end is lost
      if (underway || code === 'STORE_EMPTIED') keeping.forget();
      underway = false;
      const why = `${message} [${code}]`;
      if (code !== 'CANCELLED') await telling.tellOnce({ level: 'error', reason: 'PassFailed', message: why });
      if (isTrouble(code)) await posting.fail(why).catch(() => undefined);
      throw error;
    }
  }

  return {
    pass,
    standBy: (look) => standby.turn(look),
    takeOver: () => {
      listening.takeOver();
      keeping.takeOver();
    },
    listen: async () => {
      const changed = fleet ? (await hear()) || posting.decided.reopening !== undefined : false;
      return watching.looked(changed);
    },
    view: () => ({ catalog: tracking.last()?.catalog, notice: posting.notice() }),
    verdict: () => {
      const now = posting.notice();
      return now && keeping.image && summary.verdict(now);
    },
    sight: async () => {
      const now = keeping.image;
      if (!now) return undefined;
      await now.refresh();
      const { assignments, reports } = now.whereabouts;
      const { hosts, placements } = now.book;
      return { notice: posting.notice(), hosts, placements, assignments, reports };
    },
    forget: keeping.forget,
    storeIsBack: () => {
      listening.anew();
      keeping.forget();
    },
  };
}

/** What finds no place, by what keeps it from one: filters, or those who are to make room first. */
function homelessOf({ unplaceable, preemptions }: Decided['placed']): readonly Homeless[] {
  const waits = new Set(preemptions.map(({ by }) => by));
  return unplaceable.map(({ replica, message, reasons }) => {
    const filters = reasons.map(({ filter }) => filter).join(' ');
    return { replica, message, kept: waits.has(replica) ? 'others' : filters };
  });
}

/** What became of drains and of those who make room for others, as events. */
function goings({ catalog, placed, seen }: Planned): readonly Told[] {
  const { placements } = seen.image.book;
  return [
    ...drainEvents(seen.drains, placed.draining, placements),
    ...preemptionEvents(seen.preempted, placed.preemptions, placements, catalog),
  ];
}
