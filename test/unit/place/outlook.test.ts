import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook, draftOf } from '../../../reconciler/model/book.ts';
import type { Book } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { Outlook } from '../../../reconciler/model/outlook.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { outlook } from '../../../reconciler/place/outlook.ts';
import { place } from '../../../reconciler/place/place.ts';
import { outlookLines } from '../../../reconciler/plan/outlook.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { NOW, step } from '../../support/placing.ts';

/** What a sketch leads to from what there is. */
function ahead(sketch: Sketch, before: Book): Outlook {
  const catalog = catalogOf(sketch);
  const reports = [...catalog.hosts.keys()].map((host) => reportOf(host));
  const hosts = hostViews(catalog, reports, before);
  const placed = place({ catalog, snapshot: before, hosts, reports, assignments: [], now: NOW });
  const after = draftOf(before);
  after.apply(decide(after, { id: 'a', now: NOW, proposals: placed.proposals }).deltas);
  return outlook({ catalog, before, after, leaving: placed.leaving, now: NOW });
}

const hosts = hostsOf(4);
const web = (replicas: number, change: object = {}): Sketch => ({
  hosts,
  apps: { web: { replicas, maxUnavailable: 100, resources: resources(500), ...change } },
});

function world(sketch: Sketch): Book {
  const book = createBook();
  step(sketch, { book });
  return book;
}

describe('where a change leads', () => {
  it('names who gets a place, and what is left of Zones and Networks', () => {
    const found = ahead(web(6), world(web(4)));
    assert.deepEqual(
      found.placed.map(({ replica, address }) => `${replica} ${address}`),
      ['web-4 10.1.0.14', 'web-5 10.1.0.15'],
    );
    assert.deepEqual([found.staying, found.moved, found.released], [4, [], []]);
    const [zone] = found.zones;
    assert.deepEqual([zone?.used.before.cpu, zone?.used.after.cpu, zone?.left.cpu], [2000, 3000, 13_000]);
    const [network] = found.networks;
    assert.deepEqual([network?.owned, network && network.total - network.left], [{ before: 4, after: 6 }, 6]);
    assert.deepEqual(found.spread, []);
    assert.deepEqual(outlookLines(found), [
      'placements: 2 new, 0 move, 0 go, 4 stay',
      `  + web-4  ${found.placed[0]?.host ?? ''}  10.1.0.14`,
      `  + web-5  ${found.placed[1]?.host ?? ''}  10.1.0.15`,
      'zone main: CPU 2 -> 3 of 16, 13 left; memory 256Mi -> 384Mi of 16Gi, 15.6Gi left; processes 64 -> 96 of 16384, 16288 left',
      'network net: 4 -> 6 of 65525 addresses, 65519 left',
    ]);
  });

  it('counts what replicas give back once their hosts hold them to less, but for a change that was given up', () => {
    const before = world(web(4));
    const catalog = catalogOf(web(4, { resources: resources(250) }));
    // nothing is committed before the hosts say so
    const input = { catalog, before, after: draftOf(before), leaving: [], now: NOW };
    const used = (found: Outlook): readonly unknown[] =>
      found.zones.map(({ used: { after }, left }) => [after.cpu, left.cpu]);
    assert.deepEqual(used(outlook(input)), [[1000, 15_000]]);
    assert.deepEqual(outlookLines(outlook(input)), [
      'placements: 0 new, 0 move, 0 go, 4 stay',
      'zone main: CPU 2 -> 1 of 16, 15 left',
    ]);
    assert.deepEqual(used(outlook({ ...input, givenUp: new Set(['web']) })), [[2000, 14_000]]);
    const more = catalogOf(web(4, { resources: resources(750) }));
    assert.deepEqual(
      used(outlook({ ...input, catalog: more })),
      [[2000, 14_000]],
      'who finds no room keeps what it has',
    );
  });

  it('tells which replicas move with their addresses off a host that is drained', () => {
    const book = world(web(4));
    const before = book.placements.get('web-0');
    const host = before?.host ?? '';
    const drained = { ...web(4), hosts: { ...hosts, [host]: { ...hosts[host], drain: true } } };
    const found = ahead(drained, book);
    assert.deepEqual(
      found.moved.map(({ replica, from, address, was }) => [replica, from, address, was]),
      [['web-0', host, before?.address, undefined]],
    );
    assert.match(outlookLines(found)[0] ?? '', /0 new, 1 move \(1 with their addresses\), 0 go, 3 stay/);
    assert.match(outlookLines(found)[1] ?? '', new RegExp(`^ {2}> web-0 {2}${host} -> h\\d {2}keeps 10\\.`));
  });

  it('tells which addresses change with the Network', () => {
    const networks = { net: {}, next: { cidr: '10.9.0.0/24', pool: [['10.9.0.5', '10.9.0.9']] as const } };
    const book = world({ ...web(2), networks });
    const found = ahead({ ...web(2, { network: 'next' }), networks }, book);
    assert.deepEqual(
      found.moved.map(({ replica, address, was }) => `${replica} ${String(was)} ${address}`),
      ['web-0 10.1.0.10 10.9.0.5', 'web-1 10.1.0.11 10.9.0.6'],
    );
    assert.deepEqual(
      found.networks.map(({ network, owned }) => [network, owned.before, owned.after]),
      [
        ['net', 2, 0],
        ['next', 0, 2],
      ],
    );
  });

  it('lets what leaves be gone, with its room and its address', () => {
    const book = world(web(3));
    const found = ahead(web(1), book);
    assert.deepEqual(
      found.released.map(({ replica }) => replica),
      ['web-1', 'web-2'],
    );
    assert.deepEqual([found.zones[0]?.used.after.cpu, found.networks[0]?.owned.after], [500, 1]);
    const [first] = found.networks;
    assert.equal(first && first.total - first.left, 3, 'addresses rest');
  });

  it('tells what spread is lost, but for what does not divide evenly', () => {
    const book = world(web(4));
    const cut = {
      h1: hosts['h1'] ?? {},
      h2: hosts['h2'] ?? {},
      h3: { ...hosts['h3'], drain: true },
      h4: { ...hosts['h4'], drain: true },
    };
    const found = ahead({ ...web(4), hosts: cut }, book);
    assert.deepEqual(
      found.spread.map(({ level, domain, holds, of, before }) => [level, domain, holds, of, before]),
      [
        ['rack', 'r1', 4, 4, { holds: 2, of: 4 }],
        ['host', 'h1', 2, 4, { holds: 1, of: 4 }],
      ],
    );
    assert.ok(outlookLines(found).includes('spread of web: rack r1 holds 4 of 4, 2 of 4 before'));
    assert.deepEqual(ahead(web(3), book).spread, []);
    const packed = { ...web(4), zones: { main: { strategy: 'pack' as const } }, hosts: cut };
    assert.deepEqual(ahead(packed, book).spread, [], 'a Zone that packs promises no spread');
  });

  it('tells of an App that is new and all in one rack although there are others', () => {
    const found = ahead(
      {
        ...web(2, { hosts: { matchLabels: { fast: 'yes' } } }),
        hosts: { ...hosts, h1: { ...hosts['h1'], labels: { fast: 'yes' } } },
      },
      createBook(),
    );
    assert.deepEqual(
      found.spread.map(({ level, domain, holds, of, before }) => [level, domain, holds, of, before]),
      [
        ['rack', 'r1', 2, 2, undefined],
        ['host', 'h1', 2, 2, undefined],
      ],
    );
  });

  it('counts what is more than a screen', () => {
    const lines = outlookLines(ahead(web(30), createBook()));
    assert.equal(lines.filter((line) => line.startsWith('  + ')).length, 10);
    assert.ok(lines.includes('      … and 20 more of these'));
    assert.equal(
      outlookLines(ahead(web(30), createBook()), Infinity).filter((line) => line.startsWith('  + ')).length,
      30,
    );
  });
});
