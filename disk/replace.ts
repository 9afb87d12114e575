import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

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
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
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
  fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
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
