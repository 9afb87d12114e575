import type { Observed, Unknown } from '../../model/change.ts';
import { CORES } from '../../model/cores.ts';
import { fingerprintOf } from '../../model/fingerprint.ts';
import { formOf } from '../../model/form.ts';
import { PROTOCOL } from '../../model/protocol.ts';
import { incarnationOf } from '../../model/rollout.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../model/ref.ts';
import { RESTARTING } from '../../model/replica.ts';
import type {
  AssignedReplica,
  Assignment,
  Condition,
  HostFacts,
  Phase,
  ReplicaReport,
  Report,
} from '../../model/replica.ts';
import type { ContainerState } from '../../model/resources.ts';
import type { HealthState } from '../../model/health.ts';
import type { AgentOptions, AgentState, Failure } from './agent-state.ts';
import { memoryOf } from './memory-told.ts';
import { reasonOf } from './outcomes.ts';
import { standing } from './standing.ts';
import { isCrashLoop, NEVER_RESTARTED, trustedAt } from './restarts.ts';

export interface ReportInput {
  readonly options: Pick<AgentOptions, 'host' | 'facts' | 'clock' | 'providers'>;
  readonly state: AgentState;
  readonly assignment: Assignment;
  readonly health: (replica: string) => HealthState | undefined;
  /** The last report: of what cannot be seen now its word still stands. */
  readonly before: Report | undefined;
}

/** What a host says of itself now. */
export function reportOf(input: ReportInput): Report {
  const { options, state, assignment } = input;
  const observed = state.world.all();
  return {
    protocol: PROTOCOL,
    host: options.host,
    generation: assignment.generation,
    revision: assignment.revision,
    at: options.clock(),
    facts: options.facts,
    replicas: [...assignment.replicas.map((replica) => replicaReport(input, replica)), ...leftovers(input)],
    // readings differ at each look, and are told in their own way
    observed: observed.filter(({ ref }) => kindOf(ref) !== 'memory'),
    ...memoryOf(observed, input.before),
    ...standing(input),
    conditions: conditionsOf(input),
  };
}

function replicaReport(input: ReportInput, replica: AssignedReplica): ReplicaReport {
  const { id } = replica;
  const { state, options } = input;
  const item = state.world.get(refOf('container', id));
  const last = input.before?.replicas.find((one) => one.id === id);
  const hidden = ['sandbox', 'port', 'container'].map((kind) => state.world.get(refOf(kind, id))).find(isUnknown);
  if (hidden && last) return { ...last, reason: 'Unknown', message: hidden.why };
  const container = item?.known === true ? (item.state as ContainerState) : undefined;
  const health = input.health(id);
  const ready = serves(input, replica, container, health);
  const incarnation = madeAs(input, replica, last);
  const before = last?.form === '' ? undefined : last?.form;
  const form = asAssigned(state, replica, HELD) && hasCores(state, replica) ? formOf(replica) : before;
  // what the kernel refuses or somebody fights for is told otherwise: it was looked at
  const unseen = ready && state.fullGeneration !== input.assignment.generation;
  const trouble = troubleOf(input, replica, container, health);
  const settlesAt = ready ? settledAt(replica, health) : 0;
  return {
    id,
    phase: phaseOf(input, replica, container, health),
    ready,
    restarts: state.restarts.get(id)?.total ?? 0,
    ...(!ready && runs(container) && isUnprobed(health) ? { unprobed: true } : {}),
    ...(settlesAt > options.clock() ? { settlesAt } : {}),
    ...(trouble ? { reason: trouble.reason, message: trouble.message } : {}),
    ...(container ? { fingerprint: container.fingerprint, image: container.image } : {}),
    ...(incarnation === undefined ? {} : { incarnation }),
    // who serves in a form that is not known yet is not taken for one of an agent that tells of none
    ...(form !== undefined ? { form } : unseen ? { form: '' } : {}),
  };
}

/** When a ready replica will have been ready for as long as its App's rollout asks. */
export function settledAt({ spec }: AssignedReplica, health: HealthState | undefined): number {
  const minReady = spec.rollout?.minReady ?? 0;
  return minReady === 0 || health?.ready !== true ? 0 : health.since + minReady;
}

function isUnprobed(health: HealthState | undefined): boolean {
  return health?.streaks[health.started ? 'readiness' : 'startup'] === undefined && health?.ready === false;
}

function isUnknown(item: Observed | undefined): item is Unknown {
  return item?.known === false;
}

/** What is new when a replica is made anew, and what else holds it to its form. */
const MADE = ['sandbox', 'port', 'container'];
const HELD = [...MADE, 'cgroup'];

/**
 * As what it was made: until it is as assigned, it is still what it was. What is being taken away, and is wanted again as it was, is
 * nothing that is known, nor is what then came in its place, until it was seen to be as assigned.
 */
function madeAs(
  { state }: ReportInput,
  replica: AssignedReplica,
  last: ReplicaReport | undefined,
): ReplicaReport['incarnation'] {
  const wanted = incarnationOf(replica);
  if (!isInterrupted(state, replica) && asAssigned(state, replica, MADE)) return wanted;
  return state.interrupted.has(replica.id) && last?.incarnation === wanted ? undefined : last?.incarnation;
}

/** A change is taking it away. */
export function isInterrupted({ busy }: AgentState, { id }: Pick<AssignedReplica, 'id'>): boolean {
  return MADE.map((kind) => busy.get(refOf(kind, id))).some((change) => change?.begun === true && change.interrupts);
}

/** These parts of it were last seen just as they are assigned. */
function asAssigned({ settled, desired }: AgentState, { id }: AssignedReplica, kinds: readonly string[]): boolean {
  return kinds.every((kind) => {
    const want = desired.get(refOf(kind, id));
    return want !== undefined && settled.get(want.ref) === fingerprintOf(want.spec as object);
  });
}

/** The cores that it is to have for itself were last seen so. */
function hasCores({ settled, desired }: AgentState, { id }: AssignedReplica): boolean {
  const want = desired.get(CORES);
  if (!want || !desired.get(refOf('container', id))?.dependsOn.includes(CORES)) return true;
  return settled.get(CORES) === fingerprintOf(want.spec as object);
}

function phaseOf(
  input: ReportInput,
  replica: AssignedReplica,
  container: ContainerState | undefined,
  health: HealthState | undefined,
): Phase {
  const { state } = input;
  const sandbox = refOf('sandbox', replica.id);
  if (!container) return state.world.get(sandbox) || state.busy.has(sandbox) ? 'Starting' : 'Placed';
  if (isFrozen(replica, container)) return 'Frozen';
  if (!runs(container) || health?.started !== true) return 'Starting';
  return serves(input, replica, container, health) ? 'Ready' : 'Running';
}

function runs(container: ContainerState | undefined): boolean {
  return container?.status === 'running' && container.lifeless !== true;
}

/** It stands still, as its App says: nobody misses it. */
function isFrozen({ spec }: AssignedReplica, container: ContainerState | undefined): boolean {
  return spec.frozen === true && container?.status === 'paused';
}

/** Stands still as it is to, or runs and is ready by its probes, and no change is taking it away; one that has ended must first stay up: for a moment, or for a while when it did so again and again. */
function serves(
  input: ReportInput,
  replica: AssignedReplica,
  container: ContainerState | undefined,
  health: HealthState | undefined,
): boolean {
  const { state, options } = input;
  const trusted = trustedAt(state.restarts.get(replica.id) ?? NEVER_RESTARTED, replica.spec.restart) ?? 0;
  if (isInterrupted(state, replica)) return false;
  const asAsked = isFrozen(replica, container) || (runs(container) && health?.ready === true);
  return asAsked && options.clock() >= trusted && !loops(input, replica);
}

function loops({ state, options }: ReportInput, { id, spec }: AssignedReplica): boolean {
  const restart = state.restarts.get(id);
  return restart !== undefined && isCrashLoop(restart, spec.restart, options.clock());
}

interface Trouble {
  readonly reason: string;
  readonly message: string;
}

/** The one thing that most needs to be known of a replica that is not well. */
function troubleOf(
  input: ReportInput,
  replica: AssignedReplica,
  container: ContainerState | undefined,
  health: HealthState | undefined,
): Trouble | undefined {
  const { state } = input;
  const { id, spec } = replica;
  if (loops(input, replica)) {
    const { count = 0, exitedAt, how = 'ended' } = state.restarts.get(id) ?? {};
    const times = exitedAt === undefined ? count : count + 1;
    return { reason: 'CrashLoop', message: `${how}, ${String(times)} times in a row` };
  }
  const refs = ['sandbox', 'port', 'container', 'cgroup'].map((kind) => refOf(kind, id));
  const own = state.desired.get(refOf('container', id))?.dependsOn.includes(CORES) ? [CORES] : [];
  for (const ref of [refOf('image', spec.image), ...own, ...refs]) {
    const failure: Failure | undefined = state.failures.get(ref);
    if (failure) return { reason: reasonOf(failure.code), message: failure.error };
  }
  if (runs(container) && health && (!health.ready || health.unhealthy) && health.message !== '')
    return { reason: 'ProbeFailed', message: health.message };
  const waits = refs.find((ref) => state.waiting.has(ref));
  if (waits === undefined) return undefined;
  const again = kindOf(waits) === 'container' && state.restarts.get(id)?.exitedAt !== undefined;
  return { reason: again ? RESTARTING : 'Waiting', message: state.waiting.get(waits) ?? '' };
}

/** Replicas of ours that run here and are no longer assigned. */
function leftovers({ state, assignment }: ReportInput): ReplicaReport[] {
  const wanted = new Set(assignment.replicas.map(({ id }) => id));
  const there = new Set<string>();
  for (const item of state.world.all()) {
    const kind = kindOf(item.ref);
    const replica = item.ref.slice(kind.length + 1);
    if (['sandbox', 'port', 'container'].includes(kind) && item.known && item.owned && !wanted.has(replica))
      there.add(replica);
  }
  return [...there].sort().map((id) => ({ id, phase: 'Stopping', ready: false, restarts: 0 }));
}

/** What runs, and of which nobody has looked yet whether the kernel holds it to its limits. */
function unseenIn({ world, desired }: AgentState): readonly Ref[] {
  return [...desired.keys()].filter((ref) => {
    if (kindOf(ref) !== 'cgroup' || world.get(ref)) return false;
    const container = world.get(refOf('container', nameOf(ref)));
    return container?.known === true && runs(container.state as ContainerState);
  });
}

/** It has ended or become unfit by itself, and is started again. */
function comesAgain({ state, health }: ReportInput, id: string): boolean {
  const { count, exitedAt } = state.restarts.get(id) ?? NEVER_RESTARTED;
  return count > 0 || exitedAt !== undefined || health(id)?.unhealthy === true;
}

function conditionsOf(input: ReportInput): readonly Condition[] {
  const { state, assignment } = input;
  const busy = state.busy.size > 0;
  const failed: Ref[] = [...state.failures.keys()];
  const blind = [...state.blind.entries()];
  const observedGeneration = assignment.generation;
  const first = failed[0];
  const stalled = blind[0] ?? (first === undefined ? undefined : [first, state.failures.get(first)?.error ?? '']);
  const looked = stalled === undefined && state.fullGeneration === observedGeneration;
  const left = [...state.busy.keys(), ...state.waiting.keys(), ...unseenIn(state)];
  const settled = looked && left.length === 0;
  const again = looked && left.every((ref) => comesAgain(input, nameOf(ref)));
  const reason = settled ? 'Converged' : again ? RESTARTING : 'NotConverged';
  return [
    { type: 'Ready', status: settled, reason, message: '', observedGeneration },
    { type: 'Reconciling', status: busy, reason: busy ? 'Applying' : 'Idle', message: '', observedGeneration },
    {
      type: 'Stalled',
      status: stalled !== undefined,
      reason: stalled ? (blind.length > 0 ? 'Blind' : 'Failing') : 'Fine',
      message: stalled ? `${stalled[0]}: ${stalled[1]}` : '',
      observedGeneration,
    },
  ];
}

/** What a host says of itself before it has looked around: that it is there, and what it is. */
export function introduction(host: string, facts: HostFacts, at: number, before: Report | undefined): Report {
  // what ran before says nothing of now: it is not Ready until this agent has looked
  if (before)
    return {
      ...before,
      protocol: PROTOCOL,
      facts,
      conditions: before.conditions.filter(({ type }) => type !== 'Ready'),
    };
  const nothing = { replicas: [], observed: [], limitations: [], conditions: [] };
  return { protocol: PROTOCOL, host, generation: 0, revision: '', at, facts, ...nothing };
}
