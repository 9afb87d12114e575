import fs from 'node:fs';
import { join } from 'node:path';

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
  const found = new Map<string, string>();
  for (const folder of homes)
    for (const name of quietly(() => fs.readdirSync(join(root, folder))) ?? [])
      if (name.endsWith(ending) && !found.has(name)) found.set(name, join(folder, name));
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
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

/** Makes something of the lines of files, anew only where size or time of a file are others. */
export function readOnce<T>(root: string, make: (lines: readonly Line[]) => T): (path: string) => T {
  const known = new Map<string, { readonly stamp: string; readonly made: T }>();
  return (path) => {
    const stat = quietly(() => fs.statSync(join(root, path)));
    const stamp = stat ? `${String(stat.ino)} ${String(stat.size)} ${String(stat.mtimeMs)}` : '';
    const before = known.get(path);
    if (before?.stamp === stamp) return before.made;
    const made = make(linesOf(root, path));
    known.set(path, { stamp, made });
    return made;
  };
}
