import type { Command } from 'commander';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { HostView } from '../reconciler/place/hosts.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import type { Known } from '../reconciler/loop/view.ts';
import { openCatalogs, type CatalogFlags, type Catalogs } from './catalogs.ts';
import { lookOptions, type UpFlags } from './flags.ts';
import { askedStore, type StoreFlags } from './fleet-store.ts';
import type { Io } from './io.ts';
import { knownOfRunning, lookAround, lostOf, type Look } from './look.ts';
import { pathsOf } from './paths.ts';
import { viewOptions } from './view.ts';

/** A revision of Git held against the world as it is: what `plan`, `explain`, `capacity` and `drain` begin with. */
export interface Question {
  readonly catalogs: Catalogs;
  /** The world, as far as the catalog asks about it. */
  readonly look: (catalog: Catalog) => Promise<Look>;
  /** What the fleet's store or a running `up` knows; undefined when none runs. */
  readonly running: () => Promise<Known | undefined>;
}

/** Adds the options that say which repository and which world; `lookingAt` adds those of the repository and of this machine. */
export function questionOptions(cmd: Command, lookingAt: (cmd: Command) => void = lookOptions): void {
  lookingAt(cmd);
  viewOptions(cmd);
}

/** Opens the repository that the flags name, or else the one that what is asked follows. What runs is asked once. */
export async function openQuestion(options: UpFlags & StoreFlags & CatalogFlags, io: Io): Promise<Question> {
  if (options.host !== undefined && askedStore(options, io) !== undefined)
    throw new PlumbError(
      'USAGE',
      `--host says which Host this machine is, and a store is asked, not this machine: leave one of them out`,
    );
  let asking: Promise<Known | undefined> | undefined;
  const running = (): Promise<Known | undefined> => (asking ??= knownOfRunning(options, io));
  const followed = async (): Promise<Known['source']> => {
    const { source } = (await running()) ?? {};
    if (source === undefined && askedStore(options, io) !== undefined)
      throw new PlumbError('USAGE', 'which repository? no controller has told the store yet: name it with --repo');
    return source;
  };
  const catalogs = await openCatalogs(options, pathsOf(options, io).state, followed, io);
  return { catalogs, look: async (catalog) => lookAround(options, catalog, await running(), io), running };
}

/** The hosts of a catalog as they are known. */
export function viewsOf(catalog: Catalog, known: Known): readonly HostView[] {
  return hostViews(catalog, known.reports, known.snapshot, lostOf(known));
}
