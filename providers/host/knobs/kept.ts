import fs from 'node:fs';
import { replaceFileSync } from '../../../disk/replace.ts';
import { asPlumbError, errnoOf, isDiskFull, PlumbError } from '../../../reconciler/model/errors.ts';

/** What is kept of a knob as long as it is ours. */
export interface KeptKnob {
  /** What it was last set to. */
  readonly value: string;
  /** What each of its files said before it was first written, byte for byte, by path. */
  readonly originals: Readonly<Record<string, string>>;
  /** Which device each of them is about, where another one may come under the path. Absent in files of earlier versions. */
  readonly owners?: Readonly<Record<string, string>>;
}

/** What is ours of the knobs of a machine, in a file that outlives the process but not the machine's next boot, which undoes all. */
export interface Kept {
  /** By key. Throws ORIGINALS_CORRUPT; the file is then left as it is. */
  all(): ReadonlyMap<string, KeptKnob>;
  /** On disk when it returns; undefined forgets the knob. */
  put(key: string, knob: KeptKnob | undefined): void;
}

/** Keeps them in the JSON file at the path: `{"version": 1, "boot": ID, "knobs": {KEY: {"value": TEXT, "originals": {PATH: TEXT}, "owners": {PATH: TEXT}}}}`. */
export function keptIn(path: string, boot: () => string): Kept {
  let known: Map<string, KeptKnob> | undefined;
  const load = (): Map<string, KeptKnob> => (known ??= parse(path, boot()));
  return {
    all: load,
    put(key, knob) {
      const next = new Map(load());
      if (knob) next.set(key, knob);
      else if (!next.delete(key)) return;
      const text = `${JSON.stringify({ version: 1, boot: boot(), knobs: Object.fromEntries(next) }, null, 2)}\n`;
      try {
        replaceFileSync(path, text);
      } catch (error) {
        const code = isDiskFull(error) ? 'DISK_FULL' : 'STORE_UNAVAILABLE';
        throw asPlumbError(error, code, `${path}: originals cannot be kept, so nothing was written`);
      }
      known = next;
    },
  };
}

function parse(path: string, boot: string): Map<string, KeptKnob> {
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return new Map();
    throw asPlumbError(error, 'STORE_UNAVAILABLE', path);
  }
  try {
    const said = JSON.parse(text) as { version?: unknown; boot?: unknown; knobs?: Record<string, KeptKnob> };
    if (said.version !== 1 || typeof said.knobs !== 'object') throw new Error('not version 1');
    for (const [key, { value, originals, owners = {} }] of Object.entries(said.knobs))
      if ([value, ...Object.values(originals), ...Object.values(owners)].some((one) => typeof one !== 'string'))
        throw new Error(`what is kept of ${key} is not a text`);
    return new Map(said.boot === boot ? Object.entries(said.knobs) : []);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const next = 'repair the file, or move it away to give up the original values';
    throw new PlumbError(
      'ORIGINALS_CORRUPT',
      `${path}: ${why}; no knob is written until it is right: ${next}`,
      { path },
      error,
    );
  }
}
