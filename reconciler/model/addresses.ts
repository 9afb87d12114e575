import { formatIpv4, parseIpv4 } from './ipv4.ts';
import type { AddressRecord } from './reservations.ts';

/** `network/address`: the key of an address record. */
export function addressKey(network: string, address: string): string {
  return `${network}/${address}`;
}

/** The records of addresses by key. Of those that replicas have, nearly all, only number and replica are kept: a fleet has as many as replicas. */
export class AddressTable implements ReadonlyMap<string, AddressRecord> {
  /** Network → address as a small integer → replica. */
  readonly #owners = new Map<string, Map<number, string>>();
  /** Addresses that rest, and blocks that Zones have. */
  readonly #others = new Map<string, AddressRecord>();
  #size = 0;

  /** A table of its own of such records; replicas go by the strings that `named` gives for their names. */
  static of(records: ReadonlyMap<string, AddressRecord>, named: (replica: string) => string): AddressTable {
    const table = new AddressTable();
    if (records instanceof AddressTable) {
      for (const [key, record] of records.#others) table.#others.set(key, record);
      for (const [network, owners] of records.#owners) {
        const mine = new Map<number, string>();
        for (const [address, replica] of owners) mine.set(address, named(replica));
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
    return address === undefined ? undefined : this.#owners.get(key.slice(0, cut))?.get(address | 0);
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
    const owners = this.#owners.get(network) ?? new Map<number, string>();
    this.#owners.set(network, owners.set(address | 0, record.replica));
  }

  delete(key: string): boolean {
    const cut = key.indexOf('/');
    const address = parseIpv4(key, cut + 1);
    const owners = address === undefined ? undefined : this.#owners.get(key.slice(0, cut));
    const gone = this.#others.delete(key) || (owners?.delete((address ?? 0) | 0) ?? false);
    if (gone) this.#size -= 1;
    return gone;
  }

  *entries(): Generator<[string, AddressRecord], undefined> {
    for (const [network, owners] of this.#owners)
      for (const [address, replica] of owners) yield [addressKey(network, formatIpv4(address)), { replica }];
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
