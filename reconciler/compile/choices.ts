import { selects } from '../model/catalog.ts';
import type { AppSpec, Asks, NetworkSpec, Resource, ZoneSpec } from '../model/catalog.ts';
import type { Origin } from '../model/change.ts';
import type { CompileCode } from './codes.ts';
import { UNCHOSEN } from './specs/app.ts';
import { suggestion } from './suggest.ts';
import { byName, foundIn, listed, place } from './tables.ts';
import type { Clash, Tables } from './tables.ts';

type AppResource = Resource<AppSpec>;
type Named<Spec> = readonly [name: string, resource: Resource<Spec>];

/** What became of the Apps that ask for a Zone or Network in place of naming one. */
export interface Choices {
  /** Those of which both are found. */
  readonly found: ReadonlyMap<string, AppResource>;
  /** One for each thing that none or several are like. */
  readonly clashes: readonly Clash[];
}

/** What was made last of each App: the same object for as long as the same is chosen. */
const chosen = new WeakMap<AppResource, AppResource>();

/** Whether it asks for something that nobody has found yet. */
export function isOpen({ spec }: AppResource): boolean {
  return spec.zone === UNCHOSEN || spec.network === UNCHOSEN;
}

/** Finds for each App the one Zone and the one Network that it asks for. Where none or several would do, nothing is chosen: a person has to say which. */
export function choose(tables: Tables): Choices {
  const found = new Map<string, AppResource>();
  let range: Range | undefined;
  const clashes = foundIn(tables.App, (name, app) => {
    if (!isOpen(app)) return NONE;
    range ??= rangeOf(tables);
    const zone = app.spec.zone === UNCHOSEN ? zoneFor(range, name, app) : app.spec.zone;
    const network = app.spec.network === UNCHOSEN ? networkFor(range, name, app, zone) : app.spec.network;
    if (typeof zone === 'string' && typeof network === 'string') found.set(name, withChoice(app, zone, network));
    return [zone, network].filter((one): one is Clash => typeof one !== 'string' && one !== undefined);
  });
  return { found, clashes };
}

const NONE: readonly never[] = [];

/** What there is to choose from. */
interface Range {
  /** In order of name. */
  readonly zones: readonly Named<ZoneSpec>[];
  /** By isolation, in order of name. */
  readonly networks: ReadonlyMap<string, readonly Named<NetworkSpec>[]>;
  readonly hasZone: (zone: string) => boolean;
  /** Whether any host of a Zone has the Network. */
  readonly reaches: (zone: string, network: Named<NetworkSpec>) => boolean;
}

function rangeOf({ Zone, Network, Host }: Tables): Range {
  const networks = new Map<string, Named<NetworkSpec>[]>();
  for (const each of byName(Network)) {
    const { isolation } = each[1].spec;
    if (isolation === undefined) continue;
    const alike = networks.get(isolation);
    if (alike) alike.push(each);
    else networks.set(isolation, [each]);
  }
  const look = (zone: string, network: Resource<NetworkSpec>): boolean => {
    const own = Zone.get(zone)?.spec.hosts;
    if (own === undefined) return false;
    for (const { labels } of Host.values())
      if (selects(own, labels) && selects(network.spec.hosts, labels)) return true;
    return false;
  };
  // of thousands of Apps that ask for the same, the hosts are looked at once
  const known = new Map<string, boolean>();
  const reaches: Range['reaches'] = (zone, [name, network]) => {
    const key = `${zone} ${name}`;
    const found = known.get(key) ?? look(zone, network);
    known.set(key, found);
    return found;
  };
  return { zones: byName(Zone), networks, hasZone: (zone) => Zone.has(zone), reaches };
}

function withChoice(app: AppResource, zone: string, network: string): AppResource {
  const before = chosen.get(app);
  if (before?.spec.zone === zone && before.spec.network === network) return before;
  const fields = {
    ...app.fields,
    '/spec/zone': zoneOrigin(app),
    '/spec/network/name': networkOrigin(app),
  };
  const made = { ...app, fields, spec: { ...app.spec, zone, network } };
  chosen.set(app, made);
  return made;
}

/** The one Zone that an App asks for, or why there is none. */
function zoneFor({ zones }: Range, name: string, app: AppResource): string | Clash {
  const { asks } = app;
  const { level } = app.spec;
  const traits = Object.entries(asks?.traits ?? {});
  const lacks = ({ spec }: Resource<ZoneSpec>): readonly string[] =>
    traits.flatMap(([key, value]) => (spec.traits[key] === value ? [] : [`${key}=${value}`]));
  const alike = zones.filter(([, zone]) => lacks(zone).length === 0);
  const fits = alike.filter(([, { spec }]) => spec.levels.includes(level));
  const [only, ...more] = fits;
  if (only && more.length === 0) return only[0];
  const wanted = `${traits.length === 0 ? '' : `${asksText(asks)} and `}level ${String(level)}`;
  const tell = clashAt(name, zoneOrigin(app));
  if (only)
    return tell(
      'MANY_FIT',
      `App ${name} asks for a Zone with ${wanted}, and ${placed(fits)} are such Zones`,
      'ask for a trait that one of them has, or name it in spec.zone',
    );
  const near = alike[0] ?? zones.toSorted(([, a], [, b]) => lacks(a).length - lacks(b).length)[0];
  const message = `App ${name} asks for a Zone with ${wanted}, and there is none`;
  return tell('NONE_FITS', message, near ? but(near, lacks(near[1])) : 'add a Zone document');
}

/** Why the Zone that comes nearest is not the one. */
function but([name, { spec, origin }]: Named<ZoneSpec>, lacks: readonly string[]): string {
  const not = lacks.length > 0 ? `lacks ${listed(lacks)}` : `takes levels ${spec.levels.join(', ')}`;
  return `the nearest is Zone ${name}, which ${not} (${place(origin)})`;
}

/** The one Network that an App asks for, or why there is none. Undefined: which of several depends on its Zone, which is not known. */
function networkFor(
  { networks, hasZone, reaches }: Range,
  name: string,
  app: AppResource,
  zone: string | Clash,
): string | Clash | undefined {
  const isolation = app.asks?.isolation ?? '';
  const alike = networks.get(isolation) ?? NONE;
  const [only, ...more] = alike;
  if (only && more.length === 0) return only[0];
  const tell = clashAt(name, networkOrigin(app));
  if (only === undefined) {
    const hint =
      suggestion(isolation, [...networks.keys()].sort(), 'there are') ?? 'say it in spec.isolation of a Network';
    return tell('NONE_FITS', `App ${name} asks for a Network with isolation ${isolation}, and there is none`, hint);
  }
  if (typeof zone !== 'string' || !hasZone(zone)) return undefined;
  const near = alike.filter((network) => reaches(zone, network));
  const [nearest, ...others] = near;
  if (nearest && others.length === 0) return nearest[0];
  const asked = `App ${name} asks for a Network with isolation ${isolation} in Zone ${zone}`;
  if (nearest)
    return tell(
      'MANY_FIT',
      `${asked}, and ${placed(near)} are such Networks`,
      'give them different words in spec.isolation, or name one in spec.network.name',
    );
  const hint = `spec.hosts of ${placed(alike)} select no host of it`;
  return tell('NONE_FITS', `${asked}, and there is none`, hint);
}

/** Where a Zone is named or asked for; the App's own place where no trait is asked for. */
function zoneOrigin({ fields, origin }: AppResource): Origin {
  const first = Object.keys(fields).find((key) => key === '/spec/zone' || key.startsWith('/spec/zone/'));
  return (first === undefined ? undefined : fields[first]) ?? origin;
}

/** Where a Network is named or asked for. */
function networkOrigin({ fields, origin }: AppResource): Origin {
  return fields['/spec/network/name'] ?? fields['/spec/network/isolation'] ?? origin;
}

function clashAt(name: string, at: Origin) {
  return (code: CompileCode, message: string, hint: string): Clash => ({
    code,
    at,
    message,
    hint,
    holds: [`App/${name}`],
  });
}

/** `gpu=a100, disk=ssd` */
function asksText(asks: Asks | undefined): string {
  const traits = Object.entries(asks?.traits ?? {}).map(([key, value]) => `${key}=${value}`);
  return `the ${traits.length === 1 ? 'trait' : 'traits'} ${listed(traits, traits.length)}`;
}

/** `a (zones/a.yaml:4), b (zones/b.yaml:4)` */
function placed(all: readonly Named<unknown>[]): string {
  return listed(all.map(([name, { origin }]) => `${name} (${place(origin)})`));
}
