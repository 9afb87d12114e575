import type { AppSpec } from '../model/catalog.ts';
import { amountOf, asked, demandFrom, NODES } from '../model/demand.ts';
import type { Demand, Dimension } from '../model/demand.ts';
import { coresAt, coresOf, cpuOf, nodeFor, onNode } from './cores.ts';
import type { HostTable } from './table.ts';

/** What there is of something, by row, and how much a replica takes of it. */
export interface Ask {
  readonly key: Dimension;
  readonly free: Float64Array;
  readonly amount: number;
}

/** What a replica asks for. */
export interface Asked {
  /** Of cores that it has for itself, without what they take of a host: see `demandAt`. */
  readonly demand: Demand;
  /** How many cores a replica is to have for itself, before its host rounds them up to whole ones; 0 when it shares. */
  readonly cores: number;
}

/** The same beside what hosts have left. */
export interface Asking extends Asked {
  /** Without the CPU of pinned cores: see `asksAt`. */
  readonly asks: readonly Ask[];
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

const asksOf = ({ free }: HostTable, demand: Demand, keys: readonly Dimension[]): readonly Ask[] =>
  keys.map((key) => ({ key, free: free[key], amount: amountOf(demand, key) }));

/** What a replica of an App asks for, beside what the hosts of a table have left. */
export function askingOf(table: HostTable, app: AppSpec): Asking {
  const demand = demandOf(app);
  const cores = coresOf(app);
  const plain = asked(demand).filter((key) => cores === 0 || key !== 'cpu');
  return { demand, cores, asks: asksOf(table, demand, plain) };
}

const worthAt = ({ worth }: HostTable, row: number): number => worth[row] ?? 0;

/** What a replica takes of the host in a row: pinned cores are of the node that suits best. */
export function demandAt(table: HostTable, { demand, cores: asks }: Asked, row: number): Demand {
  if (asks === 0) return demand;
  const cores = coresAt(table, asks, row);
  const node = nodeFor((each) => table.free[NODES[each] ?? 'node0'][row] ?? 0, cores);
  return onNode(demand, cores, node, worthAt(table, row));
}

/** All that a replica takes something of, on the host in a row. */
export function asksAt(table: HostTable, asking: Asking, row: number): readonly Ask[] {
  if (asking.cores === 0) return asking.asks;
  const demand = demandAt(table, asking, row);
  return asksOf(table, demand, asked(demand));
}

/** All that it may be: one for each NUMA node that has so many cores, whoever has them now. */
export function demandsAt(table: HostTable, { demand, cores: asks }: Asked, row: number): readonly Demand[] {
  if (asks === 0) return [demand];
  const cores = coresAt(table, asks, row);
  const nodes = NODES.flatMap((key, node) => ((table.all[key][row] ?? 0) >= cores ? [node] : []));
  return nodes.map((node) => onNode(demand, cores, node, worthAt(table, row)));
}

/** The CPU among it. */
export function cpuAt(table: HostTable, { demand, cores }: Asked, row: number): number {
  return cores === 0 ? demand.cpu : cpuOf(coresAt(table, cores, row), worthAt(table, row));
}
