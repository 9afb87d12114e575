import type { Observed } from '../../model/change.ts';
import { PROTOCOL } from '../../model/protocol.ts';
import { kindOf, nameOf } from '../../model/ref.ts';
import { RESTARTING } from '../../model/replica.ts';
import type { Assignment, Condition, HostFacts, ReplicaReport, Report } from '../../model/replica.ts';
import type { ContainerState } from '../../model/resources.ts';
import { LOOP } from './stage.ts';
import type { Acted } from './stage.ts';

/** Which containers of a host there are, by replica: running, or ended. */
export type Containers = ReadonlyMap<string, 'running' | 'exited'>;

/** What would be seen on a host that runs an Assignment, as far as its containers are there. */
export type Appearance = (assignment: Assignment, containers: Containers) => readonly Observed[];

export interface TellInput {
  readonly host: string;
  readonly facts: HostFacts;
  readonly assignment: Assignment | undefined;
  readonly replicas: ReadonlyMap<string, Acted>;
  readonly appearance: Appearance;
  readonly now: number;
  /** The store does not know the Assignment. */
  readonly kept: boolean;
}

/** It has ended and waits to be started again, or has never run. */
function containerOf({ phase, made, incarnation }: Acted): 'running' | 'exited' | undefined {
  if (phase === 'Ready') return 'running';
  return phase === 'Starting' && made === incarnation ? 'exited' : undefined;
}

function replicaReport(one: Acted, container: ContainerState | undefined, now: number): ReplicaReport {
  const { id, phase, made, restarts, since, minReady } = one;
  const settlesAt = phase === 'Ready' && minReady > 0 ? since + minReady : 0;
  const loops = phase === 'Starting' && restarts >= LOOP;
  return {
    id,
    phase: phase === 'Ready' && one.frozen ? 'Frozen' : phase,
    ready: phase === 'Ready',
    restarts,
    ...(settlesAt > now ? { settlesAt } : {}),
    ...(loops ? { reason: 'CrashLoop', message: `ended with status 1, ${String(restarts)} times in a row` } : {}),
    ...(container ? { fingerprint: container.fingerprint, image: container.image } : {}),
    ...(made === undefined ? {} : { incarnation: made }),
  };
}

function conditionsOf(replicas: readonly Acted[], observedGeneration: number): readonly Condition[] {
  const waits = replicas.some(({ phase }) => phase !== 'Ready');
  // one that waits to be started again is no change under way
  const busy = replicas.some(({ phase, restarts }) => phase === 'Stopping' || (phase !== 'Ready' && restarts === 0));
  const of = (type: Condition['type'], status: boolean, reason: string): Condition => ({
    type,
    status,
    reason,
    message: '',
    observedGeneration,
  });
  return [
    of('Ready', !waits, busy ? 'NotConverged' : waits ? RESTARTING : 'Converged'),
    of('Reconciling', busy, busy ? 'Applying' : 'Idle'),
    of('Stalled', false, 'Fine'),
  ];
}

/** What a simulated host says of itself, in the words of a real one. */
export function tell({ host, facts, assignment, replicas, appearance, now, kept }: TellInput): Report {
  const nothing = { replicas: [], observed: [], limitations: [], conditions: [] };
  if (!assignment) return { protocol: PROTOCOL, host, generation: 0, revision: '', at: now, facts, ...nothing };
  const all = [...replicas.values()];
  const there = new Map<string, 'running' | 'exited'>();
  for (const one of all) {
    const container = containerOf(one);
    if (container) there.set(one.id, container);
  }
  const observed = appearance(assignment, there);
  const containers = new Map<string, ContainerState>();
  for (const item of observed)
    if (item.known && kindOf(item.ref) === 'container') containers.set(nameOf(item.ref), item.state as ContainerState);
  return {
    protocol: PROTOCOL,
    host,
    generation: assignment.generation,
    revision: assignment.revision,
    at: now,
    facts,
    replicas: all.map((one) => replicaReport(one, containers.get(one.id), now)),
    observed,
    limitations: [],
    conditions: conditionsOf(all, assignment.generation),
    ...(kept ? { kept: assignment } : {}),
  };
}
