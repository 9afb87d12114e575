import type { AppSpec } from '../model/catalog.ts';
import type { Demand, Placement } from '../model/replica.ts';
import type { FilterName } from './filters.ts';
import { take } from './table.ts';
import type { HostTable } from './table.ts';

/** How many replicas of one demand would fit on a host, in a rack, behind a switch if nothing else were there. */
export interface Weights {
  readonly switch: Float64Array;
  readonly rack: Float64Array;
  readonly host: Float64Array;
}

/** One App while its replicas are being placed: the hosts that may take them, and how many each already has. */
export interface Group {
  readonly demand: Demand;
  readonly rows: Int32Array;
  readonly limits: { readonly switch: number; readonly rack: number; readonly host: number };
  readonly pack: boolean;
  readonly weights: Weights;
  /** How many of its replicas are behind a switch, in a rack, on a host. */
  readonly onSwitch: Int32Array;
  readonly inRack: Int32Array;
  readonly onHost: Int32Array;
  /** The same over the weights. */
  readonly switchLoad: Float64Array;
  readonly rackLoad: Float64Array;
  readonly hostLoad: Float64Array;
  /** How full each host would be with one replica more: the larger share of CPU and memory, negative when packing. */
  readonly fill: Float64Array;
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

/** The weights of these rows for a demand. */
export function weightsOf(table: HostTable, rows: Int32Array, demand: Demand): Weights {
  const weights = {
    switch: new Float64Array(table.switches),
    rack: new Float64Array(table.racks),
    host: new Float64Array(table.views.length),
  };
  for (const row of rows) {
    const weight = slots(table, row, demand);
    weights.host[row] = weight;
    add(weights.rack, at(table.rackOf, row), weight);
    add(weights.switch, at(table.switchOf, row), weight);
  }
  return weights;
}

/** What a spec reserves of a host. */
export function demandOf({ resources }: Pick<AppSpec, 'resources'>): Demand {
  return { cpu: resources.cpu, memory: resources.memory, pids: resources.pids };
}

/** The group of an App with the placements that it has. */
export function groupOf(
  table: HostTable,
  app: AppSpec,
  rows: Int32Array,
  weights: Weights,
  placed: readonly Placement[],
  pack: boolean,
): Group {
  const { spread } = app;
  const group: Group = {
    demand: demandOf(app),
    rows,
    limits: { switch: spread.switch ?? Infinity, rack: spread.rack ?? Infinity, host: spread.host ?? Infinity },
    pack,
    weights,
    onSwitch: new Int32Array(table.switches),
    inRack: new Int32Array(table.racks),
    onHost: new Int32Array(table.views.length),
    switchLoad: new Float64Array(table.switches),
    rackLoad: new Float64Array(table.racks),
    hostLoad: new Float64Array(table.views.length),
    fill: new Float64Array(table.views.length),
  };
  for (const row of rows) group.fill[row] = fillOf(table, group, row);
  for (const { host } of placed) {
    const row = table.rows.get(host);
    if (row !== undefined) count(table, group, row, 1);
  }
  return group;
}

/** Seats a replica of the group on a host, or with −1 takes it away: room and counters. */
export function seat(table: HostTable, group: Group, row: number, demand: Demand, step: 1 | -1): void {
  take(table, row, demand, step);
  count(table, group, row, step);
}

function count(table: HostTable, group: Group, row: number, step: 1 | -1): void {
  const { onHost, inRack, onSwitch, weights } = group;
  const rack = at(table.rackOf, row);
  const behind = at(table.switchOf, row);
  add(onHost, row, step);
  add(inRack, rack, step);
  add(onSwitch, behind, step);
  group.hostLoad[row] = at(onHost, row) / at(weights.host, row);
  group.rackLoad[rack] = at(inRack, rack) / at(weights.rack, rack);
  group.switchLoad[behind] = at(onSwitch, behind) / at(weights.switch, behind);
  group.fill[row] = fillOf(table, group, row);
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
  readonly switch: number;
  readonly rack: number;
  readonly host: number;
  readonly fill: number;
}

/** The score of a candidate as things stand now. */
export function scoreOf(table: HostTable, group: Group, row: number): Score {
  return {
    switch: at(group.switchLoad, at(table.switchOf, row)),
    rack: at(group.rackLoad, at(table.rackOf, row)),
    host: at(group.hostLoad, row),
    fill: at(group.fill, row),
  };
}

function fillOf(table: HostTable, group: Pick<Group, 'demand' | 'pack'>, row: number): number {
  const fill = Math.max(share(table, row, 'cpu', group.demand), share(table, row, 'memory', group.demand));
  return group.pack ? -fill : fill;
}

function share(table: HostTable, row: number, key: 'cpu' | 'memory', demand: Demand): number {
  const all = at(table.all[key], row);
  return all === 0 ? 0 : (all - at(table.free[key], row) + demand[key]) / all;
}

/** Negative when the first score is better. */
export function compareScores(a: Score, b: Score): number {
  return a.switch - b.switch || a.rack - b.rack || a.host - b.host || a.fill - b.fill;
}

/**
 * The candidate with the least score; the first by name among equals. Undefined when no host can take a replica. This is
 * the loop that placing spends its time in: no objects, and the filters only for hosts that would win.
 */
export function choose(table: HostTable, group: Group): number | undefined {
  const { switchOf, rackOf } = table;
  const { rows, switchLoad, rackLoad, hostLoad, fill } = group;
  let onSwitch = Infinity;
  let inRack = Infinity;
  let onHost = Infinity;
  let least = Infinity;
  let chosen: number | undefined;
  for (const row of rows) {
    const a = at(switchLoad, at(switchOf, row));
    if (a > onSwitch) continue;
    const b = at(rackLoad, at(rackOf, row));
    const c = at(hostLoad, row);
    const d = at(fill, row);
    if (a === onSwitch) {
      if (b > inRack) continue;
      if (b === inRack && (c > onHost || (c === onHost && d >= least))) continue;
    }
    if (obstacle(table, group, row) !== undefined) continue;
    onSwitch = a;
    inRack = b;
    onHost = c;
    least = d;
    chosen = row;
  }
  return chosen;
}
