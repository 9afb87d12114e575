import { selects } from '../model/catalog.ts';
import type { AppSpec, Catalog } from '../model/catalog.ts';
import { DIMENSIONS, nodeIn } from '../model/demand.ts';
import type { Dimension } from '../model/demand.ts';
import { canonical } from '../model/fingerprint.ts';
import { cellsOf, hostName } from './table.ts';
import type { Cell, HostTable } from './table.ts';

/** Why a host, or with `address` all of them, cannot take a replica. In the order in which they are asked. */
export type FilterName =
  | 'zone'
  | 'level'
  | 'closed'
  | 'platform'
  | 'labels'
  | 'network'
  | 'affinity'
  | 'antiAffinity'
  | Exclude<Dimension, `node${string}`>
  | 'cores'
  | 'spread.switch'
  | 'spread.rack'
  | 'spread.host'
  | 'address';

/** How many hosts a filter removed, and the first of them. */
export interface Removal {
  readonly filter: FilterName;
  readonly removed: number;
  readonly example?: string;
}

/** Hosts by the filter that removed them, in the order of the filters. */
interface Tally {
  add(filter: FilterName, host: string): void;
  list(): readonly Removal[];
}

const filters = new Map(
  DIMENSIONS.map((dimension) => [dimension, nodeIn(dimension) === undefined ? (dimension as FilterName) : 'cores']),
);

/** The filter that a dimension makes: the cores of all NUMA nodes make one. */
export function filterOf(dimension: Dimension): FilterName {
  return filters.get(dimension) ?? 'cores';
}

const ORDER: readonly FilterName[] = [
  'zone',
  'level',
  'closed',
  'platform',
  'labels',
  'network',
  'affinity',
  'antiAffinity',
  ...new Set(DIMENSIONS.map(filterOf)),
  'spread.switch',
  'spread.rack',
  'spread.host',
  'address',
];

const numbers = new Map(ORDER.map((filter, at) => [filter, at + 1]));

/** The number of a filter, from 1, in the order in which they are asked. */
export function numberOf(filter: FilterName): number {
  return numbers.get(filter) ?? 0;
}

/** How often each filter stands in a list of numbers, 0 for none, and the name of the first there. */
export function tallyOf(filters: Uint8Array, name: (index: number) => string): readonly Removal[] {
  const counts = new Uint32Array(ORDER.length + 1);
  const firsts = new Int32Array(ORDER.length + 1);
  for (let index = filters.length - 1; index >= 0; index -= 1) {
    const filter = filters[index] ?? 0;
    counts[filter] = (counts[filter] ?? 0) + 1;
    firsts[filter] = index;
  }
  return ORDER.flatMap((filter, at) => {
    const removed = counts[at + 1] ?? 0;
    return removed === 0 ? [] : { filter, removed, example: name(firsts[at + 1] ?? 0) };
  });
}

/** An empty tally. */
function tally(): Tally {
  const removals = new Map<FilterName, { removed: number; example: string }>();
  return {
    add: (filter, host) => {
      const so = removals.get(filter);
      if (so) so.removed += 1;
      else removals.set(filter, { removed: 1, example: host });
    },
    list: () =>
      ORDER.flatMap((filter) => {
        const found = removals.get(filter);
        return found ? [{ filter, ...found }] : [];
      }),
  };
}

/** The rows that pass what does not depend on other replicas, and what removed the rest. */
export interface Candidates {
  /** The same for Apps that ask for the same. */
  readonly key: string;
  readonly rows: Int32Array;
  readonly cells: readonly Cell[];
  readonly removals: readonly Removal[];
  /** The rows that would pass but for one thing that their hosts could have otherwise. */
  readonly nearly: readonly { readonly row: number; readonly filter: NearlyFilter }[];
}

/** What a host may be given, and what it is not. */
export type NearlyFilter = 'closed' | 'labels' | 'network';

const isNearly = (filter: FilterName | undefined): filter is NearlyFilter =>
  filter === 'closed' || filter === 'labels' || filter === 'network';

/** The filters that remove the host of a row for all replicas of an App; of those that concern its Zone the first alone. */
function staticObstacles(catalog: Catalog, table: HostTable, app: AppSpec, row: number): readonly FilterName[] {
  const view = table.views[row];
  const zone = catalog.zones.get(app.zone)?.spec;
  const network = catalog.networks.get(app.network)?.spec;
  if (!zone || view?.record.zone !== app.zone) return ['zone'];
  if (!zone.levels.includes(app.level)) return ['level'];
  const found: FilterName[] = [];
  if (view.record.state !== 'open') found.push('closed');
  if (app.platform !== undefined && view.platform !== app.platform) found.push('platform');
  if (!selects(app.hosts, view.labels)) found.push('labels');
  if (!network || !selects(network.hosts, view.labels)) found.push('network');
  return found;
}

/** Rows and their cells, the same objects where they are the same rows: by them Apps know what they have in common. */
function shared(
  sets: Pick<Candidates, 'rows' | 'cells'>[],
  table: HostTable,
  rows: readonly number[],
): Pick<Candidates, 'rows' | 'cells'> {
  const before = sets.find((set) => set.rows.length === rows.length && set.rows.every((row, at) => row === rows[at]));
  if (before) return before;
  const passed = Int32Array.from(rows);
  const made = { rows: passed, cells: cellsOf(table, passed) };
  sets.push(made);
  return made;
}

/** Finds candidates; Apps that ask for the same zone, level, labels and network share the answer. */
export function candidateFinder(catalog: Catalog, table: HostTable): (app: AppSpec) => Candidates {
  const known = new Map<string, Candidates>();
  const sets: Pick<Candidates, 'rows' | 'cells'>[] = [];
  return (app) => {
    const key = canonical([app.zone, app.level, app.hosts, app.network, app.platform]);
    const before = known.get(key);
    if (before) return before;
    const removed = tally();
    const rows: number[] = [];
    const nearly: { row: number; filter: NearlyFilter }[] = [];
    for (let row = 0; row < table.views.length; row += 1) {
      const filters = staticObstacles(catalog, table, app, row);
      const [filter] = filters;
      if (filter === undefined) rows.push(row);
      else removed.add(filter, hostName(table, row));
      if (filters.length === 1 && isNearly(filter)) nearly.push({ row, filter });
    }
    const found = { key, ...shared(sets, table, rows), removals: removed.list(), nearly };
    known.set(key, found);
    return found;
  };
}
