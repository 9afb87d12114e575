import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { misfit } from '../../../reconciler/place/misplaced.ts';
import { hostViews, viewsByName } from '../../../reconciler/place/hosts.ts';
import { catalogOf, reportOf, type Sketch } from '../../support/catalog.ts';
import { step } from '../../support/placing.ts';

const pool = (name: string) => ({ hosts: { matchLabels: { pool: name } } });
const labels = { pool: 'a' };
const hosts = { h1: { labels } };
const zones = { main: pool('a') };

interface Case {
  readonly name: string;
  /** What Git says once `web-0` runs on h1. */
  readonly sketch: Sketch;
  readonly why: string | undefined;
}

const cases: readonly Case[] = [
  { name: 'one that could be placed there today has no reason', sketch: {}, why: undefined },
  { name: 'its host has left Git', sketch: { hosts: { h2: { labels } } }, why: 'host h1 has left the catalog' },
  { name: 'its host is in no Zone', sketch: { zones: { main: pool('b') } }, why: 'host h1 is in no zone' },
  {
    name: 'its host is in another Zone',
    sketch: { zones: { aux: pool('a'), main: pool('b') } },
    why: 'host h1 is in zone aux now, not in main',
  },
  { name: 'nothing follows from a Zone that cannot be read', sketch: { zones: { aux: pool('a') } }, why: undefined },
  {
    name: 'the App asks for other labels',
    sketch: { apps: { web: { hosts: { matchLabels: { disk: 'ssd' } } } } },
    why: 'host h1 no longer has the labels that the App asks for',
  },
  {
    name: 'its Network is elsewhere',
    sketch: { networks: { net: pool('b') } },
    why: 'host h1 no longer has Network net',
  },
  {
    name: 'the Zone takes only more critical Apps',
    sketch: { zones: { main: { ...pool('a'), levels: [0] } } },
    why: 'zone main no longer takes level 2',
  },
];

describe('why a placement could not be made today', () => {
  for (const { name, sketch, why } of cases)
    it(name, () => {
      const book = createBook();
      step({ hosts, zones, apps: { web: {} } }, { book });
      const catalog = catalogOf({ hosts, zones, apps: { web: {} }, ...sketch });
      const reports = [...catalog.hosts.keys()].map((host) => reportOf(host));
      const views = hostViews(catalog, reports, book);
      const input = { catalog, hosts: views, snapshot: book, reports, assignments: [], now: 0 };
      const [placement, spec] = [book.placements.get('web-0'), catalog.apps.get('web')?.spec];
      assert.ok(placement && spec);
      assert.equal(misfit(input, spec, placement, viewsByName(views).get('h1')), why);
    });
});
