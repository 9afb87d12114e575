import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressKey } from '../../../reconciler/model/addresses.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import type { AddressRecord } from '../../../reconciler/model/reservations.ts';
import { incarnationOf } from '../../../reconciler/model/rollout.ts';
import { addressPool } from '../../../reconciler/place/addresses.ts';
import { project } from '../../../reconciler/plan/project.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { NOW, step, where } from '../../support/placing.ts';

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

describe('addresses of what is placed', () => {
  it('gives out the lowest free address, and not those that rest', () => {
    const book = createBook();
    const hosts = hostsOf(1);
    step({ hosts, apps: { web: { replicas: 3 } } }, { book });
    step({ hosts, apps: { web: { replicas: 1 } } }, { book });
    const again = step({ hosts, apps: { web: { replicas: 2 } } }, { book, now: NOW + 599_999 });
    assert.deepEqual(where(again), ['web-0@h1 10.1.0.10', 'web-1@h1 10.1.0.13']);
    const later = step({ hosts, apps: { web: { replicas: 3 } } }, { book, now: NOW + 600_000 });
    assert.deepEqual(where(later), ['web-0@h1 10.1.0.10', 'web-1@h1 10.1.0.13', 'web-2@h1 10.1.0.11']);
  });

  it('names the Network whose addresses are used up, how many are wanted and there', () => {
    const sketch = { hosts: hostsOf(1), networks: { net: { pool: [['10.1.0.10', '10.1.0.11']] as const } } };
    const { unplaceable } = step({ ...sketch, apps: { web: { replicas: 5 } } }, { book: createBook() });
    assert.equal(unplaceable.length, 3);
    assert.match(unplaceable[0]?.message ?? '', /Network net has no address left: 5 wanted, 2 there, 2 in use/);
  });

  it('leases blocks of addresses to zones: own blocks first, then those that nobody holds', () => {
    const book = createBook();
    const zones = { main: { hosts: { matchLabels: { z: 'm' } } }, edge: { hosts: { matchLabels: { z: 'e' } } } };
    const hosts = { h1: { labels: { z: 'm' } }, h2: { labels: { z: 'e' } } };
    const networks = { net: { blockSize: 30, pool: [['10.1.0.8', '10.1.0.17']] as const } };
    const sketch = (web: number, api: number): Sketch => ({
      ...{ zones, hosts, networks },
      apps: { web: { replicas: web }, api: { replicas: api, zone: 'edge' } },
    });
    step(sketch(1, 1), { book });
    const first = step(sketch(5, 2), { book });
    assert.deepEqual(where(first), [
      ...['api-0@h2 10.1.0.8', 'api-1@h2 10.1.0.9'],
      ...['web-0@h1 10.1.0.12', 'web-1@h1 10.1.0.13', 'web-2@h1 10.1.0.14', 'web-3@h1 10.1.0.15', 'web-4@h1 10.1.0.16'],
    ]);
    const full = step(sketch(7, 2), { book });
    assert.match(
      full.unplaceable[0]?.message ?? '',
      /10 there, 8 in use, 2 free in blocks that other Zones hold\. Widen/,
    );
    step(sketch(6, 0), { book });
    const rested = step(sketch(7, 0), { book, now: NOW + 600_000 });
    assert.deepEqual(rested.unplaceable, [], 'the block of edge is anybody’s once its addresses have rested');
    assert.ok(where(rested).includes('web-6@h1 10.1.0.8'));
  });

  it('lets an address rest whose Network leaves with its App', () => {
    const book = createBook();
    step({ hosts: hostsOf(1), apps: { web: {} } }, { book });
    step({ hosts: hostsOf(1), networks: {} }, { book });
    assert.deepEqual(book.address('net/10.1.0.10'), { until: NOW + 600_000 });
  });

  it('leaves a replica that gets another address on its host, although another host is emptier', () => {
    const book = createBook();
    const hosts = { h1: { labels: { full: 'yes' } }, h2: {} };
    const other = { hosts: { matchLabels: { full: 'yes' } }, resources: resources(3000) };
    const networks = { net: {}, next: { cidr: '10.2.0.0/16', pool: [['10.2.0.10', '10.2.0.20']] as const } };
    step({ hosts, networks, apps: { web: {} } }, { book });
    step({ hosts, networks, apps: { web: {}, other } }, { book });
    const after = step({ hosts, networks, apps: { web: { network: 'next' }, other } }, { book });
    assert.deepEqual(where(after), ['other-0@h1 10.1.0.11', 'web-0@h1 10.2.0.10']);
  });

  it('readdresses no more replicas than may be away', () => {
    const book = createBook();
    const hosts = hostsOf(2);
    const apps = { web: { replicas: 3 } };
    step({ hosts, apps }, { book });
    const { assignments } = project({
      author: 'Ann',
      catalog: catalogOf({ hosts, apps }),
      placements: book.placements,
      previous: new Map(),
      reports: [],
      now: 0,
    });
    const reports = assignments.map(({ host, generation, replicas }) => {
      const ready = replicas.map((replica) => ({
        id: replica.id,
        phase: 'Ready' as const,
        ready: true,
        restarts: 0,
        incarnation: incarnationOf(replica),
      }));
      return reportOf(host, {}, { generation, replicas: ready });
    });
    const networks = { net: { pool: [['10.1.1.10', '10.1.1.99']] as const } };
    const moved = step({ hosts, apps, networks }, { book, reports, assignments });
    assert.deepEqual([...moved.placements.values()].map(({ address }) => address).sort(), [
      '10.1.0.11',
      '10.1.0.12',
      '10.1.1.10',
    ]);
    assert.deepEqual(
      step({ hosts, apps, networks }, { book, reports, assignments }).proposals,
      [],
      'the next waits for it',
    );
  });
});
