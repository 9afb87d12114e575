import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { AppSpec, RolloutSpec } from '../../reconciler/model/catalog.ts';
import { formOf } from '../../reconciler/model/form.ts';
import { versionOf } from '../../reconciler/model/release.ts';
import type { RolloutRecord } from '../../reconciler/model/release.ts';
import { replicaId } from '../../reconciler/model/replica.ts';
import type { AssignedReplica, Placement, ReplicaReport } from '../../reconciler/model/replica.ts';
import { incarnationOf, recreateSpec } from '../../reconciler/model/rollout.ts';
import { givesMore } from '../../reconciler/plan/forms.ts';
import { rollout } from '../../reconciler/plan/rollout.ts';
import { UNLIMITED } from './budget.ts';
import { catalogOf, resources } from './catalog.ts';

/** One replica of the model: what it was told, what it runs, and how that does. */
interface Actor {
  assigned: AssignedReplica | undefined;
  running: AssignedReplica | undefined;
  ready: boolean;
  readySince: number;
  report: ReplicaReport;
  /** What its host knew to be assigned when it reported. */
  told: AssignedReplica | undefined;
}

type Event =
  | { readonly type: 'commit'; readonly image: string; readonly cpu: number; readonly probe?: number }
  | { readonly type: 'rollout' }
  | { readonly type: 'freeze'; readonly frozen: boolean }
  | { readonly type: 'wait' }
  | { readonly type: 'crash' }
  | {
      readonly type: 'converge' | 'exit' | 'recover' | 'tell' | 'forget' | 'blind' | 'move';
      readonly ordinal: number | undefined;
    };

interface Story {
  readonly replicas: number;
  readonly maxUnavailable: number;
  readonly events: readonly Event[];
}

interface How {
  readonly minReady: number;
  readonly canary: RolloutSpec['canary'] | undefined;
}

/** Held to so little nothing serves. */
export const STARVED = 10;

/** One of them, or all. */
const ordinal = fc.option(fc.nat(5), { nil: undefined });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('commit' as const),
      image: fc.constantFrom('v1', 'v2', 'bad'),
      cpu: fc.constantFrom(100, 100, 200, 50, STARVED),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('rollout' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constantFrom('converge' as const, 'recover' as const, 'tell' as const), ordinal }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('forget' as const, 'blind' as const), ordinal }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('exit' as const), ordinal }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('freeze' as const), frozen: fc.boolean() }) },
);
/** What happens to an App without a rollout block. */
export const story: fc.Arbitrary<Story> = fc.record({
  replicas: fc.integer({ min: 1, max: 6 }),
  maxUnavailable: fc.integer({ min: 1, max: 3 }),
  events: fc.array(event, { maxLength: 60 }),
});

function placements(replicas: number): Map<string, Placement> {
  const { cpu, memory, pids } = resources(1000);
  const demand = { cpu, memory, pids };
  const common = { app: 'web', zone: 'main', host: 'h1', network: 'net', demand, epoch: 1 };
  return new Map(
    Array.from({ length: replicas }, (_, i) => {
      const replica = replicaId('web', i);
      return [replica, { ...common, replica, address: `10.1.0.${String(10 + i)}` }];
    }),
  );
}

/** A probe of this port never passes. */
export const DEAF = 99;

function probesOf(port: number): AppSpec['probes'] {
  return { readiness: { check: { type: 'tcp', port }, period: 1000, timeout: 1000, failures: 1, successes: 1 } };
}

/** What it runs never becomes ready. */
export function broken({ running }: Actor): boolean {
  const { image, probes, resources: held } = running?.spec ?? {};
  return image === 'bad' || image === 'mute' || held?.cpu === STARVED || isDeepStrictEqual(probes, probesOf(DEAF));
}

function tell(actor: Actor, now = 0): void {
  const { running, ready, report, readySince } = actor;
  const { id, restarts } = report;
  const settlesAt = readySince + (running?.spec.rollout?.minReady ?? 0);
  const still = running?.spec.frozen === true;
  actor.told = running;
  actor.report = {
    id,
    phase: still ? 'Frozen' : ready ? 'Ready' : 'Starting',
    ready: ready || still,
    restarts,
    ...(ready && settlesAt > now ? { settlesAt } : {}),
    ...(running ? { incarnation: incarnationOf(running), form: formOf(running), fingerprint: running.spec.image } : {}),
    ...(!still && broken(actor) && running?.spec.image !== 'mute' ? { reason: 'ProbeFailed' } : {}),
  };
}

function withoutIncarnation({ id, phase, ready, restarts, fingerprint = 'v1' }: ReplicaReport): ReplicaReport {
  return { id, phase, ready, restarts, fingerprint };
}

/**
 * Truly serving what it was told, where it is placed, for long enough: the controller may know less, never more. What stands still as
 * Git says is missed by nobody.
 */
function serves({ placed, now, spec }: Model, { assigned, running, ready, readySince }: Actor): boolean {
  if (!assigned || !running || !same(assigned, running)) return false;
  if (spec.frozen === true && running.spec.frozen === true) return assigned.placement === placed.get(assigned.id);
  if (!ready) return false;
  return assigned.placement === placed.get(assigned.id) && now >= readySince + (assigned.spec.rollout?.minReady ?? 0);
}

/** Nobody is away. */
export const allServe = (model: Model): boolean => model.actors.every((actor) => serves(model, actor));

/** Nothing happens to a replica that goes from one to the other: neither its container nor its probes, and no limit is lowered. */
function same(to: AssignedReplica, from: AssignedReplica): boolean {
  return incarnationOf(to) === incarnationOf(from) && (formOf(to) === formOf(from) || givesMore(from, to));
}

interface Model {
  readonly actors: readonly Actor[];
  readonly maxUnavailable: number;
  readonly placed: Map<string, Placement>;
  spec: Partial<AppSpec>;
  readonly how: RolloutSpec | undefined;
  record: RolloutRecord | undefined;
  /** Since when replicas have had the version that Git asks for. */
  readonly since: Map<string, number>;
  now: number;
  /** Every pass is another controller's, which knows what is in the store. */
  readonly takeover: boolean;
}

function start(replicas: number, maxUnavailable: number, how?: RolloutSpec, takeover = false): Model {
  const actors = Array.from({ length: replicas }, (_, i): Actor => {
    const report: ReplicaReport = { id: replicaId('web', i), phase: 'Pending', ready: false, restarts: 0 };
    return { assigned: undefined, running: undefined, ready: false, readySince: 0, report, told: undefined };
  });
  const spec = { image: 'v1', resources: resources(100), ...(how ? { probes: probesOf(80) } : {}) };
  const placed = placements(replicas);
  return { actors, maxUnavailable, placed, spec, how, record: undefined, since: new Map(), now: 0, takeover };
}

/** As it comes back from a store. */
export function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** One pass of a controller; one that crashes has kept its record and given nothing. */
export function rollOut(model: Model, crash = false): boolean {
  const { actors, maxUnavailable, placed, how, now: at } = model;
  const spec = { ...model.spec, replicas: actors.length, maxUnavailable, ...(how ? { rollout: how } : {}) };
  const app = catalogOf({ apps: { web: spec } }).apps.get('web');
  assert.ok(app);
  const kept = <T>(value: T): T => (model.takeover ? stored(value) : value);
  const current = new Map(actors.flatMap(({ assigned }) => (assigned ? [[assigned.id, kept(assigned)] as const] : [])));
  const late = actors.filter(({ assigned, told }) => told !== assigned).map(({ report }) => report.id);
  const reports = new Map(actors.map(({ report }) => [report.id, report]));
  const away = actors.filter((actor) => !serves(model, actor)).length;
  const { replicas, progress, record } = rollout({
    app,
    placements: placed,
    current,
    reports,
    late: new Set(late),
    network: () => undefined,
    told: () => undefined,
    mayPlug: () => true,
    disruption: UNLIMITED,
    record: model.record && kept(model.record),
    revision: '',
    now: at,
    ahead: () => undefined,
  });
  model.record = record;
  if (crash) return false;
  const before = actors.filter(({ assigned }) => assigned && versionOf(assigned) === record?.version).length;
  for (const next of replicas) {
    const actor = actors.find(({ report }) => report.id === next.id);
    if (actor) leavesStill(model, actor, next);
    if (actor && !isDeepStrictEqual(actor.assigned, next)) actor.assigned = next;
  }
  if (record) heedsCanary(model, record, before);
  const now = actors.filter((actor) => !serves(model, actor)).length;
  assert.ok(
    now <= Math.max(maxUnavailable, away),
    `${String(now)} away, ${String(away)} before, ${String(maxUnavailable)} allowed`,
  );
  return progress.updated === progress.total;
}

/** What stands still, or goes on only now, is not made anew; with a `rollout` block nothing that is assigned is. */
function leavesStill({ how, spec }: Model, { assigned, told, report }: Actor, next: AssignedReplica): void {
  if (!assigned || assigned.placement !== next.placement) return;
  const still = assigned.spec.frozen === true && told === assigned && report.ready;
  if (still && report.incarnation !== undefined)
    assert.equal(incarnationOf(next), incarnationOf(assigned), 'made anew');
  if (how && (still || (spec.frozen === true && report.ready)))
    assert.equal(versionOf(next), versionOf(assigned), 'changed while it stands still');
}

/** What Git says only gives more than there was: that takes no canary. */
function grows({ spec, actors }: Model, { good }: RolloutRecord): boolean {
  const want = { ...actors[0]?.assigned?.spec, ...spec } as AppSpec;
  return isDeepStrictEqual(recreateSpec(good.spec), recreateSpec(want)) && givesMore(good, { spec: want });
}

/** More than the canaries have the new version only once these have had it for as long as the pause. */
function heedsCanary(model: Model, record: RolloutRecord, before: number): void {
  const { actors, how, since, now } = model;
  const { version, good } = record;
  const have = actors.filter(({ assigned }) => assigned && versionOf(assigned) === version).length;
  if (have > 0 && !since.has(version)) since.set(version, now);
  if (
    !how?.canary ||
    version === versionOf(good) ||
    grows(model, record) ||
    have <= Math.max(how.canary.replicas, before)
  )
    return;
  assert.notEqual(how.canary.pause, 'forever', `${String(have)} have it and its canaries wait for Git`);
  assert.ok(
    now >= (since.get(version) ?? now) + Number(how.canary.pause),
    `${String(have)} have it before the pause ends`,
  );
}

/** One event. */
export function act(model: Model, step: Event): void {
  if (step.type === 'commit') {
    const probes = model.how ? { probes: probesOf(step.probe ?? 80) } : {};
    model.spec = { image: step.image, resources: resources(step.cpu), ...probes };
    model.since.clear();
  } else if (step.type === 'freeze') {
    const { frozen: _was, ...spec } = model.spec;
    model.spec = step.frozen ? { ...spec, frozen: true } : spec;
  } else if (step.type === 'rollout') rollOut(model);
  else if (step.type === 'crash') rollOut(model, true);
  else if (step.type === 'wait') model.now += 1000;
  else {
    for (const [i, actor] of model.actors.entries())
      if (i === (step.ordinal ?? i))
        if (step.type === 'move') move(model, actor.report.id);
        else live(actor, step, model.now);
  }
}

/** Place has found it another address. */
function move({ placed }: Model, id: string): void {
  const before = placed.get(id);
  if (before) placed.set(id, { ...before, address: before.address.replace('10.1', '10.2'), epoch: before.epoch + 1 });
}

/** What happens to one replica or its agent. */
function live(actor: Actor, { type }: Event, now: number): void {
  const { assigned, running } = actor;
  if (type === 'converge' && assigned !== running) {
    if (!running || !assigned || !same(assigned, running)) actor.ready = false;
    actor.running = assigned;
  } else if (running?.spec.frozen === true && (type === 'exit' || type === 'recover')) return;
  else if (type === 'exit') actor.ready = false;
  else if (type === 'recover') {
    if (!actor.ready) actor.readySince = now;
    actor.ready = running !== undefined && !broken(actor);
  } else if (type === 'tell') tell(actor, now);
  // an agent that has just started, or that is changing limits, knows less than there is
  else if (type === 'forget') actor.report = withoutIncarnation(actor.report);
  else if (type === 'blind') actor.report = { ...withoutIncarnation(actor.report), ready: false };
}

/** Everybody does what is due. */
export function round(model: Model): boolean {
  model.now += 1000;
  for (const type of ['converge', 'recover', 'tell'] as const) act(model, { type, ordinal: undefined });
  return rollOut(model);
}

/** All replicas have started and said so. */
export function running(replicas: number, maxUnavailable: number, how?: RolloutSpec, takeover = false): Model {
  const model = start(replicas, maxUnavailable, how, takeover);
  for (let rounds = 0; rounds < 2; rounds += 1) round(model);
  return model;
}

/** Rounds until the pass after the last has nothing to remember, or for long enough. */
export function settle(model: Model, done: () => boolean): void {
  for (let rounds = 0; rounds < 120 && !done(); rounds += 1) round(model);
}

/** One event. What has just failed is told at once: the promise is of what is known. */
export function tale(model: Model, step: Event): void {
  act(model, step);
  if (step.type === 'exit' || (step.type === 'commit' && !model.how))
    for (const actor of model.actors) tell(actor, model.now);
}

/** What happens to an App with one. */
export const careful: fc.Arbitrary<Story & { readonly how: How }> = fc.record({
  replicas: fc.integer({ min: 1, max: 6 }),
  maxUnavailable: fc.integer({ min: 1, max: 3 }),
  how: fc.record({
    minReady: fc.constantFrom(0, 1500, 3000),
    canary: fc.option(fc.record({ replicas: fc.integer({ min: 1, max: 5 }), pause: fc.constantFrom(1, 2500, 8000) }), {
      nil: undefined,
    }),
  }),
  events: fc.array(
    fc.oneof(
      { weight: 10, arbitrary: event },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('move' as const), ordinal }) },
      {
        weight: 2,
        arbitrary: fc.record({
          type: fc.constant('commit' as const),
          image: fc.constantFrom('v1', 'v2', 'bad', 'mute'),
          cpu: fc.constantFrom(100, 100, 200, STARVED),
          probe: fc.constantFrom(80, 81, DEAF),
        }),
      },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('wait' as const) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const) }) },
    ),
    { maxLength: 80 },
  ),
});

/** The block, with a deadline of 6 s. */
export function howOf({ minReady, canary }: How): RolloutSpec {
  return { minReady, progressDeadline: 6000, autoRevert: true, ...(canary ? { canary } : {}) };
}
