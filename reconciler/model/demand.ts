/** So many NUMA nodes of a machine, from 0, have cores that can be pinned; those of further nodes are shared. */
const MOST_NODES = 8;

/** The whole cores of a NUMA node that replicas have to themselves. */
type NodeDimension = `node${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}`;

/** What one replica takes from a host. Of a node's cores it takes CPU as well. */
export interface Demand extends Readonly<Partial<Record<NodeDimension, number>>> {
  /** Thousandths of a core. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
  readonly pids: number;
  /** Bytes on its disks; absent is none. */
  readonly disk?: number;
  /** Thousandths of a spindle; absent is none. */
  readonly spindles?: number;
}

/** One of the things of which a host has so much and a replica takes so much. */
export type Dimension = keyof Demand;

/** Those of which a host has one number. */
const PLAIN = ['cpu', 'memory', 'pids', 'disk', 'spindles'] as const satisfies readonly Dimension[];

/** The cores of each NUMA node, by its number. */
export const NODES: readonly NodeDimension[] = Array.from(
  { length: MOST_NODES },
  (_, node) => `node${String(node)}` as NodeDimension,
);

/** All of them, in the order in which they are asked for. Another one is a word here, in Demand and in `book.lua`. */
export const DIMENSIONS: readonly Dimension[] = [...PLAIN, ...NODES];

/** Those that a demand may leave out. */
const OPTIONAL: readonly Exclude<Dimension, 'cpu' | 'memory' | 'pids'>[] = ['disk', 'spindles', ...NODES];

/** Nothing at all. */
export const NOTHING: Demand = { cpu: 0, memory: 0, pids: 0 };

/** How much of one it is: what is not said is none, as in records that are older than the dimension. */
export function amountOf(demand: Demand, dimension: Dimension): number {
  return demand[dimension] ?? 0;
}

/** Something for each of them. */
export function eachDimension<T>(of: (dimension: Dimension) => T): Readonly<Record<Dimension, T>> {
  return Object.fromEntries(DIMENSIONS.map((key) => [key, of(key)])) as Readonly<Record<Dimension, T>>;
}

/** The number of the NUMA node whose cores a dimension is; undefined of all others. */
export function nodeIn(dimension: string): number | undefined {
  const node = /^node([0-7])$/.exec(dimension)?.[1];
  return node === undefined ? undefined : Number(node);
}

/** What people call the cores of a NUMA node: `cores of node 0`. Undefined of all other dimensions. */
export function coresName(dimension: string): string | undefined {
  const node = nodeIn(dimension);
  return node === undefined ? undefined : `cores of node ${String(node)}`;
}

/** The cores of its own that a demand has, and their NUMA node; undefined without any. */
export function pinnedIn(demand: Demand): { readonly node: number; readonly cores: number } | undefined {
  const node = NODES.findIndex((key) => amountOf(demand, key) > 0);
  const key = NODES[node];
  return key === undefined ? undefined : { node, cores: amountOf(demand, key) };
}

/** The same without cores of its own. */
export function unpinned(demand: Demand): Demand {
  return demandFrom((key) => (nodeIn(key) === undefined ? amountOf(demand, key) : 0));
}

/** A demand of so much of each. Of the optional dimensions, none is not said. */
export function demandFrom(amount: (dimension: Dimension) => number): Demand {
  const demand: Writable = { cpu: amount('cpu'), memory: amount('memory'), pids: amount('pids') };
  for (const dimension of OPTIONAL) {
    const value = amount(dimension);
    if (value !== 0) demand[dimension] = value;
  }
  return demand;
}

type Writable = { -readonly [D in keyof Demand]: Demand[D] };

/** The first and, with sign −1 less, the second. */
export function plus(a: Demand, b: Demand, sign: 1 | -1 = 1): Demand {
  const sum: Writable = { cpu: a.cpu + sign * b.cpu, memory: a.memory + sign * b.memory, pids: a.pids + sign * b.pids };
  for (const dimension of OPTIONAL) {
    if (a[dimension] === undefined && b[dimension] === undefined) continue;
    const value = amountOf(a, dimension) + sign * amountOf(b, dimension);
    if (value !== 0) sum[dimension] = value;
  }
  return sum;
}

/** Whether both ask for the same. */
export function sameDemand(a: Demand, b: Demand): boolean {
  return DIMENSIONS.every((dimension) => amountOf(a, dimension) === amountOf(b, dimension));
}

/** The dimensions of which a demand takes something. */
export function asked(demand: Demand): readonly Dimension[] {
  return DIMENSIONS.filter((dimension) => amountOf(demand, dimension) > 0);
}

/** The dimensions of which it says something. */
export function told(demand: Demand): readonly Dimension[] {
  return DIMENSIONS.filter((dimension) => demand[dimension] !== undefined);
}
