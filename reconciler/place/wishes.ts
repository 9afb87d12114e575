import type { AppSpec, Resource } from '../model/catalog.ts';
import { mayLeaveWithin } from '../model/disruption.ts';
import type { Disruption } from '../model/disruption.ts';
import { waitsFor } from '../model/handover.ts';
import { replicaId } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';
import { isComplete } from '../model/whereabouts.ts';
import { drainedIn, type HostView } from './hosts.ts';
import type { PlaceInput } from './input.ts';
import { standingOf, type Witness } from './witness.ts';
import { outdatedIn } from '../model/pool.ts';

/** A replica that wants a host: without a placement, or with one to be given up for a new one. */
export interface Wish {
  readonly replica: string;
  readonly from?: Placement;
  /** It leaves a host that is drained and keeps its address: `free` when it serves nobody anyway, else when it is its turn. */
  readonly moves?: 'free' | 'in turn';
}

/** What one App asks for. */
interface Asked {
  readonly wishes: readonly Wish[];
  readonly turns: number;
  readonly stuck: readonly (readonly [string, string])[];
  /** Those whose place or address is no longer what Git says. */
  readonly outdated: readonly string[];
}

const NOTHING_ASKED: Asked = { wishes: [], turns: 0, stuck: [], outdated: [] };

/** Why a replica stays on a host that is drained, wherever there is room. */
function stuckOn(seen: Witness, view: HostView | undefined, placement: Placement): string | undefined {
  if (view?.lost) return `${placement.host} is not heard of, so that nobody knows when it has let it go`;
  const before = waitsFor(placement, seen);
  return before === undefined ? undefined : `it is on its way here and ${before} has not let it go`;
}

/**
 * The ordinals of one App that want a host. Those that must leave their place do so only `maxUnavailable` at a time: first
 * those that Git readdresses, then those that are on hosts which are drained.
 */
export function askedBy(
  { catalog, snapshot }: PlaceInput,
  seen: Witness,
  views: ReadonlyMap<string, HostView>,
  { name, spec }: Resource<AppSpec>,
  disruption: Disruption,
): Asked {
  const isOutdated = outdatedIn(catalog, spec);
  const drainedHosts = drainedIn(catalog);
  const mayStay = (placement: Placement): boolean => !isOutdated(placement) && !drainedHosts.has(placement.host);
  if (isComplete(seen.whereabouts.placed(name), name, spec) && seen.whereabouts.placed(name).values().every(mayStay))
    return NOTHING_ASKED;
  const ids = Array.from({ length: spec.replicas }, (_, ordinal) => replicaId(name, ordinal));
  const places = ids.map((id) => snapshot.placements.get(id));
  const stale = places.map((placement) => placement !== undefined && isOutdated(placement));
  const drained = places.map((placement) => placement && drainedHosts.has(placement.host));
  if (!stale.includes(true) && !drained.includes(true))
    return { wishes: ids.flatMap((replica, i) => (places[i] ? [] : [{ replica }])), turns: 0, stuck: [], outdated: [] };
  const standing = ids.map((id, i) => ({
    id,
    stale: stale[i] === true,
    ...standingOf(seen, views, id, places[i]),
  }));
  const leaving = mayLeaveWithin(standing, spec, disruption);
  const away = standing.filter((one) => one.away || leaving.has(one.id)).length;
  const stuck: [string, string][] = [];
  const wishes = ids.flatMap((replica, i): readonly Wish[] => {
    const from = places[i];
    if (!from) return [{ replica }];
    if (stale[i] === true && leaving.has(replica)) return [{ replica, from }];
    if (stale[i] !== true && drained[i] !== true) return [];
    const waits = stale[i] === true ? 'it waits until it may get another address' : undefined;
    const why = waits ?? stuckOn(seen, views.get(from.host), from);
    if (why === undefined) return [{ replica, from, moves: standing[i]?.down === true ? 'free' : 'in turn' }];
    stuck.push([replica, why]);
    return [];
  });
  const outdated = ids.filter((_id, i) => stale[i] === true);
  return { wishes, turns: Math.max(0, spec.maxUnavailable - away), stuck, outdated };
}
