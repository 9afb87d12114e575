import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressKey } from '../../reconciler/model/addresses.ts';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import { decide } from '../../reconciler/model/decide.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import type { AddressRecord, CommitRequest, Delta, HostRecord, Proposal } from '../../reconciler/model/reservations.ts';
import { SPREAD_LEVELS } from '../../reconciler/model/topology.ts';
import type { SpreadLevel } from '../../reconciler/model/topology.ts';
import { BESIDE, homeZone, leaseOf, LIMITS, request, TOPOLOGY } from '../support/requests.ts';

type Decide = typeof decide;

const RESOURCES = ['cpu', 'memory', 'pids', 'disk', 'spindles'] as const;

const run = fc.array(fc.tuple(request, fc.nat(200)), { minLength: 1, maxLength: 12 });

/** Reservations kept without any of the code under test. */
interface Plain {
  readonly hosts: Map<string, HostRecord>;
  readonly placements: Map<string, Placement>;
  readonly addresses: Map<string, AddressRecord>;
}

function put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function applyPlain(state: Plain, deltas: readonly Delta[]): Plain {
  const next = {
    hosts: new Map(state.hosts),
    placements: new Map(state.placements),
    addresses: new Map(state.addresses),
  };
  for (const delta of deltas) {
    if (delta.type === 'host') put(next.hosts, delta.host, delta.record);
    else if (delta.type === 'placement') put(next.placements, delta.replica, delta.placement);
    else put(next.addresses, delta.key, delta.record);
  }
  return next;
}

function usedOn(state: Plain, host: string, key: (typeof RESOURCES)[number]): number {
  return [...state.placements.values()]
    .filter((p) => p.host === host)
    .reduce((sum, p) => sum + (p.demand[key] ?? 0), 0);
}

function noOvercommit(before: Plain, after: Plain): void {
  for (const record of after.hosts.values())
    for (const key of RESOURCES) {
      const used = usedOn(after, record.host, key);
      const bound = Math.max(record.allocatable[key] ?? 0, usedOn(before, record.host, key));
      assert.ok(used <= bound, `${record.host} holds ${String(used)} ${key}, at most ${String(bound)}`);
    }
}

function oneOwner(state: Plain): void {
  const owners = new Map<string, string>();
  for (const { replica: id, network, address } of state.placements.values()) {
    const key = addressKey(network, address);
    assert.equal(owners.get(key), undefined, `${key} has two owners`);
    owners.set(key, id);
    assert.deepEqual(state.addresses.get(key), { replica: id }, `${key} is not recorded as owned`);
  }
  for (const [key, record] of state.addresses)
    if ('replica' in record)
      assert.equal(owners.get(key), record.replica, `${key} is lost: its owner is not placed there`);
}

function restRespected(before: Plain, after: Plain, now: number): void {
  for (const [key, record] of before.addresses) {
    const later = after.addresses.get(key);
    if ('until' in record && record.until > now) assert.deepEqual(later, record, `${key} was to rest`);
  }
}

function spreadKept({ placements, hosts }: Plain): void {
  for (const [app, limits] of Object.entries(LIMITS))
    for (const level of SPREAD_LEVELS) {
      const counts = new Map<string, number>();
      for (const placement of placements.values()) {
        const domain = hosts.get(placement.host)?.[level] ?? '';
        if (placement.app === app) counts.set(domain, (counts.get(domain) ?? 0) + 1);
      }
      for (const [domain, count] of counts)
        assert.ok(count <= (limits[level] ?? Infinity), `${app} has ${String(count)} in ${domain}`);
    }
}

function inDomain({ placements, hosts }: Plain, app: string, level: SpreadLevel, domain: string | undefined): boolean {
  return [...placements.values()].some((p) => p.app === app && hosts.get(p.host)?.[level] === domain);
}

/** Apps that are to be apart are so; one that is to be near to another came there while that was there. */
function neighboursKept(before: Plain, after: Plain, proposals: readonly Proposal[]): void {
  for (const { replica, app, host } of after.placements.values()) {
    const { near = [], apart = [] } = BESIDE[app] ?? {};
    for (const { app: other, within } of apart)
      assert.ok(!inDomain(after, other, within, after.hosts.get(host)?.[within]), `${replica} is beside ${other}`);
    const leaves = proposals.some(({ op }) => op === 'release' || op === 'move');
    if (leaves || before.placements.get(replica)?.host === host) continue;
    for (const { app: other, within } of near)
      assert.ok(inDomain(after, other, within, after.hosts.get(host)?.[within]), `${replica} is not near ${other}`);
  }
}

/** Of a gang all are placed as they asked, or what it says of them was so before. */
function together(before: Plain, after: Plain, proposals: readonly Proposal[]): void {
  // what came before and after in the same request is not seen here
  const [only] = proposals;
  if (proposals.length !== 1 || only?.op !== 'gang') return;
  const asked = only.places.map(({ placement }) => placement);
  const there = (state: Plain): number =>
    asked.filter((one) => JSON.stringify(state.placements.get(one.replica)) === JSON.stringify(one)).length;
  assert.ok(there(after) === asked.length || there(after) === there(before), 'a part of a gang is placed');
}

function rightHosts(before: Plain, after: Plain): void {
  for (const [id, placement] of after.placements) {
    const record = after.hosts.get(placement.host);
    assert.ok(record, `${id} is on a host that is not known`);
    if (before.placements.get(id)?.host === placement.host) continue;
    assert.deepEqual([record.state, record.zone], ['open', placement.zone]);
  }
  for (const [host, record] of before.hosts)
    assert.ok((after.hosts.get(host)?.epoch ?? Infinity) >= record.epoch, `the epoch of ${host} fell`);
}

/** What was placed out of a block is in a block of its zone. */
function blocksKept({ placements, addresses }: Plain): void {
  for (const { app, zone, network, address } of placements.values()) {
    const { block } = leaseOf(app, address);
    if (block !== undefined)
      assert.deepEqual(addresses.get(addressKey(network, block)), { zone }, `${block} of ${zone}`);
  }
}

function sumsAgree(book: Book, state: Plain): void {
  for (const [host] of TOPOLOGY)
    for (const key of RESOURCES) assert.equal(book.used(host)[key] ?? 0, usedOn(state, host, key));
  for (const app of Object.keys(LIMITS))
    for (const level of SPREAD_LEVELS)
      for (const domain of ['h0', 'h1', 'h2', 'h3', 'r0', 'r1', 'r2', 's0', 's1']) {
        const placed = [...state.placements.values()].filter((p) => p.app === app);
        const count = placed.filter((p) => state.hosts.get(p.host)?.[level] === domain).length;
        assert.equal(book.count(app, level, domain), count, `${app} ${level} ${domain}`);
      }
}

/** Runs the requests and holds every state to the invariants. */
function holds(by: Decide, requests: readonly (readonly [readonly Proposal[], number])[]): void {
  const book = createBook();
  let state: Plain = { hosts: new Map(), placements: new Map(), addresses: new Map() };
  const openAll = TOPOLOGY.map(([host, rack, behind]): Proposal => {
    const allocatable = { cpu: 100, memory: 100, pids: 100, disk: 100, spindles: 2000 };
    const where = { zone: homeZone(host), rack, switch: behind };
    return { op: 'host', record: { host, state: 'open', epoch: 1, allocatable, ...where } };
  });
  let now = 0;
  for (const [proposals, later] of [[openAll, 0] as const, ...requests]) {
    now += later;
    const { verdicts, deltas } = by(book, { id: String(now), now, proposals });
    assert.equal(verdicts.length, proposals.length);
    const next = applyPlain(state, deltas);
    book.apply(deltas);
    noOvercommit(state, next);
    oneOwner(next);
    restRespected(state, next, now);
    spreadKept(next);
    blocksKept(next);
    neighboursKept(state, next, proposals);
    together(state, next, proposals);
    rightHosts(state, next);
    sumsAgree(book, next);
    state = next;
  }
}

const RUNS = { numRuns: 300 };

describe('any sequence of commits', () => {
  it('keeps the invariants', () => {
    fc.assert(
      fc.property(run, (requests) => {
        holds(decide, requests);
      }),
      RUNS,
    );
  });

  it('decides one request as it does its proposals one by one', () => {
    const oneByOne: Decide = (book, { id, now, proposals }) => {
      const copy = createBook(book);
      const decisions = proposals.map((proposal) => {
        const decision = decide(copy, { id, now, proposals: [proposal] });
        copy.apply(decision.deltas);
        return decision;
      });
      return { verdicts: decisions.flatMap((d) => d.verdicts), deltas: decisions.flatMap((d) => d.deltas) };
    };
    const both: Decide = (book, asked) => {
      const decision = decide(book, asked);
      assert.deepEqual(decision, oneByOne(book, asked));
      assert.deepEqual(decision, decide(book, asked), 'and the same again: the book was left as it is');
      return decision;
    };
    fc.assert(
      fc.property(run, (requests) => {
        holds(both, requests);
      }),
      RUNS,
    );
  });

  it('accepts some of everything', () => {
    const seen = new Set<string>();
    const spy: Decide = (book, asked) => {
      const decision = decide(book, asked);
      decision.verdicts.forEach((verdict, i) => {
        seen.add(`${asked.proposals[i]?.op ?? ''} ${verdict.accepted ? 'accepted' : verdict.reason}`);
      });
      return decision;
    };
    fc.assert(
      fc.property(run, (requests) => {
        holds(spy, requests);
      }),
      { numRuns: 10_000, seed: 1 },
    );
    const refusals = ['host-closed', 'wrong-zone', 'epoch', 'capacity', 'spread', 'placed-elsewhere', 'affinity'];
    const expected = [
      ...refusals,
      'no-host',
      'anti-affinity',
      'address-owned',
      'address-resting',
      'block-leased',
      'accepted',
    ].map((word) => `place ${word}`);
    for (const word of [
      ...expected,
      ...[
        'not-placed',
        'placed-elsewhere',
        'capacity',
        'spread',
        'affinity',
        'anti-affinity',
        'host-closed',
        'accepted',
      ].map((word) => `move ${word}`),
      'gang accepted',
      'gang gang',
      'resize capacity',
      'resize accepted',
      'release accepted',
      'yield accepted',
      'yield yields',
      'yield placed-elsewhere',
      'yield not-placed',
      'forget-host host-in-use',
    ])
      assert.ok(seen.has(word), `never seen: ${word}`);
  });
});

/** Broken on purpose, each in one check: by a book that does not tell it what it must know. */
const broken: Readonly<Record<string, Decide>> = {
  'does not check capacity': (book, asked) => decide({ ...book, used: () => ({ cpu: 0, memory: 0, pids: 0 }) }, asked),
  'does not check addresses': (book, asked) => decide({ ...book, addresses: new Map() }, asked),
  'lets addresses rest too short': (book, asked) => {
    const owned = [...book.addresses].filter(([, record]) => 'replica' in record);
    return decide({ ...book, addresses: new Map(owned) }, asked);
  },
  'leases a block to two zones': (book, asked) => {
    const address = (key: string): AddressRecord | undefined =>
      key.includes('/10.0.0.0/') ? undefined : book.address(key);
    const unleased = [...book.addresses].filter(([key]) => address(key) !== undefined);
    return decide({ ...book, address, addresses: new Map(unleased) }, asked);
  },
  'does not check spread': (book, asked) => decide({ ...book, count: () => 0, residents: () => new Map() }, asked),
  'does not check who is near': (book, asked) =>
    decide({ ...book, count: (app, level, domain) => (app === 'a' ? 1 : book.count(app, level, domain)) }, asked),
  'does not check who is to be apart': (book, asked) =>
    decide({ ...book, residents: (host) => new Map([...book.residents(host)].filter(([app]) => app !== 'c')) }, asked),
  'places what it can of a gang': (book, asked) => {
    const each = (one: Proposal): readonly Proposal[] => (one.op === 'gang' ? one.places : [one]);
    const { deltas } = decide(book, { ...asked, proposals: asked.proposals.flatMap(each) });
    return { deltas, verdicts: asked.proposals.map(() => ({ accepted: true })) };
  },
  'places a replica twice': (book, asked) => decide({ ...book, placements: new Map() }, asked),
  'does not look at the zone or the state': (book, asked) => {
    const open = [...book.hosts].map(([name, record]): [string, HostRecord] => [
      name,
      { ...record, state: 'open', zone: 'main' },
    ]);
    return decide({ ...book, hosts: new Map(open) }, asked);
  },
  'forgets the epoch': (book, asked) => {
    const fresh = [...book.hosts].map(([name, record]): [string, HostRecord] => [name, { ...record, epoch: 0 }]);
    return decide({ ...book, hosts: new Map(fresh) }, asked);
  },
  'does not show a proposal what the one before it did': (book, asked) => {
    const alone = (proposal: Proposal): CommitRequest => ({ ...asked, proposals: [proposal] });
    const decisions = asked.proposals.map((proposal) => decide(book, alone(proposal)));
    return { verdicts: decisions.flatMap((d) => d.verdicts), deltas: decisions.flatMap((d) => d.deltas) };
  },
};

describe('the invariants catch a decide that', () => {
  for (const [name, by] of Object.entries(broken))
    it(name, () => {
      const property = fc.property(run, (requests) => {
        holds(by, requests);
      });
      assert.equal(fc.check(property, { numRuns: 2000, seed: 1, endOnFailure: true }).failed, true);
    });
});
