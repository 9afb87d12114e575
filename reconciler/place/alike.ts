import { amountOf, DIMENSIONS } from '../model/demand.ts';
import type { Asked } from './asks.ts';
import type { HostTable } from './table.ts';
import { weightsOf } from './weights.ts';
import type { Weights } from './weights.ts';

/** What Apps have in common whose replicas ask for the same of the same hosts. Most Apps have one of few sizes, and those of one size have their turns one after the other. */
export interface Alike {
  readonly weights: Weights;
  /** Cell → the row that is best for an App without anything there, all hosts being as loaded for it, or NONE. */
  readonly bests: Int32Array;
  /** Cell → after which of its changes that was so; −1 where it was never looked for. */
  readonly asOf: Float64Array;
}

/** By the rows that they may be placed on, then by what they ask for. */
export type Likes = Map<Int32Array, Map<string, Alike>>;

/** What those have in common that ask for this; made when it is first asked for. */
export function alikeIn(likes: Likes, table: HostTable, rows: Int32Array, ask: Asked): Alike {
  const sizes = likes.get(rows) ?? new Map<string, Alike>();
  likes.set(rows, sizes);
  const key = [ask.cores, ...DIMENSIONS.map((dimension) => amountOf(ask.demand, dimension))].join(' ');
  const known = sizes.get(key);
  if (known) return known;
  const made: Alike = {
    weights: weightsOf(table, rows, ask),
    bests: new Int32Array(table.cells),
    asOf: new Float64Array(table.cells).fill(-1),
  };
  sizes.set(key, made);
  return made;
}

/** The best row of a cell for those alike, looked for where the cell has changed since. */
export function bestFor({ bests, asOf }: Alike, { changes }: HostTable, cell: number, find: () => number): number {
  const now = changes[cell] ?? 0;
  if (asOf[cell] !== now) {
    bests[cell] = find();
    asOf[cell] = now;
  }
  return bests[cell] ?? 0;
}
