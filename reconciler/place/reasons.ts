import type { Book } from '../model/book.ts';
import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { amountOf, DIMENSIONS, NOTHING } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import type { Rule } from './affinity.ts';
import type { PoolCount } from './addresses.ts';
import { filterOf, tallyOf } from './filters.ts';
import type { Candidates, FilterName, Removal } from './filters.ts';
import type { Tested } from './fit.ts';
import type { Group } from './group.ts';
import { amountText, nearestMiss } from './misses.ts';
import type { Found, Misses } from './misses.ts';
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

/** What removes the candidates of a group now, after what removed the rest of the hosts. */
export function removalsNow(
  table: HostTable,
  { rows }: Tested,
  { filters }: Misses,
  before: readonly Removal[],
): readonly Removal[] {
  return [...before, ...tallyOf(filters, (index) => hostName(table, rows[index] ?? 0))];
}

/** Why no host takes a replica of this group. */
export function nowhere(
  catalog: Catalog,
  table: HostTable,
  group: Tested,
  app: Resource<AppSpec>,
  candidates: Candidates,
  found: Found,
): Why {
  const { zone, network } = app.spec;
  const reasons = removalsNow(table, group, found.misses, candidates.removals);
  const unread = catalog.zones.has(zone)
    ? catalog.networks.has(network)
      ? undefined
      : `Network ${network}`
    : `Zone ${zone}`;
  if (unread !== undefined) return { reasons, message: `App ${app.name} waits: ${unread} is missing or has errors` };
  if (table.views.length === 0)
    return { reasons, message: `App ${app.name} finds no host: no Host in a Zone has reported yet` };
  const removed = reasons.map((removal) => removalText(app.spec, removal, group)).join(', ');
  const near = nearestMiss(catalog, table, group, app, candidates, found);
  const end = near === undefined ? '' : `. ${near}`;
  return { reasons, message: `App ${app.name} finds no host among ${String(table.views.length)}: ${removed}${end}` };
}

const wanted = new WeakMap<Catalog['apps'], ReadonlyMap<string, number>>();

/** How many replicas want addresses of a Network; reckoned once for a catalog. */
function wantedOf({ apps }: Catalog, network: string): number {
  const known = wanted.get(apps);
  if (known) return known.get(network) ?? 0;
  const sums = new Map<string, number>();
  for (const { spec } of apps.values()) sums.set(spec.network, (sums.get(spec.network) ?? 0) + spec.replicas);
  wanted.set(apps, sums);
  return sums.get(network) ?? 0;
}

/** Why there is no address: names the Network, how many are wanted and how many there are. */
export function noAddress(catalog: Catalog, network: string, count: PoolCount, table: HostTable): Why {
  const rest =
    count.nextAt === undefined
      ? ''
      : `, ${String(count.resting)} resting, the first until ${new Date(count.nextAt).toISOString()}`;
  const held = count.elsewhere ? `, ${String(count.elsewhere)} free in blocks that other Zones hold` : '';
  const message =
    `Network ${network} has no address left: ${String(wantedOf(catalog, network))} wanted, ${String(count.total)} there, ` +
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
  const there = key === undefined || !record ? '' : `, ${amountText(key, left(key))} there for it`;
  const asks = key === undefined ? '' : ` (${amountText(key, amountOf(want, key))} wanted${there})`;
  const reasons = key === undefined ? [] : [{ filter: filterOf(key), removed: 1, example: host }];
  return {
    replica,
    app,
    reasons,
    message: `it keeps its old limits: ${host} has no room for the new ones${asks}`,
  };
}
