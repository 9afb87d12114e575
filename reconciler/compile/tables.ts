import type { AppSpec, Catalog, HostSpec, NetworkSpec, Resource, TuningSpec, ZoneSpec } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import type { CompileCode } from './codes.ts';
import type { Kind } from './schemas.ts';

/** The objects of a repository by kind and name; Fleet apart. */
export interface Tables {
  readonly App: Map<string, Resource<AppSpec>>;
  readonly Zone: Map<string, Resource<ZoneSpec>>;
  readonly Network: Map<string, Resource<NetworkSpec>>;
  readonly Host: Map<string, Resource<HostSpec>>;
  readonly Tuning: Map<string, Resource<TuningSpec>>;
}

export type TableKind = keyof Tables;

/** Names one object: `App/web`. */
export type ObjectId = `${Kind}/${string}`;

/** A problem between documents: where it is told, and which objects are held as they were because of it. */
export interface Clash {
  readonly code: CompileCode;
  readonly at: Origin;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly holds: readonly ObjectId[];
}

/** Tables without objects. */
export function emptyTables(): Tables {
  return { App: new Map(), Zone: new Map(), Network: new Map(), Host: new Map(), Tuning: new Map() };
}

/** Tables of the same objects. */
export function copyOf({ App, Zone, Network, Host, Tuning }: Tables): Tables {
  return {
    App: new Map(App),
    Zone: new Map(Zone),
    Network: new Map(Network),
    Host: new Map(Host),
    Tuning: new Map(Tuning),
  };
}

/** The tables of a catalog. */
export function tablesOf(catalog: Catalog): { readonly [K in TableKind]: ReadonlyMap<string, Resource<unknown>> } {
  return {
    App: catalog.apps,
    Zone: catalog.zones,
    Network: catalog.networks,
    Host: catalog.hosts,
    Tuning: catalog.tunings,
  };
}

/** Where a field was written; the object's place when it was not. */
export function fieldOrigin(resource: Resource<unknown>, pointer: string): Origin {
  return resource.fields[pointer] ?? resource.origin;
}

/** Where a pointer was written, else the nearest that was and contains it or stands below it. */
export function nearestOrigin(
  { fields, origin }: Pick<Resource<unknown>, 'fields' | 'origin'>,
  pointer: string,
): Origin {
  for (let at = pointer; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    const exact = fields[at];
    if (exact !== undefined) return exact;
    const below = Object.keys(fields).find((key) => key.startsWith(`${at}/`));
    if (below !== undefined) return fields[below] ?? origin;
  }
  return origin;
}

/** `file:line` of an origin, for messages that name a second place. */
export function place({ file, line }: Origin): string {
  return `${file}:${String(line)}`;
}

/** A table in order of name. */
export function byName<T>(table: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...table].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What is found of each object by itself, in order of name. Where nothing is, as most often, thousands of names need not be put in order. */
export function foundIn<T, Found>(
  table: ReadonlyMap<string, T>,
  find: (name: string, object: T) => readonly Found[],
): readonly Found[] {
  const found = new Map<string, readonly Found[]>();
  table.forEach((object, name) => {
    const own = find(name, object);
    if (own.length > 0) found.set(name, own);
  });
  return byName(found).flatMap(([, own]) => own);
}

/** The few objects that are of a kind, in order of name. */
export function thoseByName<T>(table: ReadonlyMap<string, T>, are: (object: T) => boolean): readonly T[] {
  return foundIn(table, (_name, object) => (are(object) ? [object] : NONE));
}

const NONE: readonly never[] = [];

/** `h1, h2, h3 and 4 more` */
export function listed(names: readonly string[], most = 3): string {
  const rest = names.length - most;
  return rest > 0 ? `${names.slice(0, most).join(', ')} and ${String(rest)} more` : names.join(', ');
}
