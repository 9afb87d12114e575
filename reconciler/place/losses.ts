import type { Placement } from '../model/replica.ts';
import { SPREAD_LEVELS } from '../model/topology.ts';
import type { SpreadLevel } from '../model/topology.ts';
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

/** A part's hosts, racks or switches, with what they run of Apps that Git has; those that hold most of what counts come first. */
function domainsOf({ input }: Trial, { has, counts }: Part, level: SpreadLevel): readonly Domain[] {
  const { catalog, snapshot, hosts } = input;
  const domains = new Map<string, Domain>();
  const of = new Map<string, Domain>();
  for (const view of hosts) {
    if (!has(view)) continue;
    const { record } = view;
    const name = record[level];
    const domain = domains.get(name) ?? { name, hosts: new Set(), replicas: [], count: 0 };
    domains.set(name, domain);
    of.set(record.host, domain);
    domain.hosts.add(record.host);
  }
  for (const placement of [...snapshot.placements.values()].sort(byReplica)) {
    const domain = catalog.apps.has(placement.app) ? of.get(placement.host) : undefined;
    domain?.replicas.push(placement);
    if (domain && counts(placement.app)) domain.count += 1;
  }
  return [...domains.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

type Runs = (domain: Domain) => readonly Placement[];

/** Those who find no other home when hosts are lost, of whatever part: what hosts were asked about once is not tried again. */
function createRuns(at: Trial): Runs {
  const known = new Map<string, readonly Placement[]>();
  return ({ hosts, replicas }) => {
    const key = JSON.stringify([...hosts]);
    const found = known.get(key);
    if (found) return found;
    const wanted = new Map<string, string[]>();
    for (const { app, replica } of replicas) wanted.set(app, [...(wanted.get(app) ?? []), replica]);
    const lost = suppose(at, { lost: hosts, wanted }, ({ run }) =>
      replicas.filter(({ replica }) => !run.book.placements.has(replica)),
    );
    known.set(key, lost);
    return lost;
  };
}

function worst(at: Trial, part: Part, level: SpreadLevel, runs: Runs): Loss | undefined {
  const domains = domainsOf(at, part, level);
  let found: Omit<Loss, 'tried' | 'of'> | undefined;
  let tried = 0;
  let placed = 0;
  for (const domain of domains) {
    // it cannot cost more than it holds
    if (found && domain.count <= found.homeless.length) tried = domains.length;
    if (tried >= Math.min(MOST_TRIES, domains.length) || placed >= MOST_REPLICAS) break;
    const lost = runs(domain).flatMap(({ replica, app }) => (part.counts(app) ? [replica] : []));
    tried += 1;
    placed += domain.replicas.length;
    if (found && lost.length <= found.homeless.length) continue;
    const { name, hosts, count } = domain;
    found = { level, name, hosts: hosts.size, replicas: count, homeless: lost };
  }
  return found && { ...found, tried, of: domains.length };
}

/** The host, the rack and the switch of a part whose loss leaves most replicas without a home, each by a dry run without it. */
function losses(at: Trial, part: Part, runs: Runs): readonly Loss[] {
  return [...SPREAD_LEVELS].reverse().flatMap((level) => worst(at, part, level, runs) ?? []);
}

/** The same for several parts, those with the same hosts and Apps once; and no loss of the same hosts is tried twice. */
export function lossesOnce(at: Trial): (part: Part) => readonly Loss[] {
  const known = new Map<string, readonly Loss[]>();
  const runs = createRuns(at);
  return (part) => {
    const hosts = at.input.hosts.filter(part.has).map(({ record }) => record.host);
    const key = JSON.stringify([hosts, [...at.input.catalog.apps.keys()].filter(part.counts)]);
    const found = known.get(key) ?? losses(at, part, runs);
    known.set(key, found);
    return found;
  };
}
