import assert from 'node:assert/strict';
import fc from 'fast-check';
import { statusOf } from '../../reconciler/loop/status/whole.ts';
import type { AppSpec, Catalog, HostSpec } from '../../reconciler/model/catalog.ts';
import type { Assignment } from '../../reconciler/model/replica.ts';
import { catalogOf, resources } from './catalog.ts';
import type { Sketch } from './catalog.ts';
import { sharing } from './remembering.ts';
import { createTwin } from './twins.ts';
import type { Deed, Stage, Twin } from './twins.ts';

/** All that there are. */
export const HOSTS = ['h0', 'h1', 'h2', 'h3'] as const;

const APPS = ['a', 'b', 'c'] as const;

/** A host has room for one of these. */
export const LARGE: AppSpec['resources'] = resources(2500);

/** What a controller has told hosts. */
export interface Told {
  readonly assignments: readonly Assignment[];
}

type HostChange = Partial<HostSpec> & { readonly labels?: Readonly<Record<string, string>> };

type Event =
  | { readonly type: 'app'; readonly app: string; readonly spec: Partial<AppSpec> | undefined }
  | { readonly type: 'owner'; readonly app: string; readonly owner: string }
  | { readonly type: 'host'; readonly host: string; readonly spec: HostChange | undefined }
  | { readonly type: 'rest'; readonly rest: Partial<Sketch> }
  | { readonly type: 'report'; readonly host: string; readonly deed: Deed; readonly cpu: number | undefined }
  | { readonly type: 'round' }
  | { readonly type: 'silence'; readonly host: string }
  | { readonly type: 'release'; readonly at: number }
  | { readonly type: 'close'; readonly host: string }
  | { readonly type: 'overtake'; readonly host: string; readonly dropped: number }
  | { readonly type: 'lose'; readonly host: string }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'pass' }
  | { readonly type: 'stand by' }
  | { readonly type: 'take over' }
  | { readonly type: 'empty' };

const host = fc.constantFrom(...HOSTS);

const app = fc.constantFrom(...APPS);

const rollout = {
  minReady: 0,
  canary: { replicas: 1, pause: 10_000 },
  progressDeadline: 20_000,
  autoRevert: true,
} as const;

const moving: fc.Arbitrary<Partial<AppSpec>> = fc.record(
  {
    replicas: fc.nat(4),
    image: fc.constantFrom('v1', 'v2'),
    resources: fc.constantFrom(resources(100), resources(300, 32), resources(900, 128), LARGE, LARGE),
    level: fc.nat(3),
    network: fc.constantFrom('net', 'other'),
    hosts: fc.constantFrom({ matchLabels: {} }, { matchLabels: { disk: 'ssd' } }),
    spread: fc.constantFrom({}, { host: 1 }),
    maxUnavailable: fc.constantFrom(1, 2),
    gang: fc.constant('all'),
    rollout: fc.constant(rollout),
  },
  { requiredKeys: ['replicas', 'image'] },
);

/** One of five stands still. */
const spec: fc.Arbitrary<Partial<AppSpec>> = fc
  .tuple(moving, fc.nat(4))
  .map(([one, still]) => (still === 4 ? { ...one, frozen: true } : one));

const hostSpec: fc.Arbitrary<HostChange> = fc.record(
  {
    drain: fc.boolean(),
    schedulable: fc.boolean(),
    labels: fc.constantFrom({}, { disk: 'ssd' }),
    topology: fc.constantFrom({}, { rack: 'r1', switch: 's1' }, { rack: 'r2', switch: 's1' }),
  },
  { requiredKeys: [] },
);

const rest: fc.Arbitrary<Partial<Sketch>> = fc.oneof(
  fc.record({ heldOwners: fc.constantFrom([], ['team'], ['*']) }),
  fc.record({ heldObjects: fc.constantFrom([], ['App/a'], ['Host/h1'], ['Network/other']) }),
  fc.record({ tunings: fc.constantFrom({}, { t: { sysctls: { 'vm.swappiness': '1' } } }) }),
  fc.record({
    zones: fc.constantFrom(
      { main: {} },
      { main: { overcommit: { cpu: 2, memory: 1 } } },
      { main: { disruption: { maxUnavailable: { count: 1 } } } },
      { main: { preemption: false } },
    ),
  }),
  fc.record({
    networks: fc.constantFrom({ net: {}, other: { vlan: 20 } }, { net: { mtu: 9000 }, other: { vlan: 20 } }),
  }),
);

const weighted = <T extends Event>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });

const type = <T extends string>(value: T) => fc.constant(value);

/** Apps may ask to be near to the first of them, or apart from it. */
const changed = fc
  .record({
    type: type('app'),
    app,
    spec: fc.option(spec, { nil: undefined, freq: 6 }),
    beside: fc.constantFrom(undefined, undefined, 'affinity', 'antiAffinity'),
  })
  .map(({ beside, ...change }): Event => {
    if (!change.spec || beside === undefined || change.app === 'a') return change;
    return { ...change, spec: { ...change.spec, [beside]: [{ app: 'a', within: 'host', required: true }] } };
  });

/** A more critical App asks for more than is free: the least critical one makes room. */
const crowding = fc
  .record({
    app: fc.constantFrom('a' as const, 'b' as const),
    replicas: fc.integer({ min: 2, max: 4 }),
    level: fc.nat(2),
  })
  .map(({ app: name, ...more }): Event => ({
    type: 'app',
    app: name,
    spec: { ...more, image: 'v1', resources: LARGE },
  }));

/** What may happen, as often as it does. */
export const event: fc.Arbitrary<Event> = fc.oneof(
  weighted(12, fc.record({ type: type('pass') })),
  weighted(6, changed),
  weighted(4, crowding),
  weighted(1, fc.record({ type: type('owner'), app, owner: fc.constantFrom('team', 'other') })),
  weighted(4, fc.record({ type: type('host'), host, spec: fc.option(hostSpec, { nil: undefined, freq: 8 }) })),
  weighted(2, fc.record({ type: type('rest'), rest })),
  weighted(
    10,
    fc.record({
      type: type('report'),
      host,
      deed: fc.constantFrom(
        'serves' as const,
        'serves' as const,
        'fails' as const,
        'idles' as const,
        'lingers' as const,
      ),
      cpu: fc.option(fc.constantFrom(1000, 8000), { nil: undefined, freq: 8 }),
    }),
  ),
  weighted(6, fc.record({ type: type('round') })),
  weighted(2, fc.record({ type: type('silence'), host })),
  weighted(2, fc.record({ type: type('release'), at: fc.nat(9) })),
  weighted(1, fc.record({ type: type('close'), host })),
  weighted(1, fc.record({ type: type('overtake'), host, dropped: fc.nat(2) })),
  weighted(1, fc.record({ type: type('lose'), host })),
  weighted(4, fc.record({ type: type('wait'), ms: fc.constantFrom(1_000, 9_000, 30_000, 700_000) })),
  weighted(1, fc.record({ type: type('empty') })),
  weighted(4, fc.record({ type: type('stand by') })),
  weighted(3, fc.record({ type: type('take over') })),
);

/** Two pairs of controllers, of which one leads, that see the same: one pair keeps what it knows, the other begins anew with each pass. */
export class World {
  now = 1_000_000;
  revision = 0;
  sketch: Sketch = {
    apps: { a: { replicas: 2 }, b: { replicas: 2, rollout }, c: { replicas: 4, level: 3, resources: LARGE } },
    hosts: Object.fromEntries(HOSTS.map((name) => [name, {}])),
    networks: { net: {}, other: { vlan: 20 } },
  };
  catalog: Catalog = catalogOf({ ...this.sketch, revision: 'lines' });
  readonly silent: Set<string> = new Set();
  readonly twins: readonly [Twin, Twin];

  constructor() {
    const stage: Stage = { now: () => this.now, catalog: () => this.catalog };
    this.twins = [createTwin(stage, false), createTwin(stage, true)];
  }

  commit(change: Partial<Sketch>): void {
    this.revision += 1;
    this.sketch = { ...this.sketch, ...change };
    // lines and the revisions that wrote them may be older ones where nothing else changed: they are left out
    const now = catalogOf({ ...this.sketch, revision: 'lines' });
    this.catalog = { ...sharing(this.catalog, now), revision: `r${String(this.revision)}` };
  }

  async both(act: (twin: Twin) => Promise<unknown>): Promise<void> {
    for (const twin of this.twins) await act(twin);
  }

  async state(): Promise<readonly [object, object]> {
    const [one, other] = this.twins;
    return [await one.state(HOSTS), await other.state(HOSTS)];
  }

  async pass(): Promise<void> {
    for (const name of HOSTS) if (!this.silent.has(name)) await this.both((twin) => twin.beat(name));
    const [one, other] = this.twins;
    const failed = [await one.pass(), await other.pass()];
    assert.equal(failed[0], failed[1]);
    const [kept, anew] = await this.state();
    assert.deepEqual(kept, anew);
    const { controller } = one;
    const sight = failed[0] === '' ? await controller.sight() : undefined;
    if (!sight) return;
    const { sync, health, items } = statusOf(sight);
    assert.deepEqual(controller.verdict(), { sync, health, items: items.length });
  }

  async round(): Promise<void> {
    for (const name of HOSTS) if (!this.silent.has(name)) await this.both((twin) => twin.report(name, 'serves'));
    await this.pass();
  }

  async happen(one: Event): Promise<void> {
    const { apps = {}, hosts = {}, owners = {} } = this.sketch;
    switch (one.type) {
      case 'app': {
        const { [one.app]: _before, ...others } = apps;
        return this.commit({ apps: one.spec ? { ...others, [one.app]: one.spec } : others });
      }
      case 'owner':
        return this.commit({ owners: { ...owners, [one.app]: one.owner } });
      case 'host': {
        const { [one.host]: _before, ...others } = hosts;
        return this.commit({ hosts: one.spec ? { ...others, [one.host]: one.spec } : others });
      }
      case 'rest':
        return this.commit(one.rest);
      case 'report': {
        if (this.silent.has(one.host)) return;
        const { facts } = { facts: one.cpu };
        const change = facts === undefined ? {} : { facts: factsOf(one.host, facts) };
        return this.both((twin) => twin.report(one.host, one.deed, change));
      }
      case 'round':
        return this.round();
      case 'silence':
        if (!this.silent.delete(one.host)) this.silent.add(one.host);
        return;
      case 'release': {
        const replica = `${APPS[one.at % 3] ?? ''}-${String(Math.floor(one.at / 3))}`;
        return this.both((twin) => twin.commit([{ op: 'release', replica, quarantineUntil: this.now + 5_000 }]));
      }
      case 'close': {
        const record = { host: one.host, zone: 'main', state: 'closed' as const, epoch: 1, rack: 'x', switch: 'x' };
        const allocatable = { cpu: 4000, memory: 2 ** 32, pids: 4096 };
        return this.both((twin) => twin.commit([{ op: 'host', record: { ...record, allocatable } }]));
      }
      case 'overtake':
        return this.both((twin) => twin.overtake(one.host, one.dropped));
      case 'lose':
        return this.both((twin) => twin.lose(one.host));
      case 'wait':
        this.now += one.ms;
        return;
      case 'empty':
        for (const twin of this.twins) twin.empty();
        return;
      case 'stand by':
        return this.both((twin) => twin.standBy());
      case 'take over':
        for (const twin of this.twins) twin.takeOver();
        return;
      case 'pass':
        return this.pass();
    }
  }
}

function factsOf(name: string, cpu: number): NonNullable<Parameters<Twin['report']>[2]>['facts'] & object {
  const capacity = { cpu, memory: 2 ** 32, pids: 4096 };
  return { hostname: name, machineId: name, addresses: [], capacity, kernel: '6.1', cgroup: 'v2' };
}
