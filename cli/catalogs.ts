import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compile } from '../reconciler/compile/compile.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { asPlumbError, PlumbError } from '../reconciler/model/errors.ts';
import type { SourceStatus } from '../reconciler/model/notice.ts';
import { readFolder } from '../reconciler/source/folder.ts';
import type { Io } from './io.ts';
import { followedIn, openRepository, rememberedSource, type Followed, type RepositoryFlags } from './repository.ts';

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

/** The flags, with a repository that is followed, and its revision unless they name one. */
function following(flags: RepositoryFlags, followed: Followed): RepositoryFlags {
  const named = flags.ref ?? flags.tag ?? flags.commit;
  if (named === undefined) return { ...flags, ...followed };
  const { repo, path } = followed;
  return { ...flags, repo, ...(path === undefined ? {} : { path }) };
}

async function followedBy(
  running: () => Promise<SourceStatus | undefined>,
  state: string,
): Promise<Followed | undefined> {
  const source = await running();
  return source ? followedIn(source) : rememberedSource(state);
}

/** Nobody named that repository here: the mend is to name one. */
function unreachable({ repo }: Followed, error: unknown): PlumbError {
  const { code, message, details } = asPlumbError(error);
  const text = `${repo}, which is followed, cannot be read from here: ${message}; name one that can with --repo`;
  return new PlumbError(code, text, details, error);
}

/**
 * Opens what the flags name: a repository, a plain folder, this directory if it is a repository; or else the repository that is
 * followed by what runs, or was by the last `up` of this state directory; or else this directory.
 */
export async function openCatalogs(
  flags: RepositoryFlags,
  state: string,
  running: () => Promise<SourceStatus | undefined>,
  io: Io,
): Promise<Catalogs> {
  const here = resolve(io.cwd, flags.repo ?? '.');
  const folder = existsSync(here) && !isRepository(here);
  const followed = folder && flags.repo === undefined ? await followedBy(running, state) : undefined;
  if (folder && followed === undefined) {
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
  const repository = await openRepository(followed ? following(flags, followed) : flags, state, io);
  const { revision: head } = await repository.fetch().catch((error: unknown) => {
    throw followed ? unreachable(followed, error) : error;
  });
  return {
    at: async (revision) =>
      repository.catalog(revision === undefined ? head : await repository.source.resolve(revision)),
  };
}
