import { createHash } from 'node:crypto';
import { asPlumbError, PlumbError } from '../model/errors.ts';
import type { SourceFile } from '../model/source.ts';
import { isManifestPath } from '../model/source.ts';
import { checkPath, checkWanted, parseAddress, parseRevision, wantedName } from './address.ts';
import type { WantedRef } from './address.ts';
import { blameLine, changedBetween, readCommit } from './history.ts';
import type { CommitInfo } from './history.ts';
import { openMirror, READ_DEADLINE, recall, remember } from './mirror.ts';
import type { Memory, Mirror } from './mirror.ts';
import { readTree } from './tree.ts';

/** What one fetch found. It never throws for a remote that fails: the last good revision stays. */
export interface FetchResult {
  /** The revision to work with: the new one, or the last good one; absent when there never was one. */
  readonly revision?: string;
  /** Milliseconds since 1970 of the last fetch that worked: how old the revision's word is. */
  readonly lastSuccess?: number;
  /** Why this fetch failed, when it did. */
  readonly error?: PlumbError;
  /** History was rewritten: `from` was the last good revision and is no ancestor of `to`. */
  readonly forced?: { readonly from: string; readonly to: string };
  /** The branch or tag was there and is gone. */
  readonly vanished?: true;
}

export interface FilesOptions {
  /** Blobs that the caller holds already: listed without bytes. */
  readonly known?: ReadonlySet<string>;
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

/** How often the time of the last success is written down when nothing else changed, in milliseconds. */
const REMEMBER_EVERY = 60_000;

function isId(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** Id of what is wanted according to the remote's listing; undefined when the remote has no such ref. */
function wantedIn(listing: string, wanted: WantedRef | undefined): string | undefined {
  const ids = new Map<string, string>();
  for (const line of listing.split('\n')) {
    const [id = '', name = ''] = line.split('\t');
    if (isId(id)) ids.set(name, id);
  }
  if (!wanted) return ids.get('HEAD');
  if ('commit' in wanted) return undefined;
  if ('branch' in wanted) return ids.get(`refs/heads/${wanted.branch}`);
  // what an annotated tag points at is listed with ^{}
  return ids.get(`refs/tags/${wanted.tag}^{}`) ?? ids.get(`refs/tags/${wanted.tag}`);
}

/** Opens a source. Throws SOURCE_REFUSED for an address, ref or path that is not allowed. The network is not touched yet. */
export async function openSource(options: SourceOptions): Promise<Source> {
  const { ref: wanted, clock } = options;
  const address = parseAddress(options.url);
  checkWanted(wanted);
  const path = checkPath(options.path ?? '');
  const mirror = await openMirror({ address, cacheDir: options.cacheDir, env: options.env, signal: options.signal });
  const { git } = mirror;
  let memory = await recall(mirror, wanted);
  let rememberedAt = memory.lastSuccess ?? 0;
  if (memory.revision !== undefined && !(await has(mirror, memory.revision))) memory = {};

  async function keep(next: Memory, changed: boolean): Promise<void> {
    memory = next;
    if (!changed && clock() - rememberedAt < REMEMBER_EVERY) return;
    await remember(mirror, wanted, next);
    rememberedAt = clock();
  }

  async function update(): Promise<FetchResult> {
    const present = memory.revision !== undefined && (await mirror.present());
    if (present && wanted && 'commit' in wanted) {
      // a commit never changes: once it is here the remote is not asked again
      await keep({ ...memory, lastSuccess: clock() }, false);
      return good(memory);
    }
    const listing = await mirror.list();
    const digest = createHash('sha256').update(listing).digest('hex');
    if (present && digest === memory.listing) {
      await keep({ ...memory, lastSuccess: clock() }, false);
      return good(memory);
    }
    await mirror.fetch();
    const revision = await revisionOf(mirror, wanted, listing);
    const from = memory.revision;
    const forced = from !== undefined && from !== revision && !(await isAncestor(mirror, from, revision));
    await pin(mirror, wanted, revision, forced && (await has(mirror, from)) ? from : undefined);
    await keep({ revision, listing: digest, lastSuccess: clock() }, true);
    return forced ? { ...good(memory), forced: { from, to: revision } } : good(memory);
  }

  let running: Promise<FetchResult> | undefined;
  async function fetch(): Promise<FetchResult> {
    const before = memory;
    try {
      return await update();
    } catch (error) {
      const known = asPlumbError(error, 'SOURCE_UNREACHABLE');
      const gone =
        known.code === 'REVISION_NOT_FOUND' && before.revision !== undefined && !(wanted && 'commit' in wanted);
      return { ...good(memory), error: known, ...(gone ? { vanished: true } : {}) };
    }
  }

  async function resolve(text: string): Promise<string> {
    const { name, steps } = parseRevision(text);
    const names =
      name === 'HEAD' && memory.revision !== undefined
        ? [memory.revision]
        : /^[0-9a-f]{7,64}$/.test(name)
          ? [name, `refs/heads/${name}`, `refs/tags/${name}`]
          : [`refs/heads/${name}`, `refs/tags/${name}`];
    for (const candidate of names) {
      const id = await commitId(mirror, candidate + steps);
      if (id !== undefined) return id;
    }
    throw new PlumbError('REVISION_NOT_FOUND', `${text} is no branch, tag or commit of ${address.url}`);
  }

  const commit = async (revision: string): Promise<CommitInfo> => readCommit(git, await resolve(revision));
  return {
    // two callers share one fetch
    fetch: () => (running ??= fetch().finally(() => (running = undefined))),
    resolve,
    commit,
    files: async (revision, { known = new Set<string>(), allowEmpty = false } = {}) => {
      const tree = await treeId(mirror, await resolve(revision), path);
      const files = tree === undefined ? [] : await readTree(git, tree, known);
      if (!allowEmpty && !files.some((file) => isManifestPath(file.path))) throw emptyTree(revision, path);
      return files;
    },
    blame: async (revision, file, line) => {
      const inside = checkPath(path === '' ? file : `${path}/${file}`);
      return readCommit(git, await blameLine(git, await resolve(revision), inside, line));
    },
    changedFiles: async (from, to) => changedBetween(git, await resolve(from), await resolve(to), path),
  };
}

function good(memory: Memory): FetchResult {
  return {
    ...(memory.revision === undefined ? {} : { revision: memory.revision }),
    ...(memory.lastSuccess === undefined ? {} : { lastSuccess: memory.lastSuccess }),
  };
}

function emptyTree(revision: string, path: string): PlumbError {
  const where = path === '' ? 'The repository' : `The folder ${path}`;
  return new PlumbError(
    'TREE_EMPTY',
    `${where} holds no manifest (*.yaml) at ${revision.slice(0, 12)}; everything would be removed. Allow it with --allow-empty`,
    { revision, path },
  );
}

/** The commit that a name leads to; undefined when there is none. The name has been checked. */
async function commitId(mirror: Mirror, name: string): Promise<string | undefined> {
  // --batch-check answers "missing" where rev-parse would print usage and fail
  const text = (
    await mirror.git.objects(['--batch-check=%(objectname) %(objecttype)'], `${name}^{commit}\n`, READ_DEADLINE)
  )
    .toString()
    .trimEnd();
  return /^([0-9a-f]{40,64}) commit$/.exec(text)?.[1];
}

async function has(mirror: Mirror, revision: string): Promise<boolean> {
  return commitId(mirror, revision).then(
    (id) => id !== undefined,
    () => false,
  );
}

async function treeId(mirror: Mirror, revision: string, path: string): Promise<string | undefined> {
  const name = `${revision}:${path}`;
  const text = await mirror.git.objects(['--batch-check=%(objectname) %(objecttype)'], `${name}\n`, READ_DEADLINE);
  return /^([0-9a-f]{40,64}) tree$/.exec(text.toString().trimEnd())?.[1];
}

async function isAncestor(mirror: Mirror, older: string, newer: string): Promise<boolean> {
  if (!(await has(mirror, older))) return false;
  const text = await mirror.git.text(['rev-list', '--max-count=1', older, `^${newer}`, '--'], READ_DEADLINE);
  return text.trim() === '';
}

async function revisionOf(mirror: Mirror, wanted: WantedRef | undefined, listing: string): Promise<string> {
  const missing = (why: string): PlumbError =>
    new PlumbError('REVISION_NOT_FOUND', `${wantedName(wanted)}: ${why}`, { wanted: wantedName(wanted) });
  if (wanted && 'commit' in wanted) {
    const here = await commitId(mirror, wanted.commit);
    if (here !== undefined) return here;
    if (!isId(wanted.commit)) throw missing('no branch or tag of the remote holds it; give the full id');
    await mirror.fetchCommit(wanted.commit).catch(() => undefined);
    const fetched = await commitId(mirror, wanted.commit);
    if (fetched === undefined) throw missing('the remote does not have it or does not give it');
    return fetched;
  }
  const id = wantedIn(listing, wanted);
  if (id === undefined)
    throw missing(listing.trim() === '' ? 'the repository has no commit yet' : 'the remote has no such ref');
  const revision = await commitId(mirror, id);
  if (revision !== undefined) return revision;
  // it moved between listing and fetch, or HEAD is on no branch
  await mirror.fetchCommit(id);
  const fetched = await commitId(mirror, id);
  if (fetched === undefined) throw missing(`the remote names ${id}, which is no commit`);
  return fetched;
}

/** Keeps the revision, and one that a force-push dropped, from being collected: history must stay explainable. */
async function pin(mirror: Mirror, wanted: WantedRef | undefined, revision: string, dropped?: string): Promise<void> {
  if (dropped !== undefined)
    await mirror.git.text(['update-ref', `refs/plumbline/kept/${dropped}`, dropped], READ_DEADLINE);
  const name = createHash('sha256').update(wantedName(wanted)).digest('hex').slice(0, 16);
  await mirror.git.text(['update-ref', `refs/plumbline/good/${name}`, revision], READ_DEADLINE);
}
