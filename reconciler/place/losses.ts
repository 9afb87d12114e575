import type { Placement } from '../model/replica.ts';
import { SPREAD_LEVELS } from '../model/topology.ts';
import type { SpreadLevel } from '../model/topology.ts';
import { byReplica } from './survey.ts';
import { suppose } from './trial.ts';
import type { Trial } from './trial.ts';

/** What is lost with one host, all hosts of a rack or all behind a switch of a zone. */
export interface Loss {
  readonly level: SpreadLevel;
  readonly name: string;
  readonly hosts: number;
  /** What it runs of what is wanted. */
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
  /** By App and ordinal. */
  readonly replicas: Placement[];
}

/** The parts of a zone at a level, with what they run of Apps that Git has; those that hold most come first. */
function domainsOf({ input }: Trial, zone: string, level: SpreadLevel): readonly Domain[] {
  const { catalog, snapshot, hosts } = input;
  const domains = new Map<string, Domain>();
  const of = new Map<string, Domain>();
  for (const { record } of hosts) {
    if (record.zone !== zone) continue;
    const name = record[level];
    const domain = domains.get(name) ?? { name, hosts: new Set(), replicas: [] };
    domains.set(name, domain);
    of.set(record.host, domain);
    domain.hosts.add(record.host);
  }
  for (const placement of [...snapshot.placements.values()].sort(byReplica))
    if (catalog.apps.has(placement.app)) of.get(placement.host)?.replicas.push(placement);
  return [...domains.values()].sort((a, b) => b.replicas.length - a.replicas.length || (a.name < b.name ? -1 : 1));
}

function homeless(at: Trial, { hosts, replicas }: Domain): readonly string[] {
  const wanted = new Map<string, string[]>();
  for (const { app, replica } of replicas) wanted.set(app, [...(wanted.get(app) ?? []), replica]);
  return suppose(at, { lost: hosts, wanted }, ({ run }) =>
    replicas.map(({ replica }) => replica).filter((replica) => !run.book.placements.has(replica)),
  );
}

function worst(at: Trial, zone: string, level: SpreadLevel): Loss | undefined {
  const domains = domainsOf(at, zone, level);
  let found: Omit<Loss, 'tried' | 'of'> | undefined;
  let tried = 0;
  let placed = 0;
  for (const domain of domains) {
    // it cannot cost more than it holds
    if (found && domain.replicas.length <= found.homeless.length) tried = domains.length;
    if (tried >= Math.min(MOST_TRIES, domains.length) || placed >= MOST_REPLICAS) break;
    const lost = homeless(at, domain);
    tried += 1;
    placed += domain.replicas.length;
    if (found && lost.length <= found.homeless.length) continue;
    const { name, hosts, replicas } = domain;
    found = { level, name, hosts: hosts.size, replicas: replicas.length, homeless: lost };
  }
  return found && { ...found, tried, of: domains.length };
}

/** The host, the rack and the switch of a zone whose loss leaves most replicas without a home, each by a dry run without it. */
export function losses(at: Trial, zone: string): readonly Loss[] {
  return [...SPREAD_LEVELS].reverse().flatMap((level) => worst(at, zone, level) ?? []);
}
