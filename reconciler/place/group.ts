import type { AppSpec } from '../model/catalog.ts';
import type { Demand, Placement } from '../model/replica.ts';
import type { Candidates, FilterName } from './filters.ts';
import type { HostTable } from './table.ts';

/** One App while its replicas are being placed: the hosts that may take them, and how many each already has. */
export interface Group {
  readonly demand: Demand;
  readonly rows: Int32Array;
  readonly limits: { readonly switch: number; readonly rack: number; readonly host: number };
  readonly pack: boolean;
  /** How many of its replicas are behind a switch, in a rack, on a host. */
  readonly onSwitch: Int32Array;
  readonly inRack: Int32Array;
  readonly onHost: Int32Array;
  /** How many would fit if nothing else were there: the weight of a switch, rack or host when spreading. */
  readonly switchWeight: Float64Array;
  readonly rackWeight: Float64Array;
  readonly hostWeight: Float64Array;
}

const at = (column: Float64Array | Int32Array, row: number): number => column[row] ?? 0;

function add(column: Float64Array | Int32Array, row: number, value: number): void {
  column[row] = at(column, row) + value;
}

/** How many replicas of this demand an empty host could take. */
function slots(table: HostTable, row: number, demand: Demand): number {
  let most = Infinity;
  for (const key of ['cpu', 'memory', 'pids'] as const)
    if (demand[key] > 0) most = Math.min(most, Math.floor(at(table.all[key], row) / demand[key]));
  return most === Infinity ? 1 : most;
}

/** What a spec reserves of a host. */
export function demandOf({ resources }: Pick<AppSpec, 'resources'>): Demand {
  return { cpu: resources.cpu, memory: resources.memory, pids: resources.pids };
}

/** The group of an App with the placements that it has. */
export function groupOf(
  table: HostTable,
  app: AppSpec,
  { rows }: Candidates,
  placed: readonly Placement[],
  pack: boolean,
): Group {
  const { spread } = app;
  const group: Group = {
    demand: demandOf(app),
    rows,
    limits: { switch: spread.switch ?? Infinity, rack: spread.rack ?? Infinity, host: spread.host ?? Infinity },
    pack,
    onSwitch: new Int32Array(table.switches),
    inRack: new Int32Array(table.racks),
    onHost: new Int32Array(table.views.length),
    switchWeight: new Float64Array(table.switches),
    rackWeight: new Float64Array(table.racks),
    hostWeight: new Float64Array(table.views.length),
  };
  for (const row of rows) {
    const weight = slots(table, row, group.demand);
    group.hostWeight[row] = weight;
    add(group.rackWeight, at(table.rackOf, row), weight);
    add(group.switchWeight, at(table.switchOf, row), weight);
  }
  for (const { host } of placed) {
    const row = table.rows.get(host);
    if (row !== undefined) count(table, group, row, 1);
  }
  return group;
}

/** Counts one replica more (or with −1 less) on a host. */
export function count(table: HostTable, group: Group, row: number, step: 1 | -1): void {
  add(group.onHost, row, step);
  add(group.inRack, at(table.rackOf, row), step);
  add(group.onSwitch, at(table.switchOf, row), step);
}

/** The first filter that removes a candidate as things stand now. */
export function obstacle(table: HostTable, group: Group, row: number): FilterName | undefined {
  const { free, switchOf, rackOf } = table;
  const { demand, limits } = group;
  if (at(free.cpu, row) < demand.cpu) return 'cpu';
  if (at(free.memory, row) < demand.memory) return 'memory';
  if (at(free.pids, row) < demand.pids) return 'pids';
  if (at(group.onSwitch, at(switchOf, row)) >= limits.switch) return 'spread.switch';
  if (at(group.inRack, at(rackOf, row)) >= limits.rack) return 'spread.rack';
  if (at(group.onHost, row) >= limits.host) return 'spread.host';
  return undefined;
}

/**
 * How good a candidate is; compared member by member, less is better: replicas of the App behind its switch, in its rack
 * and on it, each over what fits there, then how full the host will be (negative when packing).
 */
export interface Score {
  switch: number;
  rack: number;
  host: number;
  fill: number;
}

/** Writes the score of a candidate into `score`: one object serves a whole scan. */
export function scoreInto(score: Score, table: HostTable, group: Group, row: number): void {
  const rack = at(table.rackOf, row);
  const behind = at(table.switchOf, row);
  score.switch = at(group.onSwitch, behind) / at(group.switchWeight, behind);
  score.rack = at(group.inRack, rack) / at(group.rackWeight, rack);
  score.host = at(group.onHost, row) / at(group.hostWeight, row);
  const fill = Math.max(share(table, row, 'cpu', group.demand), share(table, row, 'memory', group.demand));
  score.fill = group.pack ? -fill : fill;
}

function share(table: HostTable, row: number, key: 'cpu' | 'memory', demand: Demand): number {
  const all = at(table.all[key], row);
  return all === 0 ? 0 : (all - at(table.free[key], row) + demand[key]) / all;
}

/** Whether `a` is strictly better than `b`. */
export function better(a: Score, b: Score): boolean {
  if (a.switch !== b.switch) return a.switch < b.switch;
  if (a.rack !== b.rack) return a.rack < b.rack;
  if (a.host !== b.host) return a.host < b.host;
  return a.fill < b.fill;
}

/** The best candidate now; the first by name among equals. Undefined when no host can take a replica. */
export function choose(table: HostTable, group: Group): number | undefined {
  let best: Score = { switch: Infinity, rack: Infinity, host: Infinity, fill: Infinity };
  let score: Score = { ...best };
  let chosen: number | undefined;
  for (const row of group.rows) {
    if (obstacle(table, group, row) !== undefined) continue;
    scoreInto(score, table, group, row);
    if (chosen !== undefined && !better(score, best)) continue;
    chosen = row;
    [best, score] = [score, best];
  }
  return chosen;
}
