import fs from 'node:fs';

/** What is asked of /proc/sys. Errors carry errno's `code`. Paths are absolute. */
export interface Files {
  read(path: string): string;
  write(path: string, text: string): void;
  /** Calls back when the file changes, also when by hand; returns what ends it. */
  watch(path: string, changed: () => void): () => void;
}

/** The kernel's own files. */
export const disk: Files = {
  read: (path) => fs.readFileSync(path, 'latin1'),
  write: (path, text) => {
    // not O_CREAT: a knob that is not there is ENOENT
    const descriptor = fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_TRUNC);
    try {
      fs.writeSync(descriptor, text);
    } finally {
      fs.closeSync(descriptor);
    }
  },
  watch: (path, changed) => {
    // the descriptor keeps the inode: when the kernel drops its caches, a watch alone would die without a word
    const descriptor = fs.openSync(path, 'r');
    let watcher: fs.FSWatcher;
    try {
      watcher = fs.watch(path, changed);
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
    watcher.on('error', () => {
      watcher.close();
    });
    return () => {
      watcher.close();
      fs.closeSync(descriptor);
    };
  },
};
