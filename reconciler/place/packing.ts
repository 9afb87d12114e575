import type { AppSpec, Resource } from '../model/catalog.ts';
import type { Demand } from '../model/demand.ts';
import type { HostTable } from './table.ts';

/** The shapes of what a Zone's Apps ask for: memory for CPU, of all, and over that of those that ask for more and for less than that. */
export interface Mix {
  readonly ratio: number;
  readonly high: number;
  readonly low: number;
}

/** How a Zone is being packed while an App has its turn. */
export interface Packing {
  readonly mix: Mix;
  /** What hosts in use have left, less what is still to be placed; where it is negative another host has to be used. */
  readonly slack: { cpu: number; memory: number };
}

type Amount = Pick<Demand, 'cpu' | 'memory'>;

const ratioOf = ({ cpu, memory }: Amount): number => (memory === 0 ? 0 : memory / cpu);

/** The mix of Apps; shapes do not count where nobody asks for CPU, or nobody for memory. */
export function mixOf(apps: readonly Resource<AppSpec>[]): Mix {
  const sum = (some: readonly Resource<AppSpec>[]): Amount =>
    some.reduce(
      ({ cpu, memory }, { spec: { replicas, resources } }) => ({
        cpu: cpu + replicas * resources.cpu,
        memory: memory + replicas * resources.memory,
      }),
      { cpu: 0, memory: 0 },
    );
  const all = sum(apps);
  if (all.cpu === 0 || all.memory === 0) return { ratio: 1, high: Infinity, low: 0 };
  const ratio = ratioOf(all);
  const over = (which: (own: number) => boolean): number => {
    const some = sum(apps.filter(({ spec }) => spec.replicas > 0 && which(ratioOf(spec.resources))));
    return some.cpu + some.memory === 0 ? 1 : ratioOf(some) / ratio;
  };
  return { ratio, high: over((own) => own > ratio), low: over((own) => own < ratio) };
}

const at = (column: Float64Array, row: number): number => column[row] ?? 0;

/** Whether nothing is on a host. */
export function isUnused({ all, free }: HostTable, row: number): boolean {
  return at(free.cpu, row) === at(all.cpu, row) && at(free.memory, row) === at(all.memory, row);
}

/** The packing of some hosts by what is left of them and `wanted` in all. */
export function packingOf(table: HostTable, rows: Int32Array, mix: Mix, wanted: Amount): Packing {
  const slack = { cpu: -wanted.cpu, memory: -wanted.memory };
  for (const row of rows)
    if (!isUnused(table, row)) add(slack, { cpu: table.free.cpu[row] ?? 0, memory: table.free.memory[row] ?? 0 });
  return { mix, slack };
}

function add(slack: Packing['slack'], { cpu, memory }: Amount): void {
  slack.cpu += cpu;
  slack.memory += memory;
}

/** Whether hosts in use have too little left. */
const mustOpen = ({ slack }: Packing): boolean => slack.cpu < 0 || slack.memory < 0;

/** To be told of a host that is used from now on. True when the scores of all hosts are others by that. */
export function opened({ all }: HostTable, packing: Packing, row: number): boolean {
  const before = mustOpen(packing);
  add(packing.slack, { cpu: at(all.cpu, row), memory: at(all.memory, row) });
  return before !== mustOpen(packing);
}

/** To be told of CPU that a replica took beside what was wanted for it. True when the scores of all hosts are others by that. */
export function tookMore(packing: Packing, cpu: number): boolean {
  const before = mustOpen(packing);
  packing.slack.cpu -= cpu;
  return before !== mustOpen(packing);
}

/** To be told of a replica that was wanted and found no host. */
export function gaveUp({ slack }: Packing, demand: Amount): void {
  add(slack, demand);
}

/** Of what is left of a host, as parts of what the mix could use of it, the part that no mixture of the Apps to come can use. */
function stranded({ high, low }: Mix, cpu: number, memory: number): number {
  if (memory > high * cpu) return memory - high * cpu;
  if (memory < low * cpu) return cpu - memory / low;
  return 0;
}

/** So much fuller is a host worth that strands the whole of itself: to strand little comes first, and does not for a few thousandths. */
const STRANDED = 40;
/** More than anything else can be worth. */
const UNUSED = 1000;

/**
 * How bad a host is to pack a replica on, less is better: what it would strand there, then how empty the host stays; a host without
 * anything on it only where those in use have too little left for all that is wanted. After the norm-based heuristics of Panigrahy,
 * Talwar, Uyeda and Wieder, "Heuristics for Vector Bin Packing" (2011), with the shapes that are wanted known.
 */
export function packedFill(table: HostTable, packing: Packing, cpu: number, memory: number, row: number): number {
  const { mix } = packing;
  const { all, free } = table;
  const usable = Math.min(at(all.cpu, row), at(all.memory, row) / mix.ratio);
  if (usable === 0) return UNUSED;
  const part = (left: number, of: number): number => Math.max(0, 1 - (of - left) / usable);
  const [c, m] = [
    part(at(free.cpu, row), at(all.cpu, row)),
    part(at(free.memory, row) / mix.ratio, at(all.memory, row) / mix.ratio),
  ];
  const nextC = part(at(free.cpu, row) - cpu, at(all.cpu, row));
  const nextM = part((at(free.memory, row) - memory) / mix.ratio, at(all.memory, row) / mix.ratio);
  const more = stranded(mix, nextC, nextM) - stranded(mix, c, m);
  const unused = isUnused(table, row) && !mustOpen(packing) ? UNUSED : 0;
  return unused + STRANDED * more - (2 - nextC - nextM) / 2;
}
