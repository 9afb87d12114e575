import { selects } from '../../model/catalog.ts';
import type { AppSpec, HostSpec, Resource, ZoneSpec } from '../../model/catalog.ts';
import { amountOf } from '../../model/demand.ts';
import type { Demand, Dimension } from '../../model/demand.ts';
import { formatBytes, formatCpu } from '../../model/units.ts';
import { poolSize } from '../specs/network.ts';
import { suggestion } from '../suggest.ts';
import { byName, fieldOrigin, listed, place } from '../tables.ts';
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
  const zones = [...tables.Zone.keys()];
  const networks = [...tables.Network.keys()];
  const apps = [...tables.App.keys()];
  const tunings = byName(tables.Tuning).flatMap(([name, tuning]) => {
    const { zone } = tuning.spec;
    if (zone === undefined || tables.Zone.has(zone)) return [];
    return [dangling(`Tuning/${name}`, tuning, 'Zone', zone, '/spec/zone', zones)];
  });
  const ofApps = byName(tables.App).flatMap(([name, app]) => {
    const id: ObjectId = `App/${name}`;
    const { zone, network } = app.spec;
    return [
      ...(tables.Zone.has(zone) ? [] : [dangling(id, app, 'Zone', zone, '/spec/zone', zones)]),
      ...(tables.Network.has(network) ? [] : [dangling(id, app, 'Network', network, '/spec/network/name', networks)]),
      ...(['affinity', 'antiAffinity'] as const).flatMap((field) =>
        (app.spec[field] ?? []).flatMap((one, at) =>
          tables.App.has(one.app) ? [] : [dangling(id, app, 'App', one.app, `/spec/${field}/${String(at)}/app`, apps)],
        ),
      ),
    ];
  });
  return [...ofApps, ...tunings];
}

function dangling(
  id: ObjectId,
  resource: Resource<unknown>,
  kind: 'Zone' | 'Network' | 'App',
  target: string,
  pointer: string,
  known: readonly string[],
): Dangling {
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
  return byName(tables.App).flatMap(([name, app]) => {
    const zone = tables.Zone.get(app.spec.zone);
    return zone === undefined ? [] : rule(name, app, zone);
  });
}

function levelRule(name: string, app: AppResource, zone: Resource<ZoneSpec>): readonly Clash[] {
  if (zone.spec.levels.includes(app.spec.level)) return [];
  const message = `App ${name} has level ${String(app.spec.level)}, which Zone ${app.spec.zone} does not take`;
  const hint = `it takes ${zone.spec.levels.join(', ')} (${place(fieldOrigin(zone, '/spec/levels/0'))})`;
  const written = app.fields['/spec/level'];
  return [
    { code: 'LEVEL_NOT_IN_ZONE', at: written ?? fieldOrigin(app, '/spec/zone'), message, hint, holds: [`App/${name}`] },
  ];
}

function volumeRule(name: string, app: AppResource, zone: Resource<ZoneSpec>): readonly Clash[] {
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
  const hosts = byName(tables.Host);
  const rooms = new Map<string, Room | undefined>();
  return byName(tables.App).flatMap(([name, app]) => {
    const { zone, network, hosts: own, resources } = app.spec;
    const key = JSON.stringify([zone, network, resources.pinned, Object.entries(own.matchLabels).sort()]);
    if (!rooms.has(key)) rooms.set(key, roomOf(tables, app.spec, hosts));
    const room = rooms.get(key);
    return room === undefined ? [] : sizeClashes(name, app, room);
  });
}

/** Looks at one host after the other until one gives enough: of thousands that are alike it is the first. */
function roomOf(tables: Tables, app: AppSpec, hosts: ReturnType<typeof byName<HostResource>>): Room | undefined {
  const zone = tables.Zone.get(app.zone)?.spec;
  const network = tables.Network.get(app.network)?.spec;
  if (zone === undefined || network === undefined) return undefined;
  const selectors = [zone.hosts, app.hosts, network.hosts];
  const best = new Map<Size, Most>();
  let at = 0;

  function lookAt(host: string, { spec }: HostResource): void {
    for (const [what] of SIZES) {
      // pinned cores are what they are
      const whole = what === 'cpu' && app.resources.pinned === true;
      const speed = what === 'cpu' && !whole ? spec.performance : 1;
      const times = whole ? 1 : (zone?.overcommit[what] ?? 1);
      const left = (spec.capacity[what] ?? Infinity) - (zone?.reserve[what] ?? 0);
      const most = Math.max(0, Math.floor(left * times * speed));
      if (most > (best.get(what)?.most ?? -Infinity)) best.set(what, { host, most });
    }
  }

  return {
    forSo(want, what) {
      for (; at < hosts.length && (best.get(what)?.most ?? -Infinity) < want; at += 1) {
        const [name, host] = hosts[at] ?? [];
        if (name !== undefined && host && selectors.every((selector) => selects(selector, host.labels)))
          lookAt(name, host);
      }
      return best.get(what);
    },
  };
}

function sizeClashes(name: string, app: AppResource, room: Room): readonly Clash[] {
  const wants: Demand = { ...app.spec.resources, ...app.spec.storage };
  return SIZES.flatMap(([what, pointer, format]) => {
    const want = amountOf(wants, what);
    const best = room.forSo(want, what);
    if (best === undefined || want <= best.most) return [];
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
  const apps = byName(tables.App);
  return byName(tables.Network).flatMap(([name, network]) => {
    const users = apps.filter(([, app]) => app.spec.network === name);
    const wanted = users.reduce((sum, [, app]) => sum + app.spec.replicas, 0);
    const size = poolSize(network.spec.pool);
    if (wanted <= size) return [];
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
    return {
      code: 'TOO_FEW_ADDRESSES',
      at: network.fields['/spec/ranges/0'] ?? fieldOrigin(network, '/spec/cidr'),
      message: `Network ${name} has ${String(size)} addresses for ${String(wanted)} replicas: ${listed(parts)}`,
      hint: 'widen spec.ranges or spec.cidr, or take replicas away',
      holds,
    };
  });
}
