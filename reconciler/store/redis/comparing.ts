import { createHash } from 'node:crypto';
import type { Snapshot } from '../../model/reservations.ts';
import { differences } from '../differences.ts';
import type { ScriptCall } from './calls.ts';
import { positionOf } from './commitlog.ts';
import type { Context } from './context.ts';
import { readSnapshot } from './snapshot.ts';

/** Fields that one digest is of, texts that are made before they are digested, fields counted in one call, and calls under way. */
const DIGESTED = 1000;
const TOGETHER = 50;
const COUNTED = 5000;
const AT_ONCE = 4;

/** A state whose reservations were committed up to another cursor. */
class Moved extends Error {}

/** Runs a script that says first at which cursor it looked. Throws Moved when that is another. */
async function lookAt({ calls }: Context, cursor: number, call: ScriptCall): Promise<readonly unknown[]> {
  const [reply] = await calls.ask(call);
  const [at, ...rest] = reply as readonly unknown[];
  if (positionOf(at).cursor !== cursor) throw new Moved();
  return rest;
}

/** Whether a hash has as many fields. One that is being resized may count some twice. */
async function hasSize(context: Context, cursor: number, key: string, size: number): Promise<boolean> {
  const { keys, scripts } = context;
  let count = 0;
  for (let at = '0'; ;) {
    const args = [at, COUNTED];
    const [next, some] = await lookAt(context, cursor, { script: scripts.count, keys: [keys.cursor, key], args });
    count += Number(some);
    at = String(next);
    if (at === '0') return count === size;
  }
}

/** Fields of a table in lots, with their values as they are stored: what was read from the store keeps the order of its members. */
function* lotsOf(table: ReadonlyMap<string, unknown>): Generator<{ readonly names: string; readonly digest: string }> {
  let names: string[] = [];
  let text = '';
  let sha1 = createHash('sha1');
  const lot = (): { readonly names: string; readonly digest: string } => {
    const made = { names: names.join('\n'), digest: sha1.update(text).digest('hex') };
    [names, text, sha1] = [[], '', createHash('sha1')];
    return made;
  };
  for (const [name, value] of table) {
    text += (names.length === 0 ? '' : '\n') + JSON.stringify(value);
    names.push(name);
    // few at a time: they are as large as all that is kept, and are to be gone before they count as kept, too
    if (names.length % TOGETHER === 0) {
      sha1.update(text);
      text = '';
    }
    if (names.length === DIGESTED) yield lot();
  }
  if (names.length > 0) yield lot();
}

async function hasValues(
  context: Context,
  cursor: number,
  key: string,
  table: ReadonlyMap<string, unknown>,
): Promise<boolean> {
  const { keys, scripts } = context;
  const lots = lotsOf(table);
  const lane = async (): Promise<boolean> => {
    for (const { names, digest } of lots) {
      const call = { script: scripts.digest, keys: [keys.cursor, key], args: [names] };
      const [there] = await lookAt(context, cursor, call);
      if (there !== digest) return false;
    }
    return true;
  };
  return (await Promise.all(Array.from({ length: AT_ONCE }, lane))).every(Boolean);
}

async function agrees(context: Context, { cursor, ...tables }: Snapshot): Promise<boolean> {
  for (const table of ['hosts', 'placements', 'addresses'] as const) {
    const key = context.keys[table];
    if (!(await hasSize(context, cursor, key, tables[table].size))) return false;
    if (!(await hasValues(context, cursor, key, tables[table]))) return false;
  }
  return true;
}

/**
 * What the store holds otherwise than `kept`; undefined where it is at another cursor. The server says in digests what it holds, and
 * all of it is read only where these differ.
 */
export async function compareWith(context: Context, kept: Snapshot): Promise<readonly string[] | undefined> {
  try {
    if (await agrees(context, kept)) return [];
  } catch (error) {
    if (error instanceof Moved) return undefined;
    throw error;
  }
  const there = await readSnapshot(context);
  return there.cursor === kept.cursor ? differences(kept, there) : undefined;
}
