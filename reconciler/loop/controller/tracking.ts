import type { Catalog } from '../../model/catalog.ts';
import type { Fetched, Repository } from './repository.ts';
import type { Telling } from './telling.ts';

/** What a pass does. */
export interface PassScope {
  /** It asks Git; without, it goes on from what Git said last. */
  readonly look: boolean;
  /** The revision that it finds may take away any number of replicas. */
  readonly allow: boolean;
}

/** What Git said last. */
export interface Tracked {
  readonly source: Fetched;
  readonly catalog: Catalog;
  /** Who wrote its revision. */
  readonly author: string;
}

/** Follows Git, and tells of it. */
export interface Tracking {
  checkout(how: PassScope): Promise<Tracked>;
  /**
   * What Git says, for who stands by: so that it is compiled already when it is checked out. Nothing is told of it. Only the first time Git is waited for:
   * a remote that does not answer keeps nobody from leading, and what a look finds is given from then on.
   */
  ahead(look: boolean): Promise<Catalog>;
  /** Undefined before the first revision. */
  readonly last: () => Tracked | undefined;
  /** Whether somebody said that a revision may take away any number of replicas. */
  allows(revision: string): boolean;
}

/** Knows nothing of the repository yet. */
export function createTracking(
  repository: Repository,
  telling: Pick<Telling, 'revision' | 'source' | 'tellOnce'>,
): Tracking {
  let last: Tracked | undefined;
  let allowed: string | undefined;
  /** What was seen ahead of `last`, which is newer: only one of both is kept, as a catalog is large. */
  let foreseen: Catalog | undefined;
  let looking: Promise<Catalog> | undefined;
  let checkouts = 0;

  async function read(source: Fetched): Promise<Tracked> {
    const { revision } = source;
    if (last?.catalog.revision === revision) return { ...last, source };
    const [catalog, commit] = await Promise.all([repository.catalog(revision), repository.commit(revision)]);
    await telling.revision(catalog, commit);
    return { source, catalog, author: commit.author };
  }

  async function foresee(): Promise<Catalog> {
    const before = checkouts;
    const found = await repository.catalog((await repository.fetch()).revision);
    // what was checked out meanwhile may be newer
    if (before === checkouts) foreseen = found;
    return foreseen ?? last?.catalog ?? found;
  }

  return {
    checkout: async ({ look, allow }) => {
      const source = (look ? undefined : last?.source) ?? (await repository.fetch());
      const { url, error, notes } = source;
      await telling.source(url, error, last?.source.error);
      for (const { reason, message } of notes) await telling.tellOnce({ level: 'warn', reason, message });
      last = await read(source);
      foreseen = undefined;
      checkouts += 1;
      if (allow) allowed = source.revision;
      return last;
    },
    ahead: async (look) => {
      const known = foreseen ?? last?.catalog;
      if (known && !look) return known;
      looking ??= foresee().finally(() => (looking = undefined));
      // a look that fails leaves what was seen before, and whoever leads tells why
      looking.catch(() => undefined);
      return known ?? (await looking);
    },
    last: () => last,
    allows: (revision) => revision === allowed,
  };
}
