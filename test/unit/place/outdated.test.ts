import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { explain } from '../../../reconciler/place/explain.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import type { PlaceInput } from '../../../reconciler/place/input.ts';
import { lineup } from '../../../reconciler/plan/lineup.ts';
import { catalogOf } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { createFleet } from '../../support/fleet.ts';

type Apps = NonNullable<Sketch['apps']>;
type Networks = NonNullable<Sketch['networks']>;

const zones = { a: { hosts: { matchLabels: { in: 'a' } } }, b: { hosts: { matchLabels: { in: 'b' } } } };
const hosts = { h1: { labels: { in: 'a' } }, h2: { labels: { in: 'b' } } };

/** Three replicas in zone a that serve, and what Git asks of them next. */
function begun(
  next: Apps[string],
  networks: Networks = { net: {} },
  nextNetworks = networks,
): { readonly input: PlaceInput; readonly aim: Catalog } {
  const fleet = createFleet(['h1', 'h2']);
  const before = { replicas: 3, zone: 'a' };
  fleet.settle(catalogOf({ hosts, zones, networks, apps: { web: before } }));
  const aim = catalogOf({ hosts, zones, networks: nextNetworks, apps: { web: { ...before, ...next } } });
  const { assignments, reports } = fleet.words();
  const seen = { reports: [...reports.values()], assignments: [...assignments.values()] };
  const views = hostViews(aim, seen.reports, fleet.book);
  return { aim, input: { catalog: aim, snapshot: fleet.book, hosts: views, ...seen, now: 0 } };
}

const told = (input: PlaceInput, replica: string): string => explain(input, replica)?.message ?? '';

describe('a replica whose place or address is no longer what Git says', () => {
  it('waits for its turn, and place tells who does', () => {
    const { input } = begun({ zone: 'b' });
    const { outdated, unplaceable } = place(input);
    assert.deepEqual([outdated, unplaceable], [['web-1', 'web-2'], []]);
  });

  it('is told in explain to go when its turn comes, and for whom it waits', () => {
    const { input } = begun({ zone: 'b' });
    assert.equal(
      told(input, 'web-0'),
      'web-0 is on h1, in zone a, and Git asks for zone b: when its turn comes it goes to h2 and gets another address: ' +
        '1 host is left (1 not in zone b (h1))',
    );
    assert.match(
      told(input, 'web-2'),
      /^web-2 is on h1, in zone a, .*\. It waits for its turn: App web lets 1 replica be away at a time, web-0 is$/,
    );
  });

  it('says which address it lacks', () => {
    const blocks = { net: { blockSize: 30, pool: [['10.1.0.4', '10.1.0.7']] as const } };
    const { input } = begun({ zone: 'b' }, blocks);
    assert.match(
      told(input, 'web-0'),
      /^It stays on h1, in zone a, and Git asks for zone b\. Placed now: Network net has no address left: 3 wanted, 4 there, 3 in use, 1 free in blocks that other Zones hold/,
    );
    assert.match(
      told(input, 'web-2'),
      /and waits for its turn: App web lets 1 replica be away at a time, web-0 \(it moves first\) is\. Placed now: Network net has no address/,
    );
    assert.deepEqual(place(input).outdated, ['web-1', 'web-2']);
  });

  it('gets another address where it is', () => {
    const other: Networks = { net: { pool: [['10.1.0.50', '10.1.0.59']] } };
    const { input } = begun({}, { net: {} }, other);
    assert.match(
      told(input, 'web-0'),
      /^web-0 is on h1, and Network net no longer gives out 10\.1\.0\.10: when its turn comes it gets another address there: /,
    );
    const more = { net: {}, next: { vlan: 20, pool: [['10.2.0.10', '10.2.0.20']] as const } };
    assert.match(
      told(begun({ network: 'next' }, more).input, 'web-0'),
      /^web-0 is on h1, in Network net, and Git asks for Network next: when its turn comes it gets another address there: /,
    );
  });

  it('does not serve as Git says', () => {
    const { aim, input } = begun({ zone: 'b' });
    const previous = new Map(input.assignments.map((one) => [one.host, one]));
    const placements = new Map(input.snapshot.placements);
    const found = lineup({ catalog: aim, placements, previous, reports: input.reports, now: 0 }, 'web');
    assert.equal(found?.message, 'web: 3 of 3 replicas are not yet placed as Git says');
    assert.deepEqual(found.replicas[0], {
      replica: 'web-0',
      host: 'h1',
      image: 'plumbline/busybox:1',
      differs: ['zone'],
      serves: true,
      waits: 'it has yet to get another place: plumb explain web-0 says why',
    });
  });
});
