import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBook } from '../../../reconciler/model/book.ts';
import type { Book } from '../../../reconciler/model/book.ts';
import type { AppSpec, Catalog } from '../../../reconciler/model/catalog.ts';
import { explain } from '../../../reconciler/place/explain.ts';
import { foreseeDrain } from '../../../reconciler/place/foresee.ts';
import type { Report } from '../../../reconciler/model/replica.ts';
import { hostViews } from '../../../reconciler/place/hosts.ts';
import { place } from '../../../reconciler/place/place.ts';
import type { PlaceInput } from '../../../reconciler/place/input.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../../support/catalog.ts';
import type { Sketch } from '../../support/catalog.ts';
import { createFleet } from '../../support/fleet.ts';
import type { Fleet } from '../../support/fleet.ts';
import { NOW, step, where } from '../../support/placing.ts';

/** h1 … with some of them drained. */
function drained(count: number, ...names: readonly string[]): NonNullable<Sketch['hosts']> {
  return Object.fromEntries(
    Object.entries(hostsOf(count)).map(([name, host]) => [name, { ...host, drain: names.includes(name) }]),
  );
}

function inputOf(sketch: Sketch, book: Book, lost: readonly string[] = []): PlaceInput {
  const catalog = catalogOf(sketch);
  const reports = [...catalog.hosts.keys()].map((host) => reportOf(host));
  const hosts = hostViews(catalog, reports, book, new Set(lost));
  return { catalog, snapshot: book, hosts, reports, assignments: [], now: NOW };
}

describe('a host that is drained', () => {
  it('takes nothing new', () => {
    assert.deepEqual(where(step({ hosts: drained(2, 'h1'), apps: { web: {} } }, { book: createBook() })), [
      'web-0@h2 10.1.0.10',
    ]);
  });

  it('gives its replicas to others, with their addresses, and says who is on the way', () => {
    const book = createBook();
    const apps = { web: { replicas: 2 } };
    step({ hosts: hostsOf(2), apps }, { book });
    // nobody serves yet, so that all may go at once
    const result = step({ hosts: drained(2, 'h1'), apps }, { book });
    assert.deepEqual(where(result), ['web-0@h2 10.1.0.10', 'web-1@h2 10.1.0.11']);
    assert.deepEqual(
      result.proposals.map(({ op }) => op),
      ['host', 'move'],
    );
    assert.deepEqual([book.placements.get('web-0')?.epoch, book.placements.get('web-0')?.from], [2, 'h1']);
    const reports = [reportOf('h1', {}, { replicas: [{ id: 'web-0', phase: 'Ready', ready: true, restarts: 0 }] })];
    const later = step({ hosts: drained(2, 'h1'), apps }, { book, reports: [...reports, reportOf('h2')] });
    assert.deepEqual(later.draining, [{ host: 'h1', staying: [], leaving: ['web-0'] }]);
    assert.deepEqual(later.proposals, []);
    assert.deepEqual(step({ hosts: drained(2, 'h1'), apps }, { book }).draining, [
      { host: 'h1', staying: [], leaving: [] },
    ]);
  });

  it('is not empty while it says that it runs what the store does not know, as one that was emptied, or has placed anew', () => {
    const running = reportOf('h1', {}, { replicas: [{ id: 'web-0', phase: 'Ready', ready: true, restarts: 0 }] });
    const reports = [running, reportOf('h2')];
    const closed = { hosts: drained(2, 'h1'), apps: {} };
    const left = [{ host: 'h1', staying: [], leaving: ['web-0'] }];
    assert.deepEqual(step(closed, { book: createBook(), reports }).draining, left);
    const anew = { hosts: drained(2, 'h1'), apps: { web: {} } };
    assert.deepEqual(step(anew, { book: createBook(), reports }).draining, left);
    assert.deepEqual(foreseeDrain({ ...inputOf(anew, createBook()), reports }, 'h1').leaving, ['web-0']);
  });

  it('is not called empty before it has reported', () => {
    const unheard = [{ host: 'h1', staying: [], leaving: [], unheard: true }];
    const world = { book: createBook(), reports: [reportOf('h2')] };
    assert.deepEqual(step({ hosts: drained(2, 'h1'), apps: {} }, world).draining, unheard);
  });

  it('takes them back only when Git changes otherwise', () => {
    const book = createBook();
    step({ hosts: hostsOf(2), apps: { web: {} } }, { book });
    step({ hosts: drained(2, 'h1'), apps: { web: {} } }, { book });
    const back = step({ hosts: hostsOf(2), apps: { web: { replicas: 2 } } }, { book });
    assert.deepEqual(where(back), ['web-0@h2 10.1.0.10', 'web-1@h1 10.1.0.11']);
  });

  it('lets maxUnavailable go at a time, and says that the others wait for their turn', () => {
    const apps = { web: { replicas: 4, maxUnavailable: 2, hosts: { matchLabels: {} } } };
    const fleet = createFleet(['h1', 'h2']);
    fleet.settle(catalogOf({ hosts: drained(2, 'h2'), apps }));
    const [told] = fleet.pass(catalogOf({ hosts: drained(2, 'h1'), apps })).draining;
    assert.deepEqual(told?.leaving, ['web-0', 'web-1']);
    const moving = ['web-0', 'web-1'].map((id) => `${id} (on its way from h1)`).join(' and ');
    const why = `waits for its turn: App web lets 2 replicas be away at a time, ${moving} are`;
    assert.deepEqual(told.staying, [
      { replica: 'web-2', why },
      { replica: 'web-3', why },
    ]);
    assert.deepEqual(fleet.pass(catalogOf({ hosts: drained(2, 'h1'), apps })).proposals, [], 'they are away still');
  });

  describe('whose turn does not come says for what it waits, and what to do', () => {
    const apps = { web: { replicas: 2, spread: { host: 1 } } };
    const mend = ': mend that, or let more be away (spec.maxUnavailable)';
    const begun = (zones: Sketch['zones'] = {}): { readonly fleet: Fleet; readonly aim: Catalog } => {
      const fleet = createFleet(['h1', 'h2', 'h3']);
      fleet.settle(catalogOf({ hosts: hostsOf(3), apps, zones: { main: {}, ...zones } }));
      return { fleet, aim: catalogOf({ hosts: drained(3, 'h1'), apps, zones: { main: {}, ...zones } }) };
    };
    const fails = (fleet: Fleet, replica: string, reason: string): string => {
      const { host = '' } = fleet.book.placements.get(replica) ?? {};
      Object.assign(fleet.machines.get(host)?.live.get(replica) ?? assert.fail(), { ready: false, reason });
      fleet.report(host);
      return host;
    };
    const asked = (fleet: Fleet, catalog: Catalog, lost: readonly string[] = []): PlaceInput => {
      const { assignments, reports } = fleet.words();
      const seen = { reports: [...reports.values()], assignments: [...assignments.values()] };
      const hosts = hostViews(catalog, seen.reports, fleet.book, new Set(lost));
      return { catalog, snapshot: fleet.book, hosts, ...seen, now: 0 };
    };
    const whys = (fleet: Fleet, catalog: Catalog, lost: readonly string[] = []): string | undefined =>
      place(asked(fleet, catalog, lost)).draining[0]?.staying[0]?.why;

    const foreseen = (fleet: Fleet, zones: Sketch['zones'] = {}): readonly string[] => {
      const before = catalogOf({ hosts: hostsOf(3), apps, zones: { main: {}, ...zones } });
      const { moves, waits } = foreseeDrain(asked(fleet, before), 'h1');
      assert.deepEqual(
        moves.map(({ replica }) => replica),
        ['web-0'],
      );
      return waits.map(({ app, why }) => `${app} waits for its turn: ${why}`);
    };

    it('where one of its App fails, in explain as well, and before Git drains it', () => {
      const { fleet, aim } = begun();
      const host = fails(fleet, 'web-1', 'ProbeFailed');
      const why = `waits for its turn: App web lets 1 replica be away at a time, web-1 (ProbeFailed on ${host}) is${mend}`;
      assert.equal(whys(fleet, aim), why);
      assert.deepEqual(foreseen(fleet), [`web ${why}`]);
      const { message = '' } = explain(asked(fleet, aim), 'web-0') ?? {};
      assert.ok(message.endsWith(`. It ${why}`), message);
    });

    it('where one is on a lost host', () => {
      const { fleet, aim } = begun();
      const { host = '' } = fleet.book.placements.get('web-1') ?? {};
      const why = `waits for its turn: App web lets 1 replica be away at a time, web-1 (${host} is lost) is${mend}`;
      assert.equal(whys(fleet, aim, [host]), why);
    });

    it('where its Zone lets no more be away', () => {
      const zones: Sketch['zones'] = { main: { disruption: { maxUnavailable: { count: 1 } } } };
      const { fleet, aim } = begun(zones);
      assert.deepEqual(foreseen(fleet, zones), []);
      fails(fleet, 'web-1', 'ProbeFailed');
      const why = 'waits for its turn: Zone main lets 1 replica be away, 1 is: plumb status zone/main shows which';
      assert.equal(whys(fleet, aim), why);
      assert.deepEqual(foreseen(fleet, zones), [`web ${why}`]);
    });
  });

  it('takes nothing away while a host has yet to speak of what it was last told, or is lost', () => {
    const apps = { web: { replicas: 2, spread: { host: 1 } } };
    const fleet = createFleet(['h1', 'h2', 'h3']);
    fleet.settle(catalogOf({ hosts: hostsOf(3), apps }));
    const catalog = catalogOf({ hosts: drained(3, 'h1'), apps });
    const { reports, assignments } = fleet.words();
    const moves = (said: readonly Report[], lost: readonly string[] = []): number =>
      place({
        catalog,
        snapshot: fleet.book,
        hosts: hostViews(catalog, said, fleet.book, new Set(lost)),
        reports: said,
        assignments: [...assignments.values()],
        now: 0,
      }).proposals.filter(({ op }) => op === 'move').length;
    const all = [...reports.values()];
    const other = fleet.book.placements.get('web-1')?.host ?? '';
    const before = all.map((one) => (one.host === other ? { ...one, generation: one.generation - 1 } : one));
    assert.deepEqual([moves(all), moves(before), moves(all, [other])], [1, 0, 0]);
  });

  it('moves one that finds a home although another before it finds none', () => {
    const book = createBook();
    const apps = { web: { replicas: 2, spread: { rack: 1 } } };
    const hosts = hostsOf(4);
    step({ hosts, apps }, { book });
    assert.deepEqual(where({ placements: book.placements } as never), ['web-0@h1 10.1.0.10', 'web-1@h3 10.1.0.11']);
    const both = { ...drained(4, 'h1', 'h3'), h2: { ...hosts['h2'], schedulable: false } };
    const { draining } = step({ hosts: both, apps }, { book });
    assert.deepEqual(
      draining.map(({ host, staying, leaving }) => [host, staying.length, leaving.length]),
      [
        ['h1', 1, 0],
        ['h3', 0, 0],
      ],
    );
    assert.equal(book.placements.get('web-1')?.host, 'h4');
  });

  const blocked: readonly {
    readonly name: string;
    readonly app?: Partial<AppSpec>;
    readonly change?: Sketch;
    readonly lost?: readonly string[];
    readonly why: RegExp;
  }[] = [
    { name: 'no room', app: { resources: resources(2500) }, why: /App web finds no host among 2: .*too little CPU/ },
    { name: 'a spread limit', app: { spread: { host: 1 } }, why: /raise spread\.host or add hosts/ },
    {
      name: 'labels',
      app: { hosts: { matchLabels: { disk: 'ssd' } } },
      change: { hosts: { ...drained(1, 'h1'), h2: {} } },
      why: /without disk=ssd/,
    },
    { name: 'a host that is not heard of', lost: ['h1'], why: /h1 is not heard of/ },
    {
      name: 'errors in the repository',
      change: { apps: {}, heldObjects: ['App/web'] },
      why: /errors in the repository/,
    },
  ];
  for (const { name, app = {}, change = {}, lost = [], why } of blocked)
    it(`keeps what cannot leave, and says why: ${name}`, () => {
      const book = createBook();
      const apps = { web: { replicas: 2, ...app } };
      step(
        {
          hosts: hostsOf(2),
          apps: { web: { replicas: 2, spread: { host: 1 }, resources: app.resources ?? resources(1) } },
        },
        { book },
      );
      const result = place(inputOf({ hosts: drained(2, 'h1'), apps, ...change }, book, lost));
      const told = result.draining.find(({ host }) => host === 'h1');
      assert.deepEqual(
        told?.staying.map(({ replica }) => replica),
        ['web-0'],
      );
      assert.match(told.staying[0]?.why ?? '', why);
      assert.deepEqual(result.unplaceable, [], 'it has its place still');
    });

  it('is explained', () => {
    const book = createBook();
    const apps = { web: { replicas: 2, spread: { host: 1 } } };
    step({ hosts: hostsOf(2), apps }, { book });
    const three = explain(inputOf({ hosts: drained(3, 'h1'), apps }, book), 'web-0');
    assert.match(
      three?.message ?? '',
      /^web-0 is on h1, which is drained: when its turn comes it moves to h3 with its/,
    );
    const two = explain(inputOf({ hosts: drained(2, 'h1'), apps }, book), 'web-0');
    assert.match(two?.message ?? '', /^It stays on h1, which is drained\. Placed now: App web finds no host among 2/);
  });

  it('is foreseen to its end', () => {
    const book = createBook();
    const apps = { db: { replicas: 2, spread: { host: 1 } }, web: { replicas: 3 } };
    step({ hosts: hostsOf(2), apps }, { book });
    const before = new Map(book.placements);
    const { moves, staying } = foreseeDrain(inputOf({ hosts: hostsOf(2), apps }, book), 'h1');
    assert.deepEqual(
      moves.map(({ replica, to }) => `${replica} ${to}`),
      [...before.values()].flatMap(({ replica, host, app }) =>
        host === 'h1' && app === 'web' ? [`${replica} h2`] : [],
      ),
    );
    assert.deepEqual(
      staying.map(({ replica }) => replica),
      ['db-0'],
    );
    assert.match(staying[0]?.why ?? '', /spread\.host/);
    assert.deepEqual(book.placements, before, 'nothing has moved');
  });
});
