import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile, sweepDrafts } from '../disk/replace.ts';
import type { ParseCache, ParsedFile } from '../reconciler/compile/file.ts';
import { parserVersion } from '../reconciler/compile/schemas.ts';
import type { SourceFile } from '../reconciler/model/source.ts';

/** Fewer files are parsed faster than a cache is read. */
const WORTH_FILES = 100;

/** A parse cache that can be kept on disk. */
export interface StoredCache extends ParseCache {
  /** Keeps what this run used, when anything is new. A disk that refuses costs time next time, nothing else. */
  save(): Promise<void>;
}

/** Opens the cache of one place; what another version parsed is not used. */
export async function openParseCache(folder: string, key: string, files: readonly SourceFile[]): Promise<StoredCache> {
  const used = new Map<string, ParsedFile>();
  if (files.length < WORTH_FILES) {
    return {
      get: (blob) => used.get(blob),
      set: (blob, file) => void used.set(blob, file),
      save: async () => undefined,
    };
  }
  const path = join(folder, `parsed-${createHash('sha256').update(key).digest('hex').slice(0, 24)}.json`);
  const before = await load(path);
  let changed = false;
  return {
    get: (blob) => {
      const file = used.get(blob) ?? before[blob];
      if (file !== undefined) used.set(blob, file);
      return file;
    },
    set: (blob, file) => {
      used.set(blob, file);
      changed = true;
    },
    save: async () => {
      if (!changed) return;
      await sweepDrafts(folder);
      const text = JSON.stringify({ version: parserVersion(), files: Object.fromEntries(used) });
      await replaceFile(path, text, { durable: false }).catch(() => undefined);
    },
  };
}

async function load(path: string): Promise<Readonly<Record<string, ParsedFile>>> {
  try {
    const stored = JSON.parse(await readFile(path, 'utf8')) as {
      readonly version?: unknown;
      readonly files?: Readonly<Record<string, ParsedFile>>;
    };
    return stored.version === parserVersion() ? (stored.files ?? {}) : {};
  } catch {
    return {};
  }
}
