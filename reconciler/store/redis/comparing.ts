import { createHash } from 'node:crypto';
import type { Snapshot } from '../../model/reservations.ts';
import { differences } from '../differences.ts';
import { positionOf } from './commitlog.ts';
import type { Context } from './context.ts';
import { readSnapshot } from './snapshot.ts';

/** Fields that one digest is of, texts that are made before they are digested, and calls under way. */
const DIGESTED = 1000;
const TOGETHER = 50;
const AT_ONCE = 4;

const TABLES = ['hosts', 'placements', 'addresses'] as const;

/** A state whose reservations were committed up to another cursor. */
class Moved extends Error {}

/** Throws Moved unless it is the one that is asked about. */
function expect(cursor: number, there: unknown): void {
  if (positionOf(there).cursor !== cursor) throw new Moved();
}

/** Whether each hash has as many fields. */
async function haveSizes({ calls, keys }: Context, { cursor, ...tables }: Snapshot): Promise<boolean> {
  const counts = TABLES.map((table) => ['hlen', keys[table]] as const);
  // the cursor last: it never goes back, and what is compared was there already
  const replies = await calls.ask(...counts, ['get', keys.cursor]);
  expect(cursor, replies.at(-1));
  return TABLES.every((table, at) => Number(replies[at]) === tables[table].size);
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
  { calls, keys, scripts }: Context,
  cursor: number,
  key: string,
  table: ReadonlyMap<string, unknown>,
): Promise<boolean> {
  const lots = lotsOf(table);
  const lane = async (): Promise<boolean> => {
    for (const { names, digest } of lots) {
      const [reply] = await calls.ask({ script: scripts.digest, keys: [keys.cursor, key], args: [names] });
      const [at, there] = reply as readonly unknown[];
      expect(cursor, at);
      if (there !== digest) return false;
    }
    return true;
  };
  return (await Promise.all(Array.from({ length: AT_ONCE }, lane))).every(Boolean);
}

async function agrees(context: Context, kept: Snapshot): Promise<boolean> {
  if (!(await haveSizes(context, kept))) return false;
  for (const table of TABLES)
    if (!(await hasValues(context, kept.cursor, context.keys[table], kept[table]))) return false;
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
