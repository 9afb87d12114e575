import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAttention } from '../../../reconciler/loop/attention.ts';
import type { Fresh, Image } from '../../../reconciler/loop/image.ts';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Catalog } from '../../../reconciler/model/catalog.ts';
import { createWhereabouts } from '../../../reconciler/model/whereabouts.ts';
import { catalogOf, reportOf } from '../../support/catalog.ts';

const catalog = catalogOf({
  hosts: { h1: {}, h2: { labels: { pool: 'aux' } } },
  apps: { web: {}, batch: {}, other: { zone: 'aux' } },
  zones: { main: {}, aux: { hosts: { matchLabels: { pool: 'aux' } } } },
});

/** A pass; gives the Apps that it looks at. */
function watched() {
  const attention = createAttention();
  const book = createBook();
  const capacity = { cpu: 1000, memory: 1000, pids: 100 };
  const whereabouts = createWhereabouts([], [], [reportOf('h1', capacity), reportOf('h2', capacity)]);
  const image = { book, whereabouts } as unknown as Image;
  const look = (fresh: Partial<Fresh> = {}, of: Catalog = catalog, lost: readonly string[] = []): unknown => {
    const all = { apps: new Set<string>(), hosts: new Set<string>(), reported: new Set<string>(), ...fresh };
    const { scope } = attention.look(of, image, all, new Set(lost), false);
    return scope && [...scope.apps].sort();
  };
  const rest = (busy: readonly string[], homeless: readonly string[]): void => {
    attention.rest({ busy: new Set(busy), homeless: new Set(homeless) }, new Set());
  };
  assert.equal(look(), undefined, 'the first pass looks at everything');
  return { look, rest, whereabouts, capacity };
}

describe('an App that finds no room', () => {
  it('is looked at in each pass while it is busy, and no more once it only waits for room', () => {
    const { look, rest } = watched();
    rest(['web'], []);
    assert.deepEqual(look(), ['web']);
    rest([], ['web']);
    assert.deepEqual(look(), []);
    assert.deepEqual(look({ reported: new Set(['h1', 'h2']) }), [], 'hosts say nothing new');
  });

  it('is looked at with what may give up room in its Zone', () => {
    const { look, rest } = watched();
    rest([], ['web']);
    assert.deepEqual(look({ apps: new Set(['batch']) }), ['batch', 'web']);
    assert.deepEqual(look({ apps: new Set(['other']) }), ['other']);
    rest(['batch'], ['web']);
    assert.deepEqual(look(), ['batch', 'web']);
  });

  it('is looked at when Git says something else of an App of its Zone, or of it', () => {
    const { look, rest } = watched();
    rest([], ['web']);
    const without = catalogOf({
      hosts: { h1: {}, h2: { labels: { pool: 'aux' } } },
      apps: { web: {}, batch: { image: 'next:1' }, other: { zone: 'aux' } },
      zones: { main: {}, aux: { hosts: { matchLabels: { pool: 'aux' } } } },
    });
    assert.deepEqual(look({}, { ...without, fleet: catalog.fleet, zones: catalog.zones }), ['batch', 'web']);
  });

  it('is looked at when a host is another', () => {
    const { look, rest, whereabouts, capacity } = watched();
    rest([], ['web']);
    assert.deepEqual(look({}, catalog, ['h1']), ['web']);
    rest([], ['web']);
    assert.deepEqual(look(), ['web'], 'it is heard of again');
    rest([], ['web']);
    whereabouts.report(reportOf('h1', { ...capacity, memory: 2000 }));
    assert.deepEqual(look({ reported: new Set(['h1']) }), ['web']);
  });
});
