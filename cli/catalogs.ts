import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compile } from '../reconciler/compile/compile.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { readFolder } from '../reconciler/source/folder.ts';
import type { Io } from './io.ts';
import { openRepository, rememberedSource, type RepositoryFlags } from './repository.ts';

/** Catalogs of revisions. */
export interface Catalogs {
  /** The catalog of a branch, tag or commit; without, of the head, or of the folder as it is. */
  at(revision: string | undefined): Promise<Catalog>;
}

/** The revision of a folder that is no commit. */
const FOLDER = 'folder';

/** Whether a path is a Git repository: a work tree's root or a bare repository. */
function isRepository(path: string): boolean {
  return existsSync(join(path, '.git')) || (existsSync(join(path, 'HEAD')) && existsSync(join(path, 'objects')));
}

function noRevision(folder: string, revision: string): PlumbError {
  return new PlumbError('USAGE', `${folder} is no Git repository; it has no revision ${revision}`);
}

/** The flags, with the repository that the last `up` worked from, and its revision unless they name one. */
function remembering(flags: RepositoryFlags, state: string): RepositoryFlags {
  const remembered = rememberedSource(state);
  if (remembered === undefined) return flags;
  const named = flags.ref ?? flags.tag ?? flags.commit;
  if (named === undefined) return { ...flags, ...remembered };
  const { repo, path } = remembered;
  return { ...flags, repo, ...(path === undefined ? {} : { path }) };
}

/**
 * Opens what the flags name: a repository, a plain folder, this directory, or else the repository that the last `up` of
 * this state directory worked from.
 */
export async function openCatalogs(flags: RepositoryFlags, state: string, io: Io): Promise<Catalogs> {
  const here = resolve(io.cwd, flags.repo ?? '.');
  const folder = existsSync(here) && !isRepository(here);
  if (folder && (flags.repo !== undefined || rememberedSource(state) === undefined)) {
    const { ref, tag, commit } = flags;
    const named = ref ?? tag ?? commit;
    if (named !== undefined) throw noRevision(here, named);
    const root = flags.path === undefined ? here : resolve(here, flags.path);
    if (!existsSync(root)) throw new PlumbError('USAGE', `${here} has no folder ${String(flags.path)}`);
    return {
      at: async (revision) => {
        if (revision !== undefined) throw noRevision(here, revision);
        return compile(await readFolder(root), FOLDER);
      },
    };
  }
  const repository = await openRepository(folder ? remembering(flags, state) : flags, state, io);
  const { revision: head } = await repository.fetch();
  return {
    at: async (revision) =>
      repository.catalog(revision === undefined ? head : await repository.source.resolve(revision)),
  };
}
