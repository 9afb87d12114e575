import fs from 'node:fs';
import { replaceFileSync } from '../../disk/replace.ts';
import type { Reclaimed } from '../../reconciler/model/memory.ts';
import type { Ref } from '../../reconciler/model/ref.ts';

/** When memory was last given back, kept in a file: a cool-down outlives the agent. */
export interface Kept {
  of(ref: Ref): Reclaimed | undefined;
  /** On disk when it returns; known from then on also where that fails, which throws. */
  put(ref: Ref, what: Reclaimed): void;
}

/** What is older is forgotten, milliseconds. */
const OLD = 30 * 86_400_000;

/** Keeps it in the JSON file at the path: `{"memory/web-0": {"at": MS, "freed": BYTES}}`. One that cannot be read tells of nothing. */
export function reclaimedIn(path: string): Kept {
  let known: Map<string, Reclaimed> | undefined;
  const load = (): Map<string, Reclaimed> => (known ??= new Map(Object.entries(read(path))));
  return {
    of: (ref) => load().get(ref),
    put(ref, what) {
      const next = new Map([...load()].filter(([, { at }]) => at > what.at - OLD)).set(ref, what);
      // where the disk is full, this process knows of it all the same
      known = next;
      replaceFileSync(path, `${JSON.stringify(Object.fromEntries(next), null, 2)}\n`);
    },
  };
}

function read(path: string): Readonly<Record<string, Reclaimed>> {
  try {
    const said = JSON.parse(fs.readFileSync(path, 'utf8')) as Readonly<Record<string, Partial<Reclaimed>>>;
    const whole = Object.entries(said).flatMap(([ref, { at, freed }]) =>
      typeof at === 'number' && typeof freed === 'number' ? [[ref, { at, freed }] as const] : [],
    );
    return Object.fromEntries(whole);
  } catch {
    return {};
  }
}
