import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressKey } from '../../reconciler/model/addresses.ts';
import { createBook } from '../../reconciler/model/book.ts';
import { selects } from '../../reconciler/model/catalog.ts';
import type { SpreadLevel } from '../../reconciler/model/topology.ts';
import type { ReservationState } from '../../reconciler/model/reservations.ts';
import { capacity } from '../../reconciler/place/capacity.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import type { HostView } from '../../reconciler/place/hosts.ts';
import { place } from '../../reconciler/place/place.ts';
import type { PlaceInput } from '../../reconciler/place/input.ts';
import { scale } from '../../reconciler/place/scale.ts';
import { catalogOf, reportOf } from '../support/catalog.ts';
import { commitAll } from '../support/placing.ts';
import { history, machineOf } from '../support/sketches.ts';

/** The world after a history, all placed that can be: `change` gives other numbers of replicas. */
function settled(steps: typeof history extends fc.Arbitrary<infer T> ? T : never): PlaceInput {
  const book = createBook();
  let now = 0;
  let input: PlaceInput | undefined;
  for (const [drawn, later] of steps) {
    now += later;
    // what is free is asked for: nobody makes room
    const zones = Object.fromEntries(
      Object.entries(drawn.zones ?? {}).map(([name, zone]) => [name, { ...zone, preemption: false }]),
    );
    const catalog = catalogOf({ ...drawn, zones, heldOwners: [], heldObjects: [] });
    const reports = [...catalog.hosts.keys()].map((name) => reportOf(name, machineOf(name)));
    const hosts = hostViews(catalog, reports, book);
    input = { catalog, snapshot: book, hosts, reports, assignments: [], now };
    commitAll(book, place(input).proposals, now);
  }
  assert.ok(input);
  return input;
}

function asking(input: PlaceInput, app: string, replicas: number): PlaceInput {
  const before = input.catalog.apps.get(app);
  assert.ok(before);
  const apps = new Map([...input.catalog.apps, [app, { ...before, spec: { ...before.spec, replicas } }] as const]);
  return { ...input, catalog: { ...input.catalog, apps } };
}

/** Whether place finds a home for so many replicas of an App. */
function fits(input: PlaceInput, app: string, replicas: number): boolean {
  return !place(asking(input, app, replicas)).unplaceable.some((one) => one.app === app);
}

/** The hosts of a zone or of those that a Network reaches, and the Apps that count there. */
interface Part {
  readonly hosts: readonly HostView[];
  readonly counts: (app: string) => boolean;
}

/** Replicas of a part that place finds no home for once its host, rack or switch is no more. */
function cost(input: PlaceInput, { hosts: part, counts }: Part, level: SpreadLevel, name: string): number {
  const lost = new Set(part.flatMap(({ record }) => (record[level] === name ? [record.host] : [])));
  const { hosts, placements, addresses } = input.snapshot;
  const gone = [...placements.values()].filter(({ host }) => lost.has(host));
  const freed = new Set(gone.map(({ network, address }) => addressKey(network, address)));
  const snapshot: ReservationState = {
    hosts: new Map([...hosts].filter(([host]) => !lost.has(host))),
    placements: new Map([...placements].filter(([, { host }]) => !lost.has(host))),
    addresses: new Map([...addresses].filter(([key]) => !freed.has(key))),
  };
  const after = place({ ...input, snapshot, hosts: input.hosts.filter(({ record }) => !lost.has(record.host)) });
  return gone.filter(({ replica, app }) => counts(app) && !after.placements.has(replica)).length;
}

/** What compile refuses is nobody's question: an App that must be near to one of another Zone. */
function comparable({ catalog }: PlaceInput): boolean {
  return [...catalog.apps.values()].every(({ spec: { zone, affinity = [] } }) =>
    affinity.every(({ app }) => (catalog.apps.get(app)?.spec.zone ?? zone) === zone),
  );
}

describe('capacity', () => {
  it('says of every App how many more place finds a home for: so many, and not one more', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const input = settled(steps);
        fc.pre(comparable(input));
        const { zones, homeless } = capacity(input, { apps: [] });
        for (const { app, more, limit } of zones.flatMap(({ apps }) => apps)) {
          const { replicas = 0, gang } = input.catalog.apps.get(app)?.spec ?? {};
          const mates = [...input.catalog.apps.values()].filter(({ spec }) => gang !== undefined && spec.gang === gang);
          const names = [app, ...mates.map(({ name }) => name)];
          // a gang that waits does not grow, though more of one of its Apps might be what another waits for
          const waits = homeless.filter((replica) => names.some((name) => replica.startsWith(`${name}-`)));
          // one that only does not grow, or may not leave, is in nobody's way
          if (!waits.every((replica) => input.snapshot.placements.has(replica))) assert.equal(more, 0);
          if (waits.length > 0) continue;
          assert.ok(fits(input, app, replicas + more), `${app}: ${String(more)} more`);
          assert.equal(fits(input, app, replicas + more + 1), limit === undefined, `${app}: one more than that`);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('says which loss is the worst: none costs place more', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const input = settled(steps);
        const { zones, networks, homeless } = capacity(input, { apps: [] });
        fc.pre(homeless.length === 0 && comparable(input));
        const inZones = zones.map(({ zone, losses }) => ({
          losses,
          part: { hosts: input.hosts.filter(({ record }) => record.zone === zone), counts: () => true },
        }));
        const inNetworks = networks.map(({ network, losses }) => {
          const reach = input.catalog.networks.get(network)?.spec.hosts ?? assert.fail();
          const counts = (app: string): boolean => input.catalog.apps.get(app)?.spec.network === network;
          return { losses, part: { hosts: input.hosts.filter(({ labels }) => selects(reach, labels)), counts } };
        });
        for (const { losses, part } of [...inZones, ...inNetworks])
          for (const level of ['host', 'rack', 'switch'] as const) {
            const names = [...new Set(part.hosts.map(({ record }) => record[level]))];
            const costs = names.map((name) => cost(input, part, level, name));
            const found = losses.find((loss) => loss.level === level);
            assert.equal(found?.homeless.length, costs.length === 0 ? undefined : Math.max(...costs));
            if (found) assert.equal(cost(input, part, level, found.name), found.homeless.length);
          }
      }),
      { numRuns: 100 },
    );
  });

  it('leaves the world as it found it', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const input = settled(steps);
        const told = capacity(input, { apps: [] });
        assert.deepEqual(capacity(input, { apps: [] }), told);
        assert.deepEqual(place(input).proposals, [], 'at rest');
      }),
      { numRuns: 50 },
    );
  });

  it('scales to what place finds homes for, and says what stands in the way', () => {
    fc.assert(
      fc.property(history, fc.nat(60), (steps, to) => {
        const input = settled(steps);
        for (const app of input.catalog.apps.keys()) {
          const {
            fits: all,
            apps: [answer],
          } = scale(input, new Map([[app, to]]));
          assert.ok(answer);
          assert.equal(all, fits(input, app, to));
          assert.equal(answer.placed === to, all);
          assert.equal(answer.message === undefined, all);
          assert.ok(!all || Object.keys(answer.missing).length === 0);
        }
      }),
      { numRuns: 100 },
    );
  });
});
