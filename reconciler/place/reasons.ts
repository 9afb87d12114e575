import type { Book } from '../model/book.ts';
import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { amountOf, DIMENSIONS, nodeIn, NOTHING } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { formatBytes, formatCpu } from '../model/units.ts';
import { counted } from '../model/words.ts';
import { ruleAgainst, ruleText } from './affinity.ts';
import type { Rule } from './affinity.ts';
import type { PoolCount } from './addresses.ts';
import { filterOf, tally } from './filters.ts';
import type { FilterName, Removal } from './filters.ts';
import { demandAt, obstacle } from './group.ts';
import type { Group } from './group.ts';
import { hostName } from './table.ts';
import type { HostTable } from './table.ts';

/** Why a replica is not placed: what removed the hosts, and the sentence that says so. */
export interface Why {
  readonly reasons: readonly Removal[];
  readonly message: string;
}

/** The Apps that rules name: `cache or web`. */
function named(rules: readonly Rule[], apart: boolean): string {
  const names = rules.filter((rule) => rule.required && rule.apart === apart).map(({ app }) => app);
  return [...new Set(names)].join(' or ');
}

const WORDS: Readonly<Record<FilterName, (app: AppSpec, rules: readonly Rule[]) => string>> = {
  zone: ({ zone }) => `not in zone ${zone}`,
  level: ({ zone, level }) => `zone ${zone} does not take level ${String(level)}`,
  closed: () => 'not schedulable',
  platform: ({ platform }) => `not ${String(platform)}`,
  labels: ({ hosts }) => `without ${labelText(hosts.matchLabels)}`,
  network: ({ network }) => `without Network ${network}`,
  affinity: (_app, rules) => `not near ${named(rules, false)}`,
  antiAffinity: (_app, rules) => `beside ${named(rules, true)}`,
  cpu: () => 'too little CPU left',
  memory: () => 'too little memory left',
  pids: () => 'too few processes left',
  disk: () => 'too little disk left',
  spindles: () => 'too few spindles left',
  cores: ({ resources }) => `without ${String(resources.cpu / 1000)} cores left on a NUMA node`,
  'spread.switch': ({ spread }) => `spread.switch ${String(spread.switch)} reached`,
  'spread.rack': ({ spread }) => `spread.rack ${String(spread.rack)} reached`,
  'spread.host': ({ spread }) => `spread.host ${String(spread.host)} reached`,
  address: ({ network }) => `no address left in Network ${network}`,
};

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}

/** One removal in words: `2 too little CPU left (h1)`. */
export function removalText(
  app: AppSpec,
  { filter, removed, example }: Removal,
  { around }: Pick<Group, 'around'>,
): string {
  return `${String(removed)} ${WORDS[filter](app, around?.rules ?? [])}${example === undefined ? '' : ` (${example})`}`;
}

/** An amount of a resource as a person reads it. */
function amount(key: Dimension, value: number): string {
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

/** What removes the candidates of a group now, after what removed the rest of the hosts. */
export function removalsNow(table: HostTable, group: Group, before: readonly Removal[]): readonly Removal[] {
  const now = tally();
  for (const row of group.rows) {
    const filter = obstacle(table, group, row);
    if (filter !== undefined) now.add(filter, hostName(table, row));
  }
  return [...before, ...now.list()];
}

/** What a host lacks for one more replica, as parts of what the replica asks for; 0 when it has the room. */
function shortfall(table: HostTable, group: Group, row: number): number {
  const demand = demandAt(table, group, row);
  const lack = (key: Dimension): number =>
    Math.max(0, amountOf(demand, key) - (table.free[key][row] ?? 0)) / Math.max(1, amountOf(demand, key));
  return DIMENSIONS.reduce((sum, key) => sum + lack(key), 0);
}

function lacking(table: HostTable, group: Group, row: number): string {
  const demand = demandAt(table, group, row);
  const missing = (key: Dimension): number => amountOf(demand, key) - (table.free[key][row] ?? 0);
  return DIMENSIONS.filter((key) => missing(key) > 0)
    .map((key) => `${amount(key, missing(key))} (wants ${amount(key, amountOf(demand, key))})`)
    .join(' and ');
}

/** The host that comes nearest to taking a replica, and what would make room. */
function nearestMiss(table: HostTable, group: Group, app: string): string | undefined {
  let nearest: number | undefined;
  const open = group.rows.filter((row) => ruleAgainst(group.around, row) === undefined);
  for (const row of open.length > 0 ? open : group.rows)
    if (nearest === undefined || shortfall(table, group, row) < shortfall(table, group, nearest)) nearest = row;
  if (nearest === undefined) return undefined;
  const name = hostName(table, nearest);
  const filter = obstacle(table, group, nearest);
  if (filter === undefined) return undefined;
  const rule = ruleAgainst(group.around, nearest);
  if (rule) return `${name} is out: App ${app} must ${rule.apart ? 'not ' : ''}be ${ruleText(rule)}`;
  if (filter.startsWith('spread.'))
    return `${name} has the room: raise ${filter} or add hosts in another ${filter.slice('spread.'.length)}`;
  return `${name} comes nearest and lacks ${lacking(table, group, nearest)}: free or add as much, or ask for less`;
}

/** Why no host takes a replica of this group. */
export function nowhere(
  catalog: Catalog,
  table: HostTable,
  group: Group,
  app: Resource<AppSpec>,
  before: readonly Removal[],
): Why {
  const { zone, network } = app.spec;
  const reasons = removalsNow(table, group, before);
  const unread = catalog.zones.has(zone)
    ? catalog.networks.has(network)
      ? undefined
      : `Network ${network}`
    : `Zone ${zone}`;
  if (unread !== undefined) return { reasons, message: `App ${app.name} waits: ${unread} is missing or has errors` };
  if (table.views.length === 0)
    return { reasons, message: `App ${app.name} finds no host: no Host in a Zone has reported yet` };
  const removed = reasons.map((removal) => removalText(app.spec, removal, group)).join(', ');
  const near = nearestMiss(table, group, app.name);
  const end = near === undefined ? '' : `. ${near}`;
  return { reasons, message: `App ${app.name} finds no host among ${String(table.views.length)}: ${removed}${end}` };
}

/** Why there is no address: names the Network, how many are wanted and how many there are. */
export function noAddress(catalog: Catalog, network: string, count: PoolCount, table: HostTable): Why {
  const wanted = [...catalog.apps.values()]
    .filter(({ spec }) => spec.network === network)
    .reduce((sum, { spec }) => sum + spec.replicas, 0);
  const rest =
    count.nextAt === undefined
      ? ''
      : `, ${String(count.resting)} resting, the first until ${new Date(count.nextAt).toISOString()}`;
  const held = count.elsewhere ? `, ${String(count.elsewhere)} free in blocks that other Zones hold` : '';
  const message =
    `Network ${network} has no address left: ${String(wanted)} wanted, ${String(count.total)} there, ` +
    `${String(count.owned)} in use${rest}${held}. Widen its ranges or ask for fewer replicas`;
  return { reasons: [{ filter: 'address', removed: table.views.length }], message };
}

/** Why a replica does not get the room that it asks for where it is. */
export function noGrowth(
  book: Book,
  { replica, app, host, demand: have }: Placement,
  want: Demand,
): Why & { readonly replica: string; readonly app: string } {
  const record = book.hosts.get(host);
  const used = book.used(host);
  const left = (name: Dimension): number =>
    amountOf(record?.allocatable ?? NOTHING, name) - amountOf(used, name) + amountOf(have, name);
  const key = DIMENSIONS.find((name) => amountOf(want, name) > Math.max(amountOf(have, name), left(name)));
  const there = key === undefined || !record ? '' : `, ${amount(key, left(key))} there for it`;
  const asks = key === undefined ? '' : ` (${amount(key, amountOf(want, key))} wanted${there})`;
  const reasons = key === undefined ? [] : [{ filter: filterOf(key), removed: 1, example: host }];
  return {
    replica,
    app,
    reasons,
    message: `${replica} keeps its old limits: ${host} has no room for the new ones${asks}`,
  };
}
