import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import type { Proposal } from '../../../reconciler/model/reservations.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import type { PlaceResult } from '../../../reconciler/place/place.ts';
import type { Waiting } from '../../../reconciler/place/waiting.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import { scene, told } from '../../support/crowded.ts';
import { NOW } from '../../support/placing.ts';
import { createRemembering, placeAlike, toldOf } from '../../support/remembering.ts';

const big = { level: 1, resources: resources(3500) };

describe('an App that found no room', () => {
  it('is looked for again once one that has room for it with others is to go', () => {
    const before = { x: { level: 0, resources: resources(1000) }, y: { level: 3, resources: resources(3000) } };
    const { fleet, catalog, messages } = scene(before, 1);
    const after = catalog({ ...before, big });
    for (let more = 0; more < 3; more += 1) assert.match(messages(fleet.pass(after)), /^App big finds no host/);
    const { x: _gone, ...rest } = before;
    assert.deepEqual(told(fleet.pass(catalog({ ...rest, big }))), ['yield y-0 big-0']);
  });

  it('is looked for again once one is to go that errors in the repository kept', () => {
    const before = { x: { level: 0, resources: resources(1000) }, y: { level: 3, resources: resources(3000) } };
    const { fleet, catalog, messages, work } = scene(before, 1);
    const { x: _gone, ...rest } = before;
    const held = catalog({ ...rest, big }, { heldObjects: ['App/x'] });
    for (let more = 0; more < 3; more += 1) assert.match(messages(fleet.pass(held)), /^App big finds no host/);
    work('h1');
    assert.match(messages(fleet.pass(held)), /^App big finds no host/);
    assert.deepEqual(told(fleet.pass(catalog({ ...rest, big }))), ['yield y-0 big-0']);
  });

  it('is counted where it is, not where it was to be when nothing of that was committed', () => {
    const remembering = createRemembering();
    const book = createBook();
    const wide = { replicas: 2, spread: { host: 1 }, resources: resources(3500) };
    const catalog = catalogOf({ hosts: hostsOf(2), apps: { wide } });
    const reports = [reportOf('h1'), reportOf('h2', { cpu: 3000 })];
    const records = hostViews(catalog, reports, book).map(({ record }) => ({ op: 'host' as const, record }));
    toldOf(book, remembering).apply(decide(book, { id: '', now: NOW, proposals: records }).deltas);
    const input = {
      catalog,
      snapshot: book,
      hosts: hostViews(catalog, reports, book),
      reports,
      assignments: [],
      now: NOW,
    };
    for (let more = 0; more < 3; more += 1) {
      const { proposals, unplaceable } = placeAlike(input, remembering);
      assert.deepEqual(
        [proposals.map(({ op }) => op), unplaceable.map(({ replica }) => replica)],
        [['place'], ['wide-1']],
      );
    }
  });

  it('is asked for at no other hosts than those of which something has changed, and placed where that is room', () => {
    const remembering = createRemembering();
    const book = toldOf(createBook(), remembering);
    const hosts = hostsOf(4);
    const small = { level: 1, replicas: 4, spread: { host: 1 }, resources: resources(1000) };
    const reports = Object.keys(hosts).map((host) => reportOf(host));
    const asked: (readonly string[])[] = [];
    const take: Waiting['take'] = (app) => {
      const found = remembering.waiting.take(app);
      if (found) asked.push([...found.fresh]);
      return found;
    };
    const watched = { ...remembering, waiting: { ...remembering.waiting, take } };
    const commit = (proposals: readonly Proposal[]): void =>
      book.apply(decide(book, { id: '', now: NOW, proposals }).deltas);
    const pass = (catalog: Catalog): PlaceResult => {
      const input = {
        catalog,
        snapshot: book,
        hosts: hostViews(catalog, reports, book),
        reports,
        assignments: [],
        now: NOW,
      };
      const result = placeAlike(input, watched);
      commit(result.proposals);
      return result;
    };
    const alone = catalogOf({ hosts, apps: { small } });
    pass(alone);
    const both = catalogOf({ hosts, apps: { small, big } });
    for (let more = 0; more < 3; more += 1) assert.equal(pass(both).unplaceable.length, 1);
    assert.deepEqual(asked, [[], []]);
    const { host } = book.placements.get('small-3') ?? assert.fail();
    commit([{ op: 'release', replica: 'small-3', quarantineUntil: NOW }]);
    assert.equal(pass(both).placements.get('big-0')?.host, host);
    assert.deepEqual(asked, [[], [], [host]]);
  });
});
