import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createAttention } from '../../../../reconciler/loop/controller/attention.ts';
import { createBook } from '../../../../reconciler/model/book.ts';
import { createWhereabouts } from '../../../../reconciler/model/whereabouts.ts';
import { catalogOf, hostsOf, reportOf } from '../../../support/catalog.ts';
import { assignmentOf } from '../../../support/assigned.ts';

it('a host that has heard of the slot of another Zone is looked at: that of the old one is free', () => {
  const catalog = catalogOf({ hosts: hostsOf(2) });
  const whereabouts = createWhereabouts();
  const book = createBook({ hosts: new Map(), placements: new Map(), addresses: new Map() });
  const image = { book, whereabouts };
  const attention = createAttention();
  const old = { zone: 'main', index: 0, of: 4 };
  const tell = (generation: number, left: boolean): void => {
    const slot = { zone: 'far', index: 0, of: 4, ...(left ? { left: [old] } : {}) };
    whereabouts.assign({ ...assignmentOf('h1', generation, 0), slot });
  };
  const hear = (generation: number): readonly string[] | undefined => {
    whereabouts.report(reportOf('h1', {}, { generation }));
    const fresh = { apps: new Set<string>(), hosts: new Set<string>(), reported: new Set(['h1']) };
    const { scope } = attention.look(catalog, image, fresh, new Set(), false);
    attention.rest([], new Set());
    return scope && [...scope.hosts];
  };
  tell(1, false);
  assert.equal(hear(1), undefined, 'all is looked at first');
  assert.deepEqual(hear(1), []);
  tell(2, true);
  assert.deepEqual(hear(1), [], 'it goes by the old one');
  assert.deepEqual(hear(2), ['h1']);
  tell(3, false);
  assert.deepEqual(hear(3), []);
});

it('a host that has left Git and says a later Assignment than the store knows of is looked at, while one that was told nothing is not', () => {
  const catalog = catalogOf({ hosts: hostsOf(1) });
  const whereabouts = createWhereabouts();
  const book = createBook({ hosts: new Map(), placements: new Map(), addresses: new Map() });
  const image = { book, whereabouts };
  const attention = createAttention();
  const looked = (...hosts: readonly string[]): readonly string[] | undefined => {
    const fresh = { apps: new Set<string>(), hosts: new Set(hosts), reported: new Set(hosts) };
    const { scope } = attention.look(catalog, image, fresh, new Set(), false);
    return scope && [...scope.hosts];
  };
  assert.equal(looked(), undefined, 'all is looked at first');
  whereabouts.assign(assignmentOf('left', 3, 0));
  assert.deepEqual(looked('left', 'stranger'), ['left']);
});
