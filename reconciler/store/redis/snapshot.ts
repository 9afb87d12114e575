import { AddressTable } from '../../model/addresses.ts';
import { PlumbError } from '../../model/errors.ts';
import type { Placement } from '../../model/replica.ts';
import type { AddressRecord, Delta, HostRecord } from '../../model/reservations.ts';
import { positionOf, readCommits } from './commitlog.ts';
import type { Position } from './commitlog.ts';
import type { Context } from './context.ts';
import { createSharing } from './sharing.ts';

export interface Reserved extends Position {
  readonly hosts: Map<string, HostRecord>;
  readonly placements: Map<string, Placement>;
  readonly addresses: AddressTable;
}

/** Fields read at once. */
const CHUNK = 2000;

interface Table<V> {
  set(key: string, value: V): unknown;
  delete(key: string): unknown;
}

function put<V>(table: Table<V>, key: string, value: V | undefined): void {
  if (value === undefined) table.delete(key);
  else table.set(key, value);
}

function apply({ hosts, placements, addresses }: Reserved, delta: Delta): void {
  if (delta.type === 'host') put(hosts, delta.host, delta.record);
  else if (delta.type === 'placement') put(placements, delta.replica, delta.placement);
  else put(addresses, delta.key, delta.record);
}

interface Scan {
  readonly key: string;
  readonly take: (field: string, value: unknown) => void;
  next: string;
}

/** A piece of each hash that was not yet read to its end, between two looks at the cursor, and the server that they are of. */
interface Pieces {
  readonly before: Position;
  readonly after: Position;
  readonly server: string;
  readonly fields: readonly { readonly scan: Scan; readonly list: readonly string[] }[];
}

/** Reads on, in one go. Gives undefined at the end of all. */
function readOn({ calls, keys }: Context, scans: readonly Scan[]): Promise<Pieces> | undefined {
  const open = scans.filter(({ next }) => next !== '');
  if (open.length === 0) return undefined;
  const read = async (): Promise<Pieces> => {
    const [before, info, ...rest] = await calls.ask(
      ['get', keys.cursor],
      ['info', 'server'],
      ...open.map(({ key, next }) => ['hscan', key, next, 'COUNT', CHUNK] as const),
      ['get', keys.cursor],
    );
    const fields = open.map((scan, index) => {
      const [next, list] = rest[index] as [string, string[]];
      scan.next = next === '0' ? '' : next;
      return { scan, list };
    });
    const [, server = ''] = /^run_id:(\w+)/m.exec(String(info)) ?? [];
    return { before: positionOf(before), after: positionOf(rest.at(-1)), server, fields };
  };
  const pieces = read();
  pieces.catch(() => undefined); // whoever waits for it hears of it
  return pieces;
}

function take({ fields }: Pieces): void {
  for (const { scan, list } of fields)
    for (let at = 0; at + 1 < list.length; at += 2) scan.take(list[at] ?? '', JSON.parse(list[at + 1] ?? 'null'));
}

/** Reads all there is in the hashes; gives the first and the last position. Undefined when the server has changed meanwhile. */
async function readAll(
  context: Context,
  scans: readonly Scan[],
): Promise<{ readonly before: Position; readonly after: Position } | undefined> {
  let first: Pieces | undefined;
  let last: Pieces | undefined;
  for (let asked = readOn(context, scans); asked;) {
    last = await asked;
    first ??= last;
    // where one server stands in a hash says nothing to another
    if (last.server !== first.server) return undefined;
    // the store makes the next pieces while these are taken in
    asked = readOn(context, scans);
    take(last);
  }
  return first && last && { before: first.before, after: last.after };
}

async function tryRead(context: Context): Promise<Reserved | undefined> {
  const { keys } = context;
  const hosts = new Map<string, HostRecord>();
  const placements = new Map<string, Placement>();
  const addresses = new AddressTable();
  const sharing = createSharing();
  const read = await readAll(context, [
    { key: keys.hosts, take: (host, record) => void hosts.set(host, record as HostRecord), next: '0' },
    {
      key: keys.placements,
      take: (_replica, value) => {
        const placement = sharing.placement(value as Placement);
        // one string for the key and the member
        placements.set(placement.replica, placement);
      },
      next: '0',
    },
    { key: keys.addresses, take: (key, record) => addresses.set(key, record as AddressRecord), next: '0' },
  ]);
  if (!read) return undefined;
  const { before, after } = read;
  let reserved: Reserved = { ...before, hosts, placements, addresses };
  // what came after the last piece was read does not concern it: else a busy writer would keep this from ending
  while (reserved.cursor < after.cursor) {
    const commits = await readCommits(context, reserved);
    if (commits.length === 0) return undefined; // a failover lost them
    for (const { deltas } of commits) for (const delta of deltas) apply(reserved, delta);
    const { cursor, stamp } = commits.at(-1) ?? reserved;
    reserved = { ...reserved, cursor, stamp };
  }
  return reserved.cursor > after.cursor || reserved.stamp === after.stamp ? reserved : undefined;
}

/**
 * All that is reserved at one position. The hashes are read in pieces, so that nobody waits for it; what was committed
 * meanwhile is laid over what was read, until there is nothing more.
 */
export async function readSnapshot(context: Context): Promise<Reserved> {
  for (let tries = 0; tries < 5; tries++) {
    const reserved = await tryRead(context).catch((error: unknown) => {
      if (error instanceof PlumbError && error.code === 'CONFLICT') return undefined;
      throw error;
    });
    if (reserved) return reserved;
  }
  throw new PlumbError('STORE_UNAVAILABLE', `Commits at ${context.shown} come faster than a snapshot can be read`);
}
