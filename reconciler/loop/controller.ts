import { converge, type Steps } from '../converge.ts';
import type { Catalog } from '../model/catalog.ts';
import { asPlumbError, PlumbError } from '../model/errors.ts';
import type { Notice, Reopening } from '../model/notice.ts';
import { PROTOCOL } from '../model/protocol.ts';
import type { Assignment } from '../model/replica.ts';
import type { Hold, Store } from '../model/store.ts';
import type { Scope } from '../model/whereabouts.ts';
import { openPart, untold } from '../place/rebuild.ts';
import type { PlaceResult } from '../place/place.ts';
import { fullZones } from '../plan/full.ts';
import { project, type Projection } from '../plan/project.ts';
import type { Log } from './agent-state.ts';
import { createAttention } from './attention.ts';
import { decideInTurns, type Decided, type FleetSeen, type Planned } from './deciding.ts';
import { drainEvents } from './drains.ts';
import { underLease } from './fenced.ts';
import { homelessIn, preemptionEvents, preemptionsAfter, withVictims } from './preemptions.ts';
import { createHearing, HEARTBEAT } from './hearing.ts';
import { readImage, type Image } from './image.ts';
import type { Leader } from './leader.ts';
import { heldBy, teach } from './rebuilding.ts';
import type { Fetched, Repository } from './repository.ts';
import { rolloutEvents } from './rollouts.ts';
import type { StatusInput, Verdict } from './status.ts';
import { createSummary } from './summary.ts';
import { contentOf, createTelling } from './telling.ts';
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

/** What a pass does. */
export interface PassScope {
  /** It asks Git; without, it goes on from what Git said last. */
  readonly look: boolean;
  /** The revision that it finds may take away any number of replicas. */
  readonly allow: boolean;
}

export interface Controller {
  pass(how: PassScope): Promise<void>;
  /** Listens for the hosts of a fleet; gives whether one was lost or is back, which asks for a pass. */
  listen(): Promise<boolean>;
  view(): ControllerView;
  /** How the whole is after the last pass, with the number of replicas; undefined before the first. */
  verdict(): (Verdict & { readonly items: number }) | undefined;
  /** All that status is made of, as it is now; undefined before the first pass. */
  sight(): Promise<StatusInput | undefined>;
  /** Somebody else may have led: what is known of the store counts no more. */
  forget(): void;
}

/** Everything is looked at again this often, although nothing says that it is otherwise: milliseconds. */
const AUDIT = 600_000;

/** The controller of a fleet: brings what Git says into placements and Assignments. */
export function createController(options: ControllerOptions): Controller {
  const { repository, clock, fleet } = options;
  const store = fleet ? underLease(options.store, () => term) : options.store;
  let catalog: Catalog | undefined;
  let source: Fetched | undefined;
  let author = '';
  let decided: Omit<Notice, 'protocol' | 'source' | 'problems' | 'lost'> = {
    unplaceable: [],
    held: [],
    published: '',
    waiting: 0,
    awaited: [],
  };
  const hearing = createHearing(store.leases, clock);
  const watching = createWatching(clock);
  let heardOf: readonly string[] = [];
  let adopted = false;
  let posted = '';
  let image: Image | undefined;
  const attention = createAttention();
  const summary = createSummary();
  let auditAt = 0;
  /** What is new was taken in, and is being worked on. */
  let underway = false;
  /** Hosts that were lost when their status was last summed up. */
  let summed: readonly string[] = [];
  /** When the hosts of a fleet were last listened for. */
  let heardAt = -Infinity;
  const telling = createTelling(store.journal, options.log);
  /** The revision that may take away any number of replicas. */
  let allowed: string | undefined;

  /** The time of leading in which the pass began. */
  let term: Hold | undefined;

  const steps: Steps<PassScope, Fetched, Fetched, FleetSeen, Decided, Planned, readonly Assignment[]> = {
    checkout: async ({ look, allow }) => {
      const fetched = (look ? undefined : source) ?? (await repository.fetch());
      const { url, error, notes } = fetched;
      await telling.source(url, error, source?.error);
      for (const { reason, message } of notes) await telling.tellOnce({ level: 'warn', reason, message });
      if (catalog?.revision !== fetched.revision) {
        const [next, commit] = await Promise.all([
          repository.catalog(fetched.revision),
          repository.commit(fetched.revision),
        ]);
        await telling.revision(next, commit);
        catalog = next;
        author = commit.author;
      }
      source = fetched;
      if (allow) allowed = fetched.revision;
      return fetched;
    },
    compile: (fetched) => fetched,
    observe: async () => {
      if (!catalog) throw new Error('no catalog');
      watching.begin();
      const audit = image !== undefined && clock() >= auditAt;
      const now = await (audit ? audited(catalog) : refreshed(catalog));
      const { book, whereabouts } = now;
      heardOf = [...whereabouts.reports.keys()];
      if (fleet && clock() - heardAt >= HEARTBEAT) await listen();
      const { reopening, awaited } = await learn(now, catalog);
      // what is closed, or was, concerns all
      if (reopening ?? decided.reopening) attention.forget();
      const lost = hearing.lost();
      const fresh = now.take();
      underway = true;
      const look = attention.look(catalog, now, fresh, new Set(lost.map(({ host }) => host)), audit);
      const words = { reports: [...whereabouts.reports.values()], assignments: [...whereabouts.assignments.values()] };
      return {
        ...look,
        ...words,
        image: now,
        snapshot: book,
        ...(reopening ? {} : { kept: { book, whereabouts } }),
        lost,
        reopening,
        awaited,
        records: decided.rollouts ?? [],
        drains: decided.draining ?? [],
        preempted: decided.preemptions ?? [],
      };
    },
    place: async (_specs, seen) => {
      if (!catalog) throw new Error('no catalog');
      const allow = options.allowDeletions || catalog.revision === allowed;
      const { reopening, assignments } = seen;
      const open = reopening ? openPart(catalog, reopening, assignments) : catalog;
      const made = await decideInTurns(open, seen, clock(), allow, seen.records);
      const { budgetKeeps } = made.catalog;
      return { ...made, catalog: budgetKeeps ? { ...catalog, budgetKeeps } : catalog };
    },
    plan: (_specs, seen, made) => ({ ...made, seen }),
    apply: async ({ catalog: aim, placed, seen, held }) => {
      await writing.commit(seen.image, aim.revision, placed.proposals);
      const silent = seen.reopening ? untold(aim, seen.reopening) : new Set<string>();
      const { assignments, rollouts, records, unsettled, waitingHosts, knobs } = projected(aim, seen, silent);
      const { placements } = seen.image.book;
      const preemptions = preemptionsAfter(seen.preempted, placed.preemptions, placements, aim);
      const unplaceable = homelessIn(placed.unplaceable, preemptions, aim);
      const waiting = rollouts.reduce((sum, one) => sum + one.waiting.length, waitingHosts.size);
      const before = decided;
      const { draining } = placed;
      const { reopening, awaited } = seen;
      const closed = reopening ? [heldBy(aim, reopening, awaited)] : [];
      const now = { unplaceable, held: [...closed, ...(held === undefined ? [] : [held])], awaited, draining };
      const { rollouts: _1, reopening: _2, full: _3, preemptions: _4, ...rest } = { ...before, ...now };
      const full = [...fullZones(rollouts), ...(knobs === undefined ? [] : [knobs])];
      decided = {
        ...rest,
        ...(reopening ? { reopening } : {}),
        waiting: Math.max(before.waiting, waiting),
        ...(full.length > 0 ? { full } : {}),
        ...(preemptions.length > 0 ? { preemptions } : {}),
        ...(records.length > 0 ? { rollouts: records } : {}),
      };
      // told before it is remembered: what is told twice after a crash is better than what is never told
      for (const event of rolloutEvents(seen.records, records)) await telling.tell(event);
      // who reads the bulletin must not take what hosts say of the last revision for this one, and what a rollout must
      // remember is kept before it takes a step
      if (before.published !== aim.revision || records.length + (before.rollouts?.length ?? 0) > 0) await post();
      await writing.publish(
        seen.image,
        assignments.filter(({ host }) => !silent.has(host)),
      );
      decided = { ...decided, waiting, published: aim.revision };
      await post();
      const drained = drainEvents(seen.drains, draining, placements);
      for (const event of [...drained, ...preemptionEvents(seen.preempted, placed.preemptions, placements, aim)])
        await telling.tell({ ...event, revision: aim.revision, author });
      if (seen.expected) await found(seen.expected, placed, unsettled);
      // what is remembered no more is looked at once more: room was kept by it
      attention.rest([...placed.busy, ...unsettled, ...seen.records.map(({ app }) => app)], waitingHosts);
      underway = false;
      return assignments;
    },
    record: async ({ placed, held }) => {
      for (const { replica, message } of placed.unplaceable)
        await telling.tellOnce({
          level: 'error',
          reason: 'Unplaceable',
          message: `${replica}: ${message}`,
          ref: `replica/${replica}`,
        });
      if (held !== undefined) await telling.tellOnce({ level: 'warn', reason: 'Held', message: held });
    },
  };

  const writing = createWriting({ store, clock, mustLead });

  /** A pass that another leader has overtaken ends here, with nothing half done: what it decided is decided again. */
  async function mustLead(): Promise<void> {
    if (fleet && !(await fleet.holds(term))) throw new PlumbError('CONFLICT', 'another controller leads by now');
  }

  /** The store as it is now. */
  async function refreshed(aim: Catalog): Promise<Image> {
    try {
      if (image) {
        await image.refresh();
        return image;
      }
    } catch (error) {
      if (asPlumbError(error).code !== 'CONFLICT') throw error;
      forget();
    }
    const read = await readImage(store, aim);
    const bulletin = await store.bulletin.read();
    posted = bulletin ? contentOf(bulletin) : '';
    const { rollouts: _rollouts, reopening: _reopening, ...rest } = decided;
    const { rollouts, reopening, draining, preemptions } = bulletin ?? {};
    decided = {
      ...rest,
      ...(rollouts ? { rollouts } : {}),
      ...(reopening ? { reopening } : {}),
      ...(draining ? { draining } : {}),
      ...(preemptions ? { preemptions } : {}),
    };
    auditAt = clock() + AUDIT;
    image = read;
    return read;
  }

  /** Nothing that is known of the store counts any more. */
  function forget(): void {
    image = undefined;
    attention.forget();
    summary.forget();
  }

  function summarize(): void {
    const now = notice();
    if (!image || !now) return;
    const lost = now.lost.map(({ host }) => host);
    summary.update(new Set([...image.touched(), ...summed, ...lost]), image.whereabouts, now);
    summed = lost;
  }

  /** The store as it is now, all of it read again beside what was read as it changed. */
  async function audited(aim: Catalog): Promise<Image> {
    const now = await refreshed(aim);
    const differing = await now.compare();
    auditAt = clock() + AUDIT;
    if (differing.length === 0) return now;
    await telling.differs(differing, 'the store holds another');
    forget();
    return refreshed(aim);
  }

  /** What an audit found that nobody would have looked at. */
  async function found({ apps }: Scope, placed: PlaceResult, unsettled: ReadonlySet<string>): Promise<void> {
    const expected = withVictims(apps, placed.preemptions);
    const missed = [...new Set([...placed.busy, ...unsettled])].filter((app) => !expected.has(app));
    if (missed.length > 0)
      await telling.differs(
        missed.map((app) => `app/${app}`),
        'they were taken to be at rest',
      );
  }

  /** What hosts are to be, after the commits: what they or others have changed meanwhile is looked at, too. */
  function projected(aim: Catalog, seen: FleetSeen, silent: ReadonlySet<string>): Projection {
    const { image: now, scope, kept, lost, records, reports } = seen;
    const { book, whereabouts, news } = now;
    const told = new Map([...(silent.size === 0 ? [] : whereabouts.assignments)].filter(([host]) => !silent.has(host)));
    return project({
      catalog: aim,
      author,
      placements: book.placements,
      previous: silent.size === 0 ? whereabouts.assignments : told,
      reports,
      lost: new Set(lost?.map(({ host }) => host)),
      records,
      now: clock(),
      judgeFrom: watching.judgeFrom(),
      ...(kept ? { kept: whereabouts } : {}),
      ...(scope
        ? { scope: { apps: new Set([...scope.apps, ...news.apps]), hosts: new Set([...scope.hosts, ...news.hosts]) } }
        : {}),
    });
  }

  /** Has the store of a fleet learn from the hosts what it does not know. */
  async function learn(now: Image, aim: Catalog): Promise<Pick<FleetSeen, 'reopening' | 'awaited'>> {
    const { book, whereabouts, unstored } = now;
    const { reopening } = decided;
    if (!fleet || (!reopening && unstored.size === 0 && book.hosts.size > 0))
      return { reopening: undefined, awaited: [] };
    const begin = async (begun: Reopening): Promise<void> => {
      decided = { ...decided, reopening: begun };
      await post();
    };
    const stored = [...whereabouts.assignments.values()].filter(({ host }) => !unstored.has(host));
    const remains = { reports: [...whereabouts.reports.values()], snapshot: book, stored, reopening };
    const found = await teach(
      { ...remains, catalog: aim, cursor: now.cursor(), now: clock() },
      { reservations: store.reservations, telling, mustLead, begin },
    );
    if (found.proposals.length > 0) await now.refresh();
    return { reopening: found.reopening, awaited: found.awaited };
  }

  function notice(): Notice | undefined {
    if (!source || !catalog) return undefined;
    const { notes: _notes, ...status } = source;
    const revision = { ...status, revision: catalog.revision };
    const problems = catalog.problems.length;
    return { protocol: PROTOCOL, source: revision, problems, ...decided, lost: hearing.lost() };
  }

  /** Posts what is new. */
  async function post(): Promise<void> {
    const next = notice();
    if (!next) return;
    const content = contentOf(next);
    if (content === posted) return;
    await store.bulletin.post(next);
    posted = content;
  }

  async function listen(): Promise<boolean> {
    if (!adopted) hearing.adopt((await store.bulletin.read())?.lost ?? []);
    adopted = true;
    const names = (): readonly string[] => hearing.lost().map(({ host }) => host);
    const before = names();
    const changed = await hearing.listen(heardOf);
    heardAt = clock();
    await telling.hosts(before, names());
    return changed || decided.reopening !== undefined;
  }

  return {
    pass: async (how) => {
      try {
        term = fleet?.term();
        await converge(steps, how);
        watching.ended();
        summarize();
      } catch (error) {
        const { code, message } = asPlumbError(error);
        // what was taken in and not brought to an end is lost
        if (underway || code === 'STORE_EMPTIED') forget();
        underway = false;
        await telling.tellOnce({ level: 'error', reason: 'PassFailed', message: `${message} [${code}]` });
        throw error;
      }
    },
    listen: async () => watching.looked(fleet ? await listen() : false),
    view: () => ({ catalog, notice: notice() }),
    verdict: () => {
      const now = notice();
      return now && image && summary.verdict(now);
    },
    sight: async () => {
      const now = image;
      if (!now) return undefined;
      await now.refresh();
      const { assignments, reports } = now.whereabouts;
      const { hosts, placements } = now.book;
      return { notice: notice(), hosts, placements, assignments, reports };
    },
    forget,
  };
}
