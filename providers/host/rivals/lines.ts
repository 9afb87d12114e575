import fs from 'node:fs';
import { join } from 'node:path';

/** A line of a file of settings, comments and blank ones left out. */
export interface Line {
  /** As a person finds it: `/etc/sysctl.d/99-local.conf:3`. */
  readonly at: string;
  readonly text: string;
}

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
 * The files `*.conf` of several folders as systemd reads them: by name, and of one name only that of the first folder that has it.
 * One that is empty or leads to /dev/null hides the others. Paths are relative to the root.
 */
export function confFiles(root: string, folders: readonly string[]): readonly string[] {
  const found = new Map<string, string>();
  for (const folder of folders)
    for (const name of quietly(() => fs.readdirSync(join(root, folder))) ?? [])
      if (name.endsWith('.conf') && !found.has(name)) found.set(name, join(folder, name));
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** Whether a text is as a pattern of file names says: `*` and `?` within one part of a path. */
export function matches(pattern: string, path: string): boolean {
  if (!/[*?[]/.test(pattern)) return pattern === path;
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return quietly(() => new RegExp(`^${source}$`).test(path)) ?? false;
}
