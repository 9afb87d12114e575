import { addressKey } from '../model/book.ts';
import type { Book } from '../model/book.ts';
import type { NetworkSpec } from '../model/catalog.ts';

function toNumber(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => String((address / 2 ** shift) & 255)).join('.');
}

/** Whether the Network gives out this address. */
export function inPool(network: NetworkSpec, address: string): boolean {
  const number = toNumber(address);
  return network.pool.some(([first, last]) => toNumber(first) <= number && number <= toNumber(last));
}

/** How the addresses of a Network stand. */
export interface PoolCount {
  readonly total: number;
  readonly owned: number;
  readonly resting: number;
  /** When the first resting address becomes free, milliseconds since 1970. */
  readonly nextAt?: number;
}

/** Gives out the addresses of one Network, lowest first. Quick reuse is kept off by the quarantine, not by the order. */
export interface AddressPool {
  /** The lowest free address; the same again until the book says that it is owned. */
  next(): string | undefined;
  count(): PoolCount;
}

/** `book` is asked anew at each call; addresses once passed over are not looked at again. */
export function addressPool(name: string, network: NetworkSpec, book: Book, now: number): AddressPool {
  const ranges = network.pool
    .map(([first, last]) => [toNumber(first), toNumber(last)] as const)
    .sort((a, b) => a[0] - b[0]);
  let range = 0;
  let at = ranges[0]?.[0] ?? 0;
  const free = (address: string): boolean => {
    const record = book.addresses.get(addressKey(name, address));
    return record === undefined || ('until' in record && record.until <= now);
  };
  return {
    next: () => {
      for (; range < ranges.length; range += 1, at = ranges[range]?.[0] ?? 0) {
        for (const last = ranges[range]?.[1] ?? -1; at <= last; at += 1) {
          const address = toText(at);
          if (free(address)) return address;
        }
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
  const total = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return { total, owned, resting, ...(nextAt === undefined ? {} : { nextAt }) };
}
