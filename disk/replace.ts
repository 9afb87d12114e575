import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory, makeDirectorySync } from './directory.ts';

/** How a file is replaced. */
export interface Replacing {
  /** Whether the new content is on disk when the call returns, so that a power cut cannot undo it. The default is true. */
  readonly durable?: boolean;
  /** Permission bits, less the umask; 0o600 if absent. */
  readonly mode?: number;
}

/** What drafts end with: a process that is killed while it writes leaves one behind, which whoever owns the directory may remove. */
export const DRAFT = '.new';

/** No other writer's draft has the name, of whatever process. */
function draftOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}${DRAFT}`;
}

/** A draft this old, in milliseconds, has no writer any more: a file is written within seconds. */
const ABANDONED = 3_600_000;

/**
 * Removes drafts (or what is `left` otherwise) that a killed process left in a directory, once they are an hour old, so that none of a living writer's is
 * touched, whoever it is. What cannot be removed, or is not there, stays as it is.
 */
export async function sweepDrafts(
  directory: string,
  left: (name: string) => boolean = (name) => name.endsWith(DRAFT),
  now: number = Date.now(),
): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const path of names.filter(left).map((name) => join(directory, name))) {
    const changed = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => now,
    );
    if (now - changed > ABANDONED) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Makes names that were created, replaced or removed in a directory durable. Throws errors of the file system. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file: whoever reads it, also after a crash at any instant, finds the old content or the new one, whole. Its directory is
 * made if it is not there. When it throws (errors of the file system, as ENOSPC), the old file is as it was; or, when only
 * making it durable failed, the new one is there already. npm's
 * `write-file-atomic` does not sync the directory, so a power cut may bring the old file back after it has returned.
 */
export async function replaceFile(path: string, text: string, options: Replacing = {}): Promise<void> {
  const { durable = true, mode = 0o600 } = options;
  const draft = draftOf(path);
  await makeDirectory(dirname(path), 0o700);
  try {
    await writeFile(draft, text, { mode, flush: durable });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  if (durable) await syncDirectory(dirname(path));
}

/** `replaceFile` for small files, where nothing else may happen before it is done. */
export function replaceFileSync(path: string, text: string, options: Replacing = {}): void {
  const { durable = true, mode = 0o600 } = options;
  const draft = draftOf(path);
  makeDirectorySync(dirname(path), 0o700);
  try {
    fs.writeFileSync(draft, text, { mode, flush: durable });
    fs.renameSync(draft, path);
  } catch (error) {
    fs.rmSync(draft, { force: true });
    throw error;
  }
  if (!durable) return;
  const directory = fs.openSync(dirname(path), 'r');
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}
