import type { Demand } from '../../../reconciler/model/demand.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import { capacity } from '../../../reconciler/place/capacity.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { lossesOnce } from '../../../reconciler/place/losses.ts';
import { scale } from '../../../reconciler/place/scale.ts';
import type { PlaceInput } from '../../../reconciler/place/input.ts';
import { trial } from '../../../reconciler/place/trial.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { NOW, step } from '../../support/placing.ts';

const GI = 2 ** 30;
const MI = 2 ** 20;

function inputOf(sketch: Sketch, book = createBook(), now = NOW): PlaceInput {
  const catalog = catalogOf(sketch);
  const reports = [...catalog.hosts.keys()].map((host) => reportOf(host));
  return { catalog, snapshot: book, hosts: hostViews(catalog, reports, book), reports, assignments: [], now };
}

describe('capacity', () => {
  it('adds up hosts, what they have, what is used and what is free on open ones', () => {
    const sketch = {
      hosts: { ...hostsOf(2), h3: { schedulable: false } },
      apps: { web: { replicas: 2, resources: resources(1000, 512, 96) } },
    };
    const [zone] = capacity(inputOf(sketch), { apps: [] }).zones;
    const demand = (cpu: number, memory: number, pids: number): Demand => ({ cpu, memory, pids });
    assert.deepEqual([zone?.zone, zone?.hosts, zone?.closed], ['main', 3, 1]);
    assert.deepEqual(zone?.allocatable, demand(12_000, 12 * GI, 3 * 4096));
    assert.deepEqual(zone.used, demand(2000, GI, 192));
    assert.deepEqual(zone.free, demand(6000, 7 * GI, 2 * 4000));
    assert.deepEqual(zone.largest, { host: 'h1', ...demand(3000, 3.5 * GI, 4000) });
  });

  it('counts no more cores to pin than CPU is left for', () => {
    const left = (cpu: number, zones: Sketch['zones'] = { main: {} }): readonly (number | undefined)[] => {
      const sketch = { hosts: hostsOf(1), zones, apps: { web: { resources: resources(cpu) } } };
      const catalog = catalogOf(sketch);
      const reports = [reportOf('h1', { cpu: 8000, node0: 3, node1: 4 })];
      const book = createBook();
      const hosts = hostViews(catalog, reports, book);
      const input = { catalog, snapshot: book, hosts, reports, assignments: [], now: NOW };
      const { node0, node1 } = capacity(input, { apps: [] }).zones[0]?.largest ?? {};
      return [node0, node1];
    };
    assert.deepEqual(left(1000), [2, 4]);
    assert.deepEqual(left(2500), [1, 4]);
    // all that could be promised of a core goes with it
    assert.deepEqual(left(2500, { main: { overcommit: { cpu: 2 } } }), [2, 4]);
    assert.deepEqual(left(6500), [undefined, 1]);
  });

  const growths: readonly { readonly name: string; readonly sketch: Sketch; readonly told: string }[] = [
    { name: 'CPU', sketch: { apps: { web: { replicas: 2, resources: resources(1500) } } }, told: '2 cpu' },
    { name: 'memory', sketch: { apps: { web: { resources: resources(1, 1000) } } }, told: '7 memory' },
    { name: 'processes', sketch: { apps: { web: { resources: resources(1, 1, 2000) } } }, told: '3 pids' },
    { name: 'a spread limit', sketch: { apps: { web: { spread: { host: 3 } } } }, told: '5 spread.host' },
    {
      name: 'addresses',
      sketch: { networks: { net: { pool: [['10.1.0.10', '10.1.0.12']] } }, apps: { web: {} } },
      told: '2 address',
    },
    { name: 'a level', sketch: { zones: { main: { levels: [0] } }, apps: { web: {} } }, told: '0 level' },
    { name: 'any host', sketch: { hosts: {}, apps: { web: {} } }, told: '0 zone' },
    {
      name: 'nothing that was found',
      sketch: { apps: { web: { resources: resources(0, 0, 0) } } },
      told: '1000 undefined',
    },
  ];
  for (const { name, sketch, told } of growths)
    it(`tells how many more fit before an App lacks ${name}`, () => {
      const [zone] = capacity(inputOf({ hosts: hostsOf(2), ...sketch }), { apps: [] }).zones;
      assert.deepEqual(
        zone?.apps.map(({ more, limit }) => `${String(more)} ${String(limit)}`),
        [told],
      );
    });

  it('asks about the named Apps, else about the largest', () => {
    const apps = Object.fromEntries(
      Array.from({ length: 15 }, (_, i) => [`a${String(i)}`, { resources: resources(i + 1) }]),
    );
    const input = inputOf({ hosts: hostsOf(1), apps });
    const names = (asked: readonly string[]): readonly string[] =>
      capacity(input, { apps: asked }).zones.flatMap((zone) => zone.apps.map(({ app }) => app));
    assert.deepEqual([names([]).length, names([])[0]], [12, 'a14']);
    assert.deepEqual(names(['a1', 'a3']), ['a3', 'a1']);
  });

  it('names the worst host, rack and switch, and who would find no home', () => {
    const sketch = {
      hosts: hostsOf(4),
      apps: {
        db: { replicas: 4, level: 0, spread: { host: 1 }, resources: resources(3000) },
        web: { replicas: 3, level: 1, resources: resources(1000) },
      },
    };
    const [zone] = capacity(inputOf(sketch), { apps: [] }).zones;
    assert.deepEqual(
      zone?.losses.map(({ level, name, hosts, replicas, homeless }) => [level, name, hosts, replicas, homeless]),
      [
        ['host', 'h1', 1, 2, ['db-0']],
        ['rack', 'r1', 2, 4, ['db-0', 'db-2', 'web-2']],
        ['switch', 's1', 4, 7, ['db-0', 'db-1', 'db-2', 'db-3', 'web-0', 'web-1', 'web-2']],
      ],
    );
  });

  it('tries the loss of the same hosts once, whichever Apps count', () => {
    const apps = { db: { replicas: 2, resources: resources(3000) }, web: { replicas: 2, resources: resources(1000) } };
    const at = trial(inputOf({ hosts: hostsOf(4), apps }));
    let runs = 0;
    const { book } = at.run;
    const apply: typeof book.apply = (deltas) => {
      if (deltas.some(({ type }) => type === 'host')) runs += 1;
      book.apply(deltas);
    };
    const lossesOf = lossesOnce({ ...at, run: { ...at.run, book: { ...book, apply } } });
    const homeless = (name: string): number =>
      lossesOf({ has: () => true, counts: (app) => app === name }).flatMap(({ homeless: lost }) => lost).length;
    assert.ok(homeless('db') > 0);
    assert.ok(runs > 0);
    const before = runs;
    assert.ok(homeless('web') > 0);
    assert.ok(runs - before < before, `${String(runs - before)} more than ${String(before)}`);
  });

  it('names the worst of the hosts that a Network reaches, and who of it would find no home', () => {
    const ssd = { labels: { disk: 'ssd' } };
    const hosts = Object.fromEntries(Object.entries(hostsOf(4)).map(([name, host]) => [name, { ...host, ...ssd }]));
    const networks = { net: {}, fast: { vlan: 20, hosts: { matchLabels: { disk: 'ssd' } } } };
    const apps = {
      db: { replicas: 2, level: 0, network: 'fast', spread: { rack: 1 }, resources: resources(3000) },
      web: { replicas: 4, level: 1, spread: { host: 1 }, resources: resources(1000) },
    };
    const sketch = { hosts: { ...hosts, h4: hostsOf(4)['h4'] ?? {}, h5: hostsOf(5)['h5'] ?? {} }, networks, apps };
    const [fast, net] = capacity(inputOf(sketch), { apps: [] }).networks;
    const told = (of: typeof net): readonly unknown[] =>
      of?.losses.map(({ level, name, hosts: many, replicas, homeless }) => [level, name, many, replicas, homeless]) ??
      [];
    assert.deepEqual(told(fast), [
      ['host', 'h3', 1, 1, ['db-1']],
      ['rack', 'r1', 2, 1, ['db-0']],
      ['switch', 's1', 3, 2, ['db-0', 'db-1']],
    ]);
    assert.deepEqual(told(net), [
      ['host', 'h1', 1, 1, []],
      ['rack', 'r1', 2, 2, ['web-3']],
      ['switch', 's1', 4, 3, ['web-0', 'web-1', 'web-3']],
    ]);
  });

  it('tells what is free, and the largest that fits, on the open hosts that a Network reaches', () => {
    const networks = { net: {}, ssd: { vlan: 20, hosts: { matchLabels: { disk: 'ssd' } } } };
    const hosts = { h1: {}, h2: { labels: { disk: 'ssd' } }, h3: { labels: { disk: 'ssd' }, schedulable: false } };
    const apps = { web: { hosts: { matchLabels: { disk: 'ssd' } }, resources: resources(1500, 1024) } };
    const [, ssd] = capacity(inputOf({ hosts, networks, apps }), { apps: [] }).networks;
    assert.deepEqual([ssd?.hosts, ssd?.free.cpu, ssd?.free.memory, ssd?.largest?.host], [1, 2500, 3 * GI, 'h2']);
  });

  it('counts the addresses of each Network', () => {
    const book = createBook();
    const networks = { net: { pool: [['10.1.0.10', '10.1.0.19']] as const }, other: { vlan: 20 } };
    step({ hosts: hostsOf(1), networks, apps: { web: { replicas: 3 } } }, { book });
    const sketch = { hosts: hostsOf(1), networks, apps: { web: { replicas: 2 } } };
    const told = capacity(inputOf(sketch, book), { apps: [] });
    const [{ hosts, free, largest, losses, ...first } = assert.fail()] = told.networks;
    assert.deepEqual([hosts, free, largest], [1, told.zones[0]?.free, told.zones[0]?.largest]);
    assert.deepEqual(losses, told.zones[0]?.losses, 'all that is there is in it');
    assert.deepEqual(first, {
      network: 'net',
      total: 10,
      owned: 2,
      resting: 1,
      nextAt: NOW + 600_000,
      left: 7,
    });
    assert.deepEqual(
      told.networks.map(({ network }) => network),
      ['net', 'other'],
    );
  });

  it('tells who finds no home as it is', () => {
    const told = capacity(inputOf({ hosts: hostsOf(1), apps: { web: { replicas: 2, spread: { host: 1 } } } }), {
      apps: [],
    });
    assert.deepEqual(told.homeless, ['web-1']);
  });
});

describe('scale', () => {
  const hosts = hostsOf(2);
  const cases: readonly {
    readonly name: string;
    readonly sketch: Sketch;
    readonly to: number;
    readonly placed: number;
    readonly missing: object;
    readonly message?: RegExp;
  }[] = [
    {
      name: 'fits',
      sketch: { apps: { web: { resources: resources(1000) } } },
      to: 8,
      placed: 8,
      missing: {},
    },
    {
      name: 'lacks CPU, and memory only as far as there is none',
      sketch: { apps: { web: { resources: resources(1000, 512) } } },
      to: 20,
      placed: 8,
      missing: { cpu: 12_000, memory: 2 * GI },
      message: /App web finds no host among 2: 2 too little CPU left \(h1\)/,
    },
    {
      name: 'lacks what is there in pieces',
      sketch: {
        apps: {
          a: { hosts: { matchLabels: { n: '1' } }, resources: resources(3900) },
          b: { hosts: { matchLabels: { n: '2' } }, resources: resources(10, 4000) },
          web: { resources: resources(1000, 1000) },
        },
        hosts: { h1: { labels: { n: '1' } }, h2: { labels: { n: '2' } } },
      },
      to: 1,
      placed: 0,
      missing: { cpu: 1000, memory: 1000 * MI },
    },
    {
      name: 'lacks addresses',
      sketch: { networks: { net: { pool: [['10.1.0.10', '10.1.0.14']] } }, apps: { web: {} } },
      to: 12,
      placed: 5,
      missing: { addresses: 7 },
      message: /Network net has no address left: 12 wanted, 5 there/,
    },
    {
      name: 'lacks places to spread over',
      sketch: { apps: { web: { spread: { host: 1 } } } },
      to: 3,
      placed: 2,
      missing: {},
      message: /raise spread\.host or add hosts/,
    },
    {
      name: 'smaller is no question',
      sketch: { apps: { web: { replicas: 3 } } },
      to: 1,
      placed: 1,
      missing: {},
    },
  ];
  for (const { name, sketch, to, placed, missing, message } of cases)
    it(name, () => {
      const { fits, apps } = scale(inputOf({ hosts, ...sketch }), new Map([['web', to]]));
      assert.deepEqual([fits, apps[0]?.to, apps[0]?.placed], [placed === to, to, placed]);
      assert.deepEqual(apps[0]?.missing, missing);
      if (message) assert.match(apps[0].message ?? '', message);
    });

  it('asks for several Apps at once, and gives the world as it would be', () => {
    const input = inputOf({
      hosts,
      apps: { a: { resources: resources(1000) }, b: { level: 3, resources: resources(1000) } },
    });
    const {
      fits,
      apps,
      input: after,
    } = scale(
      input,
      new Map([
        ['a', 4],
        ['b', 5],
      ]),
    );
    assert.deepEqual([fits, apps.map(({ placed }) => placed)], [false, [4, 4]]);
    assert.equal(capacity(after, { apps: [] }).zones[0]?.used.cpu, 8000);
  });
});
