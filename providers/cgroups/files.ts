import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../reconciler/model/errors.ts';

/** What is asked of a cgroup tree. All but `settle` are synchronous: the files are the kernel's memory. Errors carry errno's `code`. */
export interface Files {
  /** A descriptor for reading. */
  open(path: string): number;
  /** Fills the buffer from the file's start; the number of bytes. */
  read(descriptor: number, into: Buffer): number;
  close(descriptor: number): void;
  write(path: string, text: string): void;
  /** As write, off the main thread: for writes that make the kernel reclaim memory first. */
  settle(path: string, text: string): Promise<void>;
  /** Names of the directories in a directory; none if it is not there. */
  folders(path: string): readonly string[];
  /** All names in a directory, of links as well. */
  entries(path: string): readonly string[];
  /** Ends a process at once. One that has ended already is no error. */
  kill(pid: number): void;
  /** How many links a directory has: its own two, and one for each directory in it where the file system counts them. */
  links(path: string): number;
  /** What a symbolic link says. */
  link(path: string): string;
  /** The whole of a file. */
  text(path: string): string;
  exists(path: string): boolean;
  /** Calls back with the file's name when one in the directory changes; returns what ends it. */
  watch(directory: string, changed: (file: string | null) => void): () => void;
}

// not O_CREAT: a file that the kernel lacks is ENOENT then, not EACCES
const WRITE = fs.constants.O_WRONLY | fs.constants.O_TRUNC;

/** The kernel's own files. */
export const disk: Files = {
  open: (path) => fs.openSync(path, 'r'),
  read: (descriptor, into) => fs.readSync(descriptor, into, 0, into.length, 0),
  close: (descriptor) => {
    fs.closeSync(descriptor);
  },
  write: (path, text) => {
    const descriptor = fs.openSync(path, WRITE);
    try {
      fs.writeSync(descriptor, text);
    } finally {
      fs.closeSync(descriptor);
    }
  },
  settle: async (path, text) => {
    const handle = await open(path, WRITE);
    try {
      await handle.write(text);
    } finally {
      await handle.close();
    }
  },
  folders: (path) => {
    try {
      return fs
        .readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name);
    } catch {
      return [];
    }
  },
  entries: (path) => {
    try {
      return fs.readdirSync(path).sort();
    } catch {
      return [];
    }
  },
  kill: (pid) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error;
    }
  },
  links: (path) => fs.statSync(path).nlink,
  link: (path) => fs.readlinkSync(path),
  text: (path) => fs.readFileSync(path, 'latin1'),
  exists: (path) => fs.existsSync(path),
  watch: (directory, changed) => {
    const watcher = fs.watch(directory, (_event, file) => {
      changed(file);
    });
    // a cgroup that goes away takes its watch along
    watcher.on('error', () => {
      watcher.close();
    });
    return () => {
      watcher.close();
    };
  },
};

/** The text of a small file. */
export function readText(files: Files, directory: string, name: string): string {
  const descriptor = files.open(join(directory, name));
  try {
    const buffer = Buffer.alloc(8192);
    return buffer.toString('latin1', 0, files.read(descriptor, buffer)).trim();
  } finally {
    files.close(descriptor);
  }
}
