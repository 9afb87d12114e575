import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook, type Book } from '../../../reconciler/model/book.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { Assignment, Report } from '../../../reconciler/model/replica.ts';
import { hostProposals, hostViews } from '../../../reconciler/place/hosts.ts';
import { openPart, rebuild, REOPEN, untold, type Rebuild } from '../../../reconciler/place/rebuild.ts';
import { catalogOf, reportOf, resources } from '../../support/catalog.ts';

/** What a host was told: these replicas, each with an address. */
function told(
  host: string,
  generation: number,
  ...replicas: readonly (readonly [string, string, string?])[]
): Assignment {
  const { cpu, memory, pids } = resources(100);
  const common = { zone: host[0] ?? '', host, demand: { cpu, memory, pids }, epoch: 1 };
  const placed = replicas.map(([id, address, network = 'net']) => {
    const app = id.replace(/-\d+$/, '');
    return { id, app, placement: { ...common, app, network, replica: id, address } };
  });
  return { host, generation, replicas: placed } as unknown as Assignment;
}

/** A host that was told something, and says what. */
function says(kept: Assignment): Report {
  return reportOf(kept.host, {}, { generation: kept.generation, kept });
}

/** Zones a and b of two hosts each. */
const zone = (pool: string): { hosts: { matchLabels: Record<string, string> } } => ({
  hosts: { matchLabels: { pool } },
});
const catalog = catalogOf({
  zones: { a: zone('a'), b: zone('b') },
  networks: { net: {}, own: {}, shared: {} },
  hosts: Object.fromEntries(['a1', 'a2', 'b1', 'b2'].map((name) => [name, { labels: { pool: name[0] ?? '' } }])),
  apps: {
    web: { zone: 'a', network: 'own', replicas: 2 },
    api: { zone: 'a', network: 'shared', replicas: 2 },
    log: { zone: 'b', network: 'shared', replicas: 2 },
  },
});

const empty = createBook();
const look = (reports: readonly Report[], more: Partial<Parameters<typeof rebuild>[0]> = {}): Rebuild =>
  rebuild({ catalog, reports, snapshot: empty, stored: [], now: 1000, ...more });

function taught({ proposals }: Rebuild, book: Book = createBook()): Book {
  book.apply(decide(book, { id: 'a', now: 0, proposals }).deltas);
  return book;
}
const homes = (book: Book): readonly string[] =>
  [...book.placements.values()].map(({ replica, host, address }) => `${replica} ${host} ${address}`);
const appsOf = ({ apps }: Catalog): readonly string[] => [...apps.keys()];

describe('an emptied store', () => {
  const kept = told('a1', 4, ['web-0', '10.1.0.17', 'own']);

  it('waits for hosts that have not reported, and for those that do not say what they were told', () => {
    const { awaited, opens, reopening, proposals } = look([
      reportOf('a1', {}, { generation: 4 }),
      reportOf('a2'),
      reportOf('b1'),
    ]);
    assert.deepEqual({ awaited, opens, proposals }, { awaited: ['a1', 'b2'], opens: [], proposals: [] });
    assert.deepEqual(reopening, { since: 1000, open: [] });
    assert.deepEqual([...untold(catalog, { since: 1000, open: [] })].sort(), ['a1', 'a2', 'b1', 'b2']);
  });

  it('opens Zone by Zone: one whose hosts have all reported knows who is where, the other waits', () => {
    const half = look([says(kept), reportOf('a2'), reportOf('b1')]);
    assert.deepEqual([half.opens, half.awaited], [['a'], ['b2']]);
    assert.deepEqual(half.reopening, { since: 1000, open: ['a'] });
    const book = taught(half);
    assert.deepEqual(homes(book), ['web-0 a1 10.1.0.17']);
    assert.deepEqual([...book.hosts.keys()], ['a1', 'a2']);
    assert.deepEqual([...untold(catalog, { since: 1000, open: ['a'] })].sort(), ['b1', 'b2']);
    const late = says(told('b2', 9, ['log-0', '10.1.0.18', 'shared']));
    const all = look([says(kept), reportOf('a2'), reportOf('b1'), late], {
      snapshot: book,
      stored: [kept],
      reopening: half.reopening,
      now: 2000,
    });
    assert.deepEqual([all.opens, all.awaited, all.reopening], [['b'], [], undefined]);
    assert.deepEqual(homes(taught(all, book)), ['web-0 a1 10.1.0.17', 'log-0 b2 10.1.0.18']);
  });

  it('refuses nothing that runs where a host has less by now, and says then what it has', () => {
    const both = told('a1', 4, ['web-0', '10.1.0.17', 'own'], ['web-1', '10.1.0.18', 'own']);
    const reports = [reportOf('a1', { cpu: 150 }, { generation: 4, kept: both }), reportOf('a2')];
    const book = taught(look(reports));
    assert.deepEqual(homes(book), ['web-0 a1 10.1.0.17', 'web-1 a1 10.1.0.18']);
    const hosts = hostViews(catalog, reports, book);
    const [record] = hostProposals(hosts, book, catalog);
    assert.deepEqual(record?.op === 'host' && [record.record.host, record.record.allocatable.cpu], ['a1', 150]);
    assert.equal(hostProposals(hosts, book, catalog).length, 1);
  });

  it('gives no addresses of a Network that Zones share, and touches no replica that may be elsewhere, before all are open', () => {
    const half = { since: 0, open: ['a'] };
    const mine = told('a1', 4, ['web-0', '10.1.0.17', 'own']);
    assert.deepEqual(appsOf(openPart(catalog, half, [mine])), ['web']);
    assert.deepEqual([...openPart(catalog, half, []).heldObjects], ['App/api', 'App/log']);
    assert.deepEqual(appsOf(openPart(catalog, { since: 0, open: ['b'] }, [])), []);
    assert.deepEqual(appsOf(openPart(catalog, { since: 0, open: ['a', 'b'] }, [])), ['web', 'api', 'log']);
    const moved = told('b1', 3, ['web-1', '10.1.0.17', 'own']);
    assert.deepEqual(appsOf(openPart(catalog, half, [moved])), [], 'its Zone was b');
    const unread = { ...catalog, heldObjects: new Set(['App/old']) };
    assert.deepEqual(appsOf(openPart(unread, half, [])), [], 'one that cannot be read may be anywhere');
    const apart = new Map(
      [...catalog.networks].map(([name, network]) => [
        name,
        { ...network, spec: { ...network.spec, hosts: zone('a').hosts } },
      ]),
    );
    assert.deepEqual(
      appsOf(openPart({ ...unread, networks: apart }, half, [])),
      ['web'],
      'but not where its Network is not',
    );
  });

  it('opens what is not heard when its time is out, and believes who is late as far as nobody else has what it has', () => {
    const reopening = { since: 1000, open: ['a'] };
    const before = look([reportOf('a1'), reportOf('a2')], { reopening, now: 999 + REOPEN });
    assert.deepEqual([before.opens, before.awaited], [[], ['b1', 'b2']]);
    const out = look([reportOf('a1'), reportOf('a2')], { reopening, now: 1000 + REOPEN });
    assert.deepEqual([out.opens, out.awaited, out.reopening], [['b'], [], undefined]);
    const book = taught(
      look([reportOf('a1'), reportOf('a2'), reportOf('b1')], {
        reopening: { since: 1000, open: [] },
        now: 2000 + REOPEN,
      }),
    );
    const other = decide(book, {
      id: 'b',
      now: 0,
      proposals: [
        {
          op: 'place',
          placement: told('b1', 1, ['log-0', '10.1.0.18']).replicas[0]?.placement ?? assert.fail(),
          hostEpoch: 1,
          spread: {},
        },
      ],
    });
    book.apply(other.deltas);
    const late = says(told('b2', 9, ['log-0', '10.1.0.18'], ['log-1', '10.1.0.19'], ['log-2', '10.1.0.18']));
    const found = look([late], { snapshot: book });
    assert.deepEqual([found.opens, found.reopening], [[], undefined]);
    assert.deepEqual(homes(taught(found, book)), ['log-0 b1 10.1.0.18', 'log-1 b2 10.1.0.19']);
    assert.deepEqual(look([late], { snapshot: book }).proposals.filter(({ op }) => op === 'place').length, 1, 'log-2');
    assert.deepEqual(
      look([late], { snapshot: book, stored: [late.kept ?? assert.fail()] }).proposals,
      [],
      'the store has it',
    );
  });

  it('is not kept closed for longer where whoever led before had a clock that goes ahead', () => {
    const reports = [reportOf('a1'), reportOf('a2')];
    const { reopening } = look(reports, { reopening: { since: 3_600_000, open: ['a'] }, now: 1000 });
    assert.deepEqual(reopening, { since: 1000, open: ['a'] });
    assert.deepEqual(look(reports, { reopening, now: 1000 + REOPEN }).opens, ['b']);
  });

  it('of two that claim one address believes the one that was told more', () => {
    const rival = told('a2', 9, ['web-1', '10.1.0.17', 'own'], ['web-2', '10.1.0.18', 'own']);
    const book = taught(look([says(kept), says(rival), reportOf('b1'), reportOf('b2')]));
    assert.deepEqual(homes(book), ['web-1 a2 10.1.0.17', 'web-2 a2 10.1.0.18']);
    assert.equal(book.hosts.size, 4);
  });

  it('knows a replica again whose Zone has another name by now', () => {
    const renamed = catalogOf({ zones: { z: zone('a') }, hosts: { a1: { labels: { pool: 'a' } } } });
    const book = taught(look([says(kept)], { catalog: renamed }));
    assert.equal(book.placements.get('web-0')?.zone, 'z');
  });

  it('leases the blocks of a Network again to the zones whose replicas are in them', () => {
    const leasing = catalogOf({
      zones: { a: zone('a') },
      hosts: { a1: { labels: { pool: 'a' } } },
      networks: { own: { blockSize: 28 } },
    });
    const book = taught(look([says(kept)], { catalog: leasing }));
    assert.deepEqual(book.addresses.get('own/10.1.0.16/28'), { zone: 'a' });
  });
});
