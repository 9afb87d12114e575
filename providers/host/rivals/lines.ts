import fs from 'node:fs';
import { basename, join } from 'node:path';
import { whileSame, type Tree } from '../inventory/tree.ts';

/** A line of a file of settings, comments and blank ones left out. */
export interface Line {
  /** As a person finds it: `/etc/sysctl.d/99-local.conf:3`. */
  readonly at: string;
  readonly text: string;
}

/** What a file of the machine sets when it boots: the path of what it writes, absolute, and the value. */
export interface BootSetting {
  /** A path, or a pattern of paths; of a setting of a card as `/nic/eth0/rings/rx`. */
  readonly path: string;
  /** Absent where it is worked out then. */
  readonly value?: string;
  /** File and line that say it. */
  readonly at: string;
  /** When, other than at the next boot. */
  readonly when?: string;
}

/** When udev sets something. */
export const APPEARS = 'when udev sees the device: at each boot, and when it is plugged in';

/** The folders in which systemd looks for files of a kind, the first counts most. */
export const folders = (name: string): readonly string[] =>
  ['etc', 'run', 'usr/local/lib', 'usr/lib', 'lib'].map((folder) => `${folder}/${name}`);

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The lines of a file below a root; none where it cannot be read. */
export function linesOf(root: string, path: string): readonly Line[] {
  const text = quietly(() => fs.readFileSync(join(root, path), 'utf8')) ?? '';
  return text.split('\n').flatMap((line, at) => {
    const kept = line.trim();
    return kept === '' || /^[#;]/.test(kept) ? [] : [{ at: `/${path}:${String(at + 1)}`, text: kept }];
  });
}

/**
 * The files `*.conf` (or of another ending) of several folders as systemd reads them: by name, and of one name only that of the first folder that has it.
 * One that is empty or leads to /dev/null hides the others. Paths are relative to the root.
 */
export function confFiles(root: string, homes: readonly string[], ending = '.conf'): readonly string[] {
  return chosenOf(
    homes.flatMap((home) => namesIn(root, home).map((name) => join(home, name))),
    ending,
  );
}

function namesIn(root: string, folder: string): readonly string[] {
  return quietly(() => fs.readdirSync(join(root, folder))) ?? [];
}

function chosenOf(paths: readonly string[], ending: string): readonly string[] {
  const found = new Map<string, string>();
  for (const path of paths) {
    const name = basename(path);
    if (name.endsWith(ending) && !found.has(name)) found.set(name, path);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** Such files, each with those that its folder `NAME.d` adds. */
export function filesWithMore(root: string, homes: readonly string[], ending: string): readonly (readonly string[])[] {
  const all = homes.flatMap((home) => namesIn(root, home).map((name) => join(home, name)));
  return chosenOf(all, ending).map((path) => {
    const more = all.filter((folder) => basename(folder) === `${basename(path)}.d`);
    return [path, ...(more.length === 0 ? [] : confFiles(root, more))];
  });
}

/** Tells of texts whether they are as a pattern of file names says: `*` and `?` within one part of a path. */
export function matcher(pattern: string): (text: string) => boolean {
  if (!/[*?[]/.test(pattern)) return (text) => text === pattern;
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  const expression = quietly(() => new RegExp(`^${source}$`));
  return (text) => expression?.test(text) ?? false;
}

/** Whether a text is as a pattern says. */
export const matches = (pattern: string, text: string): boolean => matcher(pattern)(text);

/** Makes something of the lines of files, of several together, anew only where size or time of one of them are others. */
export function readOnce<T>(root: string, make: (lines: readonly Line[]) => T): (...paths: readonly string[]) => T {
  const known = new Map<string, { readonly stamp: string; readonly made: T }>();
  const stampOf = (path: string): string => {
    const stat = quietly(() => fs.statSync(join(root, path)));
    return stat ? `${String(stat.ino)} ${String(stat.size)} ${String(stat.mtimeMs)}` : '';
  };
  return (...paths) => {
    const stamp = paths.map(stampOf).join('\n');
    const name = paths.join('\n');
    const before = known.get(name);
    if (before?.stamp === stamp) return before.made;
    const made = make(paths.flatMap((path) => linesOf(root, path)));
    known.set(name, { stamp, made });
    return made;
  };
}

/**
 * What files set of each of some devices, by the paths of these below /sys, in their order: worked out anew only of a device of which something that was asked says another thing, or where the files
 * are others (`readOnce` gives the same for the same).
 */
export function ofEach<F>(
  work: (files: readonly F[], device: string, sys: Tree) => readonly BootSetting[],
): (files: readonly F[], devices: readonly string[], sys: Tree) => readonly BootSetting[] {
  let before: readonly F[] = [];
  let known = new Map<string, (sys: Tree) => readonly BootSetting[]>();
  return (files, devices, sys) => {
    if (files.length !== before.length || files.some((file, at) => file !== before[at])) known = new Map();
    before = files;
    known = new Map(
      devices.map((device) => [device, known.get(device) ?? whileSame((tree) => work(files, device, tree))]),
    );
    return [...known.values()].flatMap((settingsOf) => settingsOf(sys));
  };
}
