import { addressKey } from '../model/book.ts';
import type { Book } from '../model/book.ts';
import type { NetworkSpec } from '../model/catalog.ts';
import { blockHolder } from '../model/decide.ts';
import { formatIpv4, parseIpv4 } from '../model/ipv4.ts';

/** The pool's ranges as numbers, lowest first. Compile has made sure that they are addresses. */
function rangesOf(network: NetworkSpec): readonly (readonly [number, number])[] {
  return network.pool
    .map(([first, last]) => [parseIpv4(first) ?? 0, parseIpv4(last) ?? -1] as const)
    .sort((a, b) => a[0] - b[0]);
}

/** Whether the Network gives out this address. */
export function inPool(network: NetworkSpec, address: string): boolean {
  const number = parseIpv4(address) ?? -1;
  return rangesOf(network).some(([first, last]) => first <= number && number <= last);
}

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
}

const sizeOf = (ranges: readonly (readonly [number, number])[]): number =>
  ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/** What a pool is of. */
export interface PoolOptions {
  readonly name: string;
  readonly network: NetworkSpec;
  /** Asked anew at each call. */
  readonly book: Book;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whose blocks are given out, where the Network leases them. */
  readonly zone: string;
  /** Part of the pool, 0 to 1, behind which it begins; from its end it goes on at its start. */
  readonly from?: number;
}

interface Walk {
  readonly at: () => number;
  readonly forward: (steps: number) => void;
}

/** Walks through ranges from a place in them, over their end back to their start. */
function walker(ranges: readonly (readonly [number, number])[], skip: number): Walk {
  let range = 0;
  let at = ranges[0]?.[0] ?? 0;
  const forward = (steps: number): void => {
    at += steps;
    for (let last = ranges[range]?.[1]; last !== undefined && at > last; last = ranges[range]?.[1]) {
      range = (range + 1) % ranges.length;
      at = (ranges[range]?.[0] ?? 0) + at - last - 1;
    }
  };
  forward(skip);
  return { at: () => at, forward };
}

/** Which blocks the zone may take addresses from: first its own, then those that nobody holds too. */
function leasing({ name, book, now, zone }: PoolOptions): (block: string, own: boolean) => boolean {
  let last: { readonly block: string; readonly own: boolean; readonly open: boolean } | undefined;
  return (block, own) => {
    if (last?.block === block && last.own === own) return last.open;
    const record = book.address(addressKey(name, block));
    const mine = record !== undefined && 'zone' in record && record.zone === zone;
    const open = mine || (!own && (blockHolder(book, name, block, now) ?? zone) === zone);
    last = { block, own, open };
    return open;
  };
}

/** Addresses once passed over are not looked at again. */
export function addressPool(options: PoolOptions): AddressPool {
  const { name, network, book, now, from = 0 } = options;
  const ranges = rangesOf(network);
  const total = sizeOf(ranges);
  const may = leasing(options);
  const walk = walker(ranges, Math.floor(total * from));
  const rounds = network.blockSize === undefined ? 1 : 2;
  let passed = 0;
  return {
    next: () => {
      for (; passed < total * rounds; passed += 1, walk.forward(1)) {
        const address = formatIpv4(walk.at());
        const block = blockOf(network, address);
        if (block !== undefined && !may(block, passed < total)) continue;
        if (!isTaken(book, addressKey(name, address), now))
          return { address, ...(block === undefined ? {} : { block }) };
      }
      return undefined;
    },
    count: () => ({ ...countPool(name, network, book, now, ranges), ...elsewhere(options, ranges) }),
  };
}

/** Free addresses that only other zones may give out. */
function elsewhere(
  { name, network, book, now, zone }: PoolOptions,
  ranges: readonly (readonly [number, number])[],
): Pick<PoolCount, 'elsewhere'> {
  const { blockSize } = network;
  if (blockSize === undefined) return {};
  const size = 2 ** (32 - blockSize);
  let count = 0;
  for (const [first, last] of ranges)
    for (let start = first - (first % size); start <= last; start += size) {
      const block = `${formatIpv4(start)}/${String(blockSize)}`;
      if ((blockHolder(book, name, block, now) ?? zone) === zone) continue;
      for (let at = Math.max(first, start); at <= Math.min(last, start + size - 1); at += 1)
        if (!isTaken(book, addressKey(name, formatIpv4(at)), now)) count += 1;
    }
  return { elsewhere: count };
}

function isTaken(book: Book, key: string, now: number): boolean {
  const record = book.address(key);
  return record !== undefined && ('replica' in record || ('until' in record && record.until > now));
}

function countPool(
  name: string,
  network: NetworkSpec,
  book: Book,
  now: number,
  ranges: readonly (readonly [number, number])[],
): PoolCount {
  let owned = 0;
  let resting = 0;
  let nextAt: number | undefined;
  for (const [key, record] of book.addresses) {
    const address = key.slice(name.length + 1);
    if (!key.startsWith(`${name}/`) || !inPool(network, address)) continue;
    if ('replica' in record) owned += 1;
    else if ('until' in record && record.until > now) {
      resting += 1;
      nextAt = Math.min(nextAt ?? Infinity, record.until);
    }
  }
  return { total: sizeOf(ranges), owned, resting, ...(nextAt === undefined ? {} : { nextAt }) };
}
