import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AppSpec } from '../../reconciler/model/catalog.ts';
import { replicaId } from '../../reconciler/model/replica.ts';
import type { AssignedReplica, Placement, ReplicaReport } from '../../reconciler/model/replica.ts';
import { incarnationOf } from '../../reconciler/model/rollout.ts';
import { rollout } from '../../reconciler/plan/rollout.ts';
import { catalogOf, resources } from '../support/catalog.ts';

/** One replica of the model: what it was told, what it runs, and how that does. */
interface Actor {
  assigned: AssignedReplica | undefined;
  running: AssignedReplica | undefined;
  ready: boolean;
  report: ReplicaReport;
}

type Event =
  | { readonly type: 'commit'; readonly image: string; readonly cpu: number }
  | { readonly type: 'rollout' }
  | {
      readonly type: 'converge' | 'exit' | 'recover' | 'tell' | 'forget' | 'blind';
      readonly ordinal: number | undefined;
    };

/** One of them, or all. */
const ordinal = fc.option(fc.nat(5), { nil: undefined });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('commit' as const),
      image: fc.constantFrom('v1', 'v2', 'bad'),
      cpu: fc.constantFrom(100, 200),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('rollout' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constantFrom('converge' as const, 'recover' as const, 'tell' as const), ordinal }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('forget' as const, 'blind' as const), ordinal }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('exit' as const), ordinal }) },
);
const story = fc.record({
  replicas: fc.integer({ min: 1, max: 6 }),
  maxUnavailable: fc.integer({ min: 1, max: 3 }),
  events: fc.array(event, { maxLength: 60 }),
});

function placements(replicas: number): ReadonlyMap<string, Placement> {
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

const broken = (actor: Actor): boolean => actor.running?.spec.image === 'bad';

function tell(actor: Actor): void {
  const { running, ready, report } = actor;
  const { id, restarts } = report;
  actor.report = {
    id,
    phase: ready ? 'Ready' : 'Starting',
    ready,
    restarts,
    ...(running ? { incarnation: incarnationOf(running), fingerprint: running.spec.image } : {}),
    ...(broken(actor) ? { reason: 'ProbeFailed' } : {}),
  };
}

function withoutIncarnation({ id, phase, ready, restarts, fingerprint = 'v1' }: ReplicaReport): ReplicaReport {
  return { id, phase, ready, restarts, fingerprint };
}

/** Truly serving what it was told: the controller may know less, never more. */
function serving({ assigned, running, ready }: Actor): boolean {
  return ready && assigned !== undefined && running !== undefined && incarnationOf(assigned) === incarnationOf(running);
}

interface Model {
  readonly actors: readonly Actor[];
  readonly maxUnavailable: number;
  readonly placed: ReadonlyMap<string, Placement>;
  spec: Partial<AppSpec>;
}

function start(replicas: number, maxUnavailable: number): Model {
  const actors = Array.from({ length: replicas }, (_, i): Actor => {
    const report: ReplicaReport = { id: replicaId('web', i), phase: 'Pending', ready: false, restarts: 0 };
    return { assigned: undefined, running: undefined, ready: false, report };
  });
  return { actors, maxUnavailable, placed: placements(replicas), spec: { image: 'v1' } };
}

function rollOut(model: Model): boolean {
  const { actors, maxUnavailable, placed } = model;
  const spec = { ...model.spec, replicas: actors.length, maxUnavailable };
  const app = catalogOf({ apps: { web: spec } }).apps.get('web');
  assert.ok(app);
  const current = new Map(actors.flatMap(({ assigned }) => (assigned ? [[assigned.id, assigned] as const] : [])));
  const reports = new Map(actors.map(({ report }) => [report.id, report]));
  const away = actors.filter((actor) => !serving(actor)).length;
  const { replicas, progress } = rollout({ app, placements: placed, current, reports, network: () => undefined });
  for (const next of replicas) {
    const actor = actors.find(({ report }) => report.id === next.id);
    if (actor) actor.assigned = next;
  }
  const now = actors.filter((actor) => !serving(actor)).length;
  assert.ok(
    now <= Math.max(maxUnavailable, away),
    `${String(now)} away, ${String(away)} before, ${String(maxUnavailable)} allowed`,
  );
  if (model.spec.resources)
    for (const { assigned } of actors)
      assert.equal(assigned?.spec.resources.cpu, model.spec.resources.cpu, 'in place, at once');
  return progress.updated === progress.total;
}

function act(model: Model, step: Event): void {
  if (step.type === 'commit') model.spec = { image: step.image, resources: resources(step.cpu) };
  else if (step.type === 'rollout') rollOut(model);
  else {
    for (const [i, actor] of model.actors.entries()) if (i === (step.ordinal ?? i)) live(actor, step);
  }
}

/** What happens to one replica or its agent. */
function live(actor: Actor, { type }: Event): void {
  const { assigned, running } = actor;
  if (type === 'converge' && assigned !== running) {
    const same = running && assigned && incarnationOf(running) === incarnationOf(assigned);
    actor.running = assigned;
    if (same !== true) actor.ready = false;
  } else if (type === 'exit') actor.ready = false;
  else if (type === 'recover') actor.ready = running !== undefined && !broken(actor);
  else if (type === 'tell') tell(actor);
  // an agent that has just started, or that is changing limits, knows less than there is
  else if (type === 'forget') actor.report = withoutIncarnation(actor.report);
  else if (type === 'blind') actor.report = { ...withoutIncarnation(actor.report), ready: false };
}

/** Everybody does what is due. */
function round(model: Model): boolean {
  for (const type of ['converge', 'recover', 'tell'] as const) act(model, { type, ordinal: undefined });
  return rollOut(model);
}

/** All replicas have started and said so. */
function running(replicas: number, maxUnavailable: number): Model {
  const model = start(replicas, maxUnavailable);
  for (let rounds = 0; rounds < 2; rounds += 1) round(model);
  return model;
}

/** One event. What has just failed is told at once: the promise is of what is known. */
function tale(model: Model, step: Event): void {
  act(model, step);
  if (step.type === 'exit' || step.type === 'commit') model.actors.forEach(tell);
}

describe('any rollout', () => {
  it('never takes more away than allowed, whatever happens and however late the hosts tell', () => {
    fc.assert(
      fc.property(story, ({ replicas, maxUnavailable, events }) => {
        const model = running(replicas, maxUnavailable);
        for (const step of events) tale(model, step);
      }),
      { numRuns: 500 },
    );
  });

  it('ends with all updated once the hosts do their part', () => {
    fc.assert(
      fc.property(story, fc.constantFrom('v1', 'v2', 'v3'), ({ replicas, maxUnavailable, events }, image) => {
        const model = running(replicas, maxUnavailable);
        for (const step of events) tale(model, step);
        act(model, { type: 'commit', image, cpu: 100 });
        for (let rounds = 0; rounds < replicas + 2; rounds += 1) round(model);
        assert.ok(round(model), 'all updated');
        for (const { assigned } of model.actors) assert.equal(assigned?.spec.image, image);
      }),
      { numRuns: 300 },
    );
  });

  it('stops with a bad image at maxUnavailable', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), (replicas, maxUnavailable) => {
        const model = running(replicas, maxUnavailable);
        act(model, { type: 'commit', image: 'bad', cpu: 100 });
        for (let rounds = 0; rounds < 10; rounds += 1) round(model);
        assert.equal(model.actors.filter(broken).length, Math.min(replicas, maxUnavailable));
        act(model, { type: 'commit', image: 'v2', cpu: 100 });
        for (let rounds = 0; rounds < replicas + 3; rounds += 1) round(model);
        assert.ok(model.actors.every(serving), 'and a good one mends it');
      }),
      { numRuns: 40 },
    );
  });
});
