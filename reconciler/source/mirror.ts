import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../disk/directory.ts';
import { DRAFT, replaceFile, sweepDrafts } from '../../disk/replace.ts';
import { asPlumbError, isDiskFull, PlumbError } from '../model/errors.ts';
import { addressKey, wantedName } from './address.ts';
import type { Address, Transport, WantedRef } from './address.ts';
import { guardedGit } from './git.ts';
import type { Git } from './git.ts';

/** Milliseconds that a listing, a transfer and a reading may take. */
const LIST_DEADLINE = 30_000;
const FETCH_DEADLINE = 300_000;
export const READ_DEADLINE = 60_000;

const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

/** A bare mirror of one remote. Its directory may be replaced by a fresh one when git finds it broken. */
export interface Mirror {
  readonly directory: string;
  readonly git: Git;
  /** Whether it is on the disk. */
  present(): Promise<boolean>;
  /** What the remote has, one `id TAB name` a line, `ref: name TAB HEAD` before them. Throws SOURCE_UNREACHABLE. */
  list(): Promise<string>;
  /** Brings all branches and tags here. */
  fetch(): Promise<void>;
  /** Fetches one commit that no branch or tag holds; not every server gives it. */
  fetchCommit(id: string): Promise<void>;
}

export interface MirrorOptions {
  readonly address: Address;
  readonly cacheDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Git reads this in place of the user's configuration, which it includes: proxies, certificates and credentials stay the operator's. */
function configuration(env: NodeJS.ProcessEnv): string {
  const home = env['HOME'] ?? '/nonexistent';
  const xdg = env['XDG_CONFIG_HOME'] ?? join(home, '.config');
  return [
    '[core]\n\tsshCommand = ssh -o BatchMode=yes -o ConnectTimeout=15',
    `[include]\n\tpath = ${quoted(join(xdg, 'git', 'config'))}\n\tpath = ${quoted(join(home, '.gitconfig'))}`,
    // root may serve a repository that belongs to a user; only objects are read from it
    '[safe]\n\tdirectory = *',
    '[protocol]\n\tallow = never\n',
  ].join('\n');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** What `git init --bare` makes that git needs, without a process: a bare repository (gitrepository-layout(5)) without a commit. */
async function makeBare(directory: string): Promise<void> {
  await Promise.all(['objects', 'refs'].map((name) => makeDirectory(join(directory, name))));
  await Promise.all([
    writeFile(join(directory, 'HEAD'), 'ref: refs/heads/main\n'),
    writeFile(join(directory, 'config'), '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n'),
  ]);
}

/** What the name of a mirror begins with that is being made beside the one there is. */
const FRESH = 'new-';

/** Opens the mirror of an address below `cacheDir`, making it when it is not there. */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  const { address, cacheDir, env, signal } = options;
  const directory = join(cacheDir, `${addressKey(address)}.git`);
  const config = join(cacheDir, 'gitconfig');
  const gitIn = (target: string, transport: Transport = address.transport): Git =>
    guardedGit({ directory: target, cwd: cacheDir, transport, config, env, signal });
  const git = gitIn(directory);
  try {
    await makeDirectory(cacheDir, 0o700);
    await sweepDrafts(cacheDir, (name) => name.endsWith(DRAFT) || name.startsWith(FRESH));
    const wanted = configuration(env);
    if ((await readFile(config, 'utf8').catch(() => '')) !== wanted)
      await replaceFile(config, wanted, { durable: false });
  } catch (error) {
    throw cacheError(error, cacheDir);
  }

  const fetchInto = (target: Git): Promise<string> =>
    target.text(
      ['fetch', '--prune', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head', '--', address.url].concat(
        REFSPECS,
      ),
      FETCH_DEADLINE,
    );

  /** A whole new mirror beside the old one, then swapped in: a failure leaves the old one as it was. */
  async function rebuild(): Promise<void> {
    const draft = await mkdtemp(join(cacheDir, FRESH));
    const fresh = join(draft, 'mirror.git');
    try {
      await makeBare(fresh);
      await fetchInto(gitIn(fresh));
      if (await exists(directory)) {
        // commits that only we remember; lost when the old mirror cannot be read any more
        await gitIn(fresh, 'file')
          .text(
            ['fetch', '--quiet', '--no-tags', '--', directory, '+refs/plumbline/*:refs/plumbline/*'],
            FETCH_DEADLINE,
          )
          .catch(() => undefined);
        await rename(directory, join(draft, 'old.git'));
      }
      await rename(fresh, directory);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  return {
    directory,
    git,
    present: () => exists(join(directory, 'HEAD')),
    list: () =>
      git.text(['ls-remote', '--symref', '--', address.url, 'HEAD', 'refs/heads/*', 'refs/tags/*'], LIST_DEADLINE),
    fetch: async () => {
      if (!(await exists(join(directory, 'HEAD')))) return await rebuild();
      try {
        await fetchInto(git);
      } catch (error) {
        const known = asPlumbError(error);
        // the remote answered a listing just now: what fails here is the mirror (a lock left by a kill, a torn object)
        if (known.code !== 'SOURCE_UNREACHABLE') throw known;
        await rebuild();
      }
    },
    fetchCommit: async (id) => {
      await git.text(
        [
          'fetch',
          '--quiet',
          '--no-tags',
          '--no-write-fetch-head',
          '--',
          address.url,
          `+${id}:refs/plumbline/asked/${id}`,
        ],
        FETCH_DEADLINE,
      );
    },
  };
}

/** A failed write in the cache directory, as DISK_FULL or STORE_UNAVAILABLE. */
function cacheError(error: unknown, cacheDir: string): PlumbError {
  return isDiskFull(error)
    ? new PlumbError('DISK_FULL', `${cacheDir} is full: the Git mirror cannot be kept`, { cacheDir }, error)
    : asPlumbError(error, 'STORE_UNAVAILABLE', `${cacheDir} cannot be used for the Git mirror`);
}

/** What is remembered of one wanted ref beside its mirror. */
export interface Memory {
  /** The last good revision. */
  readonly revision?: string;
  /** SHA-256 of the remote's listing when it was fetched. */
  readonly listing?: string;
  /** Milliseconds since 1970 of the last fetch that worked. */
  readonly lastSuccess?: number;
}

function memoryFile(mirror: Mirror, wanted: WantedRef | undefined): string {
  const name = createHash('sha256').update(wantedName(wanted)).digest('hex').slice(0, 16);
  return mirror.directory.replace(/\.git$/, `.${name}.json`);
}

/** Reads what was remembered; nothing when the file is not there or damaged (it is a cache). */
export async function recall(mirror: Mirror, wanted: WantedRef | undefined): Promise<Memory> {
  try {
    const parsed: unknown = JSON.parse(await readFile(memoryFile(mirror, wanted), 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return {};
    const { revision, listing, lastSuccess } = parsed as Record<string, unknown>;
    return {
      ...(typeof revision === 'string' && /^[0-9a-f]{40,64}$/.test(revision) ? { revision } : {}),
      ...(typeof listing === 'string' ? { listing } : {}),
      ...(typeof lastSuccess === 'number' ? { lastSuccess } : {}),
    };
  } catch {
    return {};
  }
}

/** Remembers, by replacing the file. Throws DISK_FULL. */
export async function remember(mirror: Mirror, wanted: WantedRef | undefined, memory: Memory): Promise<void> {
  const file = memoryFile(mirror, wanted);
  try {
    await replaceFile(file, JSON.stringify(memory), { durable: false });
  } catch (error) {
    throw cacheError(error, mirror.directory);
  }
}
