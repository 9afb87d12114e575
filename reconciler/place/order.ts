import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { Demand } from '../model/demand.ts';
import { inOrderOfNeed } from './affinity.ts';
import { demandOf } from './group.ts';
import type { HostView } from './hosts.ts';
import type { Side } from './table.ts';

/** What all hosts have, by which the sizes of unlike replicas are compared. */
type Room = Pick<Demand, 'cpu' | 'memory'>;

/** Most critical level first, then the App whose replicas are largest, then by name; none before those that it is to be near to. */
export function inOrder(apps: Catalog['apps'], room: Room): readonly Resource<AppSpec>[] {
  const size = ({ spec }: Resource<AppSpec>): number => {
    const { cpu, memory } = demandOf(spec);
    return cpu / Math.max(1, room.cpu) + memory / Math.max(1, room.memory);
  };
  const order = (a: Resource<AppSpec>, b: Resource<AppSpec>): number => size(b) - size(a) || (a.name < b.name ? -1 : 1);
  return inOrderOfNeed(apps, order);
}

/** App → itself and those that are placed together with it: of its gang, and to be near to each other. */
function company(apps: Catalog['apps']): ReadonlyMap<string, ReadonlySet<string>> {
  const sets = new Map([...apps.keys()].map((name) => [name, new Set([name])]));
  const join = (a: string, b: string): void => {
    const [mine, others] = [sets.get(a), sets.get(b)];
    if (!mine || !others || mine === others) return;
    for (const name of others) sets.set(name, mine.add(name));
  };
  const gangs = new Map<string, string>();
  for (const { name, spec } of apps.values()) {
    for (const { app } of spec.affinity ?? []) join(name, app);
    if (spec.gang === undefined) continue;
    join(gangs.get(spec.gang) ?? name, name);
    gangs.set(spec.gang, name);
  }
  return sets;
}

/**
 * The Apps that one of several schedulers places, of all that Git asks for: in the order in which they are placed, each goes to whom has the
 * fewest replicas so far. So all of them come from large replicas to small ones at about the same time: were some ahead, their
 * small ones would take what the large ones of the others need. Apps that are placed together stay together.
 */
export function shareOf(apps: Catalog['apps'], hosts: readonly HostView[], { part, of }: Side): ReadonlySet<string> {
  const sum = (key: keyof Room): number => hosts.reduce((total, { record }) => total + record.allocatable[key], 0);
  const room = { cpu: sum('cpu'), memory: sum('memory') };
  const together = company(apps);
  const loads = new Float64Array(of);
  const dealt = new Set<string>();
  const mine = new Set<string>();
  for (const { name } of inOrder(apps, room)) {
    if (dealt.has(name)) continue;
    const to = loads.indexOf(Math.min(...loads));
    for (const one of together.get(name) ?? []) {
      dealt.add(one);
      if (to === part) mine.add(one);
      loads[to] = (loads[to] ?? 0) + (apps.get(one)?.spec.replicas ?? 0);
    }
  }
  return mine;
}
