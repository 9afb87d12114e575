import type { Catalog } from '../model/catalog.ts';
import { RECLAIM_KEY } from '../model/memory.ts';
import type { AssignedKnob, AssignedReplica, Assignment, ZoneSlot } from '../model/replica.ts';
import { slotsOf, type Slots } from '../model/slots.ts';
import { zoneOf } from '../model/tunings.ts';
import { isLate, type Whereabouts } from '../model/whereabouts.ts';

/** Whether something of a host is to give back memory. */
function asks(tuning: readonly AssignedKnob[], replicas: readonly AssignedReplica[]): boolean {
  return tuning.some(({ key }) => key === RECLAIM_KEY) || replicas.some(({ spec }) => spec.reclaim !== undefined);
}

/**
 * Gives each host that is to give back memory its slot, unlike that of every other host of its Zone, where all hosts of an App are. A host keeps
 * the one that it was given; one that leaves Git keeps others from it until it is told so, and one that changes its Zone keeps those of
 * the old one from it until it has heard of that.
 */
export function slotGiver(
  catalog: Catalog,
  at: Pick<Whereabouts, 'assignments' | 'reports'>,
): (host: string, tuning: readonly AssignedKnob[], replicas: readonly AssignedReplica[]) => Pick<Assignment, 'slot'> {
  const { assignments } = at;
  const given = new Map<string, Slots>();
  const givenIn = (zone: string): Slots => {
    const known =
      given.get(zone) ??
      slotsOf(
        [...assignments.values()].flatMap(({ slot }) =>
          [slot ?? [], slot?.left ?? []].flat().filter((one) => one.zone === zone),
        ),
      );
    given.set(zone, known);
    return known;
  };
  const sizes = new Map<string, number>();
  const sizeOf = (zone: string): number => {
    if (sizes.size === 0)
      for (const host of catalog.hosts.values()) {
        const its = zoneOf(catalog.zones, host) ?? '';
        sizes.set(its, (sizes.get(its) ?? 0) + 1);
      }
    return sizes.get(zone) ?? 1;
  };
  return (host, tuning, replicas) => {
    const before = assignments.get(host)?.slot;
    const heard = at.reports.has(host) && !isLate(at, host);
    const { left = [], ...last } = before ?? {};
    const kept = before && heard ? (last as ZoneSlot) : before;
    // it may be cut off, and go on by what it was told
    if (!asks(tuning, replicas)) return kept ? { slot: kept } : {};
    const resource = catalog.hosts.get(host);
    const zone = resource ? (zoneOf(catalog.zones, resource) ?? '') : before?.zone;
    if (zone === undefined) return {};
    if (kept?.zone === zone) return { slot: kept };
    const slot = givenIn(zone).give(sizeOf(zone));
    if (!slot) return {};
    const others = before ? { left: [...(heard ? [] : left), last as ZoneSlot] } : {};
    return { slot: { zone, ...slot, ...others } };
  };
}
