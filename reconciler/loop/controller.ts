import { converge, type Steps } from '../converge.ts';
import type { Catalog } from '../model/catalog.ts';
import { asPlumbError, PlumbError } from '../model/errors.ts';
import type { Draining, LostHost, Notice, Reopening, SourceStatus } from '../model/notice.ts';
import type { RolloutRecord } from '../model/release.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { Snapshot } from '../model/reservations.ts';
import type { Store } from '../model/store.ts';
import { hostViews } from '../place/hosts.ts';
import { commitAll } from './commits.ts';
import { openPart, untold, type Remains } from '../place/rebuild.ts';
import { place, type PlaceResult } from '../place/place.ts';
import { overBudget } from '../plan/budget.ts';
import { fullZones } from '../plan/full.ts';
import { project } from '../plan/project.ts';
import { reserving } from '../plan/reserve.ts';
import type { Log } from './agent-state.ts';
import { drainEvents } from './drains.ts';
import { createHearing } from './hearing.ts';
import { heldBy, teach } from './rebuilding.ts';
import { rolloutEvents } from './rollouts.ts';
import { createTelling, type CommitInfo } from './telling.ts';

/** What a fetch found. */
export interface Fetched extends SourceStatus {
  /** Facts to tell once: a force-push, a branch that vanished. */
  readonly notes: readonly { readonly reason: string; readonly message: string }[];
}

/** The Git side of a controller. */
export interface Repository {
  /** Looks for new commits. Throws only when there never was a good one. */
  fetch(): Promise<Fetched>;
  /** Compiles a revision; only changed blobs are read. */
  catalog(revision: string): Promise<Catalog>;
  commit(revision: string): Promise<CommitInfo>;
}

export interface ControllerOptions {
  readonly repository: Repository;
  readonly store: Store;
  /** Lets any number of replicas go. */
  readonly allowDeletions: boolean;
  readonly clock: () => number;
  readonly log: Log;
  /** Many controllers share the store: only one that leads acts, and hosts are heard of by their leases. */
  readonly fleet?: { readonly leads: () => boolean };
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
}

interface Seen {
  readonly snapshot: Snapshot;
  readonly reports: readonly Report[];
  readonly assignments: readonly Assignment[];
  readonly lost?: readonly LostHost[];
  /** What is remembered of changes under way, whoever led then. */
  readonly records: readonly RolloutRecord[];
  /** How far drains were after the last pass. */
  readonly drains?: readonly Draining[];
}

/** The same in a fleet whose store may have been emptied. */
interface FleetSeen extends Seen {
  /** How far it is on its way back; undefined when it is open. */
  readonly reopening: Reopening | undefined;
  /** Hosts that must be heard before their Zones open. */
  readonly awaited: readonly string[];
}

interface Decided {
  readonly placed: PlaceResult;
  readonly held?: string;
}

interface Planned extends Decided {
  readonly catalog: Catalog;
  readonly seen: FleetSeen;
}

/** Where everything goes, within the deletion budget. Pure. */
export function decidePlacing(
  catalog: Catalog,
  seen: Omit<Seen, 'records'>,
  now: number,
  allowDeletions: boolean,
  records: readonly RolloutRecord[] = [],
): Decided & { readonly catalog: Catalog } {
  const lost = new Set(seen.lost?.map(({ host }) => host));
  const hosts = hostViews(catalog, seen.reports, seen.snapshot, lost);
  const placing = (by: Catalog): PlaceResult => place({ catalog: reserving(by, records), ...seen, hosts, now });
  const attempt = placing(catalog);
  const over = overBudget(attempt, catalog.fleet.spec.deletions, seen.snapshot.placements.size, allowDeletions);
  if (!over) return { placed: attempt, catalog };
  const careful: Catalog = { ...catalog, budgetKeeps: over.kept };
  return { placed: placing(careful), held: over.message, catalog: careful };
}

/** What is worth posting: not that Git was looked at once more. */
function contentOf(notice: Notice): string {
  const { fetchedAt, ...rest } = notice.source;
  return JSON.stringify({ ...notice, source: rest.error === undefined ? rest : { ...rest, fetchedAt } });
}

/** The controller of a fleet: brings what Git says into placements and Assignments. */
export function createController(options: ControllerOptions): Controller {
  const { repository, store, clock, fleet } = options;
  let catalog: Catalog | undefined;
  let source: Fetched | undefined;
  let author = '';
  let decided: Pick<
    Notice,
    'unplaceable' | 'held' | 'published' | 'waiting' | 'awaited' | 'reopening' | 'draining' | 'rollouts' | 'full'
  > = {
    unplaceable: [],
    held: [],
    published: '',
    waiting: 0,
    awaited: [],
  };
  const hearing = createHearing(store.leases, clock);
  let heardOf: readonly string[] = [];
  let adopted = false;
  let posted = '';
  const telling = createTelling(store.journal, options.log);
  /** The revision that may take away any number of replicas. */
  let allowed: string | undefined;

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
      const reports = await store.mailbox.reports();
      heardOf = reports.map(({ host }) => host);
      if (fleet) await listen();
      let snapshot = await store.reservations.snapshot();
      const hosts = new Set([
        ...reports.map(({ host }) => host),
        ...[...snapshot.placements.values()].map(({ host }) => host),
      ]);
      const assignments = await Promise.all([...hosts].map((host) => store.mailbox.assignment(host)));
      const stored = assignments.filter((assignment) => assignment !== undefined);
      const bulletin = await store.bulletin.read();
      posted = bulletin ? contentOf(bulletin) : '';
      const { kept, ...taught } = await learn({ reports, snapshot, stored, reopening: bulletin?.reopening });
      if (taught.learned) snapshot = await store.reservations.snapshot();
      const known = { reports, snapshot, assignments: [...stored, ...kept], lost: hearing.lost() };
      const { rollouts: records = [], draining: drains = [] } = bulletin ?? {};
      return { ...known, ...taught, records, drains };
    },
    place: (_specs, seen) => {
      if (!catalog) throw new Error('no catalog');
      const allow = options.allowDeletions || catalog.revision === allowed;
      const { reopening, assignments } = seen;
      const open = reopening ? openPart(catalog, reopening, assignments) : catalog;
      const made = decidePlacing(open, seen, clock(), allow, seen.records);
      const { budgetKeeps } = made.catalog;
      return { ...made, catalog: budgetKeeps ? { ...catalog, budgetKeeps } : catalog };
    },
    plan: (_specs, seen, decided) => ({ ...decided, catalog: (decided as Planned).catalog, seen }),
    apply: async ({ catalog: aim, placed, seen, held }) => {
      if (placed.proposals.length > 0) {
        mustLead();
        await commitAll(store.reservations, {
          id: `${aim.revision}-${String(seen.snapshot.cursor)}`,
          now: clock(),
          proposals: placed.proposals,
        });
      }
      const { placements } = await store.reservations.snapshot();
      const silent = seen.reopening ? untold(aim, seen.reopening) : new Set<string>();
      const told = seen.assignments.filter(({ host }) => !silent.has(host));
      const previous = new Map(told.map((assignment) => [assignment.host, assignment]));
      const lost = new Set(seen.lost?.map(({ host }) => host));
      const { reports, records: known } = seen;
      const input = { catalog: aim, author, placements, previous, reports, lost, records: known, now: clock() };
      const { assignments, rollouts, records } = project(input);
      const unplaceable = placed.unplaceable.map(({ replica, message }) => ({ replica, message }));
      const waiting = rollouts.reduce((sum, one) => sum + one.waiting.length, 0);
      const before = decided;
      const { draining } = placed;
      const { reopening, awaited } = seen;
      const closed = reopening ? [heldBy(aim, reopening, awaited)] : [];
      const now = { unplaceable, held: [...closed, ...(held === undefined ? [] : [held])], awaited, draining };
      const { rollouts: _old, reopening: _before, full: _full, ...rest } = { ...before, ...now };
      const full = fullZones(rollouts);
      decided = {
        ...rest,
        ...(reopening ? { reopening } : {}),
        waiting: Math.max(before.waiting, waiting),
        ...(full.length > 0 ? { full } : {}),
        ...(records.length > 0 ? { rollouts: records } : {}),
      };
      // who reads the bulletin must not take what hosts say of the last revision for this one, and what a rollout must
      // remember is kept before it takes a step
      if (before.published !== aim.revision || records.length + (before.rollouts?.length ?? 0) > 0) await post();
      for (const assignment of assignments) {
        if (silent.has(assignment.host)) continue;
        mustLead();
        await store.mailbox.assign(assignment);
      }
      decided = { ...decided, waiting, published: aim.revision };
      await post();
      for (const event of rolloutEvents(known, records)) await telling.tell(event);
      for (const event of drainEvents(seen.drains ?? [], draining, placements))
        await telling.tell({ ...event, revision: aim.revision, author });
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

  /** A pass that another leader has overtaken ends here, with nothing half done: what it decided is decided again. */
  function mustLead(): void {
    if (fleet && !fleet.leads()) throw new PlumbError('CONFLICT', 'another controller leads by now');
  }

  /** Has the store of a fleet learn from the hosts what it does not know. */
  async function learn(
    remains: Omit<Remains, 'catalog' | 'now'> & { readonly snapshot: Snapshot },
  ): Promise<Pick<FleetSeen, 'reopening' | 'awaited'> & { kept: readonly Assignment[]; learned: boolean }> {
    if (!fleet || !catalog) return { reopening: undefined, awaited: [], kept: [], learned: false };
    const { cursor } = remains.snapshot;
    const begin = async (reopening: Reopening): Promise<void> => {
      decided = { ...decided, reopening };
      await post();
    };
    const found = await teach(
      { ...remains, catalog, cursor, now: clock() },
      { reservations: store.reservations, telling, mustLead, begin },
    );
    const { reopening, awaited, kept, proposals } = found;
    return { reopening, awaited, kept, learned: proposals.length > 0 };
  }

  function notice(): Notice | undefined {
    if (!source || !catalog) return undefined;
    const { notes: _notes, ...status } = source;
    const revision = { ...status, revision: catalog.revision };
    return { source: revision, problems: catalog.problems.length, ...decided, lost: hearing.lost() };
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
    await telling.hosts(before, names());
    return changed || decided.reopening !== undefined;
  }

  return {
    pass: async (how) => {
      try {
        await converge(steps, how);
      } catch (error) {
        const { code, message } = asPlumbError(error);
        await telling.tellOnce({ level: 'error', reason: 'PassFailed', message: `${message} [${code}]` });
        throw error;
      }
    },
    listen: () => (fleet ? listen() : Promise.resolve(false)),
    view: () => ({ catalog, notice: notice() }),
  };
}
