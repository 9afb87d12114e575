import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { Placement } from '../model/replica.ts';
import type { Candidates } from './filters.ts';
import { sameRules } from './ground.ts';
import type { Watch } from './ground.ts';
import type { Tested } from './group.ts';
import type { HostView } from './hosts.ts';
import type { Misses } from './misses.ts';
import type { Why } from './reasons.ts';

/** An App that found no room, nor anybody who could make some, and what keeps each host from taking a replica of it. */
export interface Waiter {
  readonly spec: AppSpec;
  readonly group: Tested;
  readonly candidates: Candidates;
  readonly misses: Misses;
  readonly nearly: number;
  readonly why: Why;
}

/** What a run begins with. */
export interface Beginning {
  readonly catalog: Catalog;
  readonly hosts: readonly HostView[];
  /** Replicas that nobody wants any more, of which something still runs. */
  readonly leaving: readonly Placement[];
  readonly placed: (app: string) => Iterable<Placement>;
}

/**
 * Remembers from one run to the next which Apps found no room, and of which hosts anything has changed since: only these have to be looked at again to know
 * that there is none still. Forgets an App of which something is placed or moved, and all of them when something changes that may help any.
 */
export interface Waiting extends Watch {
  /** To be told of each run before the first App has its turn. */
  begin(now: Beginning): void;
  /** An App that is remembered, which is so no more, and the hosts to look at. Undefined where all are to be looked at. */
  take(app: Resource<AppSpec>): { readonly waiter: Waiter; readonly fresh: ReadonlySet<string> } | undefined;
  /** To be remembered as things stand now. */
  keep(app: string, waiter: Waiter): void;
  forget(): void;
}

/** Apps that are remembered: each takes about 100 kB for 6,000 hosts. */
const MOST = 200;
/** Changes of hosts that are remembered: beyond, it costs no less to look at all. */
const LOG = 20_000;

/** Whether what an App says may matter to others, beyond the room that it takes. */
function concerns(before: Resource<AppSpec> | undefined, now: Resource<AppSpec> | undefined): boolean {
  const company = (app: Resource<AppSpec> | undefined): number =>
    (app?.spec.affinity?.length ?? 0) + (app?.spec.antiAffinity?.length ?? 0);
  const relevelled = before !== undefined && now !== undefined && before.spec.level !== now.spec.level;
  return relevelled || company(before) + company(now) > 0;
}

/** The Apps of which two catalogs say something else; undefined where that may matter to any other. */
function changedApps(before: Catalog['apps'], now: Catalog['apps']): ReadonlySet<string> | undefined {
  const changed = new Set<string>();
  if (before === now) return changed;
  for (const name of new Set([...before.keys(), ...now.keys()])) {
    const [was, is] = [before.get(name), now.get(name)];
    if (was === is) continue;
    if (concerns(was, is)) return undefined;
    changed.add(name);
  }
  return changed;
}

const sameViews = (a: readonly HostView[], b: readonly HostView[]): boolean =>
  a === b || (a.length === b.length && a.every((view, at) => view === b[at]));

/** Remembers nobody yet. */
export function createWaiting(): Waiting {
  const waiters = new Map<string, { readonly waiter: Waiter; readonly known: number }>();
  /** Names of hosts of which something was changed, in order. */
  const log: string[] = [];
  /** What has changed since the last run began: it may not have seen that yet, and the next may know nothing of what was only proposed. */
  const since = { hosts: new Set<string>(), apps: new Set<string>(), all: false };
  let last: Pick<Beginning, 'catalog' | 'hosts'> | undefined;

  function forget(): void {
    waiters.clear();
    log.length = 0;
  }

  function touch(host: string): void {
    if (waiters.size === 0) return;
    if (log.length >= LOG) forget();
    else log.push(host);
  }

  /** What Git says, and what hosts are, may matter to all, or on some hosts. */
  function compare({ catalog, hosts, placed }: Beginning): void {
    const same = last && sameViews(last.hosts, hosts) && sameRules(last.catalog, catalog);
    const changed = same && last ? changedApps(last.catalog.apps, catalog.apps) : undefined;
    last = { catalog, hosts };
    if (!changed) return forget();
    for (const app of changed) {
      waiters.delete(app);
      for (const { host } of placed(app)) touch(host);
    }
  }

  return {
    changed: (delta, before) => {
      if (delta.type === 'host') {
        since.all = true;
        forget();
      }
      if (delta.type !== 'placement') return;
      for (const { app, host } of [before, delta.placement].filter((one) => one !== undefined)) {
        waiters.delete(app);
        since.apps.add(app);
        since.hosts.add(host);
        touch(host);
      }
    },
    promised: (host) => {
      since.hosts.add(host);
      touch(host);
    },
    begin: (now) => {
      if (since.all) forget();
      for (const app of since.apps) waiters.delete(app);
      for (const host of since.hosts) touch(host);
      since.all = false;
      since.apps.clear();
      since.hosts.clear();
      compare(now);
      // they will be gone, though nothing is committed yet
      for (const { host } of now.leaving) touch(host);
      if (waiters.size === 0) log.length = 0;
    },
    take: ({ name, spec }) => {
      const one = waiters.get(name);
      waiters.delete(name);
      return one?.waiter.spec === spec ? { waiter: one.waiter, fresh: new Set(log.slice(one.known)) } : undefined;
    },
    keep: (app, waiter) => {
      if (waiters.size < MOST) waiters.set(app, { waiter, known: log.length });
    },
    forget,
  };
}
