import { converge, type Steps } from '../converge.ts';
import type { Catalog } from '../model/catalog.ts';
import { asPlumbError, PlumbError } from '../model/errors.ts';
import type { LostHost, Notice, SourceStatus } from '../model/notice.ts';
import type { RolloutRecord } from '../model/release.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { Snapshot } from '../model/reservations.ts';
import type { Store } from '../model/store.ts';
import { counted } from '../model/words.ts';
import { hostViews } from '../place/hosts.ts';
import { commitAll } from './commits.ts';
import { keptBy, rebuildProposals, unheard } from '../place/rebuild.ts';
import { place, type PlaceResult } from '../place/place.ts';
import { overBudget } from '../plan/budget.ts';
import { project } from '../plan/project.ts';
import type { Log } from './agent-state.ts';
import { createHearing } from './hearing.ts';
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
}

/** The same in a fleet whose store may have been emptied: hosts that must be heard before anything is placed. */
interface FleetSeen extends Seen {
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
): Decided & { readonly catalog: Catalog } {
  const lost = new Set(seen.lost?.map(({ host }) => host));
  const hosts = hostViews(catalog, seen.reports, seen.snapshot, lost);
  const attempt = place({ catalog, ...seen, hosts, now });
  const over = overBudget(attempt, catalog.fleet.spec.deletions, seen.snapshot.placements.size, allowDeletions);
  if (!over) return { placed: attempt, catalog };
  const careful: Catalog = { ...catalog, budgetKeeps: over.kept };
  return { placed: place({ catalog: careful, ...seen, hosts, now }), held: over.message, catalog: careful };
}

/** A store that knows no host stays closed until all hosts of Git have reported, or this long, milliseconds. */
const REOPEN = 60_000;

/** Nothing is placed: hosts that may run something have not said so yet. */
function waitingFor({ snapshot, awaited }: FleetSeen, catalog: Catalog, until: number): Decided & { catalog: Catalog } {
  const { placements } = snapshot;
  const nothing = {
    proposals: [],
    unplaceable: [],
    releases: [],
    leaving: [],
    kept: [],
    misplaced: [],
    draining: [],
    busy: new Set<string>(),
  };
  const some = awaited.slice(0, 3).join(', ') + (awaited.length > 3 ? ', …' : '');
  const held = `the store knows no host: nothing is placed before ${counted(awaited.length, 'host')} (${some}) reported, or ${new Date(until).toISOString()}`;
  return { placed: { ...nothing, placements }, held, catalog };
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
  let decided: Pick<Notice, 'unplaceable' | 'held' | 'published' | 'waiting' | 'awaited' | 'draining' | 'rollouts'> = {
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
  /** When the store was found to know no host. */
  let emptySince: number | undefined;
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
      const kept = keptBy(reports, stored);
      const awaited = fleet && snapshot.hosts.size === 0 ? await rebuild(reports, kept) : undefined;
      if (awaited === undefined) emptySince = undefined;
      if (awaited?.length === 0) snapshot = await store.reservations.snapshot();
      const bulletin = await store.bulletin.read();
      posted = bulletin ? contentOf(bulletin) : '';
      const known = { reports, snapshot, assignments: [...stored, ...kept], lost: hearing.lost() };
      return { ...known, awaited: awaited ?? [], records: bulletin?.rollouts ?? [] };
    },
    place: (_specs, seen) => {
      if (!catalog) throw new Error('no catalog');
      if (seen.awaited.length > 0) return waitingFor(seen, catalog, (emptySince ?? 0) + REOPEN);
      const allow = options.allowDeletions || catalog.revision === allowed;
      return decidePlacing(catalog, seen, clock(), allow);
    },
    plan: (_specs, seen, decided) => ({ ...decided, catalog: (decided as Planned).catalog, seen }),
    apply: async ({ catalog: aim, placed, seen, held }) => {
      if (seen.awaited.length > 0) {
        decided = {
          ...decided,
          unplaceable: [],
          held: held === undefined ? [] : [held],
          waiting: 0,
          awaited: seen.awaited,
        };
        await post();
        return [];
      }
      if (placed.proposals.length > 0) {
        mustLead();
        await commitAll(store.reservations, {
          id: `${aim.revision}-${String(seen.snapshot.cursor)}`,
          now: clock(),
          proposals: placed.proposals,
        });
      }
      const { placements } = await store.reservations.snapshot();
      const previous = new Map(seen.assignments.map((assignment) => [assignment.host, assignment]));
      const lost = new Set(seen.lost?.map(({ host }) => host));
      const { reports, records: known } = seen;
      const input = { catalog: aim, author, placements, previous, reports, lost, records: known, now: clock() };
      const { assignments, rollouts, records } = project(input);
      const unplaceable = placed.unplaceable.map(({ replica, message }) => ({ replica, message }));
      const waiting = rollouts.reduce((sum, one) => sum + one.waiting.length, 0);
      const before = decided;
      const { draining } = placed;
      const now = { unplaceable, held: held === undefined ? [] : [held], awaited: [], draining };
      const { rollouts: _old, ...rest } = { ...before, ...now };
      decided = {
        ...rest,
        waiting: Math.max(before.waiting, waiting),
        ...(records.length > 0 ? { rollouts: records } : {}),
      };
      // who reads the bulletin must not take what hosts say of the last revision for this one, and what a rollout must
      // remember is kept before it takes a step
      if (before.published !== aim.revision || records.length + (before.rollouts?.length ?? 0) > 0) await post();
      for (const assignment of assignments) {
        mustLead();
        await store.mailbox.assign(assignment);
      }
      decided = { ...decided, waiting, published: aim.revision };
      await post();
      for (const event of rolloutEvents(known, records)) await telling.tell(event);
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

  /** Teaches a store that knows no host what the hosts know. Gives the hosts that it still waits for; none once it is done. */
  async function rebuild(reports: readonly Report[], kept: readonly Assignment[]): Promise<readonly string[]> {
    if (!catalog) return [];
    emptySince ??= clock();
    const missing = unheard(catalog, reports);
    if (missing.length > 0 && clock() - emptySince < REOPEN) return missing;
    const empty = { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() };
    const proposals = rebuildProposals(catalog, hostViews(catalog, reports, empty), kept);
    if (proposals.length === 0) return [];
    mustLead();
    const verdicts = await commitAll(store.reservations, {
      id: `rebuild-${String(emptySince)}`,
      now: clock(),
      proposals,
    });
    const placed = verdicts.filter(({ accepted }, at) => accepted && proposals[at]?.op === 'place').length;
    if (kept.length > 0)
      await telling.tell({
        level: 'warn',
        reason: 'StoreRebuilt',
        message: `the store knew no host; ${counted(kept.length, 'host')} told it of ${counted(placed, 'replica')}`,
      });
    return [];
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
    return changed || emptySince !== undefined;
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
