import type { AppSpec } from '../model/catalog.ts';
import { NODES } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { ruleAgainst } from './affinity.ts';
import type { Neighbourhood } from './affinity.ts';
import { asksAt, askingOf, cpuAt } from './asks.ts';
import type { Ask, Asking } from './asks.ts';
import { coresAt } from './cores.ts';
import { filterOf } from './filters.ts';
import type { FilterName } from './filters.ts';
import type { HostTable } from './table.ts';

/** What of an App tells which hosts can take a replica of it. */
export interface Tested extends Asking {
  /** The hosts that pass what does not depend on other replicas. */
  readonly rows: Int32Array;
  readonly limits: { readonly switch: number; readonly rack: number; readonly host: number };
  /** What other Apps make of the hosts; undefined when none concerns it. */
  readonly around: Neighbourhood | undefined;
  /** How many of its replicas are behind a switch, in a rack, on a host. */
  readonly onSwitch: Int32Array;
  readonly inRack: Int32Array;
  readonly onHost: Int32Array;
}

const at = (column: Float64Array | Int32Array, row: number): number => column[row] ?? 0;

function add(column: Int32Array, index: number, step: 1 | -1): void {
  column[index] = (column[index] ?? 0) + step;
}

/** What tells it of an App with the placements that it has. */
export function testedOf(
  table: HostTable,
  app: AppSpec,
  { rows, around }: Pick<Tested, 'rows' | 'around'>,
  placed: readonly Placement[],
): Tested {
  const { spread } = app;
  const tested: Tested = {
    ...askingOf(table, app),
    rows,
    around,
    limits: { switch: spread.switch ?? Infinity, rack: spread.rack ?? Infinity, host: spread.host ?? Infinity },
    onSwitch: new Int32Array(table.switches),
    inRack: new Int32Array(table.racks),
    onHost: new Int32Array(table.views.length),
  };
  for (const { host } of placed) {
    const row = table.rows.get(host);
    if (row !== undefined) countThere(table, tested, row, 1);
  }
  return tested;
}

/** Counts a replica on the host of a row, or with −1 no longer. */
export function countThere(table: HostTable, { onHost, inRack, onSwitch }: Tested, row: number, step: 1 | -1): void {
  add(onHost, row, step);
  add(inRack, at(table.rackOf, row), step);
  add(onSwitch, at(table.switchOf, row), step);
}

/** The first filter that removes a candidate as things stand now. */
export function obstacle(table: HostTable, tested: Tested, row: number): FilterName | undefined {
  const against = ruleAgainst(tested.around, row);
  if (against) return against.apart ? 'antiAffinity' : 'affinity';
  const lacking = asksAt(table, tested, row).find(({ free, amount }) => at(free, row) < amount);
  return lacking ? filterOf(lacking.key) : crowded(table, tested, row);
}

function crowded({ switchOf, rackOf }: HostTable, tested: Tested, row: number): FilterName | undefined {
  const { limits } = tested;
  if (at(tested.onSwitch, at(switchOf, row)) >= limits.switch) return 'spread.switch';
  if (at(tested.inRack, at(rackOf, row)) >= limits.rack) return 'spread.rack';
  if (at(tested.onHost, row) >= limits.host) return 'spread.host';
  return undefined;
}

/** Whether a candidate would take a replica if it had the room. */
export function lacksOnlyRoom(table: HostTable, tested: Tested, row: number): boolean {
  return ruleAgainst(tested.around, row) === undefined && crowded(table, tested, row) === undefined;
}

function hasCores(table: HostTable, asking: Asking, row: number): boolean {
  const { free } = table;
  const cores = coresAt(table, asking.cores, row);
  return at(free.cpu, row) >= cpuAt(table, asking, row) && NODES.some((node) => at(free[node], row) >= cores);
}

/** Whether there is enough of all that is asked for. */
export function fits(asks: readonly Ask[], row: number): boolean {
  for (const { free, amount } of asks) if (at(free, row) < amount) return false;
  return true;
}

/** The part of it that the host alone decides. */
export function hasRoom(table: HostTable, tested: Tested, row: number): boolean {
  const { asks, limits, onHost, around } = tested;
  if (around !== undefined && around.barredBy[row] !== 0) return false;
  if (tested.cores > 0 && !hasCores(table, tested, row)) return false;
  return at(onHost, row) < limits.host && fits(asks, row);
}
