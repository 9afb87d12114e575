import { bestFor } from './alike.ts';
import { cpuAt } from './asks.ts';
import { fits, hasRoom } from './fit.ts';
import { NONE, UNKNOWN } from './group.ts';
import type { Group } from './group.ts';
import { packedFill } from './packing.ts';
import type { Cell, HostTable } from './table.ts';

const at = (column: Float64Array | Int32Array, row: number): number => column[row] ?? 0;

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
function bestIn(table: HostTable, group: Group, cell: Cell): number {
  const { alike, inRack } = group;
  if (alike && inRack[cell.rack] === 0) return bestFor(alike, table, cell.index, () => leastIn(table, group, cell));
  return leastIn(table, group, cell);
}

function leastIn(table: HostTable, group: Group, { rows }: Cell): number {
  const { around, pack, cores } = group;
  return around === undefined && pack === undefined && cores === 0
    ? emptiestIn(table, group, rows)
    : scored(table, group, rows);
}

/** The same where replicas are spread, and neither other Apps nor cores of their own matter: most of what is placed, column by column. */
function emptiestIn(
  { all, free, part, aside }: HostTable,
  { demand, hostLoad, onHost, limits, asks }: Group,
  rows: Int32Array,
): number {
  const { cpu, memory } = demand;
  const [allCpu, freeCpu, cpuPart] = [all.cpu, free.cpu, part.cpu];
  const [allMemory, freeMemory, memoryPart] = [all.memory, free.memory, part.memory];
  let load = Infinity;
  let least = Infinity;
  let best = NONE;
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index] ?? 0;
    const own = hostLoad[row] ?? 0;
    if (own > load) continue;
    const byCpu = ((allCpu[row] ?? 0) - (freeCpu[row] ?? 0) + cpu) * (cpuPart[row] ?? 0);
    const byMemory = ((allMemory[row] ?? 0) - (freeMemory[row] ?? 0) + memory) * (memoryPart[row] ?? 0);
    const fill = (byCpu > byMemory ? byCpu : byMemory) + (aside[row] ?? 0);
    if (own === load && fill >= least) continue;
    if ((onHost[row] ?? 0) >= limits.host || !fits(asks, row)) continue;
    load = own;
    least = fill;
    best = row;
  }
  return best;
}

function scored(table: HostTable, group: Group, rows: Int32Array): number {
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
  const { cells, bests, limits, switchLoad, rackLoad, onSwitch, inRack } = group;
  let leastSwitch = Infinity;
  let leastRack = Infinity;
  let chosen = NONE;
  for (const cell of cells) {
    const bySwitch = switchLoad[cell.switch] ?? 0;
    if (bySwitch > leastSwitch) continue;
    const byRack = rackLoad[cell.rack] ?? 0;
    const ties = bySwitch === leastSwitch;
    if (ties && byRack > leastRack) continue;
    if ((onSwitch[cell.switch] ?? 0) >= limits.switch || (inRack[cell.rack] ?? 0) >= limits.rack) continue;
    let row = bests[cell.index] ?? UNKNOWN;
    if (row === UNKNOWN) bests[cell.index] = row = bestIn(table, group, cell);
    if (row === NONE || (ties && byRack === leastRack && !wins(table, group, row, chosen))) continue;
    leastSwitch = bySwitch;
    leastRack = byRack;
    chosen = row;
  }
  return chosen === NONE ? undefined : chosen;
}
