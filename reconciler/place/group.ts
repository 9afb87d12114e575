import type { AppSpec } from '../model/catalog.ts';
import type { Demand } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import type { Alike } from './alike.ts';
import { countThere, testedOf } from './fit.ts';
import type { Tested } from './fit.ts';
import { opened, tookMore } from './packing.ts';
import type { Packing } from './packing.ts';
import { take } from './table.ts';
import type { Cell, HostTable } from './table.ts';
import type { Weights } from './weights.ts';

/** One App while its replicas are being placed: the hosts that may take them, and how many each already has. */
export interface Group extends Tested {
  /** How many replicas it is to have. */
  readonly replicas: number;
  /** Its rows by switch and rack, and of each such cell the row that is best now. */
  readonly cells: readonly Cell[];
  readonly bests: Int32Array;
  /** Undefined where replicas are spread. */
  readonly pack: Packing | undefined;
  readonly weights: Weights;
  /** What it has in common with others while it has nothing in a cell; undefined where what is best for them need not be best for it. */
  readonly alike: Alike | undefined;
  /** How much of its share each domain has by what is there; 0 when packing. */
  readonly switchLoad: Float64Array;
  readonly rackLoad: Float64Array;
  readonly hostLoad: Float64Array;
}

/** In `bests`: no row of the cell can take a replica; or it has to be looked for. */
export const NONE = -1;
export const UNKNOWN = -2;

const at = (column: Float64Array | Int32Array, row: number): number => column[row] ?? 0;

/** What the group of an App stands on. */
export type Footing = Pick<Group, 'rows' | 'cells' | 'weights' | 'alike' | 'pack' | 'around'>;

/** The group of an App with the placements that it has. */
export function groupOf(table: HostTable, app: AppSpec, footing: Footing, placed: readonly Placement[]): Group {
  const { weights, pack, around, alike } = footing;
  const tested = testedOf(table, app, footing, placed);
  const isPlain = pack === undefined && around === undefined && tested.cores === 0;
  const even = pack === undefined && isEven(app, weights);
  const group: Group = {
    ...tested,
    ...footing,
    replicas: app.replicas,
    alike: isPlain && even ? alike : undefined,
    bests: new Int32Array(table.cells).fill(UNKNOWN),
    switchLoad: emptyLoads(app, weights.switch, weights.all, pack !== undefined),
    rackLoad: emptyLoads(app, weights.rack, weights.all, pack !== undefined),
    hostLoad: even
      ? new Float64Array(weights.host.length).fill(app.replicas / weights.all)
      : emptyLoads(app, weights.host, weights.all, pack !== undefined),
  };
  for (const { host } of placed) {
    const row = table.rows.get(host);
    if (row !== undefined) load(table, group, row);
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

/** Whether no host comes before another by its share before anything is placed: a small App's share of each is less than a half. */
const isEven = ({ replicas }: AppSpec, { most, all }: Weights): boolean => 0.5 / most >= replicas / all;

/** The loads before anything is placed; all equal when packing, where the fullest host comes before any spread. */
function emptyLoads({ replicas }: AppSpec, weights: Float64Array, all: number, packs: boolean): Float64Array {
  const loads = new Float64Array(weights.length);
  if (!packs) for (let at = 0; at < loads.length; at += 1) loads[at] = loadOf(0, weights[at] ?? 0, replicas, all);
  return loads;
}

/** Reckons how loaded the host of a row, its rack and its switch are by what is there. */
function load(table: HostTable, group: Group, row: number): void {
  const { onHost, inRack, onSwitch, weights, replicas } = group;
  if (group.pack) return;
  const rack = at(table.rackOf, row);
  const behind = at(table.switchOf, row);
  group.hostLoad[row] = loadOf(at(onHost, row), at(weights.host, row), replicas, weights.all);
  group.rackLoad[rack] = loadOf(at(inRack, rack), at(weights.rack, rack), replicas, weights.all);
  group.switchLoad[behind] = loadOf(at(onSwitch, behind), at(weights.switch, behind), replicas, weights.all);
}

/** Counts a replica of the group on a host, or with −1 no longer. */
export function count(table: HostTable, group: Group, row: number, step: 1 | -1): void {
  countThere(table, group, row, step);
  load(table, group, row);
  forgetBest(table, group, row);
}

/** To be told of a host that nothing was on before. */
export function openHost(table: HostTable, { pack, bests }: Group, row: number): void {
  if (pack && opened(table, pack, row)) bests.fill(UNKNOWN);
}

/** To be told of a replica that has its place: pinned cores take another part of the CPU of a faster or slower host, or one with SMT, than was wanted. */
export function tookOther({ demand, pack, bests }: Group, taken: Demand): void {
  if (pack && taken.cpu !== demand.cpu && tookMore(pack, taken.cpu - demand.cpu)) bests.fill(UNKNOWN);
}

/** To be told when there is more or less room on a host than before. */
export function forgetBest({ cellOf }: HostTable, { bests }: Group, row: number): void {
  bests[at(cellOf, row)] = UNKNOWN;
}
