import { formatIpv4, parseIpv4 } from './ipv4.ts';
import type { AddressRecord } from './reservations.ts';

/** `network/address`: the key of an address record. */
export function addressKey(network: string, address: string): string {
  return `${network}/${address}`;
}

/** So many addresses lie together: as a power of two. */
const TOGETHER = 6;

/** The replicas of one Network's addresses, by number. In lists of those that lie together, as nearly all do: in one Map they take five times as much. */
class Owners {
  readonly #lists = new Map<number, (string | undefined)[]>();

  get(address: number): string | undefined {
    return this.#lists.get(address >>> TOGETHER)?.[address % 2 ** TOGETHER];
  }

  set(address: number, replica: string): void {
    const number = address >>> TOGETHER;
    let list = this.#lists.get(number);
    if (!list) this.#lists.set(number, (list = Array.from<undefined>({ length: 2 ** TOGETHER })));
    list[address % 2 ** TOGETHER] = replica;
  }

  delete(address: number): boolean {
    const list = this.#lists.get(address >>> TOGETHER);
    if (list?.[address % 2 ** TOGETHER] === undefined) return false;
    list[address % 2 ** TOGETHER] = undefined;
    if (list.every((one) => one === undefined)) this.#lists.delete(address >>> TOGETHER);
    return true;
  }

  /** Those that lie together, with the first address of the list. */
  *lists(): Generator<readonly [number, readonly (string | undefined)[]], undefined> {
    for (const [number, list] of this.#lists) yield [number * 2 ** TOGETHER, list];
    return undefined;
  }
}

/** The records of addresses by key. Of those that replicas have, nearly all, only number and replica are kept: a fleet has as many as replicas. */
export class AddressTable implements ReadonlyMap<string, AddressRecord> {
  /** By Network. */
  readonly #owners = new Map<string, Owners>();
  /** Addresses that rest, and blocks that Zones have. */
  readonly #others = new Map<string, AddressRecord>();
  #size = 0;

  /** A table of its own of such records; replicas go by the strings that `named` gives for their names. */
  static of(records: ReadonlyMap<string, AddressRecord>, named: (replica: string) => string): AddressTable {
    const table = new AddressTable();
    if (records instanceof AddressTable) {
      for (const [key, record] of records.#others) table.#others.set(key, record);
      for (const [network, owners] of records.#owners) {
        const mine = new Owners();
        for (const [first, list] of owners.lists())
          for (const [at, replica] of list.entries()) if (replica !== undefined) mine.set(first + at, named(replica));
        table.#owners.set(network, mine);
      }
      table.#size = records.#size;
    } else
      for (const [key, record] of records)
        table.set(key, 'replica' in record ? { replica: named(record.replica) } : record);
    return table;
  }

  get size(): number {
    return this.#size;
  }

  #owner(key: string): string | undefined {
    const cut = key.indexOf('/');
    const address = parseIpv4(key, cut + 1);
    return address === undefined ? undefined : this.#owners.get(key.slice(0, cut))?.get(address);
  }

  get(key: string): AddressRecord | undefined {
    const replica = this.#owner(key);
    return replica === undefined ? this.#others.get(key) : { replica };
  }

  has(key: string): boolean {
    return this.#owner(key) !== undefined || this.#others.has(key);
  }

  set(key: string, record: AddressRecord): void {
    this.delete(key);
    this.#size += 1;
    const cut = key.indexOf('/');
    const address = 'replica' in record ? parseIpv4(key, cut + 1) : undefined;
    if (address === undefined || !('replica' in record)) {
      this.#others.set(key, record);
      return;
    }
    const network = key.slice(0, cut);
    let owners = this.#owners.get(network);
    if (!owners) this.#owners.set(network, (owners = new Owners()));
    owners.set(address, record.replica);
  }

  delete(key: string): boolean {
    const cut = key.indexOf('/');
    const address = parseIpv4(key, cut + 1);
    const gone =
      this.#others.delete(key) ||
      (address !== undefined && this.#owners.get(key.slice(0, cut))?.delete(address) === true);
    if (gone) this.#size -= 1;
    return gone;
  }

  *entries(): Generator<[string, AddressRecord], undefined> {
    for (const [network, owners] of this.#owners)
      for (const [first, list] of owners.lists())
        for (const [at, replica] of list.entries())
          if (replica !== undefined) yield [addressKey(network, formatIpv4(first + at)), { replica }];
    yield* this.#others;
    return undefined;
  }

  *keys(): Generator<string, undefined> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): Generator<AddressRecord, undefined> {
    for (const [, record] of this.entries()) yield record;
    return undefined;
  }

  forEach(call: (record: AddressRecord, key: string, table: ReadonlyMap<string, AddressRecord>) => void): void {
    for (const [key, record] of this.entries()) call(record, key, this);
  }

  [Symbol.iterator](): Generator<[string, AddressRecord], undefined> {
    return this.entries();
  }
}
