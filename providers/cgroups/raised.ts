import fs from 'node:fs';
import { replaceFileSync } from '../../disk/replace.ts';

/** Directories of v1 whose budget for rr and fifo was raised, with the µs of before. */
export interface Raised {
  readonly size: number;
  directories(): readonly string[];
  /** µs; undefined: it was not raised. */
  of(directory: string): number | undefined;
  /** On disk when it returns. One that is there already stays. Throws what the disk says; then nothing is noted. */
  note(directory: string, micros: number): void;
  forget(directory: string): void;
}

/** Keeps them in the JSON file at the path, `{"boot": ID, "raised": {DIRECTORY: µs}}`, until the machine boots; without a path in this process only. */
export function raisedIn(path?: string, boot: () => string = bootId): Raised {
  let known: Map<string, number> | undefined;
  const load = (): Map<string, number> =>
    (known ??= path === undefined ? new Map<string, number>() : read(path, boot()));
  const save = (next: Map<string, number>): void => {
    const text = JSON.stringify({ boot: boot(), raised: Object.fromEntries(next) }, null, 2);
    if (path !== undefined) replaceFileSync(path, `${text}\n`);
    known = next;
  };
  return {
    get size() {
      return load().size;
    },
    directories: () => [...load().keys()],
    of: (directory) => load().get(directory),
    note(directory, micros) {
      if (!load().has(directory)) save(new Map([...load(), [directory, micros]]));
    },
    forget(directory) {
      if (load().has(directory)) save(new Map([...load()].filter(([name]) => name !== directory)));
    },
  };
}

const bootId = (): string => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

function read(path: string, boot: string): Map<string, number> {
  try {
    const said = JSON.parse(fs.readFileSync(path, 'utf8')) as { readonly boot?: unknown; readonly raised?: object };
    const entries = said.boot === boot ? Object.entries(said.raised ?? {}) : [];
    return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  } catch {
    return new Map();
  }
}
