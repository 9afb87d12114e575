import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { statusOf } from '../../reconciler/loop/status/whole.ts';
import type { AppSpec, HostSpec } from '../../reconciler/model/catalog.ts';
import type { Assignment } from '../../reconciler/model/replica.ts';
import { catalogOf, resources } from '../support/catalog.ts';
import type { Sketch } from '../support/catalog.ts';
import { sharing } from '../support/remembering.ts';
import { createTwin, onlyNews } from '../support/twins.ts';
import type { Deed, Stage, Twin } from '../support/twins.ts';

const HOSTS = ['h0', 'h1', 'h2', 'h3'] as const;
const APPS = ['a', 'b', 'c'] as const;
/** A host has room for one of these. */
const LARGE = resources(2500);

interface Told {
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
const event: fc.Arbitrary<Event> = fc.oneof(
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
class World {
  now = 1_000_000;
  revision = 0;
  sketch: Sketch = {
    apps: { a: { replicas: 2 }, b: { replicas: 2, rollout }, c: { replicas: 4, level: 3, resources: LARGE } },
    hosts: Object.fromEntries(HOSTS.map((name) => [name, {}])),
    networks: { net: {}, other: { vlan: 20 } },
  };
  catalog = catalogOf({ ...this.sketch, revision: 'lines' });
  readonly silent = new Set<string>();
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

describe('a controller that looks only at what changed', () => {
  it('does what one does that begins anew with each pass, whatever happens; audits find nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60, size: 'max' }), async (events) => {
        const world = new World();
        await world.round();
        await world.round();
        for (const one of events) await world.happen(one);
        for (let more = 0; more < 4; more += 1) await world.round();
        world.now += 700_000;
        await world.round();
        for (const { told } of world.twins)
          assert.deepEqual(
            told.filter((text) => text.startsWith('AuditDiffers')),
            [],
          );
      }),
      { numRuns: 60 },
    );
  });

  it('has the less critical make room as one does that begins anew, also in the midst of an audit', async () => {
    for (const wait of [0, 700_000]) {
      const world = new World();
      for (let more = 0; more < 3; more += 1) await world.round();
      const spec = { replicas: 3, level: 0, image: 'v1', resources: LARGE };
      await world.happen({ type: 'app', app: 'a', spec });
      await world.happen({ type: 'wait', ms: wait });
      for (let more = 0; more < 4; more += 1) await world.round();
      await world.happen({ type: 'wait', ms: 700_000 });
      await world.round();
      for (const { told } of world.twins) {
        assert.ok(
          told.some((text) => text.startsWith('Preempted c-')),
          told.join('\n'),
        );
        assert.equal(told.filter((text) => text.startsWith('AuditDiffers')).join('\n'), '');
      }
    }
  });

  it('tells a host whose Assignment the store has lost what comes after it, though all are at rest', async () => {
    const world = new World();
    for (let more = 0; more < 4; more += 1) await world.round();
    const [kept] = world.twins;
    const { assignments: before } = (await kept.state(HOSTS)) as Told;
    await world.happen({ type: 'lose', host: 'h1' });
    await world.pass();
    const { assignments: after } = (await kept.state(HOSTS)) as Told;
    const numbers = (told: readonly Assignment[]): readonly number[] => told.map(({ generation }) => generation);
    assert.deepEqual(
      numbers(after),
      numbers(before).map((generation, at) => generation + (at === 1 ? 2 : 0)),
    );
    assert.deepEqual(after[1]?.replicas, before[1]?.replicas);
    await world.round();
    assert.equal(kept.controller.verdict()?.sync, 'Synced');
  });

  it('tells a host that has left Git the same, as one does that begins anew', async () => {
    const world = new World();
    await world.round();
    await world.happen({ type: 'host', host: 'h3', spec: undefined });
    for (const name of ['c', 'b']) {
      await world.happen({ type: 'app', app: name, spec: undefined });
      for (let more = 0; more < 2; more += 1) await world.round();
    }
    await world.happen({ type: 'lose', host: 'h3' });
    await world.pass();
  });

  it('asks the store only what is new when there is nothing to do, and writes nothing', async () => {
    const world = new World();
    for (let more = 0; more < 4; more += 1) await world.round();
    const [kept] = world.twins;
    assert.equal(kept.controller.verdict()?.sync, 'Synced');
    kept.calls();
    for (let more = 0; more < 3; more += 1) assert.equal(await kept.pass(), '');
    const calls = kept.calls();
    assert.ok(onlyNews(calls), calls.join());
    assert.equal(calls.length, 6, calls.join());
    // a Report that changes nothing costs one more look, at that Report
    await kept.report('h1', 'serves');
    assert.equal(await kept.pass(), '');
    assert.deepEqual([...kept.calls()].sort(), ['mailbox.news', 'mailbox.reports', 'reservations.since']);
  });

  it('takes over what it has followed while it stood by, and reads again neither that nor what was so before', async () => {
    const world = new World();
    const [kept] = world.twins;
    await kept.standBy();
    for (let more = 0; more < 4; more += 1) await world.round();
    kept.calls();
    await kept.standBy();
    assert.ok(kept.calls().length > 2, 'it follows');
    await world.happen({ type: 'app', app: 'a', spec: { replicas: 3, image: 'v2' } });
    kept.takeOver();
    await world.pass();
    const whole = new Set(['reservations.snapshot', 'reservations.differing', 'mailbox.reporting']);
    assert.deepEqual(
      kept.calls().filter((call) => whole.has(call)),
      [],
    );
    for (let more = 0; more < 4; more += 1) await world.round();
    assert.equal(kept.controller.verdict()?.sync, 'Synced');
  });

  it('says so when an audit finds what it would not have looked at, and puts it right', async () => {
    const world = new World();
    for (let more = 0; more < 4; more += 1) await world.round();
    const [kept] = world.twins;
    // a commit that is never told of: as if it had been missed
    await kept.hide(() => kept.commit([{ op: 'release', replica: 'a-1', quarantineUntil: 0 }]));
    await kept.pass();
    assert.equal(
      kept.told.some((text) => text.startsWith('AuditDiffers')),
      false,
    );
    world.now += 700_000;
    for (const name of HOSTS) await kept.beat(name);
    assert.equal(await kept.pass(), '');
    assert.ok(
      kept.told.some((text) => text.startsWith('AuditDiffers') && text.includes('placements/a-1')),
      kept.told.join('\n'),
    );
    const state = (await kept.state(HOSTS)) as { placements: Record<string, unknown> };
    assert.ok(state.placements['a-1']);
  });
});
