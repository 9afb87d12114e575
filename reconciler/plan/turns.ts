import { isDeepStrictEqual } from 'node:util';
import type { AppSpec, NetworkSpec, Resource } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import type { Release } from '../model/release.ts';
import { replicaId } from '../model/replica.ts';
import type { AssignedReplica, Demand, Placement, ReplicaReport } from '../model/replica.ts';
import { healthOf, RECREATE_FIELDS, recreateSpec, sameHome } from '../model/rollout.ts';
import type { Health, RecreateSpec } from '../model/rollout.ts';
import { oncePerPair } from './same.ts';

export interface TurnsInput {
  readonly app: Resource<AppSpec>;
  /** The App's placements, by replica. */
  readonly placements: ReadonlyMap<string, Placement>;
  /** What its replicas were last assigned. */
  readonly current: ReadonlyMap<string, AssignedReplica>;
  /** What the hosts where they are placed say of them. */
  readonly reports: ReadonlyMap<string, ReplicaReport>;
  /** Replicas whose hosts have yet to say something since they were last told something. */
  readonly late: ReadonlySet<string>;
  readonly network: (name: string) => NetworkSpec | undefined;
}

/** One replica of an App, as a rollout sees it. */
export interface Turn {
  readonly id: string;
  readonly placement: Placement | undefined;
  /** What it was last assigned, wherever that was. */
  readonly last: AssignedReplica | undefined;
  /** It was assigned that where it is placed; in a new home it is made anew anyway. */
  readonly home: boolean;
  readonly health: Health;
  /** `late`: its host has yet to speak of what it was told; `silent`: its host says nothing of it. */
  readonly word: 'serves' | 'fails' | 'late' | 'silent';
  readonly report: ReplicaReport | undefined;
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
export function keeping(next: AssignedReplica, before: Release): AssignedReplica {
  const { probes, stop } = before.spec;
  const kept = { ...recreateSpec(before.spec), network: next.spec.network };
  return {
    ...next,
    spec: { ...inPlace(next.spec), ...kept, probes, stop },
    origin: before.origin,
    fields: Object.fromEntries([...lines(next.fields, false), ...lines(before.fields, true)]),
  };
}

/** What is kept of what a replica was made of: not the lines of what has changed since. */
export function releaseOf({ spec, origin, fields }: AssignedReplica): Release {
  return { spec, origin, fields: Object.fromEntries(lines(fields, true)) };
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

interface Made {
  readonly from: AppSpec['resources'];
  readonly spec: AppSpec;
}

const made = new WeakMap<AppSpec, Made[]>();
/** So many variants of one App's spec are known again. */
const VARIANTS = 8;

/** The App's spec with what differs from replica to replica: one object for all that are alike. */
function variantOf(
  app: AppSpec,
  own: Pick<AppSpec, 'network' | 'resources'> & {
    readonly egress: number | undefined;
    readonly ingress: number | undefined;
  },
): AppSpec {
  const list = made.get(app) ?? [];
  const { network, resources, egress, ingress } = own;
  const known = list.find(
    ({ from, spec }) =>
      from === resources && spec.network === network && spec.egress === egress && spec.ingress === ingress,
  );
  if (known) return known.spec;
  const spec: AppSpec = {
    ...app,
    network,
    resources,
    ...(egress === undefined ? {} : { egress }),
    ...(ingress === undefined ? {} : { ingress }),
  };
  made.set(app, [{ from: resources, spec }, ...list.slice(0, VARIANTS - 1)]);
  return spec;
}

/** The replica as Git says, at its placement, with what it takes over from its Network. */
export function wantedReplica({ app, current, network }: TurnsInput, placement: Placement): AssignedReplica {
  const { spec, owner, origin, fields, name } = app;
  const rates = network(placement.network);
  const own = {
    network: placement.network, // its new Network comes with its new placement
    resources: reservedResources(spec, placement, current.get(placement.replica)),
    egress: spec.egress ?? rates?.egress,
    ingress: spec.ingress ?? rates?.ingress,
  };
  return { id: placement.replica, app: name, owner, spec: variantOf(spec, own), placement, origin, fields };
}

const outdatedOnce = oncePerPair<AppSpec>((have, want) => {
  if (want.rollout && !isDeepStrictEqual(have.probes, want.probes)) return true;
  return !isDeepStrictEqual(recreateSpec(have), recreateSpec(want));
});

/** Whether one spec takes a new container to become the other, or new probes where these roll out too. */
export function outdated(have: AppSpec, want: AppSpec): boolean {
  return have !== want && outdatedOnce(have, want);
}

/** Every replica that the App is to have, by ordinal. */
export function turnsOf({ app, placements, current, reports, late }: TurnsInput): readonly Turn[] {
  const ids = Array.from({ length: app.spec.replicas }, (_, ordinal) => replicaId(app.name, ordinal));
  return ids.map((id): Turn => {
    const placement = placements.get(id);
    const last = current.get(id);
    const report = reports.get(id);
    const home = placement !== undefined && last !== undefined && sameHome(last.placement, placement);
    const unheard = app.spec.rollout !== undefined && home && late.has(id);
    const judge = (): Health =>
      unheard ? { away: true, down: false } : healthOf(placement, home ? last : undefined, report);
    let health: Health | undefined;
    return {
      id,
      placement,
      last,
      home,
      report,
      // of an App with nothing to do nobody asks
      get health() {
        return (health ??= judge());
      },
      get word() {
        if (!this.health.away) return 'serves';
        if (unheard || !home) return 'late';
        return report === undefined || report.reason === 'Unknown' ? 'silent' : 'fails';
      },
    };
  });
}
