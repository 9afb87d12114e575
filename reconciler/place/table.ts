import type { Book } from '../model/book.ts';
import type { Demand } from '../model/replica.ts';
import type { HostView } from './hosts.ts';

type Amounts = Readonly<Record<keyof Demand, Float64Array>>;

/**
 * Schedulers that work side by side would all want the emptiest hosts and the lowest addresses, and refuse each other. So each takes
 * its own part of the hosts of a rack first, where hosts are as good as each other, and begins in its own part of each pool.
 */
export interface Side {
  readonly part: number;
  readonly of: number;
}

/** Rows that share switch and rack, in order, and the number of that pair in the table. */
export interface Cell {
  readonly index: number;
  readonly switch: number;
  readonly rack: number;
  readonly rows: Int32Array;
}

/** The hosts as columns of numbers, in order of name. Row numbers are meant wherever a host is a number. */
export interface HostTable {
  readonly views: readonly HostView[];
  /** Host name → row. */
  readonly rows: ReadonlyMap<string, number>;
  readonly all: Amounts;
  readonly free: Amounts;
  /** One over `all`: what a thousandth of a core and a byte are of the host. */
  readonly part: { readonly cpu: Float64Array; readonly memory: Float64Array };
  /** Row → 1 for a host that another scheduler takes first, else 0. */
  readonly aside: Uint8Array;
  /** Row → number of its switch and rack, counted from 0. */
  readonly switchOf: Int32Array;
  readonly rackOf: Int32Array;
  readonly switches: number;
  readonly racks: number;
  /** Row → number of its pair of switch and rack. */
  readonly cellOf: Int32Array;
  readonly cells: number;
}

function numbered(names: readonly string[]): { readonly of: Int32Array; readonly count: number } {
  const numbers = new Map<string, number>();
  const of = Int32Array.from(names, (name) => {
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  });
  return { of, count: numbers.size };
}

function column(views: readonly HostView[], value: (view: HostView) => number): Float64Array {
  return Float64Array.from(views, value);
}

/** Counts the rows of each cell, and leaves every OF-th to this scheduler. */
function asideIn(cellOf: Int32Array, { part, of }: Side): Uint8Array {
  const seen = new Map<number, number>();
  return Uint8Array.from(cellOf, (cell) => {
    const before = seen.get(cell) ?? 0;
    seen.set(cell, before + 1);
    return before % of === part ? 0 : 1;
  });
}

/** The table of these hosts with what the book says is used. */
export function hostTable(unordered: readonly HostView[], book: Book, side: Side): HostTable {
  const views = [...unordered].sort((a, b) => (a.record.host < b.record.host ? -1 : 1));
  const all = (key: keyof Demand): Float64Array => column(views, ({ record }) => record.allocatable[key]);
  const free = (key: keyof Demand): Float64Array =>
    column(views, ({ record }) => record.allocatable[key] - book.used(record.host)[key]);
  const part = (key: 'cpu' | 'memory'): Float64Array =>
    column(views, ({ record }) => (record.allocatable[key] === 0 ? 0 : 1 / record.allocatable[key]));
  const switches = numbered(views.map(({ record }) => record.switch));
  const racks = numbered(views.map(({ record }) => record.rack));
  const cells = numbered(views.map((_, row) => `${String(switches.of[row])} ${String(racks.of[row])}`));
  return {
    views,
    rows: new Map(views.map(({ record }, row) => [record.host, row])),
    all: { cpu: all('cpu'), memory: all('memory'), pids: all('pids') },
    free: { cpu: free('cpu'), memory: free('memory'), pids: free('pids') },
    part: { cpu: part('cpu'), memory: part('memory') },
    aside: asideIn(cells.of, side),
    switchOf: switches.of,
    rackOf: racks.of,
    switches: switches.count,
    racks: racks.count,
    cellOf: cells.of,
    cells: cells.count,
  };
}

/** Some rows by switch and rack. */
export function cellsOf({ cellOf, switchOf, rackOf }: HostTable, rows: Int32Array): readonly Cell[] {
  const byCell = new Map<number, number[]>();
  for (const row of rows) {
    const cell = byCell.get(cellOf[row] ?? 0);
    if (cell) cell.push(row);
    else byCell.set(cellOf[row] ?? 0, [row]);
  }
  return [...byCell].map(([index, some]) => ({
    index,
    switch: switchOf[some[0] ?? 0] ?? 0,
    rack: rackOf[some[0] ?? 0] ?? 0,
    rows: Int32Array.from(some),
  }));
}

/** Name of the host in a row. */
export function hostName(table: HostTable, row: number): string {
  return table.views[row]?.record.host ?? '';
}

/** Takes what a replica wants from a host, or with sign −1 gives it back. */
export function take(table: HostTable, row: number, demand: Demand, sign: 1 | -1): void {
  for (const key of ['cpu', 'memory', 'pids'] as const) {
    const free = table.free[key];
    free[row] = (free[row] ?? 0) - sign * demand[key];
  }
}
