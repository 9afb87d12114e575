import { randomUUID } from 'node:crypto';
import { applyPlan, type ApplyOptions } from '../../apply/apply.ts';
import { converge, type Steps } from '../../converge.ts';
import type { Change, Desired, Outcome, Plan } from '../../model/change.ts';
import { fingerprintOf } from '../../model/fingerprint.ts';
import type { EntryDraft } from '../../model/journal.ts';
import type { Context } from '../../model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../model/ref.ts';
import type { Assignment } from '../../model/replica.ts';
import type { ContainerState } from '../../model/resources.ts';
import { observeInto } from '../../observe/observe.ts';
import type { Pause } from '../../plan/hold.ts';
import { planHost } from '../../plan/host.ts';
import { planned, type PassDeps, type PassResult } from './agent-state.ts';
import { notePassOutcome, tellCrashLoop } from './outcomes.ts';
import { endOf, exited, NEVER_RESTARTED, restartAt, running } from './restarts.ts';

/** Which refs a pass looks at; all if absent. */
export type Scope = ReadonlySet<Ref> | undefined;

type Specs = ReadonlyMap<Ref, Desired>;
/** What may take long: an image to be pulled, a container to stop, a port to wait for its sandbox. */
const SLOW: ReadonlySet<string> = new Set(['image', 'container', 'port']);
/** A change that has not ended by then is given up, in milliseconds. */
function deadlineOf({ ref }: Change): number {
  return SLOW.has(kindOf(ref)) ? 600_000 : 60_000;
}

function contextOf({ state }: PassDeps, fleet: string, ms: number): Context {
  return { signal: AbortSignal.timeout(ms), fleet, world: state.world, wanted: [...state.desired.keys()] };
}

/** One pass over some or all refs of the host: the sentence, for one machine. */
export function runPass(deps: PassDeps, assignment: Assignment, specs: Specs, scope: Scope): Promise<PassResult> {
  const { state, providers, clock, wall = clock } = deps;
  let askedAfter = state.changes;
  const fresher = (ref: Ref): boolean =>
    state.busy.get(ref)?.begun === true || (state.endedAs.get(ref) ?? 0) > askedAfter;
  /** Refs that it may conclude anything of: none once the host is told otherwise, and not those that another pass is about to change. */
  const inScope = (ref: Ref): boolean =>
    state.assignment === assignment && (scope?.has(ref) ?? true) && !state.busy.has(ref) && !fresher(ref);
  const steps: Steps<Scope, Assignment, Specs, Scope, undefined, ReturnType<typeof planHost>, PassResult> = {
    checkout: () => Promise.resolve(assignment),
    compile: () => specs,
    observe: async (desired) => {
      askedAfter = state.changes;
      const context = contextOf(deps, assignment.fleet, 30_000);
      const refs = scope && [...scope];
      const blind = await observeInto(state.world, providers, context, [...desired.keys()], refs, fresher);
      noteBlind(deps, blind, scope);
      noteRestarts(deps, assignment, scope);
      if (scope === undefined) state.seen = true;
      return scope;
    },
    // an agent is told where its replicas go; which cores pinned ones have follows from what it sees
    place: () => undefined,
    plan: (desired) =>
      planHost({
        revision: assignment.revision,
        desired,
        world: state.world,
        differs: providers,
        inScope,
        now: clock(),
        wall: wall(),
        keep: assignment.keep,
        underway: (ref) => state.busy.has(ref),
        pauses: state.pauses,
        restarts: restartPauses(deps, assignment),
        unhealthy: unhealthyOf(deps, assignment),
        settled: state.settled.last,
        reached: state.settled,
        repairable: deps.repairs.granted(),
      }),
    apply: async ({ plan, wakeAt, repairs }) => {
      deps.repairs.want(repairs, assignment);
      notePlanned(deps, specs, plan, inScope);
      for (const change of plan.waves.flat()) state.busy.set(change.ref, planned(change));
      if (plan.waves.length > 0) deps.planned();
      const outcomes = await applyPlan(plan, {
        providers,
        context: (change) => contextOf(deps, assignment.fleet, deadlineOf(change)),
        dependsOn: (ref) => specs.get(ref)?.dependsOn ?? [],
        startsAfter: (ref) => specs.get(ref)?.startsAfter ?? [],
        underway: (ref) => state.busy.get(ref)?.end,
        stop: deps.stop,
        ...journaled(deps, assignment, specs),
      });
      return { plan, outcomes, ...(wakeAt === undefined ? {} : { wakeAt }) };
    },
    // intents and outcomes are journaled as the changes are made
    record: () => Promise.resolve(),
  };
  return converge(steps, scope);
}

/** What the agent learns from a plan, at once, since changes may take minutes: what waits, and that all else is as it should be. */
function notePlanned({ state }: PassDeps, specs: Specs, { waves, held }: Plan, looked: (ref: Ref) => boolean): void {
  const { waiting, failures, pauses, removals, settled, world } = state;
  for (const ref of waiting.keys()) if (looked(ref)) waiting.delete(ref);
  // that something caches, and may for a while, is nothing that is not as asked
  for (const { change, reason } of held) if (change.because !== 'pressure') waiting.set(change.ref, reason);
  const changed = new Set([...waves.flat(), ...held.map(({ change }) => change)].map(({ ref }) => ref));
  const isRight = (ref: Ref): boolean => {
    const known = world.get(ref)?.known;
    return looked(ref) && !changed.has(ref) && (specs.has(ref) ? known === true : known !== false);
  };
  for (const [ref, { spec }] of specs) if (isRight(ref)) settled.set(ref, fingerprintOf(spec as object));
  for (const ref of removals.keys())
    if (looked(ref) && !changed.has(ref) && world.get(ref)?.known !== false) {
      removals.delete(ref);
      if (!failures.has(ref)) pauses.delete(ref);
    }
  // a change that failed may have been made all the same, or by somebody else
  for (const ref of failures.keys())
    if (isRight(ref)) {
      failures.delete(ref);
      pauses.delete(ref);
    }
}

/** Intent before, outcome after, and what the agent learns from it; the ref is free again then. */
function journaled(deps: PassDeps, assignment: Assignment, specs: Specs): Pick<ApplyOptions, 'intent' | 'ended'> {
  const { journal, host } = deps;
  const traces = new Map<Ref, string>();
  const { revision, author } = assignment;
  return {
    intent: async ({ ref, verb, because, disruption, fields }) => {
      const underway = deps.state.busy.get(ref);
      if (underway) underway.begun = true;
      if (underway?.interrupts) deps.state.interrupted.add(nameOf(ref));
      const trace = randomUUID();
      const origin = specs.get(ref)?.origin;
      const at = origin ? { origin } : {};
      const base = { trace, revision, author, host, ref, verb, because, disruption, fields, ...at };
      await journal.append([{ type: 'intent', ...base }]);
      traces.set(ref, trace);
    },
    ended: async (outcome) => {
      const trace = traces.get(outcome.change.ref);
      notePassOutcome(deps, assignment, specs, outcome);
      deps.ended(outcome);
      const draft = trace === undefined ? undefined : outcomeDraft(trace, host, outcome);
      // the intent is durable: should this fail (a full disk), the next start says that the end is not known
      if (draft)
        await journal.append([draft]).catch((error: unknown) => deps.log.warn({ err: error }, 'outcome not journaled'));
    },
  };
}

function outcomeDraft(trace: string, host: string, outcome: Outcome): EntryDraft | undefined {
  const base = { type: 'outcome' as const, trace, host, ref: outcome.change.ref };
  switch (outcome.result) {
    case 'done': {
      const { did, facts } = outcome.evidence;
      return { ...base, result: 'done', did, ...(facts ? { facts } : {}) };
    }
    case 'failed':
      return { ...base, result: 'failed', code: outcome.code, error: outcome.error };
    case 'conflict':
      return { ...base, result: 'conflict', code: 'CONFLICT', error: outcome.error };
    case 'held':
    case 'skipped':
      return undefined;
  }
}

/** A daemon that went silent or came back is an event, once each way. */
function noteBlind(deps: PassDeps, blind: ReadonlyMap<string, string>, scope: Scope): void {
  const { state } = deps;
  const next = new Map(state.blind);
  for (const [name, why] of blind) {
    if (!state.blind.has(name)) deps.event({ level: 'error', reason: 'ObserveFailed', message: `${name}: ${why}` });
    next.set(name, why);
  }
  if (scope === undefined)
    for (const name of state.blind.keys()) {
      if (blind.has(name)) continue;
      deps.event({ level: 'info', reason: 'ObserveRecovered', message: `${name} answers again` });
      next.delete(name);
    }
  // only a look at all can tell what is there: until then it counts as blind
  else if ([...state.blind.keys()].some((name) => !blind.has(name) && hasSeen(deps, name, scope))) deps.lookAgain();
  state.blind = next;
}

/** Whether a provider that was blind, and made all of its own Unknown, has seen some of it in this pass. */
function hasSeen({ state, providers }: PassDeps, name: string, scope: ReadonlySet<Ref>): boolean {
  const kinds = new Set(providers.find((provider) => provider.name === name)?.kinds);
  return [...scope].some((ref) => kinds.has(kindOf(ref)) && state.world.get(ref)?.known === true);
}

function noteRestarts(deps: PassDeps, { replicas }: Assignment, scope: Scope): void {
  const { state, clock } = deps;
  for (const { id, spec } of replicas) {
    const ref = refOf('container', id);
    if (scope && !scope.has(ref)) continue;
    const item = state.world.get(ref);
    const before = state.restarts.get(id) ?? NEVER_RESTARTED;
    const { status, exitCode, endedAt } = item?.known === true ? (item.state as Partial<ContainerState>) : {};
    if (status === 'exited' || status === 'dead') {
      const how = exitCode === undefined ? 'ended' : `ended with status ${String(exitCode)}`;
      // its pause counts from the death, not from when a pass came to see it
      const after = exited(before, spec.restart, endOf(before, endedAt, clock()), how);
      state.restarts.set(id, after);
      if (before.exitedAt === undefined) tellCrashLoop(deps, id, after);
    }
    if (status === 'running' || status === 'paused') state.restarts.set(id, running(before, clock()));
  }
}

function restartPauses({ state }: PassDeps, { replicas }: Assignment): ReadonlyMap<string, Pause> {
  const pauses = new Map<string, Pause>();
  for (const { id, spec } of replicas) {
    const restart = state.restarts.get(id);
    if (!restart || restart.count === 0) continue;
    const why = `${restart.how ?? 'ended'}, ${String(restart.count + 1)} times in a row; next start waits`;
    pauses.set(id, { at: restartAt(restart, spec.restart), why });
  }
  return pauses;
}

function unhealthyOf({ probed }: PassDeps, { replicas }: Assignment): ReadonlySet<string> {
  return new Set(replicas.map(({ id }) => id).filter((id) => probed.get(id)?.unhealthy === true));
}
