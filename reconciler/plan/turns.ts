import { isDeepStrictEqual } from 'node:util';
import type { AppSpec, NetworkSpec, Resource } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import { plugOf } from '../model/form.ts';
import type { Release } from '../model/release.ts';
import { replicaId } from '../model/replica.ts';
import { pinnedIn } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { AssignedNetwork, AssignedReplica, Placement, ReplicaReport } from '../model/replica.ts';
import { healthOf, RECREATE_FIELDS, recreateSpec, sameHome } from '../model/rollout.ts';
import type { Health } from '../model/rollout.ts';
import { sameForm } from './forms.ts';
import { linesTold } from './provenance.ts';
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
  /** Hosts that are not heard of. */
  readonly lost?: ReadonlySet<string>;
  /** A Network as Git says; one that cannot be read as it was. */
  readonly network: (name: string) => NetworkSpec | undefined;
  /** A replica's Network as its host was last told of it. */
  readonly told: (replica: AssignedReplica) => AssignedNetwork | undefined;
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
  /** It is placed on a host that is not heard of, which is told what it is to be once it is back. */
  readonly lost: boolean;
  /** As Git says, where it is placed. */
  readonly want: AssignedReplica | undefined;
  /** Its Network as its host was last told of it. */
  readonly told: () => AssignedNetwork | undefined;
}

/** What waits with a replica: what recreates it, what it is held to, and what belongs to its image. */
const WAITING_FIELDS: ReadonlySet<string> = new Set([
  ...RECREATE_FIELDS,
  'resources',
  'egress',
  'ingress',
  'probes',
  'stop',
]);

function partOf(spec: AppSpec, waits: boolean): Partial<AppSpec> {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => WAITING_FIELDS.has(key) === waits));
}

/** The lines of what waits, or of what does not. */
function lines(from: Readonly<Record<string, Origin>>, waits: boolean): readonly (readonly [string, Origin])[] {
  return Object.entries(from).filter(([pointer]) => WAITING_FIELDS.has(pointer.split('/')[2] ?? '') === waits);
}

/** A replica plugged in as before, where that was in the same Network. */
function pluggedAs(next: AssignedReplica, { spec, plug, holds }: Release): AssignedReplica {
  const { holds: _new, ...rest } = next;
  if (spec.network !== next.spec.network || plug === undefined || plug === next.plug || !holds) return rest;
  return { ...rest, plug, holds };
}

/** The same with the rates as before, which come from the Network as well. */
export function keepingNetwork(next: AssignedReplica, before: Release): AssignedReplica {
  const { egress: _egress, ingress: _ingress, ...spec } = next.spec;
  const { egress, ingress } = before.spec;
  const rates = { ...(egress === undefined ? {} : { egress }), ...(ingress === undefined ? {} : { ingress }) };
  return pluggedAs({ ...next, spec: { ...spec, ...rates } }, before);
}

/**
 * A replica whose turn has not come: it keeps what only a new container can change, its limits and rates, how it is plugged in,
 * and the probes and the stop signal that go with that image (new probes would fail the old one, and what fails may be taken
 * away); the rest is new at once.
 */
export function keeping(next: AssignedReplica, before: Release): AssignedReplica {
  const spec = { ...partOf(next.spec, false), ...partOf(before.spec, true), network: next.spec.network } as AppSpec;
  return pluggedAs(
    {
      ...next,
      spec,
      origin: before.origin,
      fields: Object.fromEntries([...lines(next.fields, false), ...lines(before.fields, true)]),
    },
    before,
  );
}

/** The same of a change that was given up, as far as its place has room for it. */
export function backTo(next: AssignedReplica, good: Release, last: AssignedReplica | undefined): AssignedReplica {
  const back = keeping(next, good);
  const resources = reservedResources(back.spec, back.placement, last);
  return resources === back.spec.resources ? back : { ...back, spec: { ...back.spec, resources } };
}

/** What is kept of what a replica was made of: not the lines of what has changed since. */
export function releaseOf({ last, told }: Turn): Release {
  if (!last) throw new RangeError('it was never assigned');
  const { spec, origin, fields, plug, holds = told() } = last;
  return {
    spec,
    origin,
    fields: Object.fromEntries(lines(fields, true)),
    ...(plug === undefined ? {} : { plug }),
    ...(holds === undefined ? {} : { holds }),
  };
}

/** Whether what is reserved is enough for such limits. */
export function covers(reserved: Demand, { cpu, pinned, memory, pids }: AppSpec['resources']): boolean {
  const most = pinned ? 1000 * (pinnedIn(reserved)?.cores ?? 0) : reserved.cpu;
  return most >= cpu && reserved.memory >= memory && reserved.pids >= pids;
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
  const { pinned, ...shared } = resources;
  const { reservation } = shared;
  const cores = pinned && pinnedIn(placement.demand)?.cores;
  return {
    ...shared,
    ...(cores ? { pinned } : {}),
    cpu: Math.min(cores ? 1000 * cores : cpu, resources.cpu),
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

/** What Git says of an App, with what it takes over from its Network. */
export function wantedRelease(
  { app, network }: Pick<TurnsInput, 'app' | 'network'>,
  name: string,
  resources: AppSpec['resources'] = app.spec.resources,
): Release {
  const { spec, origin } = app;
  const fields = linesTold('app', app.fields);
  const plugged = network(name);
  const rates = { egress: spec.egress ?? plugged?.egress, ingress: spec.ingress ?? plugged?.ingress };
  const plug = plugged && plugOf(plugged);
  const made = variantOf(spec, { network: name, resources, ...rates });
  return { spec: made, origin, fields, ...(plug === undefined ? {} : { plug }) };
}

/** The replica as Git says, at its placement: its new Network comes with its new placement. */
function wantedReplica(input: TurnsInput, placement: Placement): AssignedReplica {
  const { name, owner, spec } = input.app;
  const { replica: id, network } = placement;
  const resources = reservedResources(spec, placement, input.current.get(id));
  return { id, app: name, owner, ...wantedRelease(input, network, resources), placement };
}

const sameMaking = oncePerPair<AppSpec>((a, b) => isDeepStrictEqual(recreateSpec(a), recreateSpec(b)));
const sameAll = oncePerPair<AppSpec>((a, b) => sameForm(a, b) && sameMaking(a, b));

/** Whether one container can be both. */
export function sameMake(a: Release, b: Release): boolean {
  return sameMaking(a.spec, b.spec);
}

/** Whether it takes a turn for one to become the other: a new container, or other limits, rates, probes or wires. */
export function outdated(have: Release, want: Release): boolean {
  return have.plug !== want.plug || (have.spec !== want.spec && !sameAll(have.spec, want.spec));
}

/** Every replica that the App is to have, by ordinal. */
export function turnsOf(input: TurnsInput): readonly Turn[] {
  const { app, placements, current, reports, late, lost } = input;
  const ids = Array.from({ length: app.spec.replicas }, (_, ordinal) => replicaId(app.name, ordinal));
  return ids.map((id): Turn => {
    const placement = placements.get(id);
    const last = current.get(id);
    const report = reports.get(id);
    const home = placement !== undefined && last !== undefined && sameHome(last.placement, placement);
    const unheard = home && late.has(id);
    const judge = (): Health =>
      unheard ? { away: true, down: false } : healthOf(placement, home ? last : undefined, report);
    let health: Health | undefined;
    return {
      id,
      placement,
      last,
      home,
      report,
      lost: placement !== undefined && lost?.has(placement.host) === true,
      want: placement && wantedReplica(input, placement),
      told: () => last && input.told(last),
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
