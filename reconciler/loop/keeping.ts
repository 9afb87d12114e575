import type { Catalog } from '../model/catalog.ts';
import { asPlumbError } from '../model/errors.ts';
import type { Store } from '../model/store.ts';
import type { Scope } from '../model/whereabouts.ts';
import type { PlaceResult } from '../place/place.ts';
import { readImage, type Image } from './image.ts';
import { withVictims } from './preemptions.ts';
import type { Telling } from './telling.ts';

export interface KeepingOptions {
  readonly store: Pick<Store, 'reservations' | 'mailbox'>;
  readonly clock: () => number;
  readonly telling: Pick<Telling, 'differs'>;
  /** The store is read anew: what else is read then, and what was concluded of the last image and counts no more. */
  readonly anew: () => Promise<void>;
  readonly forgotten: () => void;
}

/** The image of the store that a controller keeps, and its audits. */
export interface Keeping {
  /** Undefined until it was read, and after it was forgotten. */
  readonly image: Image | undefined;
  /** The store as it is now. In an audit all of it is read again beside what was read as it changed. */
  see(catalog: Catalog): Promise<{ readonly image: Image; readonly audit: boolean }>;
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

  function forget(): void {
    image = undefined;
    forgotten();
  }

  async function refreshed(catalog: Catalog): Promise<Image> {
    try {
      if (image) {
        await image.refresh();
        return image;
      }
    } catch (error) {
      if (asPlumbError(error).code !== 'CONFLICT') throw error;
      forget();
    }
    const read = await readImage(store, catalog);
    await anew();
    auditAt = clock() + AUDIT;
    image = read;
    return read;
  }

  async function compared(catalog: Catalog): Promise<Image> {
    const now = await refreshed(catalog);
    const differing = await now.compare();
    auditAt = clock() + AUDIT;
    if (differing.length === 0) return now;
    await telling.differs(differing, 'the store holds another');
    forget();
    return refreshed(catalog);
  }

  return {
    get image() {
      return image;
    },
    see: async (catalog) => {
      const audit = image !== undefined && clock() >= auditAt;
      return { image: await (audit ? compared(catalog) : refreshed(catalog)), audit };
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
