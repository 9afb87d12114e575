import { converge, type Steps } from '../converge.ts';
import type { Catalog } from '../model/catalog.ts';
import { asPlumbError } from '../model/errors.ts';
import type { EntryDraft } from '../model/journal.ts';
import type { Assignment, Placement, Report } from '../model/replica.ts';
import type { Snapshot } from '../model/reservations.ts';
import type { Store } from '../model/store.ts';
import { counted } from '../model/words.ts';
import { hostViews } from '../place/hosts.ts';
import { place, type PlaceResult } from '../place/place.ts';
import type { Unplaceable } from '../place/run.ts';
import { overBudget } from '../plan/budget.ts';
import { project } from '../plan/project.ts';
import type { Progress } from '../plan/rollout.ts';
import type { Log } from './agent-state.ts';
import type { SourceStatus } from './status.ts';

/** What a fetch found. */
export interface Fetched extends SourceStatus {
  /** Facts to tell once: a force-push, a branch that vanished. */
  readonly notes: readonly { readonly reason: string; readonly message: string }[];
}

export interface CommitInfo {
  readonly author: string;
  readonly subject: string;
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
  /** Told of the author of each revision before anything of it is done. */
  readonly onRevision: (revision: string, commit: CommitInfo) => void;
}

/** What the controller last saw and decided. */
export interface ControllerView {
  readonly catalog: Catalog | undefined;
  readonly source: Fetched | undefined;
  readonly placements: ReadonlyMap<string, Placement>;
  readonly unplaceable: readonly Unplaceable[];
  readonly held: readonly string[];
  readonly rollouts: readonly Progress[];
  /** The revision of which the hosts were last told. */
  readonly published: string | undefined;
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
  view(): ControllerView;
}

interface Seen {
  readonly snapshot: Snapshot;
  readonly reports: readonly Report[];
  readonly assignments: readonly Assignment[];
}

interface Decided {
  readonly placed: PlaceResult;
  readonly held?: string;
}

interface Planned extends Decided {
  readonly catalog: Catalog;
  readonly seen: Seen;
}

/** Where everything goes, within the deletion budget. Pure. */
export function decidePlacing(
  catalog: Catalog,
  seen: Seen,
  now: number,
  allowDeletions: boolean,
): Decided & { readonly catalog: Catalog } {
  const hosts = hostViews(catalog, seen.reports, seen.snapshot);
  const attempt = place({ catalog, ...seen, hosts, now });
  const over = overBudget(attempt, catalog.fleet.spec.deletions, seen.snapshot.placements.size, allowDeletions);
  if (!over) return { placed: attempt, catalog };
  const careful: Catalog = { ...catalog, budgetKeeps: over.kept };
  return { placed: place({ catalog: careful, ...seen, hosts, now }), held: over.message, catalog: careful };
}

/** The controller of a fleet: brings what Git says into placements and Assignments. */
export function createController(options: ControllerOptions): Controller {
  const { repository, store, clock } = options;
  let view: ControllerView = {
    catalog: undefined,
    source: undefined,
    placements: new Map(),
    unplaceable: [],
    held: [],
    rollouts: [],
    published: undefined,
  };
  const told = new Set<string>();
  /** The revision that may take away any number of replicas. */
  let allowed: string | undefined;

  const steps: Steps<PassScope, Fetched, Fetched, Seen, Decided, Planned, readonly Assignment[]> = {
    checkout: async ({ look, allow }) => {
      const fetched = (look ? undefined : view.source) ?? (await repository.fetch());
      await tellSource(fetched);
      if (view.catalog?.revision !== fetched.revision) {
        const [catalog, commit] = await Promise.all([
          repository.catalog(fetched.revision),
          repository.commit(fetched.revision),
        ]);
        options.onRevision(fetched.revision, commit);
        await tellRevision(catalog, commit);
        view = { ...view, catalog };
      }
      view = { ...view, source: fetched };
      if (allow) allowed = fetched.revision;
      return fetched;
    },
    compile: (fetched) => fetched,
    observe: async () => {
      const reports = await store.mailbox.reports();
      const snapshot = await store.reservations.snapshot();
      const hosts = new Set([
        ...reports.map(({ host }) => host),
        ...[...snapshot.placements.values()].map(({ host }) => host),
      ]);
      const assignments = await Promise.all([...hosts].map((host) => store.mailbox.assignment(host)));
      return { reports, snapshot, assignments: assignments.filter((assignment) => assignment !== undefined) };
    },
    place: (_specs, seen) => {
      if (!view.catalog) throw new Error('no catalog');
      const allow = options.allowDeletions || view.catalog.revision === allowed;
      return decidePlacing(view.catalog, seen, clock(), allow);
    },
    plan: (_specs, seen, decided) => ({ ...decided, catalog: (decided as Planned).catalog, seen }),
    apply: async ({ catalog, placed, seen, held }) => {
      if (placed.proposals.length > 0)
        await store.reservations.commit({
          id: `${catalog.revision}-${String(seen.snapshot.cursor)}`,
          now: clock(),
          proposals: placed.proposals,
        });
      const { placements } = await store.reservations.snapshot();
      view = { ...view, placements, unplaceable: placed.unplaceable, held: held === undefined ? [] : [held] };
      const previous = new Map(seen.assignments.map((assignment) => [assignment.host, assignment]));
      const { assignments, rollouts } = project({ catalog, placements, previous, reports: seen.reports });
      view = { ...view, rollouts };
      for (const assignment of assignments) await store.mailbox.assign(assignment);
      view = { ...view, published: catalog.revision };
      return assignments;
    },
    record: async ({ placed, held }) => {
      for (const { replica, message } of placed.unplaceable)
        await tellOnce({
          level: 'error',
          reason: 'Unplaceable',
          message: `${replica}: ${message}`,
          ref: `replica/${replica}`,
        });
      if (held !== undefined) await tellOnce({ level: 'warn', reason: 'Held', message: held });
    },
  };

  type EventDraft = Omit<Extract<EntryDraft, { type: 'event' }>, 'type' | 'host'>;

  async function tell(draft: EventDraft): Promise<void> {
    try {
      await store.journal.append([{ type: 'event', host: '', ...draft }]);
    } catch (error) {
      options.log.warn({ err: error }, 'event not journaled');
    }
  }

  /** The same words are told once for a revision. */
  async function tellOnce(draft: EventDraft): Promise<void> {
    const key = `${draft.reason} ${draft.message}`;
    if (told.has(key)) return;
    told.add(key);
    await tell(draft);
  }

  async function tellSource(fetched: Fetched): Promise<void> {
    const { error, notes, url } = fetched;
    const before = view.source?.error;
    if (error !== undefined && before === undefined)
      await tell({ level: 'error', reason: 'SourceStale', message: `${url}: ${error}; the last good revision stays` });
    if (error === undefined && before !== undefined)
      await tell({ level: 'info', reason: 'SourceRecovered', message: url });
    for (const { reason, message } of notes) await tellOnce({ level: 'warn', reason, message });
  }

  async function tellRevision(catalog: Catalog, { author, subject }: CommitInfo): Promise<void> {
    told.clear();
    const { revision, problems } = catalog;
    await tell({
      level: 'info',
      reason: 'RevisionSynced',
      revision,
      author,
      message: `${revision.slice(0, 7)} by ${author}: ${subject}`,
    });
    if (problems.length === 0) return;
    const first = problems[0];
    const where = first ? ` (${first.file}:${String(first.line)}: ${first.message})` : '';
    const message = `${counted(problems.length, 'problem')} in ${revision.slice(0, 7)}${where}; what they touch is kept as it runs`;
    await tell({ level: 'error', reason: 'ManifestErrors', revision, author, message });
  }

  return {
    pass: async (how) => {
      try {
        await converge(steps, how);
      } catch (error) {
        const { code, message } = asPlumbError(error);
        await tellOnce({ level: 'error', reason: 'PassFailed', message: `${message} [${code}]` });
        throw error;
      }
    },
    view: () => view,
  };
}
