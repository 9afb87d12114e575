/** One file at or below the path of a source, as the revision (or the folder) holds it. Only `*.yaml` and `*.yml` matter to compile. */
export interface SourceFile {
  /** Relative to the source's root, with slashes. */
  readonly path: string;
  /** Names the content: the Git object id, also for files of a plain folder (computed). Key of the parse cache. */
  readonly blob: string;
  /** The content as stored; absent when it was refused, or when the caller said that it knows this blob. */
  readonly bytes: Uint8Array | undefined;
  /** Why it was not read. `name`: the name is not UTF-8 (`path` shows U+FFFD in its place); `unreadable`: this user may not. */
  readonly refused?: 'symlink' | 'submodule' | 'too-large' | 'name' | 'unreadable';
}

/** Largest file that is read, in bytes. A larger one is listed with `refused: 'too-large'`. */
export const MAX_FILE_BYTES: number = 1024 * 1024;
/** Most files that are looked at. */
export const MAX_FILES = 10_000;

/** Most bytes of manifests in all; files behind that are listed with `refused: 'too-large'`. */
export const MAX_TREE_BYTES: number = 256 * 1024 * 1024;

/** Whether a path names a manifest: `*.yaml` or `*.yml`, and no part of it starts with a dot. */
export function isManifestPath(path: string): boolean {
  return (path.endsWith('.yaml') || path.endsWith('.yml')) && !isHidden(path);
}

/** Whether a file, or a folder that it is in, has a name that begins with a dot. */
export function isHidden(path: string): boolean {
  return path.startsWith('.') || path.includes('/.');
}
