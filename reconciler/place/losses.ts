import type { Placement } from '../model/replica.ts';
import { SPREAD_LEVELS } from '../model/topology.ts';
import type { SpreadLevel } from '../model/topology.ts';
import { createAbsorbing } from './absorb.ts';
import type { HostView } from './hosts.ts';
import { byReplica } from './order.ts';
import { suppose } from './trial.ts';
import type { Trial } from './trial.ts';

/** A part of the fleet, a Zone or what a Network reaches: its hosts, and the Apps that count there. */
export interface Part {
  readonly has: (view: HostView) => boolean;
  readonly counts: (app: string) => boolean;
}

/** What is lost with one host, all hosts of a rack or all behind a switch of a part. */
export interface Loss {
  readonly level: SpreadLevel;
  readonly name: string;
  readonly hosts: number;
  /** What it runs of what is wanted and counts. */
  readonly replicas: number;
  /** Those of them that find no other home. */
  readonly homeless: readonly string[];
  /** Of so many, so many were tried: those that hold most. One that could cost no more counts as tried. */
  readonly tried: number;
  readonly of: number;
}

/** Most dry runs for a level, and most replicas placed in them: beyond, only the domains that hold most are tried. */
const MOST_TRIES = 100;
const MOST_REPLICAS = 20_000;

interface Domain {
  readonly name: string;
  readonly hosts: Set<string>;
  /** All that looks for a home when it is lost, by App and ordinal. */
  readonly replicas: Placement[];
  /** How many of them count. */
  count: number;
}

/** What all parts are asked by. */
interface Asked {
  readonly hosts: readonly HostView[];
  /** What is there of Apps that Git has, by host. */
  readonly placed: ReadonlyMap<string, readonly Placement[]>;
  /** Whether all that is lost with a domain surely finds another home. */
  readonly absorbed: (domain: Domain) => boolean;
  /** Those who find no other home, by a dry run. */
  readonly homeless: (domain: Domain) => readonly Placement[];
}

/** A part's hosts, racks or switches, with what they run of Apps that Git has; those that hold most of what counts come first. */
function domainsOf({ hosts, placed }: Asked, { has, counts }: Part, level: SpreadLevel): readonly Domain[] {
  const domains = new Map<string, Domain>();
  for (const view of hosts) {
    if (!has(view)) continue;
    const { record } = view;
    const name = record[level];
    const domain = domains.get(name) ?? { name, hosts: new Set(), replicas: [], count: 0 };
    domains.set(name, domain);
    domain.hosts.add(record.host);
    for (const placement of placed.get(record.host) ?? []) {
      domain.replicas.push(placement);
      if (counts(placement.app)) domain.count += 1;
    }
  }
  return [...domains.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

function placedOn({ catalog, snapshot }: Trial['input']): Asked['placed'] {
  const placed = new Map<string, Placement[]>();
  for (const placement of snapshot.placements.values()) {
    if (!catalog.apps.has(placement.app)) continue;
    const there = placed.get(placement.host);
    if (there) there.push(placement);
    else placed.set(placement.host, [placement]);
  }
  return placed;
}

/** What hosts of whatever part were asked about once is not asked again. */
function onceByHosts<T>(ask: (domain: Domain) => T): (domain: Domain) => T {
  const known = new Map<string, T>();
  return (domain) => {
    const key = [...domain.hosts].join(' ');
    const found = known.get(key) ?? ask(domain);
    known.set(key, found);
    return found;
  };
}

function dryRun(at: Trial): Asked['homeless'] {
  return ({ hosts, replicas: unordered }) => {
    const wanted = new Map<string, string[]>();
    const replicas = unordered.toSorted(byReplica);
    for (const { app, replica } of replicas) wanted.set(app, [...(wanted.get(app) ?? []), replica]);
    return suppose(at, { lost: hosts, wanted }, ({ run }) =>
      replicas.filter(({ replica }) => !run.book.placements.has(replica)),
    );
  };
}

function worst(asked: Asked, part: Part, level: SpreadLevel): Loss | undefined {
  const domains = domainsOf(asked, part, level);
  let found: Omit<Loss, 'tried' | 'of'> | undefined;
  let tried = 0;
  let runs = 0;
  let placed = 0;
  for (const domain of domains) {
    // it cannot cost more than it holds
    if (found && domain.count <= found.homeless.length) {
      tried = domains.length;
      break;
    }
    const costs = !asked.absorbed(domain);
    if (costs && (runs >= MOST_TRIES || placed >= MOST_REPLICAS)) break;
    const homeless = costs ? asked.homeless(domain) : [];
    const lost = homeless.flatMap(({ replica, app }) => (part.counts(app) ? [replica] : []));
    tried += 1;
    runs += costs ? 1 : 0;
    placed += costs ? domain.replicas.length : 0;
    if (found && lost.length <= found.homeless.length) continue;
    const { name, hosts, count } = domain;
    found = { level, name, hosts: hosts.size, replicas: count, homeless: lost };
  }
  return found && { ...found, tried, of: domains.length };
}

/** The host, the rack and the switch of a part whose loss leaves most replicas without a home, each by a dry run without it. */
function losses(asked: Asked, part: Part): readonly Loss[] {
  return [...SPREAD_LEVELS].reverse().flatMap((level) => worst(asked, part, level) ?? []);
}

/** The same for several parts, those with the same hosts and Apps once; and no loss of the same hosts is tried twice. */
export function lossesOnce(at: Trial): (part: Part) => readonly Loss[] {
  const known = new Map<string, readonly Loss[]>();
  const { hosts: views } = at.input;
  const placed = placedOn(at.input);
  const absorbed = onceByHosts(createAbsorbing(at.run));
  const asked: Asked = { hosts: views, placed, absorbed, homeless: onceByHosts(dryRun(at)) };
  return (part) => {
    const hosts = views.filter(part.has).map(({ record }) => record.host);
    const key = JSON.stringify([hosts, [...at.input.catalog.apps.keys()].filter(part.counts)]);
    const found = known.get(key) ?? losses(asked, part);
    known.set(key, found);
    return found;
  };
}
