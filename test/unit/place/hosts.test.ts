import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { HostRecord } from '../../../reconciler/model/reservations.ts';
import { allocatable, departures, hostProposals, hostViews, viewsByName } from '../../../reconciler/place/hosts.ts';
import { catalogOf, reportOf } from '../../support/catalog.ts';
import { hostRecord } from '../../support/reservations.ts';

describe('hosts to place on', () => {
  it('are those of the catalog that are in a Zone and have reported', () => {
    const catalog = catalogOf({
      zones: { main: { hosts: { matchLabels: { pool: 'main' } } } },
      hosts: { in: { labels: { pool: 'main' } }, out: { labels: { pool: 'x' } }, silent: { labels: { pool: 'main' } } },
    });
    const views = hostViews(catalog, [reportOf('in'), reportOf('out'), reportOf('stranger')], createBook());
    assert.deepEqual(
      views.map(({ record }) => record.host),
      ['in'],
    );
  });

  it('have what the machine has, unless the Host says otherwise', () => {
    const catalog = catalogOf({ hosts: { h1: { capacity: { cpu: 1000 } }, h2: {} } });
    const views = hostViews(catalog, [reportOf('h1'), reportOf('h2')], createBook());
    assert.deepEqual(
      views.map(({ record }) => [record.allocatable.cpu, record.allocatable.pids]),
      [
        [1000, 4096],
        [4000, 4096],
      ],
    );
  });

  it('are their own rack and switch where none is named', () => {
    const catalog = catalogOf({ hosts: { h1: { topology: { rack: 'r1' } } } });
    const [view] = hostViews(catalog, [reportOf('h1')], createBook());
    assert.deepEqual([view?.record.rack, view?.record.switch], ['r1', 'h1']);
  });

  it('keep their epoch', () => {
    const catalog = catalogOf({ hosts: { h1: {} } });
    const [view] = hostViews(catalog, [reportOf('h1')], createBook());
    assert.ok(view);
    const book = createBook();
    book.apply([{ type: 'host', host: 'h1', record: { ...view.record, epoch: 7 } }]);
    assert.equal(hostViews(catalog, [reportOf('h1')], book)[0]?.record.epoch, 7);
  });

  it('are looked up by name in one table for each list', () => {
    const views = hostViews(catalogOf({ hosts: { h1: {}, h2: {} } }), [reportOf('h1'), reportOf('h2')], createBook());
    const table = viewsByName(views);
    assert.equal(table.get('h2'), views[1]);
    assert.equal(viewsByName(views), table);
    assert.deepEqual([...viewsByName(views.slice(1)).keys()], ['h2']);
  });

  it('promise (capacity − reserve) × overcommit, and never less than nothing', () => {
    const zone = catalogOf({
      zones: { main: { reserve: { cpu: 500, memory: 2000 }, overcommit: { cpu: 2.5, memory: 1 } } },
    }).zones.get('main');
    assert.ok(zone);
    assert.deepEqual(allocatable({ cpu: 1001, memory: 1000, pids: 7 }, zone.spec), { cpu: 1252, memory: 0, pids: 7 });
  });

  it('are compared with all that the store knows once, and then only where something is new', (t) => {
    const catalog = catalogOf({ hosts: { h1: {}, h2: {} } });
    const book = createBook();
    const views = hostViews(catalog, [reportOf('h1'), reportOf('h2')], book);
    const store = (record: HostRecord): void => {
      book.apply([{ type: 'host', host: record.host, record }]);
    };
    for (const { record } of views) store(record);
    const proposed = (...some: readonly string[]): readonly string[] => {
      const scope = new Set(some);
      const closed = hostProposals(views, book, catalog, scope).map(({ op }) => op);
      return [...closed, ...departures(views, book, catalog, book, scope).map(({ host }) => host)];
    };
    assert.deepEqual(proposed(), []);
    const looks = t.mock.method(book.hosts as Map<string, HostRecord>, 'values');
    assert.deepEqual(proposed('h1'), []);
    assert.equal(looks.mock.callCount(), 0);
    store({ ...hostRecord('h3'), state: 'open' });
    assert.deepEqual(proposed('h3'), ['host', 'h3']);
    store({ ...hostRecord('h3'), state: 'closed' });
    assert.deepEqual(proposed(), ['h3'], 'until it is forgotten');
    book.apply([{ type: 'host', host: 'h3', record: undefined }]);
    assert.deepEqual(proposed(), []);
  });
});
