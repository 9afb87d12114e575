import type { Catalog } from '../../model/catalog.ts';
import { asPlumbError } from '../../model/errors.ts';
import type { Store } from '../../model/store.ts';
import type { Scope } from '../../model/whereabouts.ts';
import type { PlaceResult } from '../../place/place.ts';
import { readImage, type Image } from './image.ts';
import { withVictims } from './preemptions.ts';
import type { Telling } from './telling.ts';

export interface KeepingOptions {
  readonly store: Pick<Store, 'reservations' | 'mailbox'>;
  readonly clock: () => number;
  readonly telling: Pick<Telling, 'differs'>;
  /** Another may have led: what else is read then. */
  readonly anew: () => Promise<void>;
  /** What was concluded of the last image counts no more. */
  readonly forgotten: () => void;
}

/** The image of the store that a controller keeps, and its audits. */
export interface Keeping {
  /** Undefined until it was read, and after it was forgotten. */
  readonly image: Image | undefined;
  /** The store as it is now, for who leads. In an audit all of it is read again beside what was read as it changed. */
  see(catalog: Catalog): Promise<{ readonly image: Image; readonly audit: boolean }>;
  /** The same for who stands by: nothing is concluded from it, and audits only keep it true. */
  follow(catalog: Catalog): Promise<Image>;
  /** Another has led by now: the next look also reads what that one had to remember. What is kept of the store is as true as before. */
  readonly takeOver: () => void;
  /** What an audit found that nobody would have looked at. */
  audited(expected: Scope, placed: PlaceResult, unsettled: ReadonlySet<string>): Promise<void>;
  /** Nothing that is known of the store counts any more. */
  readonly forget: () => void;
}

/** Everything is looked at again this often, although nothing says that it is otherwise: milliseconds. */
const AUDIT = 600_000;

/** Keeps nothing yet. */
export function createKeeping({ store, clock, telling, anew, forgotten }: KeepingOptions): Keeping {
  let image: Image | undefined;
  let auditAt = 0;
  /** What others have posted is still to be read. */
  let behind = true;
  /** Rises when it is forgotten: what was begun to be read before that counts no more. */
  let life = 0;

  function forget(): void {
    image = undefined;
    behind = true;
    life += 1;
    forgotten();
  }

  async function readAll(catalog: Catalog): Promise<Image> {
    for (;;) {
      const begun = life;
      const read = await readImage(store, catalog);
      if (begun !== life) continue;
      auditAt = clock() + AUDIT;
      image = read;
      return read;
    }
  }

  async function follow(catalog: Catalog): Promise<Image> {
    try {
      const kept = image;
      await kept?.refresh();
      // it may have been forgotten meanwhile
      if (kept && kept === image) return kept;
    } catch (error) {
      const { code } = asPlumbError(error);
      if (code === 'CONFLICT' || code === 'STORE_EMPTIED') forget();
      if (code !== 'CONFLICT') throw error;
    }
    return readAll(catalog);
  }

  async function lead(catalog: Catalog): Promise<Image> {
    const now = await follow(catalog);
    if (!behind) return now;
    behind = false;
    try {
      await anew();
    } catch (error) {
      behind = true;
      throw error;
    }
    return now;
  }

  /** The image, or where the store holds another, what is read then. */
  async function compared(now: Image, again: () => Promise<Image>): Promise<Image> {
    const differing = await now.compare();
    auditAt = clock() + AUDIT;
    if (differing.length === 0) return now;
    await telling.differs(differing, 'the store holds another');
    forget();
    return again();
  }

  const isDue = (): boolean => image !== undefined && clock() >= auditAt;

  return {
    get image() {
      return image;
    },
    see: async (catalog) => {
      // whoever takes over has no time to lose
      const audit = isDue() && !behind;
      const now = await lead(catalog);
      return { image: audit ? await compared(now, () => lead(catalog)) : now, audit };
    },
    follow: async (catalog) => {
      const audit = isDue();
      const now = await follow(catalog);
      return audit ? compared(now, () => follow(catalog)) : now;
    },
    takeOver: () => {
      behind = true;
    },
    audited: async ({ apps }, placed, unsettled) => {
      const expected = withVictims(apps, placed.preemptions);
      const missed = [...new Set([...placed.busy, ...unsettled])].filter((app) => !expected.has(app));
      if (missed.length > 0)
        await telling.differs(
          missed.map((app) => `app/${app}`),
          'they were taken to be at rest',
        );
    },
    forget,
  };
}
