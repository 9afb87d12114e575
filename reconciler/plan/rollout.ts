import { isDeepStrictEqual } from 'node:util';
import type { AppSpec, NetworkSpec, Resource } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import { replicaId } from '../model/replica.ts';
import type { AssignedReplica, Demand, Placement, ReplicaReport } from '../model/replica.ts';
import { healthOf, mayLeave, RECREATE_FIELDS, recreateSpec, sameHome } from '../model/rollout.ts';
import type { RecreateSpec, Standing } from '../model/rollout.ts';

export interface RolloutInput {
  readonly app: Resource<AppSpec>;
  /** The App's placements, by replica. */
  readonly placements: ReadonlyMap<string, Placement>;
  /** What its replicas were last assigned. */
  readonly current: ReadonlyMap<string, AssignedReplica>;
  /** What the hosts where they are placed say of them. */
  readonly reports: ReadonlyMap<string, ReplicaReport>;
  readonly network: (name: string) => NetworkSpec | undefined;
}

/** How far an App is: for status. */
export interface Progress {
  readonly app: string;
  /** Replicas that are assigned what Git says. */
  readonly updated: number;
  readonly total: number;
  /** Replicas whose turn has not come. */
  readonly waiting: readonly string[];
  /** Replicas that must serve before the next may go. */
  readonly waitingFor: readonly string[];
}

export interface Rollout {
  /** What each placed replica is to be now, by ordinal. */
  readonly replicas: readonly AssignedReplica[];
  readonly progress: Progress;
}

/** What waits with a replica: what recreates it, and what belongs to its image. */
const WAITING_FIELDS: ReadonlySet<string> = new Set([...RECREATE_FIELDS, 'probes', 'stop']);

function inPlace(spec: AppSpec): Omit<AppSpec, keyof RecreateSpec | 'probes' | 'stop'> {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !WAITING_FIELDS.has(key))) as unknown as AppSpec;
}

/** Whether a pointer into the manifest is of what waits; the rates beside the name of the Network do not. */
function waitsAt(pointer: string): boolean {
  const [, , field = '', member] = pointer.split('/');
  return WAITING_FIELDS.has(field) && !(field === 'network' && (member === 'egress' || member === 'ingress'));
}

function lines(from: Readonly<Record<string, Origin>>, waits: boolean): readonly (readonly [string, Origin])[] {
  return Object.entries(from).filter(([pointer]) => waitsAt(pointer) === waits);
}

/**
 * A replica whose turn has not come: it keeps what only a new container can change, with the probes and the stop signal
 * that go with that image (new probes would fail the old one, and what fails may be taken away); the rest is new at once.
 */
function waitingReplica(next: AssignedReplica, before: AssignedReplica): AssignedReplica {
  const { probes, stop } = before.spec;
  return {
    ...next,
    spec: { ...inPlace(next.spec), ...recreateSpec(before.spec), probes, stop },
    origin: before.origin,
    fields: Object.fromEntries([...lines(next.fields, false), ...lines(before.fields, true)]),
  };
}

function covers(reserved: Demand, { cpu, memory, pids }: Demand): boolean {
  return reserved.cpu >= cpu && reserved.memory >= memory && reserved.pids >= pids;
}

/** Limits may not outgrow what is reserved: where the host had no room for more, the old ones stay. */
function reservedResources(
  want: AppSpec,
  placement: Placement,
  before: AssignedReplica | undefined,
): AppSpec['resources'] {
  const { resources } = want;
  if (covers(placement.demand, resources)) return resources;
  if (before && covers(placement.demand, before.spec.resources)) return before.spec.resources;
  const { cpu, memory, pids } = placement.demand;
  const { reservation } = resources;
  return {
    ...resources,
    cpu: Math.min(cpu, resources.cpu),
    memory: Math.min(memory, resources.memory),
    pids: Math.min(pids, resources.pids),
    ...(reservation === undefined ? {} : { reservation: Math.min(reservation, memory) }),
  };
}

/** The replica as Git says, at its placement, with what it takes over from its Network. */
function wantedReplica({ app, current, network }: RolloutInput, placement: Placement): AssignedReplica {
  const { spec, owner, origin, fields, name } = app;
  const rates = network(placement.network);
  const egress = spec.egress ?? rates?.egress;
  const ingress = spec.ingress ?? rates?.ingress;
  const resources = reservedResources(spec, placement, current.get(placement.replica));
  return {
    id: placement.replica,
    app: name,
    owner,
    spec: {
      ...spec,
      network: placement.network, // its new Network comes with its new placement
      resources,
      ...(egress === undefined ? {} : { egress }),
      ...(ingress === undefined ? {} : { ingress }),
    },
    placement,
    origin,
    fields,
  };
}

interface Turn {
  readonly id: string;
  readonly next: AssignedReplica;
  /** What it was assigned where it is placed; in a new home it is made anew anyway. */
  readonly before?: AssignedReplica;
  readonly stale: boolean;
}

function turnOf(input: RolloutInput, placement: Placement): Turn {
  const id = placement.replica;
  const next = wantedReplica(input, placement);
  const before = input.current.get(id);
  if (!before || !sameHome(before.placement, placement)) return { id, next, stale: false };
  const stale = before.spec !== next.spec && !isDeepStrictEqual(recreateSpec(before.spec), recreateSpec(next.spec));
  return { id, next, before, stale };
}

/**
 * What each replica of an App is to be now. A change that only a new container can bring reaches at most `maxUnavailable`
 * replicas at a time, counting all that are not known to serve; the next go when those are Ready again, so that an image
 * that never becomes Ready stays with those. All other changes reach all replicas at once.
 */
export function rollout(input: RolloutInput): Rollout {
  const { app, placements } = input;
  const { replicas: total, network } = app.spec;
  const ids = Array.from({ length: total }, (_, ordinal) => replicaId(app.name, ordinal));
  const turns = new Map(
    ids.flatMap((id) => {
      const placement = placements.get(id);
      return placement ? [[id, turnOf(input, placement)] as const] : [];
    }),
  );
  // one whose placement is still in the old Network waits for place to move it
  const moves = (id: string): boolean => turns.get(id)?.next.placement.network !== network;
  const due = [...turns.values()].filter(({ id, stale }) => stale || moves(id));
  if (due.length === 0)
    return told(
      app.name,
      total,
      [...turns.values()].map(({ next }) => next),
      [],
      [],
    );

  const standing = ids.map((id): Standing => {
    const turn = turns.get(id);
    const health = healthOf(placements.get(id), turn?.before, input.reports.get(id));
    return { id, stale: turn?.stale === true, ...health };
  });
  const going = mayLeave(standing, app.spec.maxUnavailable);
  const replicas = [...turns.values()].map(({ id, next, before, stale }) =>
    stale && before && !going.has(id) ? waitingReplica(next, before) : next,
  );
  const waiting = due.filter(({ id }) => moves(id) || !going.has(id)).map(({ id }) => id);
  const blocking = standing.filter(({ id, away }) => away || going.has(id)).map(({ id }) => id);
  return told(app.name, total, replicas, waiting, waiting.length === 0 ? [] : blocking);
}

function told(
  app: string,
  total: number,
  replicas: readonly AssignedReplica[],
  waiting: readonly string[],
  waitingFor: readonly string[],
): Rollout {
  return { replicas, progress: { app, updated: replicas.length - waiting.length, total, waiting, waitingFor } };
}
