import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { decide } from '../../../reconciler/model/decide.ts';
import { explain } from '../../../reconciler/place/explain.ts';
import type { Explanation } from '../../../reconciler/place/explain.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import type { PlaceInput } from '../../../reconciler/place/input.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';

function inputOf(sketch: Sketch, snapshot = createBook()): PlaceInput {
  const catalog = catalogOf(sketch);
  const reports = [...catalog.hosts.keys()].map((host) => reportOf(host));
  return { catalog, snapshot, hosts: hostViews(catalog, reports, snapshot), reports, assignments: [], now: 0 };
}

function explained(input: PlaceInput, replica: string): Explanation {
  const explanation = explain(input, replica);
  assert.ok(explanation);
  return explanation;
}

describe('explain', () => {
  const hosts = { ...hostsOf(3), h4: { schedulable: false }, h5: { labels: { pool: 'x' } } };

  it('tells what was removed, how the rest scores, and the choice', () => {
    const input = inputOf({ hosts, apps: { a: { resources: resources(3950) }, web: { level: 3 } } });
    const { best, removals, candidates, message } = explained(input, 'web-0');
    assert.deepEqual(removals, [
      { filter: 'closed', removed: 1, example: 'h4' },
      { filter: 'cpu', removed: 1, example: 'h1' },
    ]);
    assert.deepEqual(
      candidates.map(({ host }) => host),
      ['h2', 'h3', 'h5'],
    );
    assert.deepEqual(candidates[0]?.score, {
      affinity: 0,
      switch: 0.5 / 120,
      rack: 0.5 / 80,
      host: 0.5 / 80,
      fill: 0.025,
    });
    assert.equal(best, 'h2');
    assert.equal(
      message,
      'web-0 goes to h2: 3 hosts are left (1 not schedulable (h4), 1 too little CPU left (h1)), and it scores best',
    );
  });

  it('explains a placed replica as if it were to be placed now', () => {
    const book = createBook();
    const sketch = { hosts: hostsOf(2), apps: { web: { replicas: 2 } } };
    const { deltas } = decide(book, { id: '', now: 0, proposals: place(inputOf(sketch)).proposals });
    book.apply(deltas);
    const told = explained(inputOf(sketch, book), 'web-1');
    assert.deepEqual([told.host, told.address, told.best], ['h2', '10.1.0.11', 'h2']);
    assert.match(told.message, /web-1 is on h2: 2 hosts are left, and it still scores best/);
    const other = { ...sketch, apps: { web: { replicas: 2, hosts: { matchLabels: { disk: 'ssd' } } } } };
    const stuck = explained(inputOf(other, book), 'web-1');
    assert.equal(
      stuck.message,
      'It stays on h2. Placed now: App web finds no host among 2: 2 without disk=ssd (h1). h1 has the room, but is not labelled disk=ssd',
    );
    const third = { hosts: { ...hostsOf(2), h0: {} }, apps: sketch.apps };
    assert.match(explained(inputOf(third, book), 'web-1').message, /is on h2 and stays there: .* it would go to h0/);
  });

  const nowhere: readonly { readonly name: string; readonly sketch: Sketch; readonly message: RegExp }[] = [
    {
      name: 'the nearest host and what it lacks',
      sketch: {
        hosts: hostsOf(2),
        apps: { b: { replicas: 2, resources: resources(1000) }, web: { level: 3, resources: resources(3500) } },
      },
      message: /2 too little CPU left \(h1\)\. h1 comes nearest and lacks 500m CPU \(wants 3500m CPU\)/,
    },
    {
      name: 'the spread limit that stands in the way',
      sketch: { hosts: hostsOf(1), apps: { web: { replicas: 2, spread: { host: 1 } } } },
      message: /1 spread\.host 1 reached \(h1\)\. h1 has the room: raise spread\.host or add hosts$/,
    },
    {
      name: 'a host that lacks more rather than one where a limit is reached besides',
      sketch: {
        hosts: { h1: { topology: { rack: 'r1' } }, h2: { topology: { rack: 'r2' }, labels: { pool: 'x' } } },
        apps: {
          big: { level: 0, hosts: { matchLabels: { pool: 'x' } }, resources: resources(3500) },
          web: { replicas: 2, spread: { rack: 1 }, resources: resources(2500) },
        },
      },
      message: /h2 comes nearest and lacks 2 CPU \(wants 2500m CPU\): free or add as much, or ask for less$/,
    },
    {
      name: 'room and limit where both are in the way everywhere',
      sketch: { hosts: hostsOf(1), apps: { web: { replicas: 2, spread: { rack: 1 }, resources: resources(2500) } } },
      message:
        /h1 comes nearest and lacks 1 CPU \(wants 2500m CPU\), and spread\.rack is reached there too: add hosts in/,
    },
    {
      name: 'a host that has the room and is drained',
      sketch: {
        hosts: { ...hostsOf(1), h2: { drain: true } },
        apps: { web: { replicas: 2, resources: resources(3000) } },
      },
      message: /h1 comes nearest and lacks 2 CPU \(wants 3 CPU\): [^.]*\. h2 has the room, but is drained$/,
    },
    {
      name: 'a host that has the room and lacks a label, but none that lacks more',
      sketch: {
        hosts: { ...hostsOf(1), h2: { schedulable: false }, h3: {} },
        apps: {
          big: { level: 0, resources: resources(3500) },
          web: { hosts: { matchLabels: { disk: 'ssd' } }, resources: resources(3000) },
        },
      },
      message: /2 without disk=ssd \(h1\)\. h3 has the room, but is not labelled disk=ssd$/,
    },
    {
      name: 'the App that it must be near to',
      sketch: {
        hosts: hostsOf(3),
        apps: {
          cache: { resources: resources(3950) },
          web: { affinity: [{ app: 'cache', within: 'host', required: true }] },
        },
      },
      message: /2 not near cache \(h2\), 1 too little CPU left \(h1\)\. h1 comes nearest and lacks 50m CPU/,
    },
    {
      name: 'the App that it must be kept apart from, whichever of them says so',
      sketch: {
        hosts: hostsOf(2),
        apps: { db: { level: 0, antiAffinity: [{ app: 'web', within: 'rack', required: true }] }, web: {} },
      },
      message: /2 beside db \(h1\)\. h1 is out: App web must not be in one rack with db/,
    },
    {
      name: 'that no host has reported',
      sketch: { apps: { web: {} } },
      message: /no Host in a Zone has reported yet/,
    },
    {
      name: 'that the addresses are used up',
      sketch: {
        hosts: hostsOf(1),
        networks: { net: { pool: [['10.1.0.10', '10.1.0.10']] } },
        apps: { web: { replicas: 2 } },
      },
      message: /Network net has no address left: 2 wanted, 1 there, 1 in use/,
    },
  ];
  for (const { name, sketch, message } of nowhere)
    it(`says why nowhere: ${name}`, () => {
      const replicas = sketch.apps?.['web']?.replicas ?? 1;
      const told = explained(inputOf(sketch), `web-${String(replicas - 1)}`);
      assert.match(told.message, message);
    });

  it('offers no host that is not heard of', () => {
    const input = inputOf({ hosts: hostsOf(2), apps: { web: { replicas: 2, resources: resources(3000) } } });
    const hosts = hostViews(input.catalog, input.reports, input.snapshot, new Set(['h2']));
    assert.match(explained({ ...input, hosts }, 'web-1').message, /h1 comes nearest .*or ask for less$/);
  });

  it('knows nothing of what no App wants', () => {
    const input = inputOf({ hosts, apps: { web: {} } });
    for (const replica of ['web-1', 'api-0', 'web', 'web-x', '-0']) assert.equal(explain(input, replica), undefined);
  });
});
