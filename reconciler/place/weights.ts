import { amountOf, asked, NODES } from '../model/demand.ts';
import { cpuAt } from './asks.ts';
import type { Asked } from './asks.ts';
import { coresAt } from './cores.ts';
import type { HostTable } from './table.ts';

/** How many replicas of one demand would fit on a host, in a rack, behind a switch if nothing else were there. */
export interface Weights {
  readonly switch: Float64Array;
  readonly rack: Float64Array;
  readonly host: Float64Array;
  readonly all: number;
  /** How many on the largest host. */
  readonly most: number;
}

const at = (column: Float64Array | Int32Array, row: number): number => column[row] ?? 0;

function add(column: Float64Array, row: number, value: number): void {
  column[row] = at(column, row) + value;
}

/** How many replicas that ask for this an empty host could take, in parts too, so that all are weighted alike; 0 if not one. */
function slots(table: HostTable, row: number, ask: Asked): number {
  const { demand } = ask;
  const cores = coresAt(table, ask.cores, row);
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
  let most = 0;
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
    if (weight > most) most = weight;
  }
  return { ...weights, all, most };
}
