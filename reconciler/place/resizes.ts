import type { AppSpec } from '../model/catalog.ts';
import type { Known } from '../model/change.ts';
import { inWhole } from '../model/cores.ts';
import { pinnedIn, sameDemand, unpinned } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import { formOf } from '../model/form.ts';
import { refOf } from '../model/ref.ts';
import type { AssignedReplica, Placement } from '../model/replica.ts';
import type { HostRecord } from '../model/reservations.ts';
import type { CgroupState } from '../model/resources.ts';
import { saidOf } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import { coresOf, cpuOf, onNode } from './cores.ts';
import { demandOf } from './asks.ts';
import type { HostView } from './hosts.ts';
import type { Witness } from './witness.ts';

/** A replica that is to take more or less of its host; without the cores that it is to have for itself, whole ones, whose node has to be found. */
export interface Resize {
  readonly placement: Placement;
  readonly demand: Demand;
  readonly cores: number;
  /** So many of them it has, as many as Git says: the others make them whole, and nobody goes nor waits for these. */
  readonly has?: number;
}

/**
 * Whether replicas of an App reserve just what it asks for, none of it cores of their own: there is nothing to get, and nothing to give back, whatever they
 * were told. Most of them share one object.
 */
export function reserving(spec: AppSpec): (demand: Demand) => boolean {
  if (coresOf(spec) > 0) return () => false;
  const want = demandOf(spec);
  let same = want;
  return (demand) => {
    if (demand !== same && !sameDemand(want, demand)) return false;
    same = demand;
    return true;
  };
}

/**
 * What a replica that is to take less gives back: no more than it has been told to do without, and of memory no more than the
 * kernel holds it to. Until then the larger is reserved.
 */
export function resized(
  { reports, whereabouts }: Witness,
  placement: Placement,
  spec: AppSpec,
  { worth = 1, record }: Pick<HostView, 'worth'> & { readonly record?: HostRecord | undefined },
): Resize | undefined {
  const { replica, host, demand } = placement;
  const want = demandOf(spec);
  const last = whereabouts.toldOf(replica);
  const told = last?.placement.host === host ? last.spec.resources : spec.resources;
  const keep = (key: 'cpu' | 'memory' | 'pids', have: number): number =>
    Math.max(want[key], Math.min(have, demand[key]));
  let memory = keep('memory', told.memory);
  if (memory < demand.memory) {
    const ref = refOf('cgroup', replica);
    const seen = reports.get(host)?.observed.find((item) => item.ref === ref);
    if (seen?.known === false) memory = demand.memory;
    else if (seen) memory = keep('memory', (seen as Known<CgroupState>).state.memory ?? memory);
    else if (isInOtherForm(whereabouts, host, last)) memory = demand.memory;
  }
  const next = { ...want, cpu: keep('cpu', told.cpu), memory, pids: keep('pids', told.pids) };
  const whole = (some: AppSpec['resources']): number =>
    inWhole(coresOf({ resources: some }), record?.threadsPerCore ?? 1);
  const asks = Math.max(coresOf(spec), coresOf({ resources: told }));
  const own = asks === 0 ? undefined : pinnedIn(demand);
  const cores = Math.max(whole(spec.resources), Math.min(whole(told), own?.cores ?? 0));
  if (cores === 0) return sameDemand(next, demand) ? undefined : { placement, demand: next, cores };
  const shares = (some: AppSpec['resources']): number => (some.pinned ? 0 : some.cpu);
  // what it shares it keeps until it was told of cores of its own
  const cpu = Math.max(shares(spec.resources), Math.min(shares(told), own ? 0 : demand.cpu));
  const least = { ...unpinned(next), cpu };
  const same = own && { ...onNode(least, cores, own.node, worth), cpu: Math.max(cpu, cpuOf(cores, worth)) };
  if (same && sameDemand(same, demand)) return undefined;
  const has = own && own.cores < cores && own.cores >= coresOf(spec) ? { has: own.cores } : {};
  return { placement, demand: least, cores, ...has };
}

/** Whether a host runs a replica in another form than it was last told: of one that is in the form that it was told, its cgroup is not kept. */
function isInOtherForm(at: Whereabouts, host: string, last: AssignedReplica | undefined): boolean {
  const { fingerprint, form } = (last && saidOf(at, host, last.id)) ?? {};
  return last !== undefined && fingerprint !== undefined && form !== undefined && form !== formOf(last);
}
