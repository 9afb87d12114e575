import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressKey } from '../../../reconciler/model/addresses.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import type { AddressRecord } from '../../../reconciler/model/reservations.ts';
import { addressPool } from '../../../reconciler/place/addresses.ts';
import { catalogOf } from '../../support/catalog.ts';

/** A pool of three addresses, and how to write what the book says of one from now on. */
function poolOf(taken: Readonly<Record<string, AddressRecord>> = {}) {
  const pool = [['10.0.0.1', '10.0.0.3']] as const;
  const network = catalogOf({ networks: { n: { vlan: 100, cidr: '10.0.0.0/24', pool } } }).networks.get('n')?.spec;
  assert.ok(network);
  const book = createBook();
  const write = (address: string, record: AddressRecord | undefined): void => {
    book.apply([{ type: 'address', key: addressKey('n', address), record }]);
  };
  for (const [address, record] of Object.entries(taken)) write(address, record);
  const clock = { now: 1000 };
  const made = addressPool({ name: 'n', network, book, clock, zone: 'main' });
  const say = (address: string, record: AddressRecord | undefined): void => {
    write(address, record);
    assert.ok(made.changed(address, record));
  };
  const next = (): string | undefined => made.next()?.address;
  return { clock, say, write, next, count: () => made.count() };
}

const OWNED: AddressRecord = { replica: 'web-0' };

describe('the pool of a Network', () => {
  it('gives out the lowest first, and what was given back before others', () => {
    const { say, next } = poolOf();
    assert.equal(next(), '10.0.0.1');
    assert.equal(next(), '10.0.0.1', 'the same until it is owned');
    say('10.0.0.1', OWNED);
    assert.equal(next(), '10.0.0.2');
    say('10.0.0.1', undefined);
    assert.equal(next(), '10.0.0.1');
  });

  it('gives out an address that came to rest while it was offered once it has rested', () => {
    const { clock, say, next } = poolOf();
    assert.equal(next(), '10.0.0.1');
    say('10.0.0.1', { until: 2000 });
    assert.equal(next(), '10.0.0.2');
    clock.now = 2000;
    assert.equal(next(), '10.0.0.1');
  });

  it('gives out the last one that becomes free again after it was dry', () => {
    const { say, next } = poolOf({ '10.0.0.1': OWNED, '10.0.0.2': OWNED, '10.0.0.3': OWNED });
    assert.equal(next(), undefined);
    say('10.0.0.3', undefined);
    assert.equal(next(), '10.0.0.3');
  });

  it('is counted anew when something of it is another, or time has passed, alone and among many others', () => {
    for (const others of [0, 9]) {
      const { clock, say, write, count } = poolOf({ '10.0.0.1': OWNED, '10.0.0.3': { until: 2000 } });
      for (let more = 0; more < others; more += 1) write(`10.9.0.${String(more)}`, OWNED);
      assert.deepEqual(count(), { total: 3, owned: 1, resting: 1, nextAt: 2000 });
      say('10.0.0.2', OWNED);
      assert.deepEqual(count(), { total: 3, owned: 2, resting: 1, nextAt: 2000 });
      clock.now = 2000;
      assert.deepEqual(count(), { total: 3, owned: 2, resting: 0 });
    }
  });
});
