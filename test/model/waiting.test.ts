import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createBook } from '../../reconciler/model/book.ts';
import type { Book } from '../../reconciler/model/book.ts';
import type { AppSpec, Catalog, HostSpec } from '../../reconciler/model/catalog.ts';
import { decide } from '../../reconciler/model/decide.ts';
import type { Proposal } from '../../reconciler/model/reservations.ts';
import { hostViews } from '../../reconciler/place/hosts.ts';
import type { Limits } from '../../reconciler/place/waiting.ts';
import { catalogOf, hostsOf, reportOf, resources } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';
import { createRemembering, placeAlike, toldOf } from '../support/remembering.ts';
import type { Remembering } from '../support/remembering.ts';

const HOSTS = Object.keys(hostsOf(6));
const APPS = ['a', 'b', 'c', 'd', 'e'] as const;
const host = fc.constantFrom(...HOSTS);
const app = fc.constantFrom(...APPS);
const ssd = { matchLabels: { disk: 'ssd' } };
const pinned = { ...resources(2000), pinned: true as const };
const companion = fc.record({
  app,
  within: fc.constantFrom('host' as const, 'rack' as const),
  required: fc.boolean(),
});
/** Most ask for nothing but room; most of those that find none are not critical enough to take some from others. */
const rare = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const spec: fc.Arbitrary<Partial<AppSpec>> = fc
  .record({
    replicas: fc.integer({ min: 1, max: 7 }),
    resources: fc.constantFrom(resources(1000), resources(2500), resources(3500), resources(500, 3000), pinned),
    level: fc.constantFrom(2, 2, 2, 3, 0),
    maxUnavailable: fc.constantFrom(1, 3),
    network: fc.constantFrom('net', 'net', 'net', 'small'),
    hosts: fc.constantFrom({ matchLabels: {} }, { matchLabels: {} }, ssd),
    spread: fc.constantFrom({}, {}, { host: 1 }, { rack: 1 }, { switch: 2 }),
    gang: rare(fc.constant('g')),
    affinity: rare(companion.map((one) => [one])),
    antiAffinity: rare(companion.map((one) => [one])),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
const hostSpec: fc.Arbitrary<Partial<HostSpec> & { readonly labels?: Readonly<Record<string, string>> }> = fc.record(
  {
    drain: fc.boolean(),
    schedulable: fc.boolean(),
    labels: fc.constantFrom({}, { disk: 'ssd' }),
    topology: fc.constantFrom({ rack: 'r1', switch: 's1' }, { rack: 'r9', switch: 's2' }),
  },
  { requiredKeys: [] },
);
const zones = fc.constantFrom<NonNullable<Sketch['zones']>>(
  { main: {} },
  { main: { overcommit: { cpu: 1.5, memory: 1 } } },
  { main: { disruption: { maxUnavailable: { count: 1 } } } },
  { main: { preemption: false } },
  { main: { strategy: 'pack' } },
);
const type = <T extends string>(value: T) => fc.constant(value);
const eventOf = (specs: fc.Arbitrary<Partial<AppSpec>>) =>
  fc.oneof(
    { weight: 10, arbitrary: fc.record({ type: type('pass') }) },
    {
      weight: 4,
      arbitrary: fc.record({ type: type('app'), app, spec: fc.option(specs, { nil: undefined, freq: 5 }) }),
    },
    { weight: 1, arbitrary: fc.record({ type: type('host'), host, spec: hostSpec }) },
    { weight: 1, arbitrary: fc.record({ type: type('zones'), zones }) },
    { weight: 1, arbitrary: fc.record({ type: type('cpu'), host, cpu: fc.constantFrom(3000, 4000, 6000) }) },
    { weight: 1, arbitrary: fc.record({ type: type('lost'), host }) },
    { weight: 6, arbitrary: fc.record({ type: type('release'), app, ordinal: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ type: type('close'), host }) },
    { weight: 1, arbitrary: fc.record({ type: type('wait'), ms: fc.constantFrom(1_000, 600_000) }) },
    { weight: 1, arbitrary: fc.record({ type: type('held'), held: fc.constantFrom([], ['App/a'], ['Host/h2']) }) },
  );
/** Proposals that are committed; the others are as if they had been refused. */
const keep = fc.constantFrom(99, 99, 99, 0, 1, 2);
type Happening = ReturnType<typeof eventOf> extends fc.Arbitrary<infer T> ? T : never;

/** Hosts that are nearly full, and a memory of who found no room there. */
class Crowd {
  now = 1_000_000;
  readonly remembering: Remembering;
  readonly book: Book;
  readonly words: boolean;
  readonly lost = new Set<string>();
  readonly cpu = new Map<string, number>();
  sketch: Sketch;
  catalog: Catalog;

  constructor(apps: NonNullable<Sketch['apps']>, remembering: Remembering, words = true) {
    this.remembering = remembering;
    this.words = words;
    this.book = toldOf(createBook(), remembering);
    const small = { vlan: 20, cidr: '10.2.0.0/16', pool: [['10.2.0.10', '10.2.0.11']] as const, quarantine: 300_000 };
    this.sketch = { hosts: hostsOf(6), networks: { net: {}, small }, zones: { main: {} }, apps };
    this.catalog = catalogOf(this.sketch);
  }

  says(change: Partial<Sketch>): void {
    this.sketch = { ...this.sketch, ...change };
    this.catalog = catalogOf(this.sketch);
  }

  commit(proposals: readonly Proposal[]): void {
    this.book.apply(decide(this.book, { id: '', now: this.now, proposals }).deltas);
  }

  /** Some of what a pass proposes is committed. */
  pass(keep: number): void {
    const { catalog, book: snapshot, now } = this;
    const reports = HOSTS.map((name) => {
      const cpu = this.cpu.get(name) ?? 4000;
      return reportOf(name, { cpu, node0: 4, ...(cpu === 6000 ? { threadsPerCore: 2 } : {}) });
    });
    const hosts = hostViews(catalog, reports, snapshot, this.lost);
    const input = { catalog, snapshot, hosts, reports, assignments: [], now };
    this.commit(placeAlike(input, this.remembering, this.words).proposals.slice(0, keep));
  }

  happen(one: Happening): void {
    const { apps = {}, hosts = {} } = this.sketch;
    switch (one.type) {
      case 'pass':
        return;
      case 'app': {
        const { [one.app]: _before, ...others } = apps;
        return this.says({ apps: one.spec ? { ...others, [one.app]: one.spec } : others });
      }
      case 'host':
        return this.says({ hosts: { ...hosts, [one.host]: { ...hosts[one.host], ...one.spec } } });
      case 'zones':
        return this.says({ zones: one.zones });
      case 'held':
        return this.says({ heldObjects: one.held });
      case 'cpu':
        return void this.cpu.set(one.host, one.cpu);
      case 'lost':
        if (!this.lost.delete(one.host)) this.lost.add(one.host);
        return;
      case 'release': {
        const replica = `${one.app}-${String(one.ordinal)}`;
        return this.commit([{ op: 'release', replica, quarantineUntil: this.now + 5_000 }]);
      }
      case 'close': {
        const record = this.book.hosts.get(one.host);
        return record && this.commit([{ op: 'host', record: { ...record, state: 'closed' } }]);
      }
      case 'wait':
        this.now += one.ms;
    }
  }
}

interface Play {
  readonly limits?: Limits;
  readonly specs?: fc.Arbitrary<Partial<AppSpec>>;
  /** Whether the words are compared as well. */
  readonly words?: boolean;
}

/** Plays what may happen, with a memory and without; gives how often somebody was remembered. */
function play({ limits, specs = spec, words }: Play): number {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.dictionary(app, specs, { noNullPrototype: true, minKeys: 3 }),
      fc.array(fc.tuple(eventOf(specs), keep), { maxLength: 40, size: 'max' }),
      (apps, events) => {
        const crowd = new Crowd(apps, createRemembering(limits), words);
        for (let more = 0; more < 3; more += 1) crowd.pass(99);
        for (const [one, most] of events) {
          crowd.happen(one);
          crowd.pass(most);
        }
        taken += crowd.remembering.taken;
      },
    ),
    { numRuns: 60 },
  );
  return taken;
}

/** Those that are looked for in full whenever anything changes wait for their turn, where few have one. */
const alone = spec.map(({ gang: _gang, affinity: _near, antiAffinity: _apart, ...rest }) => rest);

describe('who is remembered to have found no room', () => {
  it('is placed, refused and told why as one that is looked for anew, whatever happens', () => {
    const taken = play({});
    assert.ok(taken > 500, `only ${String(taken)} were remembered`);
  });

  it('is placed and refused as well where there is no room to remember what hosts lack', () => {
    const taken = play({ limits: { rows: 0, turns: 0 }, specs: alone, words: false });
    assert.ok(taken > 500, `only ${String(taken)} were remembered`);
  });
});
