import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { amountOf, nodeIn, NOTHING } from '../model/demand.ts';
import type { Dimension } from '../model/demand.ts';
import type { SpreadLevel } from '../model/topology.ts';
import { SPREAD_LEVELS } from '../model/topology.ts';
import { formatBytes, formatCpu } from '../model/units.ts';
import { counted } from '../model/words.ts';
import { ruleAgainst, ruleText } from './affinity.ts';
import { numberOf } from './filters.ts';
import type { Candidates, NearlyFilter } from './filters.ts';
import { asksAt } from './asks.ts';
import { obstacle } from './fit.ts';
import type { Tested } from './fit.ts';
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
      return `${formatCpu(value)} ${value === 1000 ? 'spindle' : 'spindles'}`;
    case 'pids':
      return `${String(value)} ${value === 1 ? 'process' : 'processes'}`;
    default:
      return `${counted(value, 'core')} of NUMA node ${String(nodeIn(key))}`;
  }
}

/** What a host lacks for one more replica, as parts of what the replica asks for; 0 when it has the room. */
function shortfall(table: HostTable, group: Tested, row: number): number {
  let sum = 0;
  for (const { free, amount } of asksAt(table, group, row)) sum += Math.max(0, amount - (free[row] ?? 0)) / amount;
  return sum;
}

/** How many replicas of the App are in the same switch, rack or host as a row. */
function there(table: HostTable, group: Tested, level: SpreadLevel, row: number): number {
  if (level === 'host') return group.onHost[row] ?? 0;
  return (level === 'rack' ? group.inRack[table.rackOf[row] ?? 0] : group.onSwitch[table.switchOf[row] ?? 0]) ?? 0;
}

const isReached = (table: HostTable, group: Tested, level: SpreadLevel, row: number): boolean =>
  there(table, group, level, row) >= group.limits[level];

/** What keeps the candidates of a group from taking a replica, each by its index in the rows of the group. */
export interface Misses {
  /** The number of the first filter that removes it; 0 where none does. */
  readonly filters: Uint8Array;
  /** How many things would have to be otherwise. */
  readonly causes: Uint8Array;
  /** How much room it lacks, in parts of what a replica asks for. */
  readonly lacks: Float64Array;
}

const limitsOf = ({ limits }: Tested): readonly SpreadLevel[] =>
  SPREAD_LEVELS.filter((level) => limits[level] < Infinity);

function note(table: HostTable, group: Tested, limited: readonly SpreadLevel[], misses: Misses, index: number): void {
  const row = group.rows[index] ?? 0;
  const filter = obstacle(table, group, row);
  const lack = shortfall(table, group, row);
  let causes = lack > 0 ? 1 : 0;
  for (const level of limited) if (isReached(table, group, level, row)) causes += 1;
  misses.filters[index] = filter === undefined ? 0 : numberOf(filter);
  misses.causes[index] = causes;
  misses.lacks[index] = lack;
}

/** What keeps them from it as things stand now. */
function missesOf(table: HostTable, group: Tested): Misses {
  const count = group.rows.length;
  const misses = { filters: new Uint8Array(count), causes: new Uint8Array(count), lacks: new Float64Array(count) };
  const limited = limitsOf(group);
  for (let index = 0; index < count; index += 1) note(table, group, limited, misses, index);
  return misses;
}

/** Negative when the first candidate is nearer: no rule stands in the way, then the fewest things, then the least room, then its name. */
function compareMisses({ rows, around }: Tested, { causes, lacks }: Misses, a: number, b: number): number {
  const at = (column: Uint8Array | Float64Array, index: number): number => column[index] ?? 0;
  const barred = (index: number): number => Number((around?.barredBy[rows[index] ?? 0] ?? 0) !== 0);
  return (around ? barred(a) - barred(b) : 0) || at(causes, a) - at(causes, b) || at(lacks, a) - at(lacks, b) || a - b;
}

/** The index of the nearest candidate; −1 without any. */
function nearestOf(group: Tested, misses: Misses): number {
  let best = group.rows.length === 0 ? -1 : 0;
  for (let index = 1; index < group.rows.length; index += 1)
    if (compareMisses(group, misses, index, best) < 0) best = index;
  return best;
}

/** What of one is wanted; of cores also by what they are more than the App asks for. */
function wantsText({ threads }: HostTable, { cores }: Tested, row: number, key: Dimension, amount: number): string {
  const wants = `wants ${amountText(key, amount)}`;
  const isMore = nodeIn(key) !== undefined && amount > cores;
  return isMore ? `${wants}: whole ones of ${String(threads[row])} threads for its ${String(cores)}` : wants;
}

function lackText(table: HostTable, group: Tested, row: number): string {
  return asksAt(table, group, row)
    .map(({ key, free, amount }) => ({ key, amount, missing: amount - (free[row] ?? 0) }))
    .filter(({ missing }) => missing > 0)
    .map(({ key, amount, missing }) => `${amountText(key, missing)} (${wantsText(table, group, row, key, amount)})`)
    .join(' and ');
}

/** Whether a replica would not fit there if nothing else were. */
function isTooSmall(table: HostTable, group: Tested, row: number): boolean {
  const has = table.views[row]?.record.allocatable ?? NOTHING;
  return asksAt(table, group, row).some(({ key, amount }) => amount > amountOf(has, key));
}

/** What would have to be otherwise for the nearest candidate to take a replica. */
function textOf(table: HostTable, group: Tested, app: string, row: number, lack: number): string | undefined {
  const name = hostName(table, row);
  const rule = ruleAgainst(group.around, row);
  if (rule) return `${name} is out: App ${app} must ${rule.apart ? 'not ' : ''}be ${ruleText(rule)}`;
  const reached = SPREAD_LEVELS.filter((level) => isReached(table, group, level, row));
  const limits = reached.map((level) => `spread.${level}`).join(' and ');
  const [widest] = reached;
  const more = widest === 'host' ? 'add hosts' : `add hosts in another ${String(widest)}`;
  if (lack === 0) return widest && `${name} has the room: raise ${limits} or ${more}`;
  const lacks = `${name} comes nearest and lacks ${lackText(table, group, row)}`;
  if (widest) return `${lacks}, and ${limits} is reached there too: ${more}, or ask for less`;
  if (isTooSmall(table, group, row)) return `${lacks}, which is more than it has: add a larger host, or ask for less`;
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

/**
 * Of the hosts that would take a replica but for one thing that Git says of them, the index of the first from `from` on that has the room; their number
 * where none has.
 */
export function nearlyFrom(
  catalog: Catalog,
  table: HostTable,
  group: Tested,
  { spec }: Resource<AppSpec>,
  { nearly }: Candidates,
  from = 0,
): number {
  const limited = limitsOf(group);
  const isOne = ({ row, filter }: (typeof nearly)[number]): boolean =>
    shortfall(table, group, row) === 0 &&
    !limited.some((level) => isReached(table, group, level, row)) &&
    reasonOf(catalog, hostName(table, row), spec, filter) !== undefined;
  for (let index = from; index < nearly.length; index += 1) {
    const one = nearly[index];
    if (one && isOne(one)) return index;
  }
  return nearly.length;
}

function nearlyText(
  catalog: Catalog,
  table: HostTable,
  group: Tested,
  app: AppSpec,
  one: Candidates['nearly'][number] | undefined,
): string | undefined {
  // what rules make of such hosts nobody has looked at
  if (!one || group.around?.rules.some(({ required }) => required) === true) return undefined;
  const host = hostName(table, one.row);
  const why = reasonOf(catalog, host, app, one.filter);
  return why === undefined ? undefined : `${host} has the room, but ${why}`;
}

/** What was found of the hosts of a group. */
export interface Found {
  readonly misses: Misses;
  /** The index of the candidate that comes nearest to taking a replica; −1 without candidates. */
  readonly nearest: number;
  /** Which of those that are no candidates comes next to being one: `nearlyFrom`. */
  readonly nearly: number;
}

/** What is found of them as things stand now. */
export function foundOf(
  catalog: Catalog,
  table: HostTable,
  group: Tested,
  app: Resource<AppSpec>,
  candidates: Candidates,
): Found {
  const misses = missesOf(table, group);
  return { misses, nearest: nearestOf(group, misses), nearly: nearlyFrom(catalog, table, group, app, candidates) };
}

/** Looks at one of the candidates again; gives what is found by then, the same object where nothing else is to be said. */
export function noteMiss(table: HostTable, group: Tested, found: Found, index: number): Found {
  const { misses, nearest } = found;
  const before = misses.filters[index];
  note(table, group, limitsOf(group), misses, index);
  if (index === nearest) return { ...found, nearest: nearestOf(group, misses) };
  if (compareMisses(group, misses, index, nearest) < 0) return { ...found, nearest: index };
  return before === misses.filters[index] ? found : { ...found };
}

/** The host that comes nearest to taking a replica and what would make room; and one that has it and is not to be used. Nothing where no host is near. */
export function nearestMiss(
  catalog: Catalog,
  table: HostTable,
  group: Tested,
  { name, spec }: Resource<AppSpec>,
  candidates: Candidates,
  { misses, nearest, nearly }: Found,
): string | undefined {
  const texts = [
    nearest < 0 ? undefined : textOf(table, group, name, group.rows[nearest] ?? 0, misses.lacks[nearest] ?? 0),
    nearlyText(catalog, table, group, spec, candidates.nearly[nearly]),
  ];
  const said = texts.filter((text) => text !== undefined);
  return said.length === 0 ? undefined : said.join('. ');
}
