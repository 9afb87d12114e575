import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Placement } from '../../reconciler/model/replica.ts';
import { catalogOf, resources } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';
import { createFleet, homesOf, serving } from '../support/fleet.ts';
import type { Fleet } from '../support/fleet.ts';

const HOSTS = ['h0', 'h1', 'h2', 'h3'] as const;

const app = fc.record({
  replicas: fc.integer({ min: 1, max: 5 }),
  maxUnavailable: fc.integer({ min: 1, max: 2 }),
  level: fc.nat(3),
  spread: fc.constantFrom({}, { host: 2 }, { rack: 3 }, { host: 1 }),
  resources: fc.constantFrom(100, 700, 1500).map((cpu) => resources(cpu)),
});
const apps = fc.dictionary(fc.constantFrom('a', 'b', 'c'), app, { noNullPrototype: true, minKeys: 1 });

/** One small thing that happens; `drain` turns the drain of a host on or off in Git. */
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('pass' as const), publish: fc.nat(15) }) },
  {
    weight: 12,
    arbitrary: fc.record({ type: fc.constantFrom('adopt', 'work', 'work', 'report'), host: fc.constantFrom(...HOSTS) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('drain' as const), host: fc.constantFrom(...HOSTS) }) },
);
type Happening = typeof event extends fc.Arbitrary<infer T> ? T : never;

function sketchOf(drained: ReadonlySet<string>, of: NonNullable<Sketch['apps']>): Sketch {
  const hosts = HOSTS.map((host, i) => [
    host,
    { topology: { rack: `r${String(i >> 1)}`, switch: 's0' }, drain: drained.has(host) },
  ]);
  // who makes room for whom is another law: see preempt.test.ts
  const zones = { main: { preemption: false } };
  return { apps: of, zones, hosts: Object.fromEntries(hosts) as NonNullable<Sketch['hosts']> };
}

function addresses({ book }: Fleet): ReadonlyMap<string, string> {
  return new Map([...book.placements.values()].map(({ replica, address }) => [replica, address]));
}

/** What must be so at every instant. */
function safe(fleet: Fleet, floors: ReadonlyMap<string, number>, before: ReadonlyMap<string, string>): void {
  for (const [replica, homes] of homesOf(fleet))
    assert.ok(homes.length < 2, `${replica} is live on ${homes.join(' and ')}`);
  for (const [name, floor] of floors)
    assert.ok(serving(fleet, name) >= floor, `${String(serving(fleet, name))} of ${name} serve, not ${String(floor)}`);
  assert.deepEqual(addresses(fleet), before, 'all keep their addresses');
}

function happen(fleet: Fleet, one: Happening, sketch: () => Sketch, drained: Set<string>): void {
  switch (one.type) {
    case 'pass': {
      const was = new Map(fleet.book.placements);
      fleet.pass(catalogOf(sketch()), (host) => (one.publish & (1 << HOSTS.indexOf(host as 'h0'))) !== 0);
      arrivals(was, fleet, drained);
      break;
    }
    case 'drain':
      if (!drained.delete(one.host)) drained.add(one.host);
      break;
    case 'adopt':
      fleet.adopt(one.host);
      break;
    case 'work':
      fleet.work(one.host);
      break;
    default:
      fleet.report('host' in one ? one.host : '');
  }
}

/** Nothing comes to a host that is drained. */
function arrivals(was: ReadonlyMap<string, Placement>, { book }: Fleet, drained: ReadonlySet<string>): void {
  for (const { replica, host } of book.placements.values())
    assert.ok(was.get(replica)?.host === host || !drained.has(host), `${replica} came to ${host}, which is drained`);
}

describe('drain', () => {
  it('keeps floors and addresses and is never live twice, whoever is slow or killed; then it ends', () => {
    fc.assert(
      fc.property(apps, fc.array(event, { maxLength: 150, size: 'max' }), (of, events) => {
        const fleet = createFleet(HOSTS);
        const drained = new Set<string>();
        const sketch = (): Sketch => sketchOf(drained, of);
        fleet.settle(catalogOf(sketch()));
        const floors = new Map(
          Object.entries(of).map(([name, { maxUnavailable }]) => [name, serving(fleet, name) - maxUnavailable]),
        );
        // what has no home from the start may find one later
        fc.pre(Object.entries(of).every(([name, { replicas }]) => serving(fleet, name) === replicas));
        const before = addresses(fleet);
        for (const one of events) {
          happen(fleet, one, sketch, drained);
          safe(fleet, floors, before);
        }
        const { draining, proposals } = fleet.settle(catalogOf(sketch()));
        safe(fleet, floors, before);
        assert.deepEqual(proposals, [], 'at rest');
        for (const [name, { replicas }] of Object.entries(of)) assert.equal(serving(fleet, name), replicas);
        assert.deepEqual(
          draining.map(({ host }) => host),
          [...drained].sort(),
        );
        for (const { host, staying, leaving } of draining) {
          assert.deepEqual(leaving, [], 'all that left has been let go');
          assert.deepEqual(
            staying.map(({ replica }) => replica),
            [...fleet.book.placements.values()]
              .filter((p) => p.host === host)
              .map(({ replica }) => replica)
              .sort(),
          );
          for (const { why } of staying) assert.match(why, /finds no host/);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('ends with the host empty when there is room, and takes replicas again once it is undone', () => {
    const small = apps.map((of) =>
      Object.fromEntries(
        Object.entries(of).map(([name, spec]) => [name, { ...spec, spread: {}, resources: resources(100) }]),
      ),
    );
    fc.assert(
      fc.property(small, fc.constantFrom(...HOSTS), (of, host) => {
        const fleet = createFleet(HOSTS);
        fleet.settle(catalogOf(sketchOf(new Set(), of)));
        const { draining } = fleet.settle(catalogOf(sketchOf(new Set([host]), of)));
        assert.deepEqual(draining, [{ host, staying: [], leaving: [] }]);
        assert.equal(fleet.book.residents(host).size, 0);
        assert.equal(fleet.machines.get(host)?.live.size, 0);
        const rest = fleet.settle(catalogOf(sketchOf(new Set(), of)));
        assert.equal(fleet.book.residents(host).size, 0, 'nothing moves back');
        assert.deepEqual(rest.draining, []);
        const more = Object.fromEntries(Object.entries(of).map(([name, spec]) => [name, { ...spec, replicas: 12 }]));
        fleet.settle(catalogOf(sketchOf(new Set(), more)));
        assert.ok(fleet.book.residents(host).size > 0, 'new ones come');
      }),
      { numRuns: 50 },
    );
  });
});
