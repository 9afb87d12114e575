import { addressKey } from '../model/book.ts';
import type { Book } from '../model/book.ts';
import type { NetworkSpec } from '../model/catalog.ts';
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

/** How the addresses of a Network stand. */
export interface PoolCount {
  readonly total: number;
  readonly owned: number;
  readonly resting: number;
  /** When the first resting address becomes free, milliseconds since 1970. */
  readonly nextAt?: number;
}

/** Gives out the addresses of one Network, lowest first from where it begins. Quick reuse is kept off by the quarantine, not by the order. */
export interface AddressPool {
  /** The next free address; the same again until the book says that it is owned. */
  next(): string | undefined;
  count(): PoolCount;
}

const sizeOf = (ranges: readonly (readonly [number, number])[]): number =>
  ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/**
 * `book` is asked anew at each call; addresses once passed over are not looked at again. `from` is the part of the pool, 0 to 1,
 * behind which it begins; from its end it goes on at its start.
 */
export function addressPool(name: string, network: NetworkSpec, book: Book, now: number, from = 0): AddressPool {
  const ranges = rangesOf(network);
  const total = sizeOf(ranges);
  const free = (address: string): boolean => {
    const record = book.address(addressKey(name, address));
    return record === undefined || ('until' in record && record.until <= now);
  };
  let range = 0;
  let at = ranges[0]?.[0] ?? 0;
  const forward = (steps: number): void => {
    at += steps;
    for (let last = ranges[range]?.[1]; last !== undefined && at > last; last = ranges[range]?.[1]) {
      range = (range + 1) % ranges.length;
      at = (ranges[range]?.[0] ?? 0) + at - last - 1;
    }
  };
  let passed = 0;
  forward(Math.floor(total * from));
  return {
    next: () => {
      for (; passed < total; passed += 1, forward(1)) {
        const address = formatIpv4(at);
        if (free(address)) return address;
      }
      return undefined;
    },
    count: () => countPool(name, network, book, now, ranges),
  };
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
    else if (record.until > now) {
      resting += 1;
      nextAt = Math.min(nextAt ?? Infinity, record.until);
    }
  }
  return { total: sizeOf(ranges), owned, resting, ...(nextAt === undefined ? {} : { nextAt }) };
}
