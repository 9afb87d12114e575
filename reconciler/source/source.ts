import { PlumbError } from '../model/errors.ts';
import type { SourceFile } from '../model/source.ts';
import { isManifestPath } from '../model/source.ts';
import { checkPath, checkWanted, parseAddress, parseRevision } from './address.ts';
import type { WantedRef } from './address.ts';
import { createFetcher } from './fetch.ts';
import type { FetchResult } from './fetch.ts';
import { blameLine, changedBetween, readCommit } from './history.ts';
import type { CommitInfo } from './history.ts';
import { openMirror } from './mirror.ts';
import { commitId, treeId } from './objects.ts';
import { watchRefs } from './refs.ts';
import { readTree } from './tree.ts';

export interface FilesOptions {
  /** Blobs that the caller holds already: listed without bytes. */
  readonly known?: Pick<ReadonlySet<string>, 'has'>;
  readonly allowEmpty?: boolean;
}

/** What Git remembers. Revisions are commit ids as `fetch` and `resolve` give them; files are relative to the source's path. */
export interface History {
  /** The commit id of a branch, tag or commit, with `~N` and `^N`; `HEAD` is the last good revision. Throws REVISION_NOT_FOUND. */
  resolve(revision: string): Promise<string>;
  commit(revision: string): Promise<CommitInfo>;
  /** The commit that last changed a line (1-based) of a file. */
  blame(revision: string, file: string, line: number): Promise<CommitInfo>;
  /** Files that differ between two revisions. */
  changedFiles(from: string, to: string): Promise<readonly string[]>;
}

/** A Git repository as a source of manifests, through a bare mirror; a work tree is never made. */
export interface Source extends History {
  fetch(): Promise<FetchResult>;
  /** Manifests and what was refused, below the path. Throws TREE_EMPTY when there is no manifest and that was not allowed. */
  files(revision: string, options?: FilesOptions): Promise<readonly SourceFile[]>;
  /** Calls back, until the signal aborts, when a fetch may find something new. Hints only, and none of a repository on another machine. */
  watch(moved: () => void, signal: AbortSignal): void;
}

export interface SourceOptions {
  /** A local repository's path, or a file, http(s), ssh or git address. */
  readonly url: string;
  /** The remote's own HEAD when absent. */
  readonly ref?: WantedRef;
  /** Folder inside the repository. */
  readonly path?: string;
  /** Where mirrors are kept. */
  readonly cacheDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly signal?: AbortSignal;
}

/** Opens a source. Throws SOURCE_REFUSED for an address, ref or path that is not allowed. The network is not touched yet. */
export async function openSource(options: SourceOptions): Promise<Source> {
  const { ref: wanted } = options;
  const address = parseAddress(options.url);
  checkWanted(wanted);
  const path = checkPath(options.path ?? '');
  const mirror = await openMirror({ address, cacheDir: options.cacheDir, env: options.env, signal: options.signal });
  const { git } = mirror;
  const fetcher = await createFetcher(mirror, wanted, options.clock);

  async function resolve(text: string): Promise<string> {
    const { name, steps } = parseRevision(text);
    const head = fetcher.lastGood();
    const names =
      name === 'HEAD' && head !== undefined
        ? [head]
        : /^[0-9a-f]{7,64}$/.test(name)
          ? [name, `refs/heads/${name}`, `refs/tags/${name}`]
          : [`refs/heads/${name}`, `refs/tags/${name}`];
    for (const candidate of names) {
      const id = await commitId(git, candidate + steps);
      if (id !== undefined) return id;
    }
    throw new PlumbError('REVISION_NOT_FOUND', `${text} is no branch, tag or commit of ${address.url}`, {
      url: address.url,
    });
  }

  /** The revision that is worked with needs no asking: a commit's id is its name. */
  const named = async (revision: string): Promise<string> =>
    revision === fetcher.lastGood() ? revision : resolve(revision);

  async function filesOf(revision: string, known: NonNullable<FilesOptions['known']>): Promise<readonly SourceFile[]> {
    try {
      return await readTree(git, `${revision}:${path}`, known);
    } catch (error) {
      const { commit: here, tree } = await treeId(git, revision, path);
      // a mirror that lost the commit must not pass for an empty repository
      if (!here)
        throw new PlumbError('REVISION_NOT_FOUND', `the mirror of ${address.url} has lost ${revision}`, {
          url: address.url,
        });
      if (tree === undefined) return [];
      throw error;
    }
  }

  const commit = async (revision: string): Promise<CommitInfo> => readCommit(git, await named(revision));
  return {
    fetch: async () => {
      const fetched = await fetcher.fetch();
      return fetched.error === undefined ? fetched : { ...fetched, error: about(fetched.error, address.url) };
    },
    resolve,
    commit,
    files: async (revision, { known = new Set<string>(), allowEmpty = false } = {}) => {
      const files = await filesOf(await named(revision), known);
      if (!allowEmpty && !files.some((file) => isManifestPath(file.path))) throw emptyTree(revision, path);
      return files;
    },
    watch: (moved, signal) => {
      if (address.transport === 'file') void watchRefs(address.url, wanted, moved, signal);
    },
    blame: async (revision, file, line) => {
      const inside = checkPath(path === '' ? file : `${path}/${file}`);
      return readCommit(git, await blameLine(git, await resolve(revision), inside, line));
    },
    changedFiles: async (from, to) => changedBetween(git, await resolve(from), await resolve(to), path),
  };
}

/** The same error, which names the repository for whoever does something about it. */
function about({ code, message, details, cause }: PlumbError, url: string): PlumbError {
  return new PlumbError(code, message, { ...details, url }, cause);
}

function emptyTree(revision: string, path: string): PlumbError {
  const where = path === '' ? 'The repository' : `The folder ${path}`;
  return new PlumbError(
    'TREE_EMPTY',
    `${where} holds no manifest (*.yaml) at ${revision.slice(0, 12)}; everything would be removed. Where that is meant, plumb controller, up, apply and plan take --allow-empty`,
    { revision, path },
  );
}
