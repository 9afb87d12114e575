import type { AppSpec, Resource } from '../../model/catalog.ts';
import { claimOf, type Reading } from '../documents.ts';
import { fieldOrigin, listed, thoseByName } from '../tables.ts';
import type { Clash, ObjectId, Tables } from '../tables.ts';

/** Most replicas that one step of the store places: it lets nobody else in meanwhile. */
const MOST = 1000;

/** Gangs that are too large to be placed in one step. */
export function gangClashes(tables: Tables): readonly Clash[] {
  const gangs = new Map<string, Resource<AppSpec>[]>();
  for (const app of thoseByName(tables.App, ({ spec }) => spec.gang !== undefined)) {
    const { gang = '' } = app.spec;
    gangs.set(gang, [...(gangs.get(gang) ?? []), app]);
  }
  return [...gangs].flatMap(([gang, apps]) => {
    const replicas = apps.reduce((sum, { spec }) => sum + spec.replicas, 0);
    const [first] = apps;
    if (replicas <= MOST || !first) return [];
    const parts = apps.map(({ name, spec }) => `${name} ${String(spec.replicas)}`);
    return {
      code: 'GANG_TOO_LARGE' as const,
      at: fieldOrigin(first, '/spec/gang'),
      message: `gang ${gang} has ${String(replicas)} replicas: ${listed(parts)}`,
      hint: `at most ${String(MOST)} can be placed together`,
      holds: apps.map(({ name }) => `App/${name}` as const),
    };
  });
}

/** The Apps of each gang as the files say, those too that cannot be used. */
export function gangsAsked({ manifests, broken }: Reading): ReadonlyMap<string, ReadonlySet<string>> {
  const gangs = new Map<string, Set<string>>();
  const members = manifests.filter(({ document }) => document.kind === 'App' && document.spec.gang !== undefined);
  for (const { kind, name, gang } of [...members.map(claimOf), ...broken.flatMap(({ claims }) => claims)])
    if (kind === 'App' && name !== undefined && gang !== undefined)
      gangs.set(gang, (gangs.get(gang) ?? new Set()).add(name));
  return gangs;
}

/** The sound members of gangs of which another cannot be used: without that they would be placed alone. */
export function incompleteGangs(asked: ReadonlyMap<string, ReadonlySet<string>>, { App }: Tables): readonly ObjectId[] {
  return [...asked].flatMap(([gang, names]) => {
    const sound = [...names].filter((name) => App.get(name)?.spec.gang === gang);
    return sound.length === names.size ? [] : sound.map((name) => `App/${name}` as const);
  });
}
