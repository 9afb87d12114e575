import { readdirSync, readFileSync, statSync, watch, type FSWatcher } from 'node:fs';
import { join, resolve } from 'node:path';
import type { WantedRef } from './address.ts';

/** Directories are looked up again so often, milliseconds: a repository may be put in the place of another, whom nobody watches then. */
const AGAIN = 10_000;
/** Folders of refs that are watched at most; each takes one of the inotify watches of this user. */
const MOST = 500;

/** Where a repository keeps what moves: `own` its HEAD (of a linked work tree another than the repository's), `shared` its refs. */
interface Layout {
  readonly own: string;
  readonly shared: string;
}

/** The first line of a file, without `prefix`; undefined where there is no such file. */
function lineOf(file: string, prefix = ''): string | undefined {
  try {
    const [line = ''] = readFileSync(file, 'utf8').split('\n');
    return line.startsWith(prefix) ? line.slice(prefix.length) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it is a directory, and what names it for as long as it is there: in its place there may be another one day. */
function identityOf(directory: string): string | undefined {
  try {
    const { dev, ino, birthtimeMs } = statSync(directory);
    return [dev, ino, birthtimeMs].join(' ');
  } catch {
    return undefined;
  }
}

/** The repository at a path, as git takes the path (gitrepository-layout(5)): a work tree, one linked to another, or a bare one. */
function layoutOf(path: string): Layout {
  const dotGit = join(path, '.git');
  const linked = lineOf(dotGit, 'gitdir: ');
  const bare = identityOf(join(path, 'objects')) === undefined ? `${path}.git` : path;
  const own = linked === undefined ? (identityOf(dotGit) === undefined ? bare : dotGit) : resolve(path, linked);
  const common = lineOf(join(own, 'commondir'));
  return { own, shared: common === undefined ? own : resolve(own, common) };
}

/** A directory and those below it, which is little: branches and tags are files. */
function below(directory: string, into: string[] = []): readonly string[] {
  if (into.length >= MOST) return into;
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    into.push(directory);
    for (const entry of entries) if (entry.isDirectory()) below(join(directory, entry.name), into);
  } catch {
    // it went meanwhile
  }
  return into;
}

/** Whether what became of a file or folder may have moved what is wanted. Locks come before, and go with the move. */
function concerns(path: string, { own, shared }: Layout, wanted: WantedRef | undefined): boolean {
  if (path.endsWith('.lock')) return false;
  if (path === join(shared, 'packed-refs') || path.startsWith(join(shared, 'reftable'))) return true;
  if (!wanted) return path === join(own, 'HEAD') || path.startsWith(join(shared, 'refs', 'heads'));
  if ('commit' in wanted) return false;
  const ref = 'branch' in wanted ? ['heads', wanted.branch] : ['tags', wanted.tag];
  const file = join(shared, 'refs', ...ref);
  return file === path || file.startsWith(`${path}/`);
}

/**
 * Calls back when a ref of a repository on this machine may have moved, until the signal aborts. They are hints: some come without a move, and
 * some moves without one (a file system of the network tells nobody; the user may have no inotify watch left).
 */
export function watchRefs(path: string, wanted: WantedRef | undefined, moved: () => void, signal: AbortSignal): void {
  const watchers = new Map<string, FSWatcher>();

  function look(): void {
    const layout = layoutOf(path);
    const { own, shared } = layout;
    const directories = [...below(join(shared, 'refs')), join(shared, 'reftable'), shared, own];
    const there = new Map<string, string>();
    for (const directory of directories) {
      const identity = identityOf(directory);
      if (identity !== undefined) there.set(`${identity} ${directory}`, directory);
    }
    for (const [key, watcher] of watchers) if (!there.has(key)) end(key, watcher);
    for (const [key, directory] of there) if (!watchers.has(key)) begin(key, directory, layout);
  }

  function begin(key: string, directory: string, layout: Layout): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        const changed = join(directory, name ?? '');
        // a folder that has come is watched before anybody looks, so that nothing falls between both
        if (changed.startsWith(join(layout.shared, 'refs')) && !changed.endsWith('.lock')) look();
        if (name === null || concerns(changed, layout, wanted)) moved();
      });
      watcher.on('error', () => {
        end(key, watcher);
      });
      watchers.set(key, watcher);
    } catch {
      // the poll finds it
    }
  }

  function end(key: string, watcher: FSWatcher): void {
    watchers.delete(key);
    watcher.close();
  }

  if (signal.aborted) return;
  look();
  const timer = setInterval(look, AGAIN).unref();
  signal.addEventListener(
    'abort',
    () => {
      clearInterval(timer);
      for (const [key, watcher] of watchers) end(key, watcher);
    },
    { once: true },
  );
}
