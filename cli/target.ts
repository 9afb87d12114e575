import { existsSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import type { SourceFile } from '../reconciler/model/source.ts';
import { readFolder } from '../reconciler/source/folder.ts';
import { openSource } from '../reconciler/source/source.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { Io } from './io.ts';

/** What `validate` and `render` look at. */
export interface Target {
  readonly files: readonly SourceFile[];
  /** The commit, or `folder`. */
  readonly revision: string;
  /** Goes before the path of each file, so that it can be opened from here. */
  readonly root: string;
  /** Names the place, for a cache of its own. */
  readonly key: string;
}

/** Directory for what can be made again at any time: mirrors, parsed files. */
export function cacheDir({ env }: Pick<Io, 'env'>): string {
  return env['PLUMB_CACHE_DIR'] ?? join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? '/', '.cache'), 'plumbline');
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function isBare(path: string): boolean {
  return existsSync(join(path, 'HEAD')) && existsSync(join(path, 'objects'));
}

/**
 * Reads `DIR` as it is, or a Git repository (path or address) at a revision as `REPO@REV`; without `@REV` a repository
 * that is no folder of files is read at its HEAD. `path` is a folder inside the repository.
 */
export async function readTarget(name: string, path: string | undefined, io: Io): Promise<Target> {
  const here = resolve(io.cwd, name);
  if (isFolder(here) && !isBare(here)) {
    const folder = path === undefined ? here : resolve(here, path);
    const near = relative(io.cwd, folder);
    // what is far from here is found by its whole path
    const root = near.startsWith(`..${sep}..`) ? folder : near;
    return { files: await readFolder(folder), revision: 'folder', root: root === '' ? '' : `${root}/`, key: folder };
  }
  if (isFile(here)) throw new PlumbError('USAGE', `${name} is a file: name the folder`, { target: name });
  const at = name.lastIndexOf('@');
  const scp = at > 0 && /^[^/]*:(?!\/)/.test(name.slice(at + 1)); // git@host:path names no revision
  const [repo, revision] = at > 0 && !scp ? [name.slice(0, at), name.slice(at + 1)] : [name, undefined];
  const local = resolve(io.cwd, repo);
  if (!existsSync(local) && !repo.includes(':'))
    throw new PlumbError('USAGE', `${name}: no such folder or Git repository`, { target: name });
  if (isFile(local)) throw new PlumbError('USAGE', `${repo} is a file: name the folder`, { target: name });
  const url = existsSync(local) ? local : repo;
  const source = await openSource({
    url,
    ...(path === undefined ? {} : { path }),
    cacheDir: join(cacheDir(io), 'git'),
    env: io.env,
    clock: Date.now,
    signal: io.signal,
  });
  const fetched = await source.fetch();
  if (fetched.error !== undefined) throw fetched.error;
  const commit = await source.resolve(revision ?? 'HEAD');
  const root = path === undefined ? '' : `${path.replace(/\/+$/, '')}/`;
  return { files: await source.files(commit), revision: commit, root, key: `${url} ${path ?? ''}` };
}
