import type { Command } from 'commander';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { HostView } from '../reconciler/place/hosts.ts';
import { hostViews } from '../reconciler/place/hosts.ts';
import type { Known, LocalView } from '../reconciler/loop/status/view.ts';
import { openCatalogs, type CatalogFlags, type Catalogs } from './catalogs.ts';
import { lookOptions, type UpFlags } from './flags.ts';
import { askedStore, type StoreFlags } from './fleet-store.ts';
import type { Io } from './io.ts';
import { lookAround, lostOf, type Look } from './look.ts';
import { pathsOf } from './paths.ts';
import { askRunning, viewOptions, withView, type Asked } from './view.ts';

/** A revision of Git held against the world as it is: what `plan`, `explain`, `capacity` and `drain` begin with. */
export interface Question {
  readonly catalogs: Catalogs;
  /** The world, as far as the catalog asks about it. */
  readonly look: (catalog: Catalog) => Promise<Look>;
  /** What these hosts last said to the fleet's store or a running `up`. */
  readonly reports: LocalView['reports'];
}

/** Adds the options that say which repository and which world; `lookingAt` adds those of the repository and of this machine. */
export function questionOptions(cmd: Command, lookingAt: (cmd: Command) => void = lookOptions): void {
  lookingAt(cmd);
  viewOptions(cmd);
}

/** Opens the repository that the flags name, or else the one that what is asked follows; closes what it asked when all is answered. What runs is asked once. */
export async function withQuestion<T>(
  options: UpFlags & StoreFlags & CatalogFlags,
  io: Io,
  ask: (question: Question) => Promise<T>,
): Promise<T> {
  if (options.host !== undefined && askedStore(options, io) !== undefined)
    throw new PlumbError(
      'USAGE',
      `--host says which Host this machine is, and a store is asked, not this machine: leave one of them out`,
    );
  return withView(options, io, async (view) => {
    let asking: Promise<Asked | undefined> | undefined;
    const running = (): Promise<Asked | undefined> => (asking ??= askRunning(view));
    const followed = async (): Promise<Known['source']> => {
      const { source } = (await running())?.known ?? {};
      if (source === undefined && askedStore(options, io) !== undefined)
        throw new PlumbError('USAGE', 'which repository? no controller has told the store yet: name it with --repo');
      return source;
    };
    const catalogs = await openCatalogs(options, pathsOf(options, io).state, followed, io);
    const look = async (catalog: Catalog): Promise<Look> => lookAround(options, catalog, await running(), io);
    return ask({ catalogs, look, reports: (hosts) => view.reports(hosts) });
  });
}

/** The hosts of a catalog as they are known. */
export function viewsOf(catalog: Catalog, known: Known): readonly HostView[] {
  return hostViews(catalog, known.reports, known.snapshot, lostOf(known));
}
