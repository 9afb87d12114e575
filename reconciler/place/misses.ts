import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { nodeIn } from '../model/demand.ts';
import type { Dimension } from '../model/demand.ts';
import type { SpreadLevel } from '../model/topology.ts';
import { SPREAD_LEVELS } from '../model/topology.ts';
import { formatBytes, formatCpu } from '../model/units.ts';
import { counted } from '../model/words.ts';
import { ruleAgainst, ruleText } from './affinity.ts';
import type { Candidates, NearlyFilter } from './filters.ts';
import { asksAt } from './group.ts';
import type { Group } from './group.ts';
import { hostName } from './table.ts';
import type { HostTable } from './table.ts';

/** An amount of a resource as a person reads it. */
export function amountText(key: Dimension, value: number): string {
  switch (key) {
    case 'memory':
    case 'disk':
      return `${formatBytes(value)} of ${key}`;
    case 'cpu':
      return `${formatCpu(value)} CPU`;
    case 'spindles':
      return `${formatCpu(value)} spindles`;
    case 'pids':
      return `${String(value)} processes`;
    default:
      return `${counted(value, 'core')} of NUMA node ${String(nodeIn(key))}`;
  }
}

/** What a host lacks for one more replica, as parts of what the replica asks for; 0 when it has the room. */
function shortfall(table: HostTable, group: Group, row: number): number {
  let sum = 0;
  for (const { free, amount } of asksAt(table, group, row)) sum += Math.max(0, amount - (free[row] ?? 0)) / amount;
  return sum;
}

/** How many replicas of the App are in the same switch, rack or host as a row. */
function there(table: HostTable, group: Group, level: SpreadLevel, row: number): number {
  if (level === 'host') return group.onHost[row] ?? 0;
  return (level === 'rack' ? group.inRack[table.rackOf[row] ?? 0] : group.onSwitch[table.switchOf[row] ?? 0]) ?? 0;
}

const isReached = (table: HostTable, group: Group, level: SpreadLevel, row: number): boolean =>
  there(table, group, level, row) >= group.limits[level];

/** Why a candidate does not take a replica: how many things would have to be otherwise, and how much room it lacks. */
interface Miss {
  readonly row: number;
  readonly barred: boolean;
  readonly causes: number;
  readonly lack: number;
}

function missOf(table: HostTable, group: Group, limited: readonly SpreadLevel[], row: number): Miss {
  const lack = shortfall(table, group, row);
  let causes = lack > 0 ? 1 : 0;
  for (const level of limited) if (isReached(table, group, level, row)) causes += 1;
  return { row, barred: (group.around?.barredBy[row] ?? 0) !== 0, causes, lack };
}

/** Negative when the first is the nearer: no rule stands in the way, then the fewest things, then the least room. */
const compare = (a: Miss, b: Miss): number =>
  Number(a.barred) - Number(b.barred) || a.causes - b.causes || a.lack - b.lack;

function lackText(table: HostTable, group: Group, row: number): string {
  return asksAt(table, group, row)
    .map(({ key, free, amount }) => ({ key, amount, missing: amount - (free[row] ?? 0) }))
    .filter(({ missing }) => missing > 0)
    .map(({ key, amount, missing }) => `${amountText(key, missing)} (wants ${amountText(key, amount)})`)
    .join(' and ');
}

/** What would have to be otherwise for the nearest candidate to take a replica. */
function textOf(table: HostTable, group: Group, app: string, { row, lack }: Miss): string | undefined {
  const name = hostName(table, row);
  const rule = ruleAgainst(group.around, row);
  if (rule) return `${name} is out: App ${app} must ${rule.apart ? 'not ' : ''}be ${ruleText(rule)}`;
  const reached = SPREAD_LEVELS.filter((level) => isReached(table, group, level, row));
  const limits = reached.map((level) => `spread.${level}`).join(' and ');
  const [widest] = reached;
  if (lack === 0) return widest && `${name} has the room: raise ${limits} or add hosts in another ${widest}`;
  const lacks = `${name} comes nearest and lacks ${lackText(table, group, row)}`;
  if (widest) return `${lacks}, and ${limits} is reached there too: add hosts in another ${widest}, or ask for less`;
  return `${lacks}: free or add as much, or ask for less`;
}

/** Why a host is not to be used that could be; nothing where nobody could help it. */
function reasonOf(catalog: Catalog, host: string, app: AppSpec, filter: NearlyFilter): string | undefined {
  const spec = catalog.hosts.get(host)?.spec;
  const labels = Object.entries(app.hosts.matchLabels).map(([key, value]) => `${key}=${value}`);
  switch (filter) {
    case 'closed':
      if (spec?.drain) return 'is drained';
      return spec?.schedulable === false ? 'is not schedulable' : undefined;
    case 'labels':
      return `is not labelled ${labels.join(', ')}`;
    case 'network':
      return `is not in Network ${app.network}`;
  }
}

/** A host that would take a replica but for one thing that Git says of it. */
function nearlyText(
  catalog: Catalog,
  table: HostTable,
  group: Group,
  app: AppSpec,
  { nearly }: Candidates,
): string | undefined {
  // what rules make of such hosts nobody has looked at
  if (group.around?.rules.some(({ required }) => required) === true) return undefined;
  for (const { row, filter } of nearly) {
    if (shortfall(table, group, row) > 0 || SPREAD_LEVELS.some((level) => isReached(table, group, level, row)))
      continue;
    const host = hostName(table, row);
    const why = reasonOf(catalog, host, app, filter);
    if (why !== undefined) return `${host} has the room, but ${why}`;
  }
  return undefined;
}

/** The host that comes nearest to taking a replica and what would make room; and one that has it and is not to be used. Nothing where no host is near. */
export function nearestMiss(
  catalog: Catalog,
  table: HostTable,
  group: Group,
  { name, spec }: Resource<AppSpec>,
  candidates: Candidates,
): string | undefined {
  const limited = SPREAD_LEVELS.filter((level) => group.limits[level] < Infinity);
  let nearest: Miss | undefined;
  for (const row of group.rows) {
    const miss = missOf(table, group, limited, row);
    if (!nearest || compare(miss, nearest) < 0) nearest = miss;
  }
  const texts = [nearest && textOf(table, group, name, nearest), nearlyText(catalog, table, group, spec, candidates)];
  const said = texts.filter((text) => text !== undefined);
  return said.length === 0 ? undefined : said.join('. ');
}
