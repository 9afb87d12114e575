import type { AppSpec, Companion, Resource } from '../../model/catalog.ts';
import { SPREAD_LEVELS } from '../../model/topology.ts';
import { fieldOrigin, foundIn, place } from '../tables.ts';
import type { Clash, Tables } from '../tables.ts';

type AppResource = Resource<AppSpec>;

/** What an App must have, or must not have, beside it, and the field that says so. */
interface Demanded extends Companion {
  readonly by: AppResource;
  readonly pointer: string;
}

const NOTHING: readonly Demanded[] = [];

function demanded(by: AppResource, field: 'affinity' | 'antiAffinity'): readonly Demanded[] {
  const companions = by.spec[field];
  if (companions === undefined) return NOTHING;
  return companions.flatMap((companion, at) =>
    companion.required ? [{ ...companion, by, pointer: `/spec/${field}/${String(at)}/app` }] : [],
  );
}

const where: Readonly<Record<Companion['within'], string>> = {
  switch: 'behind one switch',
  rack: 'in one rack',
  host: 'on one host',
};

/** Whether what is together within `inner` is so within `outer` as well. */
function contains(outer: Companion['within'], inner: Companion['within']): boolean {
  return SPREAD_LEVELS.indexOf(outer) <= SPREAD_LEVELS.indexOf(inner);
}

function clash({ by, pointer }: Demanded, message: string, hint: string): Clash {
  return { code: 'AFFINITY_CLASH', at: fieldOrigin(by, pointer), message, hint, holds: [`App/${by.name}`] };
}

/** Both near and apart, on one host though in two Zones. */
function impossible(tables: Tables, near: Demanded): Clash | undefined {
  const { by, app, within } = near;
  const other = tables.App.get(app);
  const against = [
    ...demanded(by, 'antiAffinity').filter((one) => one.app === app),
    ...(other ? demanded(other, 'antiAffinity').filter((one) => one.app === by.name) : []),
  ].find((one) => contains(one.within, within));
  if (against) {
    const { file, line } = fieldOrigin(against.by, against.pointer);
    const hint = `${file}:${String(line)} keeps them from being ${where[against.within]}`;
    return clash(near, `App ${by.name} must be ${where[within]} with ${app} and must not`, hint);
  }
  if (!other || within !== 'host' || other.spec.zone === by.spec.zone) return undefined;
  const hint = `it is in Zone ${other.spec.zone}, and a host is in one Zone (${place(fieldOrigin(other, '/spec/zone'))})`;
  return clash(near, `App ${by.name} cannot be on one host with ${app}`, hint);
}

/** The Apps from one that must be near to the next, and so on, back to the first; undefined when there is no such ring. */
function ring(tables: Tables, first: Demanded): readonly string[] | undefined {
  const seen = new Set<string>();
  const follow = (name: string, path: readonly string[]): readonly string[] | undefined => {
    if (name === first.by.name) return path;
    const app = tables.App.get(name);
    if (!app || seen.has(name)) return undefined;
    seen.add(name);
    for (const { app: next } of demanded(app, 'affinity')) {
      const found = follow(next, [...path, next]);
      if (found) return found;
    }
    return undefined;
  };
  return follow(first.app, [first.by.name, first.app]);
}

/** Apps that must be near to each other and cannot: no replica of them would ever be placed. */
export function companionClashes(tables: Tables): readonly Clash[] {
  return foundIn(tables.App, (name, app) =>
    demanded(app, 'affinity').flatMap((near) => {
      const wrong = impossible(tables, near);
      if (wrong) return [wrong];
      // told once, where the first of them by name says so
      const path = ring(tables, near);
      if (!path || path.some((other) => other < name)) return [];
      const message = `each of these Apps waits for the next to be placed near it: ${path.join(' → ')}`;
      return [clash(near, message, 'let one of them be placed first: with required: false')];
    }),
  );
}
