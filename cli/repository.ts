import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { replaceFileSync } from '../disk/replace.ts';
import type { ParseCache } from '../reconciler/compile/file.ts';
import type { Fetched, Repository } from '../reconciler/loop/controller/repository.ts';
import { inTurns } from '../reconciler/loop/turns.ts';
import type { Catalog } from '../reconciler/model/catalog.ts';
import { isDiskFull, PlumbError } from '../reconciler/model/errors.ts';
import type { SourceStatus } from '../reconciler/model/notice.ts';
import type { WantedRef } from '../reconciler/source/address.ts';
import type { FetchResult } from '../reconciler/source/fetch.ts';
import { openSource, type Source } from '../reconciler/source/source.ts';
import type { Io } from './io.ts';

/** Options that say which repository. */
export interface RepositoryFlags {
  readonly repo?: string;
  readonly ref?: string;
  readonly tag?: string;
  readonly commit?: string;
  readonly path?: string;
  readonly allowEmpty?: boolean;
}

/** A Repository, and the source below it for `why` and `plan`. */
export interface OpenRepository extends Repository {
  readonly source: Source;
  readonly url: string;
}

function wantedOf({ ref, tag, commit }: RepositoryFlags): WantedRef | undefined {
  const given = Object.entries({ '--ref': ref, '--tag': tag, '--commit': commit }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1)
    throw new PlumbError('USAGE', `give one of ${given.map(([flag]) => flag).join(' and ')}, not all of them`);
  if (commit !== undefined) return { commit };
  if (tag !== undefined) return { tag };
  return ref === undefined ? undefined : { branch: ref };
}

function kindOf({ ref, tag, commit }: RepositoryFlags): Pick<SourceStatus, 'kind'> {
  if (commit !== undefined) return { kind: 'commit' };
  if (tag !== undefined) return { kind: 'tag' };
  return ref === undefined ? {} : { kind: 'ref' };
}

function notesOf({ forced, vanished }: FetchResult, what: string): Fetched['notes'] {
  const notes = [];
  if (forced)
    notes.push({
      reason: 'ForcePush',
      message: `${what} was rewritten: ${forced.from.slice(0, 7)} is no ancestor of ${forced.to.slice(0, 7)}`,
    });
  if (vanished) notes.push({ reason: 'RefVanished', message: `${what} is gone; the last good revision stays` });
  return notes;
}

/** What parses and checks: half of what a start loads. */
async function loadCompiler() {
  const { compiling } = await import('../reconciler/compile/compile.ts');
  return compiling;
}

async function sourceOf(flags: RepositoryFlags & { readonly repo: string }, state: string, io: Io): Promise<Source> {
  const wanted = wantedOf(flags);
  return openSource({
    url: flags.repo,
    ...(wanted ? { ref: wanted } : {}),
    ...(flags.path === undefined ? {} : { path: flags.path }),
    cacheDir: join(state, 'git'),
    env: io.env,
    clock: Date.now,
    signal: io.signal,
  });
}

/** What an `up` or a controller works from. */
export interface Followed extends RepositoryFlags {
  readonly repo: string;
}

function memoryOf(state: string): string {
  return join(state, 'source.json');
}

/** Notes for other commands which repository `up` works from. */
export function rememberSource(state: string, { repo, ref, tag, commit, path }: Followed): void {
  try {
    replaceFileSync(memoryOf(state), JSON.stringify({ repo, ref, tag, commit, path }), { durable: false });
  } catch (error) {
    const { message } = error as Error;
    const full = isDiskFull(error);
    const next = full ? 'make space there' : 'give --state-dir a directory that can be written';
    throw new PlumbError(
      full ? 'DISK_FULL' : 'STORE_UNAVAILABLE',
      `state directory ${state}: ${message}; ${next}`,
      { state },
      error,
    );
  }
}

/** The repository that the last `up` of a state directory worked from. */
export function rememberedSource(state: string): Followed | undefined {
  if (!existsSync(memoryOf(state))) return undefined;
  try {
    return JSON.parse(readFileSync(memoryOf(state), 'utf8')) as Followed;
  } catch {
    return undefined;
  }
}

/** The same, as who works from it says. One of an older version does not say what is a tag. */
export function followedIn({ url, ref, kind = ref === 'HEAD' ? undefined : 'ref', path }: SourceStatus): Followed {
  return { repo: url, ...(kind === undefined ? {} : { [kind]: ref }), ...(path === undefined ? {} : { path }) };
}

/** Its source, as far as it is mirrored already: nothing is fetched yet. */
export async function openFollowed(followed: Followed, state: string, io: Io): Promise<Source> {
  return sourceOf(followed, state, io);
}

/** The address of the repository that the flags name: a folder by its whole path. */
export function urlOf({ repo }: RepositoryFlags, io: Io): string {
  return repo === undefined || existsSync(resolve(io.cwd, repo)) ? resolve(io.cwd, repo ?? '.') : repo;
}

/** Opens a Git repository as a source of catalogs. Blobs are parsed once, by their id. */
export async function openRepository(flags: RepositoryFlags, state: string, io: Io): Promise<OpenRepository> {
  const url = urlOf(flags, io);
  const source = await sourceOf({ ...flags, repo: url }, state, io);
  const name = flags.commit ?? flags.tag ?? flags.ref ?? 'HEAD';
  const parsed = new Map<string, ReturnType<ParseCache['get']> & object>();
  const cache: ParseCache = { get: (blob) => parsed.get(blob), set: (blob, file) => void parsed.set(blob, file) };
  let previous: Catalog | undefined;
  /** One after the other: each leaves nothing in the cache but what its revision has. */
  let last: Promise<unknown> = Promise.resolve();

  async function catalogOf(revision: string): Promise<Catalog> {
    if (previous?.revision === revision) return previous;
    const files = await source.files(revision, {
      known: parsed,
      allowEmpty: flags.allowEmpty === true,
    });
    const compiling = await loadCompiler();
    previous = await inTurns(compiling(files, revision, cache, previous));
    // what the revision no longer has is not kept: revisions come for as long as the process lives
    const there = new Set(files.map(({ blob }) => blob));
    for (const blob of parsed.keys()) if (!there.has(blob)) parsed.delete(blob);
    return previous;
  }

  return {
    source,
    url,
    fetch: async () => {
      // loaded while git works
      const [result] = await Promise.all([source.fetch(), loadCompiler()]);
      // that whoever asked was stopped says nothing of the repository
      if (result.error?.code === 'CANCELLED') throw result.error;
      if (result.revision === undefined)
        throw result.error ?? new PlumbError('REVISION_NOT_FOUND', `${url} has no ${name}`);
      return {
        url,
        ref: name,
        ...kindOf(flags),
        ...(flags.path === undefined ? {} : { path: flags.path }),
        revision: result.revision,
        fetchedAt: result.lastSuccess ?? 0,
        ...(result.error ? { error: result.error.message } : {}),
        notes: notesOf(result, `${url} ${name}`),
      };
    },
    catalog: (revision) => {
      const found = last.then(() => catalogOf(revision));
      last = found.catch(() => undefined);
      return found;
    },
    commit: async (revision) => {
      const { author, email, subject } = await source.commit(revision);
      return { author: `${author} <${email}>`, subject };
    },
    watch: (...told) => {
      source.watch(...told);
    },
  };
}
