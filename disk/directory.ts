import fs from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Whether making a directory failed because one above it may not be there. */
function lacksParent(error: unknown, path: string): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path;
}

function isThere(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What is there need not be made, whoever made it and however making it fails. */
function unlessThere(path: string): (error: unknown) => void {
  return (error) => {
    if (!isThere(path)) throw error;
  };
}

/**
 * Makes a directory, and those above it that are not there; one that is there stays as it is. `mode` is of each that is made, less the
 * umask. Throws errors of the file system. Node's own recursive `mkdir` never ends below a directory that is there and takes none, and says ENOENT, as /proc does.
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  const make = (): Promise<void> => mkdir(path, { mode });
  await make().catch(async (error: unknown) => {
    if (!lacksParent(error, path)) return unlessThere(path)(error);
    await makeDirectory(dirname(path), mode);
    await make().catch(unlessThere(path));
  });
}

/** `makeDirectory`, where nothing else may happen before it is done. */
export function makeDirectorySync(path: string, mode = 0o777): void {
  const make = (otherwise: (error: unknown) => void): void => {
    try {
      fs.mkdirSync(path, { mode });
    } catch (error) {
      otherwise(error);
    }
  };
  make((error) => {
    if (!lacksParent(error, path)) return unlessThere(path)(error);
    makeDirectorySync(dirname(path), mode);
    make(unlessThere(path));
  });
}
