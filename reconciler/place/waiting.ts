import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { Placement } from '../model/replica.ts';
import { changedApps, changedHosts, mattersThere, sameViews } from './concerns.ts';
import type { Candidates } from './filters.ts';
import { sameRules } from './ground.ts';
import type { Watch } from './ground.ts';
import type { HostView } from './hosts.ts';
import type { Found } from './misses.ts';
import type { Why } from './reasons.ts';
import { createTouched } from './touched.ts';

type App = Resource<AppSpec>;

/** A Network that had no address left, which it stays while nothing of it is changed and before `until`, milliseconds since 1970. */
export interface Dry {
  readonly network: string;
  readonly until: number;
}

interface Known {
  /** The App, or those of its gang, as Git said then. */
  readonly apps: readonly App[];
  /** What it needs addresses of and found none. */
  readonly dry?: readonly Dry[];
}

/** No host has the room: those have to be looked at again of which anything has changed. */
export interface Roomless extends Known {
  readonly lacks: 'room';
  readonly candidates: Candidates;
  /** By what the words are made anew. Absent where too much is remembered already: they are then made in turns. */
  readonly found?: Found;
  readonly why: Why;
}

/** A host has the room, and its Network no address. */
export interface Unaddressed extends Known {
  readonly lacks: 'address';
  readonly host: string;
  readonly why: Why;
}

/** Where other Apps are counts as well: whatever changes on a host may help. */
export interface Apart extends Known {
  readonly lacks: 'company';
  readonly why: Why;
}

/** The same of a gang; what is said of each replica that found nothing. */
export interface Gang extends Known {
  readonly lacks: 'gang';
  readonly failed: readonly (Why & { readonly replica: string; readonly app: string })[];
}

/** An App, or a gang, that found no place, nor anybody who could make room for it. */
export type Waiter = Roomless | Unaddressed | Apart | Gang;

/** What a run begins with. */
export interface Beginning {
  readonly catalog: Catalog;
  readonly hosts: readonly HostView[];
  /** Replicas that nobody wants any more, of which something still runs. */
  readonly leaving: readonly Placement[];
  readonly placed: (app: string) => Iterable<Placement>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Remembers from one run to the next which Apps found no place, and of which hosts anything has changed since: only these have to be looked at again to know
 * that there is none still. Forgets an App of which something is placed or moved, and all of them when something changes that may help any.
 */
export interface Waiting extends Watch {
  /** To be told of each run before the first App has its turn. */
  begin(now: Beginning): void;
  /**
   * Who waits still, at the turn of these Apps; undefined where all is to be looked at. `look` is asked where something has changed, with the hosts of
   * which anything has: what is to be remembered from then on, or undefined where a place may be found.
   */
  still(
    apps: readonly App[],
    look: (waiter: Waiter, fresh: ReadonlySet<string>) => Waiter | undefined,
  ): Waiter | undefined;
  /** To be remembered as things stand now, after a look at all. */
  keep(waiter: Waiter): void;
  forget(): void;
}

/** How much is remembered, and how many are looked at in full in a run of those that would have to be whenever anything changes. */
export interface Limits {
  /** Hosts, each counted once for each App, of which it is remembered what keeps them from taking a replica: some 10 bytes each. */
  readonly rows?: number;
  readonly turns?: number;
}

interface Entry {
  readonly waiter: Waiter;
  /** How far in the log it knows. */
  readonly known: number;
  /** How often its Networks had changed by then. */
  readonly heard: readonly number[];
  /** What is said of it was made before something changed. */
  readonly old: boolean;
}

const ROWS = 1_200_000;
const TURNS = 20;

const keyOf = (apps: readonly App[]): string => apps.map(({ name }) => name).join(' ');

const sameApps = (a: readonly App[], b: readonly App[]): boolean =>
  a.length === b.length && a.every(({ spec }, at) => spec === b[at]?.spec);

/** Whether what is said of it can be made anew only by a look at all. */
const inFull = (waiter: Waiter): boolean =>
  waiter.lacks === 'company' || waiter.lacks === 'gang' || (waiter.lacks === 'room' && !waiter.found);

const rowsOf = (waiter: Waiter): number =>
  waiter.lacks === 'room' && waiter.found ? waiter.candidates.rows.length : 0;

/** Remembers nobody yet. */
export function createWaiting({ rows: most = ROWS, turns = TURNS }: Limits = {}): Waiting {
  /** By the names of their Apps; those that were looked at in full first come first. */
  const entries = new Map<string, Entry>();
  /** App → the key of what is remembered of it. */
  const keys = new Map<string, string>();
  const candidates = new Map<string, Candidates>();
  const log = createTouched();
  /** Network → how often an address of it was given, given back or asked for. */
  const changes = new Map<string, number>();
  /** What has changed since the last run began: it may not have seen that yet, and the next may know nothing of what was only proposed. */
  const since = { hosts: new Set<string>(), apps: new Set<string>(), networks: new Set<string>(), all: false };
  let last: Pick<Beginning, 'catalog' | 'hosts'> | undefined;
  let now = 0;
  let rows = 0;
  /** Whose turn it is in this run to be looked at in full, and how many more may be. */
  let due: ReadonlySet<string> = new Set();
  let spare = 0;

  function forget(): void {
    entries.clear();
    keys.clear();
    candidates.clear();
    rows = 0;
    log.trim(log.end);
  }

  function drop(app: string): void {
    const key = keys.get(app);
    const entry = key === undefined ? undefined : entries.get(key);
    if (key === undefined || !entry) return;
    entries.delete(key);
    rows -= rowsOf(entry.waiter);
    for (const { name } of entry.waiter.apps) keys.delete(name);
  }

  function touch(host: string): void {
    if (entries.size > 0 && !log.add(host)) forget();
  }

  function spend(network: string): void {
    changes.set(network, (changes.get(network) ?? 0) + 1);
  }

  /** What Git says, and what hosts are, may matter to all, or on some hosts. */
  function compare({ catalog, hosts, placed }: Beginning): void {
    const before = last?.catalog;
    const same = last && sameViews(last.hosts, hosts) && sameRules(last.catalog, catalog);
    const changed = same && before ? changedApps(before.apps, catalog.apps) : undefined;
    last = { catalog, hosts };
    if (!changed || !before) return forget();
    for (const app of changed) {
      const [was, is] = [before.apps.get(app), catalog.apps.get(app)];
      drop(app);
      for (const one of [was, is]) if (one) spend(one.spec.network);
      if (mattersThere(was, is)) for (const { host } of placed(app)) touch(host);
    }
    for (const host of changedHosts(before.hosts, catalog.hosts)) touch(host);
  }

  const isOld = ({ known, old }: Entry): boolean => old || known < log.end;

  /** Deals the turns, to those first that have waited longest. */
  function deal(): void {
    const some = new Set<string>();
    let least = log.end;
    for (const [key, entry] of entries) {
      least = Math.min(least, entry.known);
      if (some.size < turns && inFull(entry.waiter) && isOld(entry)) some.add(key);
    }
    log.trim(least);
    due = some;
    spare = turns - some.size;
  }

  const heardOf = ({ dry = [] }: Waiter): readonly number[] => dry.map(({ network }) => changes.get(network) ?? 0);

  /** Whether there may be an address by now. */
  function mayBeWet({ waiter, heard }: Entry): boolean {
    return (waiter.dry ?? []).some(
      ({ network, until }, at) => until <= now || (changes.get(network) ?? 0) !== heard[at],
    );
  }

  function hasTurn(key: string): boolean {
    if (due.has(key)) return true;
    spare -= 1;
    return spare >= 0;
  }

  function put(key: string, waiter: Waiter, old: boolean): Waiter {
    entries.set(key, { waiter, known: log.end, heard: heardOf(waiter), old });
    return waiter;
  }

  /** One that has to be looked at again where anything has changed, which `look` does at those hosts. */
  function again(key: string, entry: Entry, look: Parameters<Waiting['still']>[1]): Waiter | undefined {
    const { waiter } = entry;
    const fresh = log.since(entry.known);
    if (waiter.lacks === 'company' || waiter.lacks === 'gang') return waiter; // its turn has not come
    const wet = mayBeWet(entry);
    if (fresh.size === 0 && !wet) return waiter;
    const isThere = waiter.lacks === 'address' && !wet && !fresh.has(waiter.host);
    const next = isThere ? waiter : look(waiter, fresh);
    return next && put(key, next, isOld(entry) && inFull(next));
  }

  return {
    changed: (delta, before) => {
      if (delta.type === 'host') {
        since.all = true;
        forget();
      } else if (delta.type === 'address') {
        const network = delta.key.slice(0, delta.key.indexOf('/'));
        since.networks.add(network);
        spend(network);
      } else
        for (const { app, host } of [before, delta.placement].filter((one) => one !== undefined)) {
          drop(app);
          since.apps.add(app);
          since.hosts.add(host);
          touch(host);
        }
    },
    promised: (host) => {
      since.hosts.add(host);
      touch(host);
    },
    begin: (beginning) => {
      ({ now } = beginning);
      if (since.all) forget();
      for (const app of since.apps) drop(app);
      for (const host of since.hosts) touch(host);
      for (const network of since.networks) spend(network);
      since.all = false;
      for (const set of [since.apps, since.hosts, since.networks]) set.clear();
      compare(beginning);
      // they will be gone, though nothing is committed yet
      for (const { host } of beginning.leaving) touch(host);
      deal();
    },
    still: (apps, look) => {
      const key = keyOf(apps);
      const entry = entries.get(key);
      if (!entry) return undefined;
      const { waiter } = entry;
      const isOver = waiter.lacks !== 'address' && mayBeWet(entry);
      const next =
        isOver || !sameApps(waiter.apps, apps) || (inFull(waiter) && isOld(entry) && hasTurn(key))
          ? undefined
          : again(key, entry, look);
      if (!next) for (const { name } of apps) drop(name);
      return next;
    },
    keep: (waiter) => {
      for (const { name } of waiter.apps) drop(name);
      const key = keyOf(waiter.apps);
      for (const { name } of waiter.apps) keys.set(name, key);
      if (waiter.lacks !== 'room') return void put(key, waiter, false);
      const { found, ...rest } = waiter;
      const shared = candidates.get(waiter.candidates.key) ?? waiter.candidates;
      candidates.set(shared.key, shared);
      const fits = found && rows + shared.rows.length <= most;
      if (fits) rows += shared.rows.length;
      put(key, { ...rest, candidates: shared, ...(fits ? { found } : {}) }, false);
    },
    forget,
  };
}
