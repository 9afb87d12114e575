import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { HostView } from './hosts.ts';

type App = Resource<AppSpec>;

/** Whether what an App says may matter to others, beyond the room that it takes. */
function concerns(before: App | undefined, now: App | undefined): boolean {
  const company = (app: App | undefined): number =>
    (app?.spec.affinity?.length ?? 0) + (app?.spec.antiAffinity?.length ?? 0);
  const relevelled = before !== undefined && now !== undefined && before.spec.level !== now.spec.level;
  return relevelled || company(before) + company(now) > 0;
}

/** By what it may be told whether a replica of an App may go, and for whom. */
const STAYING = ['zone', 'network', 'gang', 'replicas', 'maxUnavailable'] as const;

/** Whether others may find a place by that where its replicas are. */
export function mattersThere(before: App | undefined, now: App | undefined): boolean {
  return !before || !now || STAYING.some((key) => before.spec[key] !== now.spec[key]);
}

/** The Apps of which two catalogs say something else; undefined where that may matter to any other. */
export function changedApps(before: Catalog['apps'], now: Catalog['apps']): ReadonlySet<string> | undefined {
  const changed = new Set<string>();
  if (before === now) return changed;
  for (const [name, is] of now) if (before.get(name) !== is) changed.add(name);
  for (const name of before.keys()) if (!now.has(name)) changed.add(name);
  return [...changed].some((name) => concerns(before.get(name), now.get(name))) ? undefined : changed;
}

/** The hosts of which two catalogs say otherwise why they take nothing. */
export function changedHosts(before: Catalog['hosts'], now: Catalog['hosts']): readonly string[] {
  if (before === now) return [];
  const changed = [...now.values()].filter(({ name, spec }) => {
    const was = before.get(name)?.spec;
    return was?.drain !== spec.drain || was.schedulable !== spec.schedulable;
  });
  return changed.map(({ name }) => name);
}

/** Whether hosts are seen as before, which are then the same objects. */
export const sameViews = (a: readonly HostView[], b: readonly HostView[]): boolean =>
  a === b || (a.length === b.length && a.every((view, at) => view === b[at]));
