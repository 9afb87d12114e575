import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { Demand } from '../model/demand.ts';
import { inOrderOfNeed } from './affinity.ts';
import { demandOf } from './asks.ts';
import type { HostView } from './hosts.ts';
import type { Side } from './table.ts';
import { ordinalOf } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';

/** What all hosts have, by which the sizes of unlike replicas are compared. */
type Room = Pick<Demand, 'cpu' | 'memory'>;

/**
 * Most critical level first, then the App whose replicas are largest, then by name; none before those that it is to be near to. Of `some` of the Apps only, in
 * the order that they have among all, where these are given.
 */
export function inOrder(apps: Catalog['apps'], room: Room, some?: ReadonlySet<string>): readonly Resource<AppSpec>[] {
  const size = ({ spec }: Resource<AppSpec>): number => {
    const { cpu, memory } = demandOf(spec);
    return cpu / Math.max(1, room.cpu) + memory / Math.max(1, room.memory);
  };
  const order = (a: Resource<AppSpec>, b: Resource<AppSpec>): number => size(b) - size(a) || (a.name < b.name ? -1 : 1);
  if (!some) return inOrderOfNeed(apps, order);
  return inOrderOfNeed(withNear(apps, some), order).filter(({ name }) => some.has(name));
}

/** These Apps, and all that affinity joins them with, be it over others: their order follows from that. */
function withNear(apps: Catalog['apps'], some: ReadonlySet<string>): Catalog['apps'] {
  const near = new Map<string, string[]>();
  const join = (a: string, b: string): void => {
    const list = near.get(a);
    if (list) list.push(b);
    else near.set(a, [b]);
  };
  for (const { name, spec } of apps.values())
    for (const { app } of spec.affinity ?? []) {
      join(name, app);
      join(app, name);
    }
  const found = new Map<string, Resource<AppSpec>>();
  const todo = [...some];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const app = apps.get(name);
    if (!app || found.has(name)) continue;
    found.set(name, app);
    todo.push(...(near.get(name) ?? []));
  }
  return found;
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

/** By App, then by ordinal. */
export const byReplica = (a: Placement, b: Placement): number =>
  a.app === b.app ? ordinalOf(a.replica) - ordinalOf(b.replica) : a.app < b.app ? -1 : 1;
