import { isDeepStrictEqual } from 'node:util';
import type { Catalog } from '../../model/catalog.ts';
import { isLate } from '../../model/whereabouts.ts';
import type { Whereabouts, Scope } from '../../model/whereabouts.ts';
import type { Book } from '../../model/book.ts';
import { hostView, zonesOf } from '../../place/hosts.ts';
import type { HostView } from '../../place/hosts.ts';
import type { Fresh, Image } from './image.ts';

/** What a pass looks at. */
export interface Look {
  /** Undefined: everything. */
  readonly scope?: Scope;
  /** In an audit, which looks at everything: what a pass that is none would look at. */
  readonly expected?: Scope;
  /** The hosts that can be placed on, by name. */
  readonly hosts: readonly HostView[];
}

/** Of an image what is asked. */
type Seen = Pick<Image, 'book' | 'whereabouts'>;

/** Knows what may be otherwise than the last pass left it. */
export interface Attention {
  /** For a pass: what is new since the last one, in Git, in the store and of the hosts that are heard of. */
  look(catalog: Catalog, image: Seen, fresh: Fresh, lost: ReadonlySet<string>, audit: boolean): Look;
  /** A pass has ended well: all that it looked at is at rest, but for these Apps, and for these hosts, which wait for other knobs. */
  rest(busy: Iterable<string>, waiting: ReadonlySet<string>): void;
  /** These are looked at as well by the next pass. */
  note(apps: Iterable<string>): void;
  /** The next pass looks at everything: a pass has not ended well, or it is time. */
  forget(): void;
}

type Tables = 'apps' | 'hosts' | 'networks' | 'zones' | 'tunings';

/** Names of a kind of which the catalogs say something else; which line says it does not count. */
function changedIn(before: Catalog, after: Catalog, table: Tables): readonly string[] {
  const [old, now] = [before[table], after[table]] as readonly ReadonlyMap<string, object>[];
  if (!old || !now || old === now) return [];
  const content = (value: object | undefined): object => ({ ...value, origin: 0, fields: 0 });
  const names = [...old.keys()].filter((name) => !now.has(name));
  for (const [name, value] of now) {
    const was = old.get(name);
    if (was !== value && (!was || !isDeepStrictEqual(content(was), content(value)))) names.push(name);
  }
  return names;
}

/** Whether something is another that may concern every App or host. */
function allChanged(before: Catalog, after: Catalog): boolean {
  const same = (key: 'heldObjects' | 'heldOwners'): boolean => isDeepStrictEqual(before[key], after[key]);
  if (before.fleet.name !== after.fleet.name || !isDeepStrictEqual(before.fleet.spec, after.fleet.spec)) return true;
  if (!same('heldObjects') || !same('heldOwners')) return true;
  return changedIn(before, after, 'zones').length + changedIn(before, after, 'tunings').length > 0;
}

/** The Apps and hosts of which a revision says something else than the one before; undefined where it may concern all. */
function changedBy(before: Catalog | undefined, after: Catalog): { apps: Set<string>; hosts: Set<string> } | undefined {
  if (before === after) return { apps: new Set(), hosts: new Set() };
  if (!before || allChanged(before, after)) return undefined;
  const apps = new Set(changedIn(before, after, 'apps'));
  const networks = new Set(changedIn(before, after, 'networks'));
  if (networks.size > 0)
    for (const { name, spec } of after.apps.values()) if (networks.has(spec.network)) apps.add(name);
  return { apps, hosts: new Set(changedIn(before, after, 'hosts')) };
}

/** Apps that are on a host, or that it was told to run. */
function appsOn({ residents }: Pick<Book, 'residents'>, { assignments }: Whereabouts, host: string): readonly string[] {
  return [...residents(host).keys(), ...(assignments.get(host)?.replicas.map(({ app }) => app) ?? [])];
}

/** The other members of gangs of which one is looked at: they are placed together or not at all. */
function gangsOf({ apps }: Catalog, some: ReadonlySet<string>): readonly string[] {
  const gangs = new Set([...some].flatMap((name) => apps.get(name)?.spec.gang ?? []));
  if (gangs.size === 0) return [];
  return [...apps.values()]
    .filter(({ spec }) => spec.gang !== undefined && gangs.has(spec.gang))
    .map(({ name }) => name);
}

/** Whether a host has heard by now that it is to give back memory in a slot of another Zone: that of the old one is free. */
function leavesSlot(at: Whereabouts, host: string): boolean {
  return at.assignments.get(host)?.slot?.left !== undefined && !isLate(at, host);
}

/** Attention that knows nothing. */
export function createAttention(): Attention {
  let catalog: Catalog | undefined;
  let views = new Map<string, HostView>();
  let list: readonly HostView[] | undefined;
  let lostBefore: ReadonlySet<string> = new Set();
  let active = new Set<string>();
  let waitingHosts: ReadonlySet<string> = new Set();

  const sorted = (): readonly HostView[] =>
    (list ??= [...views.values()].sort((a, b) => (a.record.host < b.record.host ? -1 : 1)));

  /** Sees these hosts again; gives those that are seen otherwise than before. */
  function see(
    now: Catalog,
    { book, whereabouts }: Seen,
    hosts: Iterable<string>,
    lost: ReadonlySet<string>,
  ): string[] {
    const zones = zonesOf(now);
    const changed: string[] = [];
    for (const name of hosts) {
      const host = now.hosts.get(name);
      const facts = whereabouts.reports.get(name)?.facts;
      const view = host && hostView(host, zones, facts, book.hosts.get(name), lost.has(name));
      if (isDeepStrictEqual(view, views.get(name))) continue;
      changed.push(name);
      if (view) views.set(name, view);
      else views.delete(name);
      list = undefined;
    }
    return changed;
  }

  function scopeOf(now: Catalog, image: Seen, fresh: Fresh, lost: ReadonlySet<string>): Scope | undefined {
    const changes = changedBy(catalog, now);
    if (!changes) {
      views = new Map();
      list = undefined;
      see(now, image, now.hosts.keys(), lost);
      return undefined;
    }
    const apps = new Set([...active, ...fresh.apps, ...changes.apps]);
    const lostOrBack = [...lost, ...lostBefore].filter((host) => lost.has(host) !== lostBefore.has(host));
    // one that has left Git may go on reporting: nothing is to be had there, and only who was told something is to be told what comes after it
    const { book, whereabouts } = image;
    const isKnown = (host: string): boolean =>
      now.hosts.has(host) || book.hosts.has(host) || whereabouts.assignments.has(host);
    const known = [...fresh.hosts].filter(isKnown);
    const hosts = new Set([...changes.hosts, ...known, ...lostOrBack]);
    // most Reports say nothing of what a host is
    for (const host of see(now, image, new Set([...hosts, ...fresh.reported]), lost)) hosts.add(host);
    for (const host of hosts) for (const app of appsOn(image.book, image.whereabouts, host)) apps.add(app);
    for (const app of gangsOf(now, apps)) apps.add(app);
    // what runs there is not concerned
    for (const host of waitingHosts) hosts.add(host);
    for (const host of fresh.reported) if (leavesSlot(image.whereabouts, host)) hosts.add(host);
    return { apps, hosts };
  }

  return {
    look: (now, image, fresh, lost, audit) => {
      const scope = scopeOf(now, image, fresh, lost);
      catalog = now;
      lostBefore = new Set(lost);
      return { ...(scope ? { [audit ? 'expected' : 'scope']: scope } : {}), hosts: sorted() };
    },
    rest: (busy, waiting) => {
      active = new Set(busy);
      waitingHosts = waiting;
    },
    note: (apps) => {
      active = new Set([...active, ...apps]);
    },
    forget: () => {
      catalog = undefined;
    },
  };
}
