import { selects } from '../../model/catalog.ts';
import type { AppSpec, HostSpec, Resource, ZoneSpec } from '../../model/catalog.ts';
import { amountOf } from '../../model/demand.ts';
import type { Demand, Dimension } from '../../model/demand.ts';
import { formatBytes, formatCpu } from '../../model/units.ts';
import { UNCHOSEN } from '../specs/app.ts';
import { poolSize } from '../specs/network.ts';
import { suggestion } from '../suggest.ts';
import { byName, fieldOrigin, foundIn, listed, place } from '../tables.ts';
import type { Clash, ObjectId, Tables } from '../tables.ts';

type AppResource = Resource<AppSpec>;
type HostResource = Resource<HostSpec>;

/** A reference to what is not in the tables. */
export interface Dangling extends Clash {
  /** What refers to it. */
  readonly from: ObjectId;
  readonly target: ObjectId;
  /** The field that refers. */
  readonly pointer: string;
}

/** References of Apps to Zones, Networks and other Apps, and of Tunings to Zones, that are not there. */
export function danglingReferences(tables: Tables): readonly Dangling[] {
  const tunings = foundIn(tables.Tuning, (name, tuning) => {
    const { zone } = tuning.spec;
    if (zone === undefined || tables.Zone.has(zone)) return NONE;
    return [dangling(tables, `Tuning/${name}`, tuning, 'Zone', zone, '/spec/zone')];
  });
  return [...foundIn(tables.App, (name, app) => danglingOf(tables, name, app)), ...tunings];
}

const NONE: readonly never[] = [];

function danglingOf(tables: Tables, name: string, app: AppResource): readonly Dangling[] {
  const { zone, network, affinity, antiAffinity } = app.spec;
  // what was not named was chosen from what there is, or nothing was, as is told elsewhere
  const [hasZone, hasNetwork] = [
    zone === UNCHOSEN || tables.Zone.has(zone),
    network === UNCHOSEN || tables.Network.has(network),
  ];
  if (hasZone && hasNetwork && affinity === undefined && antiAffinity === undefined) return NONE;
  const id: ObjectId = `App/${name}`;
  return [
    ...(hasZone ? [] : [dangling(tables, id, app, 'Zone', zone, '/spec/zone')]),
    ...(hasNetwork ? [] : [dangling(tables, id, app, 'Network', network, '/spec/network/name')]),
    ...(['affinity', 'antiAffinity'] as const).flatMap((field) =>
      (app.spec[field] ?? []).flatMap((one, at) =>
        tables.App.has(one.app) ? [] : [dangling(tables, id, app, 'App', one.app, `/spec/${field}/${String(at)}/app`)],
      ),
    ),
  ];
}

function dangling(
  tables: Tables,
  id: ObjectId,
  resource: Resource<unknown>,
  kind: 'Zone' | 'Network' | 'App',
  target: string,
  pointer: string,
): Dangling {
  const known = [...tables[kind].keys()];
  return {
    from: id,
    target: `${kind}/${target}`,
    pointer,
    code: 'DANGLING_REFERENCE',
    at: fieldOrigin(resource, pointer),
    message: `${id.replace('/', ' ')}: there is no ${kind} "${target}"`,
    hint: known.length === 0 ? `add a ${kind} document` : suggestion(target, known, 'there are'),
    holds: [id],
  };
}

/** Levels that the Zone of an App does not take. Zones that are not there are passed over. */
export function levelClashes(tables: Tables): readonly Clash[] {
  return inZones(tables, levelRule);
}

/** Host volumes that the Zone of an App does not allow. Zones that are not there are passed over. */
export function volumeClashes(tables: Tables): readonly Clash[] {
  return inZones(tables, volumeRule);
}

function inZones(
  tables: Tables,
  rule: (name: string, app: AppResource, zone: Resource<ZoneSpec>) => readonly Clash[],
): readonly Clash[] {
  return foundIn(tables.App, (name, app) => {
    const zone = tables.Zone.get(app.spec.zone);
    return zone === undefined ? NONE : rule(name, app, zone);
  });
}

function levelRule(name: string, app: AppResource, zone: Resource<ZoneSpec>): readonly Clash[] {
  if (zone.spec.levels.includes(app.spec.level)) return NONE;
  const message = `App ${name} has level ${String(app.spec.level)}, which Zone ${app.spec.zone} does not take`;
  const hint = `it takes ${zone.spec.levels.join(', ')} (${place(fieldOrigin(zone, '/spec/levels/0'))})`;
  const written = app.fields['/spec/level'];
  return [
    { code: 'LEVEL_NOT_IN_ZONE', at: written ?? fieldOrigin(app, '/spec/zone'), message, hint, holds: [`App/${name}`] },
  ];
}

function volumeRule(name: string, app: AppResource, zone: Resource<ZoneSpec>): readonly Clash[] {
  if (app.spec.volumes.length === 0) return NONE;
  const allowed = zone.spec.allowedHostPaths;
  return app.spec.volumes.flatMap((volume, at) => {
    if (!('host' in volume) || allowed.some((root) => isBelow(volume.host, root))) return [];
    const paths = allowed.length === 0 ? 'none' : listed(allowed);
    return {
      code: 'VOLUME_NOT_ALLOWED',
      at: fieldOrigin(app, `/spec/volumes/${String(at)}/host`),
      message: `App ${name} mounts ${volume.host}, which Zone ${app.spec.zone} does not allow`,
      hint: `spec.allowedHostPaths of the Zone: ${paths} (${place(zone.origin)})`,
      holds: [`App/${name}`],
    };
  });
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`);
}

const SIZES = [
  ['cpu', '/spec/resources/cpu/cores', formatCpu],
  ['memory', '/spec/resources/memory/limit', formatBytes],
  ['pids', '/spec/resources/pids', String],
  ['disk', '/spec/resources/disk/size', formatBytes],
  ['spindles', '/spec/resources/disk/spindles', formatCpu],
] as const satisfies readonly (readonly [Dimension, string, (value: number) => string])[];

type Size = (typeof SIZES)[number][0];

/** A host that can give the most of something, and how much. */
interface Most {
  readonly host: string;
  readonly most: number;
}

/** The hosts that may run an App, as far as they had to be looked at. */
interface Room {
  /** A host that can give so much of a resource, or the one that can give most where none can; undefined without hosts. Infinite where a host does not declare it. */
  readonly forSo: (want: number, what: Size) => Most | undefined;
}

/** A replica that fits on none of the hosts that may run it, where all of them declare what they have. */
export function tooLarge(tables: Tables): readonly Clash[] {
  const rooms: Rooms = new Map();
  return foundIn(tables.App, (name, app) => {
    const { zone, network } = app.spec;
    const inZone = rooms.get(zone) ?? new Map<string, Map<string, Room | undefined>>();
    if (inZone.size === 0) rooms.set(zone, inZone);
    const inNetwork = inZone.get(network) ?? new Map<string, Room | undefined>();
    if (inNetwork.size === 0) inZone.set(network, inNetwork);
    const asked = askedOfHosts(app.spec);
    if (!inNetwork.has(asked)) inNetwork.set(asked, roomOf(tables, app.spec));
    const room = inNetwork.get(asked);
    return room === undefined ? NONE : sizeClashes(name, app, room);
  });
}

/** By Zone, by Network, and by what else an App asks of its hosts: no text is made of the three, as that would be for each of thousands. */
type Rooms = Map<string, Map<string, Map<string, Room | undefined>>>;

function askedOfHosts({ resources, hosts: { matchLabels } }: AppSpec): string {
  const cores = resources.pinned === true ? 'pinned' : 'shared';
  for (const _any in matchLabels) return cores + JSON.stringify(Object.entries(matchLabels).sort());
  return cores;
}

/** Looks at one host after the other until one gives enough: of thousands that are alike it is the first. */
function roomOf(tables: Tables, app: AppSpec): Room | undefined {
  const zone = tables.Zone.get(app.zone)?.spec;
  const network = tables.Network.get(app.network)?.spec;
  if (zone === undefined || network === undefined) return undefined;
  const selectors = [zone.hosts, app.hosts, network.hosts];
  const best = new Map<Size, Most>();
  const hosts = tables.Host.entries();
  let seen = 0;

  function lookAt(host: string, { spec }: HostResource): void {
    for (const [what] of SIZES) {
      // pinned cores are what they are
      const whole = what === 'cpu' && app.resources.pinned === true;
      const speed = what === 'cpu' && !whole ? spec.performance : 1;
      const times = whole ? 1 : (zone?.overcommit[what] ?? 1);
      const left = (spec.capacity[what] ?? Infinity) - (zone?.reserve[what] ?? 0);
      const most = Math.max(0, Math.floor(left * times * speed));
      const known = best.get(what);
      if (!known || most > known.most || (most === known.most && host < known.host)) best.set(what, { host, most });
    }
  }

  return {
    forSo(want, what) {
      for (; seen < tables.Host.size && (best.get(what)?.most ?? -Infinity) < want; seen += 1) {
        const [name, host] = hosts.next().value ?? [];
        if (name !== undefined && host && selectors.every((selector) => selects(selector, host.labels)))
          lookAt(name, host);
      }
      return best.get(what);
    },
  };
}

function sizeClashes(name: string, app: AppResource, room: Room): readonly Clash[] {
  const wants: Demand = app.spec.storage ? { ...app.spec.resources, ...app.spec.storage } : app.spec.resources;
  const isTooMuch = (what: Size): boolean => {
    const want = amountOf(wants, what);
    return want > (room.forSo(want, what)?.most ?? Infinity);
  };
  if (!SIZES.some(([what]) => isTooMuch(what))) return NONE;
  return SIZES.flatMap(([what, pointer, format]) => {
    const want = amountOf(wants, what);
    const best = room.forSo(want, what);
    if (best === undefined || !isTooMuch(what)) return NONE;
    return {
      code: 'APP_TOO_LARGE' as const,
      at: fieldOrigin(app, pointer),
      message: `a replica of App ${name} wants ${format(want)} ${what}, more than any host that may run it can give`,
      hint: `the largest is ${best.host} with ${format(best.most)} after reserve and overcommit`,
      holds: [`App/${name}` as const],
    };
  });
}

/**
 * Networks whose Apps want more replicas than there are addresses. Held are Apps that grew since the previous catalog,
 * the least critical first, then others, until the rest has enough.
 */
export function addressShortages(tables: Tables, previousReplicas: (app: string) => number): readonly Clash[] {
  const asked = new Map<string, number>();
  tables.App.forEach(({ spec }) => asked.set(spec.network, (asked.get(spec.network) ?? 0) + spec.replicas));
  return foundIn(tables.Network, (name, network): readonly Clash[] => {
    const wanted = asked.get(name) ?? 0;
    const size = poolSize(network.spec.pool);
    if (wanted <= size) return NONE;
    const users = byName(tables.App).filter(([, app]) => app.spec.network === name);
    const grown = (app: readonly [string, AppResource]): number => app[1].spec.replicas - previousReplicas(app[0]);
    const order = users.toSorted(
      (a, b) =>
        Number(grown(b) > 0) - Number(grown(a) > 0) || b[1].spec.level - a[1].spec.level || (a[0] < b[0] ? 1 : -1),
    );
    let excess = wanted - size;
    const holds: ObjectId[] = [];
    for (const user of order) {
      if (excess <= 0) break;
      holds.push(`App/${user[0]}`);
      excess -= grown(user) > 0 ? grown(user) : user[1].spec.replicas;
    }
    const biggest = users.toSorted((a, b) => b[1].spec.replicas - a[1].spec.replicas);
    const parts = biggest.map(([app, { spec, ...rest }]) => `${app} ${String(spec.replicas)} (${place(rest.origin)})`);
    const clash: Clash = {
      code: 'TOO_FEW_ADDRESSES',
      at: network.fields['/spec/ranges/0'] ?? fieldOrigin(network, '/spec/cidr'),
      message: `Network ${name} has ${String(size)} addresses for ${String(wanted)} replicas: ${listed(parts)}`,
      hint: 'widen spec.ranges or spec.cidr, or take replicas away',
      holds,
    };
    return [clash];
  });
}
