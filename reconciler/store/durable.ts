import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from '../../disk/directory.ts';
import { syncDirectory } from '../../disk/replace.ts';
import { asPlumbError, isDiskFull, PlumbError } from '../model/errors.ts';

/** A file that only grows. What a failed write left behind is cut off before anything else is written. */
export interface DurableFile {
  readonly path: string;
  /** Bytes that are durable. */
  readonly size: number;
  /** Durable when it resolves; when it throws (DISK_FULL, STORE_UNAVAILABLE) the file is as before. Never call it twice at once. */
  append(text: string): Promise<void>;
  close(): Promise<void>;
}

/** A failed write or open as DISK_FULL or STORE_UNAVAILABLE. */
export function diskError(error: unknown, path: string): PlumbError {
  if (isDiskFull(error))
    return new PlumbError('DISK_FULL', `No space left for ${path}; free some, work goes on by itself`, { path }, error);
  return asPlumbError(error, 'STORE_UNAVAILABLE', `${path} cannot be used`);
}

/** Opens a file to append behind its first `size` bytes; what is behind them is cut off. Made when it is not there. */
export async function openDurable(path: string, size: number): Promise<DurableFile> {
  let durable = size;
  let dirty = true;
  const handle = await openFile(path);
  async function cut(): Promise<void> {
    await handle.truncate(durable);
    dirty = false;
  }
  try {
    if ((await handle.stat()).size !== size) {
      await cut();
      await handle.sync();
    }
    dirty = false;
  } catch (error) {
    await handle.close();
    throw diskError(error, path);
  }
  return {
    path,
    get size() {
      return durable;
    },
    append: async (text) => {
      const bytes = Buffer.from(text);
      try {
        if (dirty) await cut();
        dirty = true;
        for (let at = 0; at < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, durable + at);
          at += bytesWritten;
        }
        await handle.datasync();
        durable += bytes.length;
        dirty = false;
      } catch (error) {
        // when even this fails the next append tries again first
        await cut().catch(() => undefined);
        throw diskError(error, path);
      }
    },
    close: () => handle.close(),
  };
}

async function openFile(path: string): ReturnType<typeof open> {
  try {
    await makeDirectory(dirname(path), 0o700);
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    await syncDirectory(dirname(path));
    return handle;
  } catch (error) {
    throw diskError(error, path);
  }
}
