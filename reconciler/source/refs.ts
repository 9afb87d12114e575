import { watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isRefName, type WantedRef } from './address.ts';

/** Directories are looked up again so often, milliseconds: a repository may be put in the place of another, whom nobody watches then. */
const AGAIN = 10_000;

/** Where a repository keeps what moves: `own` its HEAD (of a linked work tree another than the repository's), `shared` its refs. */
interface Layout {
  readonly own: string;
  readonly shared: string;
}

/** What moves; a commit does not. */
type Moving = Exclude<WantedRef, { readonly commit: string }>;

/** By directory, the names of what is looked out for in it. */
type Names = ReadonlyMap<string, ReadonlySet<string>>;

/** The first line of a file, without `prefix`; undefined where there is no such file. */
async function lineOf(file: string, prefix = ''): Promise<string | undefined> {
  try {
    const [line = ''] = (await readFile(file, 'utf8')).split('\n');
    return line.startsWith(prefix) ? line.slice(prefix.length) : undefined;
  } catch {
    return undefined;
  }
}

/** What names a directory for as long as it is there: in its place there may be another one day. Undefined where there is none. */
async function identityOf(directory: string): Promise<string | undefined> {
  try {
    const found = await stat(directory);
    return found.isDirectory() ? [found.dev, found.ino, found.birthtimeMs].join(' ') : undefined;
  } catch {
    return undefined;
  }
}

/** The repository at a path, as git takes the path (gitrepository-layout(5)): a work tree, one linked to another, or a bare one. */
async function layoutOf(path: string): Promise<Layout> {
  const dotGit = join(path, '.git');
  const linked = await lineOf(dotGit, 'gitdir: ');
  const bare = (await identityOf(join(path, 'objects'))) === undefined ? `${path}.git` : path;
  const own = linked === undefined ? ((await identityOf(dotGit)) === undefined ? bare : dotGit) : resolve(path, linked);
  const common = await lineOf(join(own, 'commondir'));
  return { own, shared: common === undefined ? own : resolve(own, common) };
}

/** The branch that HEAD leads to; undefined where it leads to none, or another file says to which. */
async function branchOf(own: string): Promise<Moving | undefined> {
  const branch = await lineOf(join(own, 'HEAD'), 'ref: refs/heads/');
  return branch !== undefined && isRefName(branch) ? { branch } : undefined;
}

/** All that moves what is wanted when it changes: a few files, and each directory on the way to them, outer ones first. */
async function namesOf({ own, shared }: Layout, wanted: Moving | undefined): Promise<Names> {
  const names = new Map<string, Set<string>>();
  const add = (base: string, file: string): void => {
    let directory = base;
    for (const name of file.split('/')) {
      names.set(directory, (names.get(directory) ?? new Set()).add(name));
      directory = join(directory, name);
    }
  };
  // the list of a reftable is replaced as the last step of each change
  for (const file of wanted ? [] : ['HEAD', 'reftable/tables.list']) add(own, file);
  for (const file of ['packed-refs', 'reftable/tables.list']) add(shared, file);
  const ref = wanted ?? (await branchOf(own));
  if (ref) add(shared, 'branch' in ref ? `refs/heads/${ref.branch}` : `refs/tags/${ref.tag}`);
  return names;
}

/** The watches of directories, by what names these. */
interface Watches {
  /** Gives whether it is watched from now on, and was not before. */
  begin(key: string, directory: string): boolean;
  /** Ends all others. */
  keep(keys: ReadonlySet<string>): void;
}

function createWatches(changed: (directory: string, name: string | null) => void): Watches {
  const watchers = new Map<string, FSWatcher>();
  const end = (key: string, watcher: FSWatcher): void => {
    if (watchers.get(key) === watcher) watchers.delete(key);
    watcher.close();
  };
  return {
    begin: (key, directory) => {
      if (watchers.has(key)) return false;
      try {
        const watcher = watch(directory, { persistent: false }, (_event, name) => {
          changed(directory, name);
        });
        watcher.on('error', () => {
          end(key, watcher);
        });
        watchers.set(key, watcher);
        return true;
      } catch {
        // the poll finds it
        return false;
      }
    },
    keep: (keys) => {
      for (const [key, watcher] of watchers) if (!keys.has(key)) end(key, watcher);
    },
  };
}

/**
 * Calls back when a ref of a repository on this machine may have moved, and once it is watched, until the signal aborts. They are hints: some
 * come without a move, and some moves without one (a file system of the network tells nobody; the user may have no inotify watch left).
 * Watches are few, whatever refs there are. Resolves when it has first looked for what to watch: never, where the file system does not answer.
 */
export async function watchRefs(
  path: string,
  wanted: WantedRef | undefined,
  moved: () => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || (wanted && 'commit' in wanted)) return;
  const moving: Moving | undefined = wanted;
  let names: Names = new Map();
  let [news, due, looking] = [false, false, false];
  const watches = createWatches((directory, name) => {
    if (name !== null && !names.get(directory)?.has(name)) return;
    news = true;
    void look();
  });

  /** Watches what there is now. A file system that hangs holds one look, and nothing else. */
  async function look(): Promise<void> {
    due = true;
    if (looking) return;
    looking = true;
    while (due) {
      due = false;
      await watchAll();
      if (signal.aborted) return;
      if (news) moved();
      news = false;
    }
    looking = false;
  }

  async function watchAll(): Promise<void> {
    names = await namesOf(await layoutOf(path), moving);
    const there = new Set<string>();
    for (const directory of names.keys()) {
      const identity = await identityOf(directory);
      if (signal.aborted) return;
      if (identity === undefined) continue;
      const key = `${identity} ${directory}`;
      there.add(key);
      // what is in it may have changed just before
      if (watches.begin(key, directory)) news = due = true;
    }
    watches.keep(there);
  }

  const timer = setInterval(() => void look(), AGAIN).unref();
  const stop = (): void => {
    clearInterval(timer);
    watches.keep(new Set());
  };
  signal.addEventListener('abort', stop, { once: true });
  await look();
}
