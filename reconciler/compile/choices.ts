import type { Labels } from '../../schemas/types.ts';
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
    if (typeof zone === 'string' && typeof network === 'string') {
      found.set(name, withChoice(app, zone, network));
      return NONE;
    }
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
  /** Those of an isolation that any host of a Zone has. */
  readonly near: (zone: string, isolation: string) => readonly Named<NetworkSpec>[];
}

/** What is known of a Zone: the labels of its hosts, and the Networks of each isolation that any of these has. */
interface InZone {
  readonly labels: readonly Labels[];
  readonly near: Map<string, readonly Named<NetworkSpec>[]>;
}

function labelsIn({ Zone, Host }: Tables, zone: string): readonly Labels[] {
  const own = Zone.get(zone)?.spec.hosts;
  const found: Labels[] = [];
  if (own) for (const { labels } of Host.values()) if (selects(own, labels)) found.push(labels);
  return found;
}

function rangeOf(tables: Tables): Range {
  const { Zone, Network } = tables;
  const networks = new Map<string, Named<NetworkSpec>[]>();
  for (const each of byName(Network)) {
    const { isolation } = each[1].spec;
    if (isolation === undefined) continue;
    const alike = networks.get(isolation);
    if (alike) alike.push(each);
    else networks.set(isolation, [each]);
  }
  // of thousands of Apps that ask for the same, the hosts are looked at once
  const known = new Map<string, InZone>();
  const near: Range['near'] = (zone, isolation) => {
    const inZone: InZone = known.get(zone) ?? { labels: labelsIn(tables, zone), near: new Map() };
    known.set(zone, inZone);
    const reaches = ([, { spec }]: Named<NetworkSpec>): boolean =>
      inZone.labels.some((each) => selects(spec.hosts, each));
    const found = inZone.near.get(isolation) ?? (networks.get(isolation) ?? NONE).filter(reaches);
    inZone.near.set(isolation, found);
    return found;
  };
  return { zones: byName(Zone), networks, hasZone: (zone) => Zone.has(zone), near };
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
  const isAlike = ([, { spec }]: Named<ZoneSpec>): boolean =>
    traits.every(([key, value]) => spec.traits[key] === value);
  const fits = zones.filter((zone) => zone[1].spec.levels.includes(level) && isAlike(zone));
  const [only] = fits;
  if (only && fits.length === 1) return only[0];
  const wanted = `${traits.length === 0 ? '' : `${asksText(asks)} and `}level ${String(level)}`;
  const tell = clashAt(name, zoneOrigin(app));
  if (only)
    return tell(
      'MANY_FIT',
      `App ${name} asks for a Zone with ${wanted}, and ${placed(fits)} are such Zones`,
      'ask for a trait that one of them has, or name it in spec.zone',
    );
  const lacks = ({ spec }: Resource<ZoneSpec>): readonly string[] =>
    traits.flatMap(([key, value]) => (spec.traits[key] === value ? [] : [`${key}=${value}`]));
  const near = zones.toSorted(([, a], [, b]) => lacks(a).length - lacks(b).length)[0];
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
  { networks, hasZone, near }: Range,
  name: string,
  app: AppResource,
  zone: string | Clash,
): string | Clash | undefined {
  const isolation = app.asks?.isolation ?? '';
  const alike = networks.get(isolation) ?? NONE;
  const [only] = alike;
  if (only && alike.length === 1) return only[0];
  const tell = clashAt(name, networkOrigin(app));
  if (only === undefined) {
    const hint =
      suggestion(isolation, [...networks.keys()].sort(), 'there are') ?? 'say it in spec.isolation of a Network';
    return tell('NONE_FITS', `App ${name} asks for a Network with isolation ${isolation}, and there is none`, hint);
  }
  if (typeof zone !== 'string' || !hasZone(zone)) return undefined;
  const fits = near(zone, isolation);
  const [first] = fits;
  if (first && fits.length === 1) return first[0];
  const asked = `App ${name} asks for a Network with isolation ${isolation} in Zone ${zone}`;
  if (first)
    return tell(
      'MANY_FIT',
      `${asked}, and ${placed(fits)} are such Networks`,
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
