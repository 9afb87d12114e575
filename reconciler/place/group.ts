import type { AppSpec } from '../model/catalog.ts';
import { amountOf, asked, demandFrom, NODES } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { ruleAgainst } from './affinity.ts';
import type { Neighbourhood } from './affinity.ts';
import { coresOf, cpuOf, nodeFor, onNode } from './cores.ts';
import { filterOf } from './filters.ts';
import type { FilterName } from './filters.ts';
import { opened, packedFill, tookMore } from './packing.ts';
import type { Packing } from './packing.ts';
import { take } from './table.ts';
import type { Cell, HostTable } from './table.ts';

/** How many replicas of one demand would fit on a host, in a rack, behind a switch if nothing else were there. */
export interface Weights {
  readonly switch: Float64Array;
  readonly rack: Float64Array;
  readonly host: Float64Array;
  readonly all: number;
}

/** What there is of something, by row, and how much a replica takes of it. */
interface Ask {
  readonly key: Dimension;
  readonly free: Float64Array;
  readonly amount: number;
}

/** One App while its replicas are being placed: the hosts that may take them, and how many each already has. */
export interface Group {
  /** Of cores that it has for itself, without what they take of a host: see `demandAt`. */
  readonly demand: Demand;
  /** How many cores a replica has for itself; 0 when it shares. */
  readonly cores: number;
  /** Without the CPU of pinned cores: see `asksAt`. */
  readonly asks: readonly Ask[];
  /** How many replicas it is to have. */
  readonly replicas: number;
  readonly rows: Int32Array;
  /** The same rows by switch and rack, and of each such cell the row that is best now. */
  readonly cells: readonly Cell[];
  readonly bests: Int32Array;
  readonly limits: { readonly switch: number; readonly rack: number; readonly host: number };
  /** Undefined where replicas are spread. */
  readonly pack: Packing | undefined;
  /** What other Apps make of the hosts; undefined when none concerns it. */
  readonly around: Neighbourhood | undefined;
  readonly weights: Weights;
  /** How many of its replicas are behind a switch, in a rack, on a host. */
  readonly onSwitch: Int32Array;
  readonly inRack: Int32Array;
  readonly onHost: Int32Array;
  /** How much of its share each has by that; 0 when packing. */
  readonly switchLoad: Float64Array;
  readonly rackLoad: Float64Array;
  readonly hostLoad: Float64Array;
}

/** What of it tells which hosts can take a replica. */
export type Tested = Pick<
  Group,
  'demand' | 'cores' | 'asks' | 'rows' | 'limits' | 'around' | 'onSwitch' | 'inRack' | 'onHost'
>;

/** In `bests`: no row of the cell can take a replica; or it has to be looked for. */
const NONE = -1;
const UNKNOWN = -2;

const at = (column: Float64Array | Int32Array, row: number): number => column[row] ?? 0;

function add(column: Float64Array | Int32Array, row: number, value: number): void {
  column[row] = at(column, row) + value;
}

/** What a replica takes of the host in a row: pinned cores are of the node that suits best. */
export function demandAt(table: HostTable, { demand, cores }: Pick<Group, 'demand' | 'cores'>, row: number): Demand {
  if (cores === 0) return demand;
  const node = nodeFor((each) => at(table.free[NODES[each] ?? 'node0'], row), cores);
  return onNode(demand, cores, node, at(table.worth, row));
}

const asksOf = ({ free }: HostTable, demand: Demand, keys: readonly Dimension[]): readonly Ask[] =>
  keys.map((key) => ({ key, free: free[key], amount: amountOf(demand, key) }));

/** All that a replica takes something of, on the host in a row. */
export function asksAt(table: HostTable, group: Tested, row: number): readonly Ask[] {
  if (group.cores === 0) return group.asks;
  const demand = demandAt(table, group, row);
  return asksOf(table, demand, asked(demand));
}

/** All that it may be: one for each NUMA node that has so many cores, whoever has them now. */
export function demandsAt(table: HostTable, { demand, cores }: Tested, row: number): readonly Demand[] {
  if (cores === 0) return [demand];
  const nodes = NODES.flatMap((key, node) => (at(table.all[key], row) >= cores ? [node] : []));
  return nodes.map((node) => onNode(demand, cores, node, at(table.worth, row)));
}

/** The CPU among it. */
function cpuAt(table: HostTable, { demand, cores }: Pick<Group, 'demand' | 'cores'>, row: number): number {
  return cores === 0 ? demand.cpu : cpuOf(cores, at(table.worth, row));
}

/** What a replica asks for: its demand, and cores for itself. */
type Asked = Pick<Group, 'demand' | 'cores'>;

/** How many replicas that ask for this an empty host could take, in parts too, so that all are weighted alike; 0 if not one. */
function slots(table: HostTable, row: number, ask: Asked): number {
  const { demand, cores } = ask;
  let most = Infinity;
  for (const key of asked(demand)) {
    const each = key === 'cpu' ? cpuAt(table, ask, row) : amountOf(demand, key);
    most = Math.min(most, at(table.all[key], row) / each);
  }
  if (cores > 0)
    most = Math.min(
      most,
      NODES.reduce((sum, node) => sum + Math.floor(at(table.all[node], row) / cores), 0),
    );
  if (most === Infinity) return 1;
  return most < 1 ? 0 : most;
}

/** The weights of these rows for what a replica asks for. */
export function weightsOf(table: HostTable, rows: Int32Array, ask: Asked): Weights {
  let all = 0;
  const weights = {
    switch: new Float64Array(table.switches),
    rack: new Float64Array(table.racks),
    host: new Float64Array(table.views.length),
  };
  for (const row of rows) {
    const weight = slots(table, row, ask);
    weights.host[row] = weight;
    add(weights.rack, at(table.rackOf, row), weight);
    add(weights.switch, at(table.switchOf, row), weight);
    all += weight;
  }
  return { ...weights, all };
}

const demands = new WeakMap<Pick<AppSpec, 'resources' | 'storage'>, Demand>();

/** What a spec reserves of a host, reckoned once. */
export function demandOf(spec: Pick<AppSpec, 'resources' | 'storage'>): Demand {
  const known = demands.get(spec);
  if (known) return known;
  const { resources, storage } = spec;
  const { cpu, memory, pids } = resources;
  const all: Demand = { cpu, memory, pids, ...storage };
  const demand = demandFrom((key) => amountOf(all, key));
  demands.set(spec, demand);
  return demand;
}

/** What the group of an App stands on. */
export type Footing = Pick<Group, 'rows' | 'cells' | 'weights' | 'pack' | 'around'>;

/** The group of an App with the placements that it has. */
export function groupOf(table: HostTable, app: AppSpec, footing: Footing, placed: readonly Placement[]): Group {
  const { spread } = app;
  const { weights, pack } = footing;
  const demand = demandOf(app);
  const cores = coresOf(app);
  const plain = asked(demand).filter((key) => cores === 0 || key !== 'cpu');
  const group: Group = {
    demand,
    cores,
    asks: asksOf(table, demand, plain),
    replicas: app.replicas,
    ...footing,
    bests: new Int32Array(table.cells).fill(UNKNOWN),
    limits: { switch: spread.switch ?? Infinity, rack: spread.rack ?? Infinity, host: spread.host ?? Infinity },
    onSwitch: new Int32Array(table.switches),
    inRack: new Int32Array(table.racks),
    onHost: new Int32Array(table.views.length),
    switchLoad: emptyLoads(app, weights.switch, weights.all, pack !== undefined),
    rackLoad: emptyLoads(app, weights.rack, weights.all, pack !== undefined),
    hostLoad: emptyLoads(app, weights.host, weights.all, pack !== undefined),
  };
  for (const { host } of placed) {
    const row = table.rows.get(host);
    if (row !== undefined) count(table, group, row, 1);
  }
  return group;
}

/** Supposes a replica of the group on a host, or with −1 that it is away: room and counters. */
export function seat(table: HostTable, group: Group, row: number, demand: Demand, step: 1 | -1): void {
  take(table, row, demand, step);
  count(table, group, row, step);
}

/**
 * How much of its share a domain has of `replicas` over all weights. The half more is that of Webster's and Sainte-Laguë's method of
 * handing out seats in proportion, by which unlike domains come closest to their shares. Of those whose share is less than a
 * half none comes before the other, so that small Apps do not all go to the largest.
 */
function loadOf(there: number, weight: number, replicas: number, all: number): number {
  const load = (there + 0.5) / weight;
  return there === 0 ? Math.min(load, replicas / all) : load;
}

/** The loads before anything is placed; all equal when packing, where the fullest host comes before any spread. */
function emptyLoads({ replicas }: AppSpec, weights: Float64Array, all: number, packs: boolean): Float64Array {
  const loads = new Float64Array(weights.length);
  if (!packs) for (let at = 0; at < loads.length; at += 1) loads[at] = loadOf(0, weights[at] ?? 0, replicas, all);
  return loads;
}

/** Counts a replica of the group on a host, or with −1 no longer. */
export function count(table: HostTable, group: Group, row: number, step: 1 | -1): void {
  const { onHost, inRack, onSwitch, weights } = group;
  const rack = at(table.rackOf, row);
  const behind = at(table.switchOf, row);
  add(onHost, row, step);
  add(inRack, rack, step);
  add(onSwitch, behind, step);
  if (!group.pack) {
    group.hostLoad[row] = loadOf(at(onHost, row), at(weights.host, row), group.replicas, weights.all);
    group.rackLoad[rack] = loadOf(at(inRack, rack), at(weights.rack, rack), group.replicas, weights.all);
    group.switchLoad[behind] = loadOf(at(onSwitch, behind), at(weights.switch, behind), group.replicas, weights.all);
  }
  forgetBest(table, group, row);
}

/** To be told of a host that nothing was on before. */
export function openHost(table: HostTable, { pack, bests }: Group, row: number): void {
  if (pack && opened(table, pack, row)) bests.fill(UNKNOWN);
}

/** To be told of a replica that has its place: pinned cores take another part of the CPU of a faster or slower host than was wanted. */
export function tookOther({ demand, pack, bests }: Group, taken: Demand): void {
  if (pack && taken.cpu !== demand.cpu && tookMore(pack, taken.cpu - demand.cpu)) bests.fill(UNKNOWN);
}

/** To be told when there is more or less room on a host than before. */
export function forgetBest({ cellOf }: HostTable, { bests }: Group, row: number): void {
  bests[at(cellOf, row)] = UNKNOWN;
}

/** The first filter that removes a candidate as things stand now. */
export function obstacle(table: HostTable, group: Tested, row: number): FilterName | undefined {
  const against = ruleAgainst(group.around, row);
  if (against) return against.apart ? 'antiAffinity' : 'affinity';
  const lacking = asksAt(table, group, row).find(({ free, amount }) => at(free, row) < amount);
  return lacking ? filterOf(lacking.key) : crowded(table, group, row);
}

function crowded({ switchOf, rackOf }: HostTable, group: Tested, row: number): FilterName | undefined {
  const { limits } = group;
  if (at(group.onSwitch, at(switchOf, row)) >= limits.switch) return 'spread.switch';
  if (at(group.inRack, at(rackOf, row)) >= limits.rack) return 'spread.rack';
  if (at(group.onHost, row) >= limits.host) return 'spread.host';
  return undefined;
}

/** Whether a candidate would take a replica if it had the room. */
export function lacksOnlyRoom(table: HostTable, group: Tested, row: number): boolean {
  return ruleAgainst(group.around, row) === undefined && crowded(table, group, row) === undefined;
}

function hasCores({ free, worth }: HostTable, { cores }: Group, row: number): boolean {
  return at(free.cpu, row) >= cpuOf(cores, at(worth, row)) && NODES.some((node) => at(free[node], row) >= cores);
}

/** The part of it that the host alone decides. */
function hasRoom(table: HostTable, group: Group, row: number): boolean {
  const { asks, limits, onHost, around } = group;
  if (around !== undefined && around.barredBy[row] !== 0) return false;
  if (group.cores > 0 && !hasCores(table, group, row)) return false;
  for (const { free, amount } of asks) if (at(free, row) < amount) return false;
  return at(onHost, row) < limits.host;
}

/**
 * How good a candidate is; compared member by member, less is better: wishes for the company of other Apps that are not met,
 * replicas of the App behind its switch, in its rack and on it, each over what fits there, then how full the host will be
 * (when packing, how bad it is for that).
 */
export interface Score {
  readonly affinity: number;
  readonly switch: number;
  readonly rack: number;
  readonly host: number;
  readonly fill: number;
}

/** The score of a candidate as things stand now. */
export function scoreOf(table: HostTable, group: Group, row: number): Score {
  return {
    affinity: group.around?.unmet[row] ?? 0,
    switch: at(group.switchLoad, at(table.switchOf, row)),
    rack: at(group.rackLoad, at(table.rackOf, row)),
    host: at(group.hostLoad, row),
    fill: fillOf(table, group, row),
  };
}

/**
 * How full a host would be with one replica more: the larger share of CPU and memory; when packing, how bad it is for that. More
 * than that where another scheduler comes first.
 */
function fillOf(table: HostTable, group: Pick<Group, 'demand' | 'cores' | 'pack'>, row: number): number {
  const { demand, pack } = group;
  const cpuOfOne = cpuAt(table, group, row);
  const { all, free, part, aside } = table;
  if (pack) return packedFill(table, pack, cpuOfOne, demand.memory, row) + (aside[row] ?? 0);
  const cpu = (at(all.cpu, row) - at(free.cpu, row) + cpuOfOne) * at(part.cpu, row);
  const memory = (at(all.memory, row) - at(free.memory, row) + demand.memory) * at(part.memory, row);
  return (cpu > memory ? cpu : memory) + (aside[row] ?? 0);
}

/** Negative when the first score is better. */
export function compareScores(a: Score, b: Score): number {
  return a.affinity - b.affinity || a.switch - b.switch || a.rack - b.rack || a.host - b.host || a.fill - b.fill;
}

/** The row of a cell with the least score, all of one switch and rack, that no filter removes; the first by name among equals. */
function bestIn(table: HostTable, group: Group, { rows }: Cell): number {
  const { hostLoad, around } = group;
  let unmet = Infinity;
  let onHost = Infinity;
  let least = Infinity;
  let best = NONE;
  for (let index = 0; index < rows.length; index += 1) {
    const row = at(rows, index);
    const lacks = around === undefined ? 0 : (around.unmet[row] ?? 0);
    if (lacks > unmet) continue;
    const load = at(hostLoad, row);
    if (lacks === unmet && load > onHost) continue;
    const fill = fillOf(table, group, row);
    if ((lacks === unmet && load === onHost && fill >= least) || !hasRoom(table, group, row)) continue;
    unmet = lacks;
    onHost = load;
    least = fill;
    best = row;
  }
  return best;
}

/** Whether a row beats another where switch and rack are equally loaded. */
function wins(table: HostTable, group: Group, row: number, other: number): boolean {
  const loads = at(group.hostLoad, row) - at(group.hostLoad, other);
  if (loads !== 0) return loads < 0;
  const fills = fillOf(table, group, row) - fillOf(table, group, other);
  return fills < 0 || (fills === 0 && row < other);
}

/**
 * The candidate with the least score; the first by name among equals. Undefined when no host can take a replica. This is
 * the loop that placing spends its time in. Seating a replica changes the scores within one cell only, so that the best
 * of each other cell is still known, and it is looked for only where switch and rack do not already lose.
 */
export function choose(table: HostTable, group: Group): number | undefined {
  return group.around?.rules.some(({ required }) => !required) === true
    ? choosePleased(table, group)
    : chooseSpread(table, group);
}

/** The same where wishes for the company of other Apps come first: the best of each cell is looked at. */
function choosePleased(table: HostTable, group: Group): number | undefined {
  const { cells, bests, limits } = group;
  let best: { readonly row: number; readonly score: Score } | undefined;
  for (const cell of cells) {
    if (at(group.onSwitch, cell.switch) >= limits.switch || at(group.inRack, cell.rack) >= limits.rack) continue;
    if (at(bests, cell.index) === UNKNOWN) bests[cell.index] = bestIn(table, group, cell);
    const row = at(bests, cell.index);
    if (row === NONE) continue;
    const score = scoreOf(table, group, row);
    const order = best ? compareScores(score, best.score) : -1;
    if (!best || order < 0 || (order === 0 && row < best.row)) best = { row, score };
  }
  return best?.row;
}

function chooseSpread(table: HostTable, group: Group): number | undefined {
  const { cells, bests, limits, switchLoad, rackLoad } = group;
  let onSwitch = Infinity;
  let inRack = Infinity;
  let chosen = NONE;
  for (const cell of cells) {
    const a = at(switchLoad, cell.switch);
    const b = at(rackLoad, cell.rack);
    if (a > onSwitch || (a === onSwitch && b > inRack)) continue;
    if (at(group.onSwitch, cell.switch) >= limits.switch || at(group.inRack, cell.rack) >= limits.rack) continue;
    if (at(bests, cell.index) === UNKNOWN) bests[cell.index] = bestIn(table, group, cell);
    const row = at(bests, cell.index);
    if (row === NONE || (a === onSwitch && b === inRack && !wins(table, group, row, chosen))) continue;
    onSwitch = a;
    inRack = b;
    chosen = row;
  }
  return chosen === NONE ? undefined : chosen;
}
