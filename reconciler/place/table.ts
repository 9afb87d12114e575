import type { Book } from '../model/book.ts';
import { amountOf, DIMENSIONS, eachDimension } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import type { HostRecord } from '../model/reservations.ts';
import type { HostView } from './hosts.ts';

type Amounts = Readonly<Record<Dimension, Float64Array>>;

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
  readonly views: HostView[];
  /** Host name → row. */
  readonly rows: ReadonlyMap<string, number>;
  readonly all: Amounts;
  readonly free: Amounts;
  /** The same by dimension, for what goes through all of them. */
  readonly columns: readonly { readonly key: Dimension; readonly all: Float64Array; readonly free: Float64Array }[];
  /** One over `all`: what a thousandth of a core and a byte are of the host. */
  readonly part: { readonly cpu: Float64Array; readonly memory: Float64Array };
  /** Row → what may be promised of one of its cores, in cores of the machines by which Apps are measured. */
  readonly worth: Float64Array;
  /** Row → how many of its CPUs are threads of one core. */
  readonly threads: Uint8Array;
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
  /** Cell → how often what is left of a host in it has changed. */
  readonly changes: Float64Array;
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

/** Counts the rows of each cell, and leaves every OF-th to this scheduler. */
function asideIn(cellOf: Int32Array, { part, of }: Side): Uint8Array {
  const seen = new Map<number, number>();
  return Uint8Array.from(cellOf, (cell) => {
    const before = seen.get(cell) ?? 0;
    seen.set(cell, before + 1);
    return before % of === part ? 0 : 1;
  });
}

/** A host as it may be placed on: one that is not to be seen now takes nothing, but what is on it still counts for its rack and switch. */
function viewOf(record: HostRecord, views: ReadonlyMap<string, HostView>): HostView {
  const view = views.get(record.host);
  return view ? { ...view, record } : { record: { ...record, state: 'closed' }, labels: {} };
}

/** The table of the hosts in the book; `views` say how those that are to be seen are labelled. */
export function hostTable(book: Book, views: ReadonlyMap<string, HostView>, side: Side): HostTable {
  const list = [...book.hosts.values()]
    .sort((a, b) => (a.host < b.host ? -1 : 1))
    .map((record) => viewOf(record, views));
  const columns = (): Amounts => eachDimension(() => zeros(list));
  const switches = numbered(list.map(({ record }) => record.switch));
  const racks = numbered(list.map(({ record }) => record.rack));
  const cells = numbered(list.map((_, row) => `${String(switches.of[row])} ${String(racks.of[row])}`));
  const [all, free] = [columns(), columns()];
  const table = {
    views: list,
    rows: new Map(list.map(({ record }, row) => [record.host, row])),
    all,
    free,
    columns: DIMENSIONS.map((key) => ({ key, all: all[key], free: free[key] })),
    part: { cpu: zeros(list), memory: zeros(list) },
    worth: zeros(list),
    threads: new Uint8Array(list.length),
    aside: asideIn(cells.of, side),
    switchOf: switches.of,
    rackOf: racks.of,
    switches: switches.count,
    racks: racks.count,
    cellOf: cells.of,
    cells: cells.count,
    changes: new Float64Array(cells.count),
  };
  for (const { record } of list) setHost(table, book, views, record);
  return table;
}

const zeros = (list: readonly unknown[]): Float64Array => new Float64Array(list.length);

/** Writes what the book says of a host into its row. False when its row is another by that, or none: the table has to be made anew. */
export function setHost(
  table: HostTable,
  book: Book,
  views: ReadonlyMap<string, HostView>,
  record: HostRecord,
): boolean {
  const row = table.rows.get(record.host);
  const before = row === undefined ? undefined : table.views[row]?.record;
  if (row === undefined || before?.rack !== record.rack || before.switch !== record.switch) return false;
  table.views[row] = viewOf(record, views);
  for (const key of DIMENSIONS) table.all[key][row] = amountOf(record.allocatable, key);
  table.worth[row] = views.get(record.host)?.worth ?? 1;
  table.threads[row] = record.threadsPerCore ?? 1;
  for (const key of ['cpu', 'memory'] as const)
    table.part[key][row] = record.allocatable[key] === 0 ? 0 : 1 / record.allocatable[key];
  setFree(table, book, row);
  return true;
}

/** Writes what is left of a host, as the book says. */
export function setFree(table: HostTable, book: Book, row: number): void {
  const used = book.used(hostName(table, row));
  for (const { key, all, free } of table.columns) free[row] = (all[row] ?? 0) - amountOf(used, key);
  changed(table, row);
}

function changed({ cellOf, changes }: HostTable, row: number): void {
  const cell = cellOf[row] ?? 0;
  changes[cell] = (changes[cell] ?? 0) + 1;
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
  for (const { key, free } of table.columns) free[row] = (free[row] ?? 0) - sign * amountOf(demand, key);
  changed(table, row);
}
