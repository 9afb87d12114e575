import { addressKey } from '../model/addresses.ts';
import type { Book } from '../model/book.ts';
import type { Catalog, NetworkSpec } from '../model/catalog.ts';
import { blockHolder } from '../model/decide.ts';
import { formatIpv4, parseIpv4 } from '../model/ipv4.ts';
import { inPool, rangesOf } from '../model/pool.ts';
import type { AddressRecord } from '../model/reservations.ts';

/** The block of addresses that one is in, as 10.1.0.16/28; none where the Network does not lease blocks. */
export function blockOf(network: NetworkSpec | undefined, address: string): string | undefined {
  if (network?.blockSize === undefined) return undefined;
  const size = 2 ** (32 - network.blockSize);
  const number = parseIpv4(address) ?? 0;
  return `${formatIpv4(number - (number % size))}/${String(network.blockSize)}`;
}

/** How the addresses of a Network stand. */
export interface PoolCount {
  readonly total: number;
  readonly owned: number;
  readonly resting: number;
  /** When the first resting address becomes free, milliseconds since 1970. */
  readonly nextAt?: number;
  /** Free addresses in blocks that other zones hold, where the Network leases blocks. */
  readonly elsewhere?: number;
}

/** An address to be given out, and the block that it brings with it. */
export interface Offer {
  readonly address: string;
  readonly block?: string;
}

/**
 * Gives out the addresses of one Network to one zone, lowest first from where it begins; where the Network leases blocks, those
 * of the zone's own blocks before others.
 * Quick reuse is kept off by the quarantine, not by the order.
 */
export interface AddressPool {
  /** The next free address; the same again until the book says that it is owned. */
  next(): Offer | undefined;
  count(): PoolCount;
  /**
   * To be told what the book says from now on of one of its addresses or blocks, which may be free again. False when the pool cannot
   * follow and is to be made anew.
   */
  changed(name: string, record: AddressRecord | undefined): boolean;
}

/** The addresses of a pool by their place in the order in which they are given out, from 0. */
interface Order {
  readonly total: number;
  at(place: number): string;
  /** Undefined for what is not in the pool. */
  place(address: string): number | undefined;
}

function orderOf(network: NetworkSpec, from: number): Order {
  const ranges = rangesOf(network);
  const begins: number[] = [];
  let total = 0;
  for (const [first, last] of ranges) {
    begins.push(total);
    total += last - first + 1;
  }
  const numberAt = (offset: number): number => {
    const range = lowerBound(begins.length, (index) => (begins[index] ?? 0) <= offset) - 1;
    return (ranges[range]?.[0] ?? 0) + offset - (begins[range] ?? 0);
  };
  const blockAt = (offset: number): string | undefined => blockOf(network, formatIpv4(numberAt(offset)));
  let begin = Math.floor(total * from);
  // not in the middle of a block: its first addresses would come last
  while (network.blockSize !== undefined && begin > 0 && blockAt(begin - 1) === blockAt(begin)) begin -= 1;
  return {
    total,
    at: (place) => formatIpv4(numberAt((place + begin) % total)),
    place: (address) => {
      const number = parseIpv4(address) ?? -1;
      const range = lowerBound(ranges.length, (index) => (ranges[index]?.[0] ?? 0) <= number) - 1;
      const [first = 0, last = -1] = ranges[range] ?? [];
      return number > last ? undefined : ((begins[range] ?? 0) + number - first - begin + total) % total;
    },
  };
}

/** How many of the first indexes are `before`, where those that are come first. */
function lowerBound(count: number, before: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Inserts behind those whose key is not higher. */
function insert<T>(list: T[], item: T, key: (item: T) => number): void {
  const value = key(item);
  const behind = lowerBound(list.length, (index) => key(list[index] ?? item) <= value);
  list.splice(behind, 0, item);
}

interface Resting {
  readonly place: number;
  readonly until: number;
}

/** What a pool is of. */
export interface PoolOptions {
  readonly name: string;
  readonly network: NetworkSpec;
  /** Asked anew at each call. */
  readonly book: Book;
  /** Milliseconds since 1970; they never go back. */
  readonly clock: { readonly now: number };
  /** Whose blocks are given out, where the Network leases them. */
  readonly zone: string;
  /** Part of the pool, 0 to 1, behind which it begins; from its end it goes on at its start. */
  readonly from?: number;
}

interface Leasing {
  readonly may: (block: string, own: boolean) => boolean;
  /** To be called when the book has changed: the last answer is remembered. */
  readonly forget: () => void;
}

/** Which blocks the zone may take addresses from: first its own, then those that nobody holds too. */
function leasing({ name, book, clock, zone }: PoolOptions): Leasing {
  let last: { readonly block: string; readonly own: boolean; readonly open: boolean } | undefined;
  const may: Leasing['may'] = (block, own) => {
    if (last?.block === block && last.own === own) return last.open;
    const record = book.address(addressKey(name, block));
    const mine = record !== undefined && 'zone' in record && record.zone === zone;
    const open = mine || (!own && (blockHolder(book, name, block, clock.now) ?? zone) === zone);
    last = { block, own, open };
    return open;
  };
  return { may, forget: () => (last = undefined) };
}

/** The addresses of a Network that leases no blocks: what becomes free behind the place that was reached is remembered. */
function plainPool({ name, network, book, clock, from = 0 }: PoolOptions): AddressPool {
  const order = orderOf(network, from);
  let passed = 0;
  /** The address at the place that was reached, once it was found free. */
  let offered: string | undefined;
  const freed: number[] = [];
  const resting: Resting[] = [];

  function isFree(place: number, address = order.at(place)): boolean {
    const record = book.address(addressKey(name, address));
    if (!record || !isTaken(record, clock.now)) return true;
    if ('until' in record) insert(resting, { place, until: record.until }, ({ until }) => until);
    return false;
  }

  function look(place: number): void {
    if (isFree(place)) insert(freed, place, (one) => one);
  }

  return {
    next: () => {
      for (let first = resting[0]; first && first.until <= clock.now; first = resting[0]) {
        resting.shift();
        look(first.place);
      }
      for (let first = freed[0]; first !== undefined; first = freed[0]) {
        if (isFree(first)) return { address: order.at(first) };
        freed.shift();
      }
      for (; passed < order.total; passed += 1) {
        offered = order.at(passed);
        if (isFree(passed, offered)) return { address: offered };
      }
      offered = undefined;
      return undefined;
    },
    count: () => countPool(name, network, book, clock.now, order.total),
    changed: (address, record) => {
      if (address === offered) {
        if (!record || !('replica' in record)) return true;
        passed += 1;
        offered = undefined;
        return true;
      }
      const place = order.place(address);
      if (place !== undefined && place < passed) look(place);
      return true;
    },
  };
}

/** The same where blocks are leased: first all of the zone's own, then those that nobody holds too. Follows only what it gave out itself. */
function blockPool(options: PoolOptions): AddressPool {
  const { name, network, book, clock, zone, from = 0 } = options;
  const order = orderOf(network, from);
  const { may, forget } = leasing(options);
  const made = clock.now;
  let passed = 0;
  const current = (): string => blockOf(network, order.at(passed)) ?? '';
  return {
    next: () => {
      for (; passed < order.total * 2; passed += 1) {
        const address = order.at(passed);
        const block = current();
        if (!may(block, passed < order.total)) continue;
        if (!isTaken(book.address(addressKey(name, address)), clock.now)) return { address, block };
      }
      return undefined;
    },
    count: () => ({ ...countPool(name, network, book, clock.now, order.total), ...elsewhere(options) }),
    changed: (key, record) => {
      if (clock.now !== made || !record) return false;
      forget();
      return 'replica' in record || ('zone' in record && record.zone === zone && key === current());
    },
  };
}

/** The pool of a Network for a zone. It is counted once between two changes. */
export function addressPool(options: PoolOptions): AddressPool {
  const pool = options.network.blockSize === undefined ? plainPool(options) : blockPool(options);
  let last: { readonly at: number; readonly count: PoolCount } | undefined;
  return {
    next: () => pool.next(),
    count: () => {
      const { now } = options.clock;
      last = last?.at === now ? last : { at: now, count: pool.count() };
      return last.count;
    },
    changed: (name, record) => {
      last = undefined;
      return pool.changed(name, record);
    },
  };
}

/** Free addresses that only other zones may give out. */
function elsewhere({ name, network, book, clock: { now }, zone }: PoolOptions): Pick<PoolCount, 'elsewhere'> {
  const { blockSize } = network;
  if (blockSize === undefined) return {};
  const size = 2 ** (32 - blockSize);
  let count = 0;
  for (const [first, last] of rangesOf(network))
    for (let start = first - (first % size); start <= last; start += size) {
      const block = `${formatIpv4(start)}/${String(blockSize)}`;
      if ((blockHolder(book, name, block, now) ?? zone) === zone) continue;
      for (let at = Math.max(first, start); at <= Math.min(last, start + size - 1); at += 1)
        if (!isTaken(book.address(addressKey(name, formatIpv4(at))), now)) count += 1;
    }
  return { elsewhere: count };
}

function isTaken(record: AddressRecord | undefined, now: number): boolean {
  return record !== undefined && ('replica' in record || ('until' in record && record.until > now));
}

/** What the book says of the addresses of a Network: of its pool, or of all that there are where these are fewer. */
function* recordsOf(name: string, network: NetworkSpec, book: Book, total: number): Generator<AddressRecord> {
  if (total < book.addresses.size) {
    for (const [first, last] of rangesOf(network))
      for (let number = first; number <= last; number += 1) {
        const record = book.address(addressKey(name, formatIpv4(number)));
        if (record) yield record;
      }
    return;
  }
  for (const [key, record] of book.addresses)
    if (key.startsWith(`${name}/`) && inPool(network, key.slice(name.length + 1))) yield record;
}

/** The records of a pool, counted one by one. */
interface Counting {
  owned: number;
  resting: number;
  nextAt: number;
}

function count(into: Counting, record: AddressRecord, now: number): void {
  if ('replica' in record) into.owned += 1;
  else if ('until' in record && record.until > now) {
    into.resting += 1;
    into.nextAt = Math.min(into.nextAt, record.until);
  }
}

function counted(total: number, { owned, resting, nextAt }: Counting): PoolCount {
  return { total, owned, resting, ...(nextAt === Infinity ? {} : { nextAt }) };
}

function countPool(name: string, network: NetworkSpec, book: Book, now: number, total: number): PoolCount {
  const counting = { owned: 0, resting: 0, nextAt: Infinity };
  for (const record of recordsOf(name, network, book, total)) count(counting, record, now);
  return counted(total, counting);
}

/** How the addresses of all Networks stand, without what Zones hold: in one look at those that the book has, not one for each Network. */
export function countPools(networks: Catalog['networks'], book: Book, now: number): ReadonlyMap<string, PoolCount> {
  const all = new Map([...networks.keys()].map((name) => [name, { owned: 0, resting: 0, nextAt: Infinity }]));
  for (const [key, record] of book.addresses) {
    const cut = key.indexOf('/');
    const name = key.slice(0, cut);
    const [counting, network] = [all.get(name), networks.get(name)];
    if (counting && network && inPool(network.spec, key.slice(cut + 1))) count(counting, record, now);
  }
  const totalOf = (name: string): number => sizeOf(networks.get(name)?.spec);
  return new Map([...all].map(([name, counting]) => [name, counted(totalOf(name), counting)]));
}

function sizeOf(network: NetworkSpec | undefined): number {
  return network ? rangesOf(network).reduce((sum, [first, last]) => sum + last - first + 1, 0) : 0;
}
