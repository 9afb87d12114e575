import { errnoOf } from '../../reconciler/model/errors.ts';
import type { Files } from './files.ts';

/** Descriptors that all containers of a provider may keep open together; files beyond are opened for each read. */
export interface Budget {
  left: number;
}

/** So many of the descriptors that this process may have at once, as `limits` in its /proc says, and no more than `most`. The others are for all else that it does. */
export function budgetOf(files: Files, procRoot: string, share: number, most: number): Budget {
  try {
    const soft = Number(/^Max open files +(\d+)/m.exec(files.text(`${procRoot}/self/limits`))?.[1] ?? Infinity);
    return { left: Math.min(most, Math.floor(soft * share)) };
  } catch {
    return { left: most };
  }
}

/** A file of the kernel that is read again and again, through a descriptor that stays open while the budget has one. */
export interface OpenFile {
  readonly path: string;
  /** As it was read last, without the white space at its ends. */
  readonly text: string;
  /** Reads it again: whether the text is another; undefined when the file, or the process that it tells of, is gone. Throws other errors. */
  read(): boolean | undefined;
  /** Whether it is still there; cheaper than read. */
  alive(): boolean;
  close(): void;
}

// one read at a time: reads are synchronous; limits of a hundred disks take some 6 kB
const buffer = Buffer.alloc(65_536);

/** ENODEV: the cgroup of a descriptor has gone; ESRCH: the process of one has ended. */
const GONE = ['ENODEV', 'ENOENT', 'ESRCH'];

function descriptorOf(files: Files, path: string, budget: Budget): number | undefined | 'none' {
  if (budget.left <= 0) return files.exists(path) ? undefined : 'none';
  try {
    const descriptor = files.open(path);
    budget.left -= 1;
    return descriptor;
  } catch (error) {
    if (!['EMFILE', 'ENFILE'].includes(errnoOf(error))) return 'none';
    budget.left = 0;
    return files.exists(path) ? undefined : 'none';
  }
}

/** Opens a file; undefined when it is not there or may not be read. Nothing is read yet. */
export function openFile(files: Files, path: string, budget: Budget): OpenFile | undefined {
  const opened = descriptorOf(files, path, budget);
  if (opened === 'none') return undefined;
  let descriptor = opened;
  let text = '';
  /** Of the last read; equal bytes make no new text. */
  let bytes = Buffer.alloc(0);

  /** Fills the buffer; undefined when the file is gone. */
  function fill(): number | undefined {
    try {
      if (descriptor !== undefined) return files.read(descriptor, buffer);
      const once = files.open(path);
      try {
        return files.read(once, buffer);
      } finally {
        files.close(once);
      }
    } catch (error) {
      if (GONE.includes(errnoOf(error))) return undefined;
      throw error;
    }
  }

  return {
    path,
    get text() {
      return text;
    },
    read() {
      const count = fill();
      if (count === undefined) return undefined;
      if (bytes.length === count && buffer.compare(bytes, 0, count, 0, count) === 0) return false;
      bytes = Buffer.from(buffer.subarray(0, count));
      text = bytes.toString('latin1').trim();
      return true;
    },
    alive: () => fill() !== undefined,
    close() {
      if (descriptor === undefined) return;
      files.close(descriptor);
      descriptor = undefined;
      budget.left += 1;
    },
  };
}
