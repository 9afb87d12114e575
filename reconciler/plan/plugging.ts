import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { formOf, plugOf } from '../model/form.ts';
import type { RolloutRecord } from '../model/release.ts';
import type { AssignedReplica, Assignment, ReplicaReport } from '../model/replica.ts';
import { incarnationOf } from '../model/rollout.ts';
import { saidOf } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import type { RolloutInput } from './rollout.ts';

type Told = RolloutInput['told'];
type Network = RolloutInput['network'];

/** A replica's Network as its host was last told of it. */
export function toldIn(previous: ReadonlyMap<string, Assignment>): Told {
  return ({ placement: { host, network } }) => previous.get(host)?.networks.find(({ name }) => name === network);
}

/** Networks as Git says; of one that cannot be read, what some host was last told. */
export function networkIn({ networks }: Catalog, previous: ReadonlyMap<string, Assignment>): Network {
  const found = new Map<string, ReturnType<Network>>();
  const before = (name: string): ReturnType<Network> => {
    if (found.has(name)) return found.get(name);
    for (const assignment of previous.values()) {
      const one = assignment.networks.find((network) => network.name === name);
      if (!one) continue;
      found.set(name, one.spec);
      return one.spec;
    }
    found.set(name, undefined);
    return undefined;
  };
  return (name) => networks.get(name)?.spec ?? before(name);
}

/** What a controller assigned that did not yet say how it is plugged in is so as its host was told. */
export function plugged(replica: AssignedReplica, told: Told): AssignedReplica {
  const network = replica.plug === undefined ? told(replica) : undefined;
  return network ? { ...replica, plug: plugOf(network.spec) } : replica;
}

/** The same of what ran before a change: as the App's replicas are. */
export function pluggedBefore(record: RolloutRecord, current: ReadonlyMap<string, AssignedReplica>): RolloutRecord {
  const { good } = record;
  if (good.plug !== undefined) return record;
  const like = [...current.values()].find(({ spec, plug }) => plug !== undefined && spec.network === good.spec.network);
  return like?.plug === undefined ? record : { ...record, good: { ...good, plug: like.plug } };
}

/** Who may be plugged in as a Network says now. */
interface Plugging {
  mayBy(app: Resource<AppSpec>): RolloutInput['mayPlug'];
  /** Takes in what an App's replicas are to be. */
  note(replicas: readonly AssignedReplica[]): void;
}

/** How far the trial of a Network is: by which Apps, and whether a replica of one of them serves with it. */
interface Trial {
  readonly apps: Set<string>;
  serves: boolean;
}

/**
 * A Network that changes is tried by one App first, as many replicas as it may miss; the others follow once one of them serves
 * with it. What the Network says is wrong then hurts one App. Nothing is remembered: who has it and serves is seen. One that stands
 * still proves nothing, and keeps nobody waiting.
 */
export function pluggingIn(at: Whereabouts, network: Network): Plugging {
  let trials: Map<string, Trial> | undefined;
  const trialOf = (name: string): Trial => {
    trials ??= look();
    const trial = trials.get(name) ?? { apps: new Set(), serves: false };
    trials.set(name, trial);
    return trial;
  };
  const tries = ({ plug, placement, spec: { frozen } }: AssignedReplica): boolean => {
    const spec = network(placement.network);
    return frozen !== true && spec !== undefined && plugOf(spec) === plug;
  };

  function look(): Map<string, Trial> {
    const found = new Map<string, Trial>();
    for (const replica of [...at.apps()].flatMap((app) => [...at.told(app)])) {
      if (!tries(replica)) continue;
      const trial = found.get(replica.placement.network) ?? { apps: new Set(), serves: false };
      found.set(replica.placement.network, trial);
      trial.apps.add(replica.app);
      trial.serves ||= servesAs(replica, saidOf(at, replica.placement.host, replica.id));
    }
    return found;
  }

  return {
    mayBy:
      ({ name: app, spec: { frozen } }) =>
      (name) => {
        const { apps, serves } = trialOf(name);
        return serves || (frozen !== true && (apps.size === 0 || apps.has(app)));
      },
    note: (replicas) => {
      if (!trials) return; // nobody asked so far
      for (const replica of replicas) if (tries(replica)) trialOf(replica.placement.network).apps.add(replica.app);
    },
  };
}

function servesAs(replica: AssignedReplica, report: ReplicaReport | undefined): boolean {
  if (report?.ready !== true || report.settlesAt !== undefined) return false;
  const formed = report.form === undefined || report.form === formOf(replica);
  return formed && report.incarnation === incarnationOf(replica);
}
