import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { createAbsorbing } from '../../../reconciler/place/absorb.ts';
import { capacity } from '../../../reconciler/place/capacity.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import type { PlaceInput } from '../../../reconciler/place/input.ts';
import { trial } from '../../../reconciler/place/trial.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { NOW, step } from '../../support/placing.ts';

function inputOf(sketch: Sketch, book = createBook()): PlaceInput {
  const catalog = catalogOf(sketch);
  const reports = [...catalog.hosts.keys()].map((host) => reportOf(host, sketch.hosts?.[host]?.capacity));
  return { catalog, snapshot: book, hosts: hostViews(catalog, reports, book), reports, assignments: [], now: NOW };
}

/** Whether the loss of h1, once all has its place, surely costs nobody a home. */
function isAbsorbed(sketch: Sketch, book = createBook()): boolean {
  const { run } = trial(inputOf(sketch, book));
  const replicas = [...run.book.placements.values()].filter(({ host }) => host === 'h1');
  assert.ok(replicas.length > 0);
  return createAbsorbing(run)({ hosts: new Set(['h1']), replicas });
}

const web = { replicas: 4, resources: resources(500) };
/** 25 of 100m on each of twelve hosts: none has room for all of another, and all have. */
const many = { replicas: 300, resources: resources(100, 10) };

const CASES: readonly (readonly [name: string, sketch: Sketch, absorbed: boolean])[] = [
  ['to one host that has room for all of it', { hosts: hostsOf(4), apps: { web } }, true],
  [
    'to no host where none has room',
    { hosts: hostsOf(4), apps: { web: { ...web, resources: resources(3000) } } },
    false,
  ],
  ['to all hosts together', { hosts: hostsOf(12), apps: { many } }, true],
  [
    'not surely to few hosts, of which each may be filled in another dimension',
    { hosts: hostsOf(5), apps: { many: { ...many, replicas: 125 } } },
    false,
  ],
  ['to no host where there is none', { hosts: hostsOf(1), apps: { web } }, false],
  ['within a limit', { hosts: hostsOf(4), apps: { web: { ...web, spread: { host: 2, rack: 3 } } } }, true],
  ['beyond no limit', { hosts: hostsOf(4), apps: { web: { ...web, spread: { host: 1 } } } }, false],
  ['beyond no limit of all hosts', { hosts: hostsOf(12), apps: { many: { ...many, spread: { rack: 50 } } } }, false],
  ['within a limit of all hosts', { hosts: hostsOf(12), apps: { many: { ...many, spread: { host: 200 } } } }, true],
  ['not surely where a gang waits for others', { hosts: hostsOf(4), apps: { web: { ...web, gang: 'g' } } }, false],
  [
    'not surely where others are to be away from it',
    {
      hosts: hostsOf(4),
      apps: { web, api: { antiAffinity: [{ app: 'web', within: 'host', required: false }], replicas: 0 } },
    },
    false,
  ],
  [
    'not surely where cores are its own',
    { hosts: hostsOf(4), apps: { web: { ...web, resources: { ...resources(1000), pinned: true } } } },
    false,
  ],
  [
    'not surely where addresses are leased in blocks',
    { hosts: hostsOf(4), apps: { web }, networks: { net: { blockSize: 28 } } },
    false,
  ],
  [
    'not surely where no address is left',
    { hosts: hostsOf(4), apps: { web }, networks: { net: { pool: [['10.1.0.10', '10.1.0.13']] } } },
    false,
  ],
];

describe('what is lost with a host surely goes', () => {
  for (const [name, sketch, absorbed] of CASES)
    it(name, () => {
      const machine = { cpu: 4000, memory: 2 ** 32, pids: 4096, node0: 4 };
      const hosts = Object.fromEntries(
        Object.entries(sketch.hosts ?? {}).map(([host, spec]) => [host, { ...spec, capacity: machine }]),
      );
      assert.equal(isAbsorbed({ ...sketch, hosts }), absorbed);
    });

  it('not where some fill the one host for their CPU, and others the other for its memory', () => {
    const gib = 2 ** 30;
    const labels = { h1: { a: '1', b: '1' }, h2: { a: '1' }, h3: { b: '1' } };
    const host = (name: keyof typeof labels, cpu: number, memory: number, schedulable: boolean) => ({
      [name]: { labels: labels[name], capacity: { cpu, memory: memory * gib, pids: 4096 }, schedulable },
    });
    const sketch = (open: boolean): Sketch => ({
      hosts: { ...host('h1', 20_000, 20, true), ...host('h2', 6000, 90, open), ...host('h3', 90_000, 6, open) },
      apps: {
        cpu: { replicas: 6, level: 0, resources: resources(1000, 1), hosts: { matchLabels: { a: '1' } } },
        memory: { replicas: 6, level: 1, resources: resources(1, 1024), hosts: { matchLabels: { b: '1' } } },
        rest: { replicas: 1, level: 3, resources: resources(1000, 1024) },
      },
    });
    const book = createBook();
    const { hosts, reports } = inputOf(sketch(false));
    step(sketch(false), { book, reports });
    assert.equal(hosts.length, 3);
    assert.equal(book.placements.size, 13);
    assert.equal(isAbsorbed(sketch(true), book), false);
    const [zone] = capacity(inputOf(sketch(true), book), { apps: [] }).zones;
    assert.deepEqual(zone?.losses[0]?.homeless, ['rest-0']);
  });
});
