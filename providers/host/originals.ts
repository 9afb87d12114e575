import fs from 'node:fs';
import { replaceFileSync } from '../../disk/replace.ts';
import { asPlumbError, errnoOf, isDiskFull, PlumbError } from '../../reconciler/model/errors.ts';

/** What a knob said before we first wrote it, byte for byte. */
export interface Original {
  readonly value: string;
  /** Restored in its place where the knob showed 0 because this one held the value. */
  readonly instead?: { readonly key: string; readonly value: string };
}

/** The originals of a host, kept in a file that outlives the process. */
export interface Originals {
  /** By sysctl key. Throws ORIGINALS_CORRUPT; the file is then left as it is. */
  all(): ReadonlyMap<string, Original>;
  /** On disk when it returns. An original that is there already stays. */
  remember(key: string, original: Original): void;
  forget(key: string): void;
}

/** Keeps them in the JSON file at the path: `{"version": 1, "originals": {KEY: {"value": TEXT}}}`. */
export function originalsIn(path: string): Originals {
  let known: Map<string, Original> | undefined;
  const load = (): Map<string, Original> => (known ??= parse(path, readOrEmpty(path)));
  const save = (next: Map<string, Original>): void => {
    const text = `${JSON.stringify({ version: 1, originals: Object.fromEntries(next) }, null, 2)}\n`;
    try {
      replaceFileSync(path, text);
    } catch (error) {
      throw asPlumbError(
        error,
        isDiskFull(error) ? 'DISK_FULL' : 'STORE_UNAVAILABLE',
        `${path}: originals cannot be kept, so nothing was written`,
      );
    }
    known = next;
  };
  return {
    all: load,
    remember(key, original) {
      if (!load().has(key)) save(new Map([...load(), [key, original]]));
    },
    forget(key) {
      const next = new Map(load());
      if (next.delete(key)) save(next);
    },
  };
}

function readOrEmpty(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw asPlumbError(error, 'STORE_UNAVAILABLE', path);
  }
}

function parse(path: string, text: string | undefined): Map<string, Original> {
  if (text === undefined) return new Map();
  try {
    const { version, originals } = JSON.parse(text) as { version?: unknown; originals?: unknown };
    if (version !== 1 || typeof originals !== 'object' || originals === null) throw new Error('not version 1');
    return new Map(Object.entries(originals).map(([key, value]) => [key, checked(key, value)]));
  } catch (error) {
    const next = 'repair the file, or move it away to give up the original values';
    const why = error instanceof Error ? error.message : String(error);
    throw new PlumbError(
      'ORIGINALS_CORRUPT',
      `${path}: ${why}; no knob is written until it is right: ${next}`,
      { path },
      error,
    );
  }
}

function checked(key: string, value: unknown): Original {
  const original = value as Original | null;
  const texts = [original?.value, ...(original?.instead ? [original.instead.key, original.instead.value] : [])];
  if (texts.every((text) => typeof text === 'string') && original) return original;
  throw new Error(`the original of ${key} is not a text`);
}
