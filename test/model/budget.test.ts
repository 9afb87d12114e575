import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ZoneSpec } from '../../reconciler/model/catalog.ts';
import { mostAway } from '../../reconciler/model/disruption.ts';
import { formOf } from '../../reconciler/model/form.ts';
import { incarnationOf } from '../../reconciler/model/rollout.ts';
import { catalogOf, resources } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';
import { createFleet, servingAsTold } from '../support/fleet.ts';
import type { Fleet } from '../support/fleet.ts';

const HOSTS = ['h0', 'h1', 'h2', 'h3'] as const;
const NAMES = ['a', 'b', 'c'] as const;

const app = fc.record({
  replicas: fc.integer({ min: 1, max: 5 }),
  maxUnavailable: fc.integer({ min: 1, max: 4 }),
  level: fc.nat(3),
});
const budget = fc.oneof(
  fc.record({ count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ percent: fc.constantFrom(1, 20, 50) }),
);
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('pass' as const), publish: fc.nat(15) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constantFrom('adopt' as const, 'work' as const, 'work' as const, 'report' as const),
      host: fc.constantFrom(...HOSTS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('drain' as const), host: fc.constantFrom(...HOSTS) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), host: fc.constantFrom(...HOSTS) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('commit' as const),
      app: fc.constantFrom(...NAMES),
      image: fc.constantFrom('v1', 'v2'),
      cpu: fc.constantFrom(100, 50, 200),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('mtu' as const), mtu: fc.constantFrom(1500, 9000) }) },
);
type Happening = typeof event extends fc.Arbitrary<infer T> ? T : never;

/** What Git says by now. */
interface Git {
  readonly apps: Record<string, NonNullable<Sketch['apps']>[string]>;
  readonly drained: Set<string>;
  readonly budget: NonNullable<NonNullable<ZoneSpec['disruption']>['maxUnavailable']>;
  mtu: number;
}

function sketchOf({ apps, drained, budget: most, mtu }: Git): Sketch {
  return {
    apps,
    hosts: Object.fromEntries(HOSTS.map((host) => [host, { drain: drained.has(host) }])),
    zones: { main: { disruption: { maxUnavailable: most } } },
    networks: { net: { mtu } },
  };
}

const wantedOf = ({ apps }: Git): number => Object.values(apps).reduce((sum, { replicas = 1 }) => sum + replicas, 0);
const awayOf = (fleet: Fleet, git: Git): number => wantedOf(git) - servingAsTold(fleet);

/** How many are away as far as the hosts have said: one that came back unseen may be taken for away still. */
function awayAsSaid(fleet: Fleet, git: Git): number {
  const { assignments, reports } = fleet.words();
  let serve = 0;
  for (const [host, { generation, replicas }] of assignments) {
    const report = reports.get(host);
    if (report?.generation !== generation) continue;
    serve += replicas.filter((replica) => {
      const said = report.replicas.find(({ id }) => id === replica.id);
      const asTold = said?.incarnation === incarnationOf(replica) && said.form === formOf(replica);
      return said?.ready === true && asTold && fleet.book.placements.get(replica.id)?.host === host;
    }).length;
  }
  return wantedOf(git) - serve;
}

function happen(fleet: Fleet, git: Git, one: Happening): void {
  switch (one.type) {
    case 'pass': {
      const before = Math.max(awayOf(fleet, git), awayAsSaid(fleet, git));
      fleet.pass(catalogOf(sketchOf(git)), (host) => (one.publish & (1 << HOSTS.indexOf(host as 'h0'))) !== 0);
      const most = Math.max(before, mostAway(git.budget, wantedOf(git)));
      const after = awayOf(fleet, git);
      assert.ok(after <= most, `${String(after)} away, ${String(before)} before, ${String(most)} allowed`);
      break;
    }
    case 'commit': {
      const before = git.apps[one.app];
      if (before) git.apps[one.app] = { ...before, image: one.image, resources: resources(one.cpu) };
      break;
    }
    case 'mtu':
      git.mtu = one.mtu;
      break;
    case 'drain':
      if (!git.drained.delete(one.host)) git.drained.add(one.host);
      break;
    case 'crash':
      // what is not told cannot be counted
      for (const live of fleet.machines.get(one.host)?.live.values() ?? []) live.ready = false;
      fleet.report(one.host);
      break;
    default:
      fleet[one.type](one.host);
  }
}

describe('the budget of a Zone', () => {
  it('is never exceeded by updates, changes in place and drains of several Apps, whoever is killed; and it ends', () => {
    const apps = fc.dictionary(fc.constantFrom(...NAMES), app, { noNullPrototype: true, minKeys: 1 });
    fc.assert(
      fc.property(apps, budget, fc.array(event, { maxLength: 150, size: 'max' }), (of, most, events) => {
        const fleet = createFleet(HOSTS);
        const plain = Object.entries(of).map(([name, one]) => [
          name,
          { ...one, image: 'v1', resources: resources(100) },
        ]);
        const git: Git = {
          apps: Object.fromEntries(plain) as Git['apps'],
          drained: new Set(),
          budget: most,
          mtu: 1500,
        };
        fleet.settle(catalogOf(sketchOf(git)));
        assert.equal(awayOf(fleet, git), 0);
        for (const one of events) happen(fleet, git, one);
        for (let rounds = 0; rounds < 15; rounds += 1) fleet.settle(catalogOf(sketchOf(git)));
        assert.equal(awayOf(fleet, git), 0, 'all serve');
        for (const { replicas } of fleet.words().assignments.values())
          for (const { app: name, spec, holds } of replicas) {
            assert.equal(spec.image, git.apps[name]?.image);
            // hosts that are drained have no room for more
            if (git.drained.size < HOSTS.length) assert.deepEqual(spec.resources, git.apps[name]?.resources);
            assert.equal(holds, undefined);
          }
        if (git.drained.size < HOSTS.length)
          for (const host of git.drained) assert.equal(fleet.book.residents(host).size, 0, `${host} is empty`);
      }),
      { numRuns: 60 },
    );
  });
});
