import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compile } from '../reconciler/compile/compile.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { asPlumbError, PlumbError } from '../reconciler/model/errors.ts';
import type { SourceStatus } from '../reconciler/model/notice.ts';
import { isManifestPath, type SourceFile } from '../reconciler/model/source.ts';
import { counted } from '../reconciler/model/words.ts';
import { readFolder } from '../reconciler/source/folder.ts';
import type { Source } from '../reconciler/source/source.ts';
import type { Io } from './io.ts';
import { staleText } from './source-text.ts';
import { followedIn, openRepository, rememberedSource, type Followed, type RepositoryFlags } from './repository.ts';

/** What is asked about: a repository at a revision, or its work tree as it lies on the disk. */
export interface CatalogFlags extends RepositoryFlags {
  readonly workTree?: boolean;
}

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
  const why = isRepository(folder)
    ? `--work-tree asks about ${folder} as it lies there: leave ${revision} out`
    : `${folder} is no Git repository; it has no revision ${revision}`;
  return new PlumbError('USAGE', why);
}

/** A folder as it is, whatever Git knows of it. */
function openFolder(here: string, { ref, tag, commit, path }: RepositoryFlags): Catalogs {
  const named = ref ?? tag ?? commit;
  if (named !== undefined) throw noRevision(here, named);
  const root = path === undefined ? here : resolve(here, path);
  if (!existsSync(root)) throw new PlumbError('USAGE', `${here} has no folder ${String(path)}`);
  return {
    at: async (revision) => {
      if (revision !== undefined) throw noRevision(here, revision);
      return compile(await readFolder(root), FOLDER);
    },
  };
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

/** A file that Git does not know is a manifest where it says so. */
function isOurs({ bytes }: SourceFile): boolean {
  return bytes !== undefined && /^apiVersion:\s*["']?plumbline\//m.test(Buffer.from(bytes).toString('latin1'));
}

/** Whether two files say the same: Git may check out lines with other ends than it keeps. */
function isSame(a: SourceFile, b: SourceFile): boolean {
  const text = ({ bytes }: SourceFile): string | undefined =>
    bytes && Buffer.from(bytes).toString('latin1').replaceAll('\r\n', '\n');
  return a.blob === b.blob || (a.bytes !== undefined && text(a) === text(b));
}

/** Manifests of a work tree that are not as they are committed; none where it cannot be read. */
async function uncommitted(root: string, source: Pick<Source, 'files'>, head: string): Promise<readonly string[]> {
  const lying = await readFolder(root).catch(() => undefined);
  if (!lying) return [];
  const known = new Set(lying.map(({ blob }) => blob));
  const committed = await source.files(head, { known, allowEmpty: true });
  const before = new Map(committed.map((file) => [file.path, file]));
  const there = new Set(lying.map(({ path }) => path));
  const other = lying.filter((file) => {
    const was = before.get(file.path);
    return was ? !isSame(was, file) : isOurs(file);
  });
  const gone = committed.filter(({ path }) => !there.has(path));
  return [...other, ...gone]
    .filter(({ path, refused }) => refused === undefined && isManifestPath(path))
    .map(({ path }) => path);
}

function tellUncommitted(files: readonly string[], io: Io): void {
  const [first, ...more] = files;
  if (first === undefined) return;
  const all = more.length === 0 ? `${first} is` : `${first} and ${counted(more.length, 'other file')} are`;
  io.err(`${all} not as committed, and HEAD is what is asked about: commit, or see plumb plan --work-tree\n`);
}

/**
 * Opens what the flags name: a repository, a plain folder, this directory if it is a repository; or else the repository that is
 * followed by what runs, or was by the last `up` of this state directory; or else this directory.
 */
export async function openCatalogs(
  flags: CatalogFlags,
  state: string,
  running: () => Promise<SourceStatus | undefined>,
  io: Io,
): Promise<Catalogs> {
  const here = resolve(io.cwd, flags.repo ?? '.');
  const there = existsSync(here);
  if (flags.workTree === true) {
    if (!there) throw new PlumbError('USAGE', `--work-tree asks about a folder of this machine, and ${here} is none`);
    return openFolder(here, flags);
  }
  const folder = there && !isRepository(here);
  const followed = folder && flags.repo === undefined ? await followedBy(running, state) : undefined;
  if (folder && followed === undefined) return openFolder(here, flags);
  const repository = await openRepository(followed ? following(flags, followed) : flags, state, io);
  const fetched = await repository.fetch().catch((error: unknown) => {
    throw followed ? unreachable(followed, error) : error;
  });
  const { revision: head } = fetched;
  const stale = staleText(fetched);
  if (stale !== undefined) io.err(`${stale}\n`);
  const named = flags.ref ?? flags.tag ?? flags.commit ?? followed;
  return {
    at: async (revision) => {
      if (revision !== undefined) return repository.catalog(await repository.source.resolve(revision));
      const catalog = await repository.catalog(head);
      if (named === undefined && existsSync(join(here, '.git')))
        tellUncommitted(await uncommitted(join(here, flags.path ?? ''), repository.source, head), io);
      return catalog;
    },
  };
}
