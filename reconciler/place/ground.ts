import type { Book } from '../model/book.ts';
import type { AppSpec, Catalog, NetworkSpec } from '../model/catalog.ts';
import { canonical } from '../model/fingerprint.ts';
import type { Demand } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import type { AddressRecord, Delta } from '../model/reservations.ts';
import type { Likes } from './alike.ts';
import { addressPool } from './addresses.ts';
import type { AddressPool } from './addresses.ts';
import { candidateFinder } from './filters.ts';
import type { Candidates } from './filters.ts';
import { forgetBest } from './group.ts';
import type { Group } from './group.ts';
import { viewsByName, type HostView } from './hosts.ts';
import type { PlaceInput } from './input.ts';
import { hostTable, setFree, setHost, take } from './table.ts';
import type { HostTable } from './table.ts';

/** Room of a host. */
export interface Promised {
  readonly host: string;
  readonly demand: Demand;
}

/** What a ground is made of, beside the book. Hosts of the book that are not among `hosts` take nothing. */
type Given = Pick<PlaceInput, 'catalog' | 'hosts' | 'now' | 'side'>;

/**
 * What placing stands on: the book, and what is reckoned from it. It may be kept: it follows what is committed (`absorb`) at a cost
 * that grows with the deltas only, and equals a ground made anew. It is ahead of the store by what was proposed on it.
 */
export interface Ground {
  readonly book: Book;
  /** Made when it is first asked for; one object from then on, and what is in it follows the book. */
  readonly table: HostTable;
  /** The replicas of an App that are placed. */
  readonly placed: (app: string) => ReadonlySet<string>;
  /** What Apps of one size have in common. */
  readonly likes: Likes;
  /** By the record that it changes: what takes back a change that was proposed here and that nobody has committed as far as is known. Undefined where what is proposed stays. */
  readonly tentative: Map<string, Delta> | undefined;
  /** The App whose replicas are being placed. */
  readonly turn: { app: string; group: Group | undefined };
  readonly candidates: (app: AppSpec) => Candidates;
  /** The addresses of a Network for a zone. */
  readonly pool: (network: string, zone: string) => AddressPool | undefined;
  /** Writes deltas into the book and what is reckoned from it. `quietly`, who watches is not told: it may be taken back at once. */
  readonly apply: (deltas: readonly Delta[], quietly?: boolean) => void;
  /** Replica → room of a host that is kept free for it, though the book gives it to nobody. */
  readonly promised: ReadonlyMap<string, Promised>;
  /** Promises room to a replica instead of what was promised to it; none where nothing is given. */
  readonly promise: (replica: string, room?: Promised) => void;
  /** Takes over another catalog, other hosts and another time. What is the same by identity is not looked at. */
  readonly renew: (given: Omit<Given, 'side'>) => void;
}

/** Is told of what is done on a ground. */
export interface Watch {
  /** A delta is applied; with the placement that there was. */
  changed(delta: Delta, before: Placement | undefined): void;
  /** Room of a host is promised, or no more. */
  promised(host: string): void;
}

const same = (a: unknown, b: unknown): boolean => a === b || canonical(a) === canonical(b);

/**
 * A ground over a book, which it owns from now on; `forGood` where nothing is ever taken back, so that nothing is remembered for it. `watch` is told of what
 * is done there.
 */
export function groundOver(
  { side = { part: 0, of: 1 }, ...given }: Given,
  book: Book,
  { forGood = false, watch }: { readonly forGood?: boolean; readonly watch?: Watch | undefined } = {},
): Ground {
  const clock = { now: given.now };
  let { catalog, hosts } = given;
  let views = viewsByName(hosts);
  let table: HostTable | undefined;
  let finder: Ground['candidates'] | undefined;
  let placed: Map<string, Set<string>> | undefined;
  const likes: Likes = new Map();
  const turn: Ground['turn'] = { app: '', group: undefined };
  const pools: Pools = new Map();
  const promised = new Map<string, Promised>();
  const made = (): HostTable => (table ??= hostTable(book, views, side));

  /** What is reckoned from host records is reckoned anew when it is asked for. */
  function forgetHosts(): void {
    finder = undefined;
    likes.clear();
    turn.group = undefined;
  }

  function touch(host: string | undefined): void {
    const row = host === undefined ? undefined : table?.rows.get(host);
    if (!table || row === undefined) return;
    setFree(table, book, row);
    for (const room of promised.values()) if (room.host === host) take(table, row, room.demand, 1);
    if (turn.group) forgetBest(table, turn.group, row);
  }

  function rewrite(names: ReadonlySet<string>): void {
    if (!table) return;
    for (const name of names) {
      const record = book.hosts.get(name);
      if (record && setHost(table, book, views, record)) continue;
      Object.assign(table, hostTable(book, views, side));
      break;
    }
    forgetHosts();
  }

  function moved(before: Placement | undefined, after: Placement | undefined): void {
    if (placed && before) leave(placed, before);
    if (placed && after) enter(placed, after);
    touch(before?.host);
    touch(after?.host);
  }

  return {
    book,
    get table() {
      return made();
    },
    placed: (app) => (placed ??= byApp(book)).get(app) ?? NOBODY,
    likes,
    promised,
    promise: (replica, room) => {
      const before = promised.get(replica);
      if (room) promised.set(replica, room);
      else promised.delete(replica);
      for (const one of [before, room]) if (one) watch?.promised(one.host);
      touch(before?.host);
      touch(room?.host);
    },
    tentative: forGood ? undefined : new Map(),
    turn,
    candidates: (app) => (finder ??= candidateFinder(catalog, made()))(app),
    pool: (name, zone) => {
      const network = catalog.networks.get(name)?.spec;
      if (!network) return undefined;
      const whose = network.blockSize === undefined ? '' : zone;
      const ofNetwork = pools.get(name) ?? new Map<string, AddressPool>();
      const known = ofNetwork.get(whose);
      if (known) return known;
      const pool = addressPool({ name, network, book, clock, zone, from: side.part / side.of });
      pools.set(name, ofNetwork.set(whose, pool));
      return pool;
    },
    apply: (deltas, quietly = false) => {
      let records: Set<string> | undefined;
      for (const delta of deltas) {
        const before = delta.type === 'placement' ? book.placements.get(delta.replica) : undefined;
        book.apply([delta]);
        if (!quietly) watch?.changed(delta, before);
        if (delta.type === 'host') (records ??= new Set()).add(delta.host);
        else if (delta.type === 'address') told(pools, delta.key, delta.record);
        else moved(before, delta.placement);
      }
      if (records) rewrite(records);
    },
    renew: (next) => {
      const later = clock.now !== next.now;
      clock.now = next.now;
      const old = catalog;
      catalog = next.catalog;
      for (const name of pools.keys())
        if (mustGo(old.networks.get(name)?.spec, catalog.networks.get(name)?.spec, later)) pools.delete(name);
      if (!sameRules(old, catalog)) forgetHosts();
      if (next.hosts === hosts) return;
      const seen = views;
      hosts = next.hosts;
      views = viewsByName(hosts);
      const names = new Set([...seen.keys(), ...views.keys()]);
      for (const name of names) if (sameView(seen.get(name), views.get(name))) names.delete(name);
      if (names.size > 0) rewrite(names);
    },
  };
}

const NOBODY: ReadonlySet<string> = new Set();

function byApp(book: Book): Map<string, Set<string>> {
  const placed = new Map<string, Set<string>>();
  for (const placement of book.placements.values()) enter(placed, placement);
  return placed;
}

function enter(placed: Map<string, Set<string>>, { app, replica }: Placement): void {
  const replicas = placed.get(app);
  if (replicas) replicas.add(replica);
  else placed.set(app, new Set([replica]));
}

function leave(placed: Map<string, Set<string>>, { app, replica }: Placement): void {
  const replicas = placed.get(app);
  replicas?.delete(replica);
  if (replicas?.size === 0) placed.delete(app);
}

/** Network → zone, or nothing where it leases no blocks → pool. */
type Pools = Map<string, Map<string, AddressPool>>;

function told(pools: Pools, key: string, record: AddressRecord | undefined): void {
  const cut = key.indexOf('/');
  const ofNetwork = pools.get(key.slice(0, cut));
  if (!ofNetwork) return;
  const name = key.slice(cut + 1);
  for (const [zone, pool] of ofNetwork) if (!pool.changed(name, record)) ofNetwork.delete(zone);
}

/** Whether the pools of a Network are to be made anew: leases of blocks end by themselves. */
function mustGo(before: NetworkSpec | undefined, now: NetworkSpec | undefined, later: boolean): boolean {
  return !same(before, now) || (later && now?.blockSize !== undefined);
}

/** Whether two catalogs let the same Apps on the same hosts. */
export function sameRules(a: Catalog, b: Catalog): boolean {
  const alike = (kind: 'zones' | 'networks'): boolean =>
    a[kind] === b[kind] ||
    (a[kind].size === b[kind].size && [...a[kind]].every(([name, one]) => same(one.spec, b[kind].get(name)?.spec)));
  return alike('zones') && alike('networks');
}

/** The record is the book's; what else a view says. */
function sameView(a: HostView | undefined, b: HostView | undefined): boolean {
  return (
    a === b ||
    (a !== undefined &&
      b !== undefined &&
      a.lost === b.lost &&
      a.platform === b.platform &&
      a.worth === b.worth &&
      same(a.labels, b.labels))
  );
}

const keyOf = (delta: Delta): string =>
  delta.type === 'host'
    ? `host ${delta.host}`
    : delta.type === 'address'
      ? `address ${delta.key}`
      : `placement ${delta.replica}`;

/** The delta that leads back to what the book says now. */
export function inverse(book: Pick<Book, 'hosts' | 'addresses' | 'placements'>, delta: Delta): Delta {
  if (delta.type === 'host') return { ...delta, record: book.hosts.get(delta.host) };
  if (delta.type === 'address') return { ...delta, record: book.addresses.get(delta.key) };
  return { ...delta, placement: book.placements.get(delta.replica) };
}

/** Applies what is proposed, and remembers how to take it back unless it stays. */
export function tentatively({ book, tentative, apply }: Ground, deltas: readonly Delta[]): void {
  if (tentative)
    for (const delta of deltas) {
      const key = keyOf(delta);
      if (!tentative.has(key)) tentative.set(key, inverse(book, delta));
    }
  apply(deltas);
}

/** What is counted for the App whose turn it is, of itself and its neighbours, is made anew when somebody else has changed it. */
function endTurn({ turn, book }: Ground, deltas: readonly Delta[]): void {
  const rules = turn.group?.around?.rules ?? [];
  const apps = new Set([turn.app, ...rules.map(({ app }) => app)]);
  const own = (placement: Placement | undefined): boolean => placement !== undefined && apps.has(placement.app);
  const changed = deltas.some(
    (delta) => delta.type === 'placement' && (own(delta.placement) || own(book.placements.get(delta.replica))),
  );
  if (changed || (turn.group?.pack && deltas.length > 0)) turn.group = undefined;
}

function remembered({ tentative }: Ground): Map<string, Delta> {
  if (!tentative) throw new Error('what is proposed on this ground stays');
  return tentative;
}

/**
 * Takes over what was committed, by whom ever, in the order of the log: what the store says counts, whatever was proposed here. One's
 * own commits are among the deltas, and are no longer tentative.
 */
export function absorb(ground: Ground, deltas: readonly Delta[]): void {
  const { book } = ground;
  const tentative = remembered(ground);
  const news = deltas.filter((delta) => !tentative.delete(keyOf(delta)) || !same(inverse(book, delta), delta));
  endTurn(ground, news);
  ground.apply(news);
}

/**
 * Takes back what was proposed and not committed. Once all has been absorbed up to the cursor of the last reply, that is what was
 * refused, and the book is the store's.
 */
export function takeBack(ground: Ground): void {
  const tentative = remembered(ground);
  const back = [...tentative.values()];
  tentative.clear();
  endTurn(ground, back);
  ground.apply(back);
}
