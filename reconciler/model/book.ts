import { AddressTable } from './addresses.ts';
import { NOTHING, plus } from './demand.ts';
import { ended } from './ended.ts';
import type { Demand } from './demand.ts';
import type { Placement } from './replica.ts';
import type { AddressRecord, Delta, HostRecord, ReservationState } from './reservations.ts';
import type { SpreadLevel } from './topology.ts';

/** What `decide` reads. */
export interface Ledger {
  host(name: string): HostRecord | undefined;
  placement(replica: string): Placement | undefined;
  address(key: string): AddressRecord | undefined;
  /** What the placements on a host take in all; zero for a host without any. */
  used(host: string): Demand;
  /** How many placements each App has on a host. */
  residents(host: string): ReadonlyMap<string, number>;
  /** How many placements an App has behind a switch, in a rack or on a host. */
  count(app: string, level: SpreadLevel, domain: string): number;
}

/** All that is reserved, with the sums that `decide` asks for kept up to date. One is kept by each writer of reservations. */
export interface Book extends ReservationState, Ledger {
  /** Takes over what a commit changed. The cost grows with the deltas only. */
  apply(deltas: readonly Delta[]): void;
}

const NOBODY: readonly string[] = [];

/** What a book writes to: a Map, or a layer over one. */
interface Table<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): unknown;
  delete(key: string): unknown;
}

interface Tables {
  readonly hosts: Table<HostRecord>;
  readonly placements: Table<Placement>;
  readonly addresses: Table<AddressRecord>;
  readonly used: Table<Demand>;
  /** The App of each placement on a host: a Map for each host would take three times as much. */
  readonly residents: Table<readonly string[]>;
  /** Those of a host to write to, empty where there are none yet. */
  readonly residentsIn: (host: string) => string[];
  readonly counts: Counts;
}

/** The levels of which the placements of each App are counted; those on a host are its residents. */
type Counted = Exclude<SpreadLevel, 'host'>;

/** How many placements Apps have behind switches and in racks: what a base says, and what was added since. */
interface Counts {
  of(app: string, level: Counted, domain: string): number;
  add(app: string, level: Counted, domain: string, step: number): void;
}

/** Counts of nothing, or over those of a base, which they leave as they are. */
function countsOver(base: Counts['of'] = () => 0): Counts {
  // by App last: its name is one string of many, a key made of all three would be one for each pair
  const added = { switch: new Map<string, Map<string, number>>(), rack: new Map<string, Map<string, number>>() };
  return {
    of: (app, level, domain) => base(app, level, domain) + (added[level].get(domain)?.get(app) ?? 0),
    add: (app, level, domain, step) => {
      const apps = added[level].get(domain) ?? new Map<string, number>();
      const next = (apps.get(app) ?? 0) + step;
      if (next === 0) apps.delete(app);
      else added[level].set(domain, apps.set(app, next));
    },
  };
}

function put<V>(table: Table<V>, key: string, value: V | undefined): void {
  if (value === undefined) table.delete(key);
  else table.set(key, value);
}

/** Adds `step` placements of an App to the counters of the domains that the host is in. */
function addDomains({ counts }: Tables, record: HostRecord | undefined, app: string, step: number): void {
  if (!record) return;
  counts.add(app, 'switch', record.switch, step);
  counts.add(app, 'rack', record.rack, step);
}

function addPlacement(tables: Tables, placement: Placement, sign: 1 | -1): void {
  const { host, app, demand } = placement;
  const used = tables.used.get(host) ?? NOTHING;
  tables.used.set(host, plus(used, demand, sign));
  const residents = tables.residentsIn(host);
  if (sign === 1) residents.push(app);
  else residents.splice(residents.indexOf(app), 1);
  if (residents.length === 0) {
    tables.residents.delete(host);
    tables.used.delete(host);
  }
  addDomains(tables, tables.hosts.get(host), app, sign);
}

function applyHost(tables: Tables, host: string, record: HostRecord | undefined): void {
  const before = tables.hosts.get(host);
  const moved = before?.rack !== record?.rack || before?.switch !== record?.switch;
  if (moved)
    for (const app of tables.residents.get(host) ?? NOBODY) {
      addDomains(tables, before, app, -1);
      addDomains(tables, record, app, 1);
    }
  put(tables.hosts, host, record);
}

function applyDelta(tables: Tables, delta: Delta): void {
  if (delta.type === 'host') {
    applyHost(tables, delta.host, delta.record);
  } else if (delta.type === 'address') {
    put(tables.addresses, delta.key, delta.record && sharing(tables, delta.record));
  } else {
    const before = tables.placements.get(delta.replica);
    if (before) addPlacement(tables, before, -1);
    if (delta.placement) addPlacement(tables, delta.placement, 1);
    put(tables.placements, delta.replica, delta.placement);
  }
}

/** A record that names its replica by the string that the placement has, which was written before. */
function sharing({ placements }: Tables, record: AddressRecord): AddressRecord {
  const home = 'replica' in record ? placements.get(record.replica) : undefined;
  return home ? { replica: home.replica } : record;
}

/** How often each stands in a list, and the list of what stands so often in one. */
function counted(apps: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const app of apps) counts.set(app, (counts.get(app) ?? 0) + 1);
  return counts;
}

function listed(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].flatMap(([app, count]) => Array.from({ length: count }, () => app));
}

function timesIn(apps: readonly string[], app: string): number {
  let times = 0;
  for (const one of apps) if (one === app) times += 1;
  return times;
}

function ledger(tables: Tables): Ledger & Pick<Book, 'apply'> {
  return {
    host: (name) => tables.hosts.get(name),
    placement: (replica) => tables.placements.get(replica),
    address: (key) => tables.addresses.get(key),
    used: (host) => tables.used.get(host) ?? NOTHING,
    residents: (host) => counted(tables.residents.get(host) ?? NOBODY),
    count: (app, level, domain) =>
      level === 'host' ? timesIn(tables.residents.get(domain) ?? NOBODY, app) : tables.counts.of(app, level, domain),
    apply: (deltas) => {
      for (const delta of deltas) applyDelta(tables, delta);
    },
  };
}

/** Addresses whose replicas go by the strings of the placements. Apart from what is kept, for which it would keep the whole state. */
function addressesOf(state: ReservationState | undefined): AddressTable {
  if (!state) return new AddressTable();
  return AddressTable.of(state.addresses, (replica) => state.placements.get(replica)?.replica ?? replica);
}

/** A book of its own, holding what the given state holds. Its maps are live: they show later deltas. Others may have their turn after each placement. */
export function* booking(initial?: ReservationState): Generator<undefined, Book> {
  const hosts = new Map<string, HostRecord>();
  const placements = new Map<string, Placement>();
  const residents = new Map<string, string[]>();
  const residentsIn = (host: string): string[] => {
    const there = residents.get(host) ?? [];
    residents.set(host, there);
    return there;
  };
  const addresses = addressesOf(initial);
  const tables = { hosts, placements, addresses, used: new Map(), residents, residentsIn, counts: countsOver() };
  for (const [host, record] of initial?.hosts ?? []) applyDelta(tables, { type: 'host', host, record });
  for (const [replica, placement] of initial?.placements ?? []) {
    applyDelta(tables, { type: 'placement', replica, placement });
    yield;
  }
  return { hosts, placements, addresses, ...ledger(tables) };
}

/** The same at once. */
export function createBook(initial?: ReservationState): Book {
  return ended(booking(initial));
}

function layer<V>(read: (key: string) => V | undefined): Table<V> {
  const changed = new Map<string, V | undefined>();
  return {
    get: (key) => (changed.has(key) ? changed.get(key) : read(key)),
    set: (key, value) => changed.set(key, value),
    delete: (key) => changed.set(key, undefined),
  };
}

/** A map over another: what is written stays in the layer. What is changed comes last in its order. */
function layered<V>(base: ReadonlyMap<string, V>): ReadonlyMap<string, V> & Table<V> {
  const changed = new Map<string, V | undefined>();
  let size = base.size;
  const has = (key: string): boolean => (changed.has(key) ? changed.get(key) !== undefined : base.has(key));
  const write = (key: string, value: V | undefined): void => {
    size += (value === undefined ? 0 : 1) - (has(key) ? 1 : 0);
    changed.set(key, value);
  };
  function* each<T>(pick: (key: string, value: V) => T): Generator<T, undefined> {
    for (const [key, value] of base) if (!changed.has(key)) yield pick(key, value);
    for (const [key, value] of changed) if (value !== undefined) yield pick(key, value);
    return undefined;
  }
  const entries = (): Generator<[string, V], undefined> => each((key, value) => [key, value]);
  return {
    get size() {
      return size;
    },
    has,
    get: (key) => (changed.has(key) ? changed.get(key) : base.get(key)),
    set: write,
    delete: (key) => {
      write(key, undefined);
    },
    entries,
    keys: () => each((key) => key),
    values: () => each((_key, value) => value),
    forEach(call) {
      for (const [key, value] of entries()) call(value, key, this);
    },
    [Symbol.iterator]: entries,
  };
}

/** Residents over those of a book, which are copied when they are first written to. */
function draftResidents(book: Book): Pick<Tables, 'residents' | 'residentsIn'> {
  const residents = layer<readonly string[]>((host) => listed(book.residents(host)));
  const copies = new Map<string, string[]>();
  const residentsIn = (host: string): string[] => {
    const copy = copies.get(host) ?? listed(book.residents(host));
    copies.set(host, copy);
    residents.set(host, copy);
    return copy;
  };
  return { residents, residentsIn };
}

/** A draft over a book: deltas applied to it are seen in it and leave the book as it is. It costs nothing to begin. */
export function draftOf(book: Book): Book {
  const hosts = layered(book.hosts);
  const placements = layered(book.placements);
  const addresses = layered(book.addresses);
  const tables: Tables = {
    hosts,
    placements,
    addresses,
    used: layer((key) => book.used(key)),
    ...draftResidents(book),
    counts: countsOver((app, level, domain) => book.count(app, level, domain)),
  };
  return { hosts, placements, addresses, ...ledger(tables) };
}
