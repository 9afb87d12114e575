import type { Ref } from './ref.ts';
import type { Cpuset, CoresSpec, CoresState } from './resources.ts';

/** The one ref of a host that says which of its CPUs each of its replicas has: what one has alone, no other may have. */
export const CORES: Ref = 'cores/host';

type Cpus = ReadonlySet<number>;
type Topology = Pick<CoresState, 'nodes' | 'memory'>;

/** The CPUs of a list as the kernel writes it (`0-3,8`), ascending. */
export function parseCpus(list: string): readonly number[] {
  const ranges = list.trim().split(',').filter(Boolean);
  const all = ranges.flatMap((range) => {
    const [first = NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
  return [...new Set(all)].sort((a, b) => a - b);
}

/** A list as the kernel writes it. */
export function formatCpus(cpus: Iterable<number>): string {
  const ranges: [number, number][] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && cpu === last[1] + 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${String(first)}-${String(last)}`)).join(',');
}

/** Whether two lists name the same CPUs. */
export function sameCpus(a: string, b: string): boolean {
  return a === b || formatCpus(parseCpus(a)) === formatCpus(parseCpus(b));
}

const common = (a: Iterable<number>, b: Cpus): number[] => [...a].filter((cpu) => b.has(cpu));
const less = (a: Iterable<number>, b: Cpus): number[] => [...a].filter((cpu) => !b.has(cpu));

/** All CPUs of a machine. */
function allCpus({ nodes }: Topology): Set<number> {
  return new Set(Object.values(nodes).flatMap((cores) => cores.flatMap(parseCpus)));
}

/** Which CPUs replicas are to have. */
export interface Allotment {
  /** Replica → the CPUs that it has alone. */
  readonly given: Readonly<Record<string, string>>;
  /** Replicas whose NUMA node has too few CPUs that nobody else has; they keep what they have of them. */
  readonly lacking: readonly string[];
}

/** One replica's CPUs while all are being worked out. */
interface Claim {
  readonly replica: string;
  readonly cores: number;
  readonly node: readonly (readonly number[])[];
  readonly cpus: number[];
}

/**
 * So many more CPUs of a node: first those that share a core with what the replica has, then whole cores, the last of the node first
 * (the first CPU of a machine has the most to do for others), then what is left of cores that others have a part of.
 */
function pick(claim: Claim, free: Cpus): readonly number[] {
  const own = new Set(claim.cpus);
  const cores = [...claim.node]
    .reverse()
    .map((core) => ({ free: common(core, free), whole: core.every((cpu) => free.has(cpu)), mine: common(core, own) }))
    .filter((core) => core.free.length > 0);
  const missing = claim.cores - claim.cpus.length;
  const picked: number[] = [];
  const takeFrom = (some: readonly { readonly free: readonly number[] }[]): void => {
    for (const core of some) picked.push(...core.free.slice(0, missing - picked.length));
  };
  takeFrom(cores.filter(({ mine }) => mine.length > 0));
  const others = cores.filter(({ mine }) => mine.length === 0);
  for (const { whole, free: cpus } of others) if (whole && picked.length + cpus.length <= missing) picked.push(...cpus);
  const taken = new Set(picked);
  const rest = others.filter((core) => core.free.every((cpu) => !taken.has(cpu)));
  takeFrom(rest.toSorted((a, b) => Number(a.whole) - Number(b.whole)));
  return picked;
}

/** What a replica has already of what it is to have: as remembered, else as the kernel holds it. Whole cores come first. */
function kept(claim: Omit<Claim, 'cpus'>, { given, held }: CoresState, free: Cpus): readonly number[] {
  const usable = new Set(common(claim.node.flat(), free));
  const remembered = given[claim.replica];
  const holds = parseCpus(held[claim.replica]?.cpus ?? '');
  const before = remembered === undefined ? (holds.length === claim.cores ? holds : []) : parseCpus(remembered);
  const have = new Set(common(before, usable));
  if (remembered === undefined && have.size < claim.cores) return [];
  const byCore = claim.node.map((core) => common(core, have)).filter((core) => core.length > 0);
  return byCore
    .toSorted((a, b) => b.length - a.length)
    .flat()
    .slice(0, claim.cores);
}

/**
 * Which CPUs each pinned replica has alone: disjoint, of the NUMA node that it was placed on, and those that it has had before, as far
 * as they are there. What a replica had that is no longer asked for stays its own while it runs. One CPU at least is left for all others.
 */
export function allot({ pinned, shared }: CoresSpec, state: CoresState): Allotment {
  const free = allCpus(state);
  const given = new Map<string, string>();
  const known = new Set([...Object.keys(pinned), ...shared]);
  for (const [replica, cpus] of Object.entries(state.given)) {
    if (known.has(replica) || state.held[replica] === undefined) continue;
    const own = common(parseCpus(cpus), free);
    if (own.length > 0) given.set(replica, formatCpus(own));
    for (const cpu of own) free.delete(cpu);
  }
  const claims = Object.entries(pinned)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([replica, { node, cores }]): Claim => {
      const claim = { replica, cores, node: (state.nodes[String(node)] ?? []).map(parseCpus) };
      const cpus = [...kept(claim, state, free)];
      for (const cpu of cpus) free.delete(cpu);
      return { ...claim, cpus };
    });
  const lacking: string[] = [];
  for (const claim of claims) {
    const more = claim.cpus.length < claim.cores ? pick(claim, free) : [];
    const enough = claim.cpus.length + more.length === claim.cores && free.size > more.length;
    if (enough) for (const cpu of more) free.delete(cpu);
    else lacking.push(claim.replica);
    const cpus = enough ? [...claim.cpus, ...more] : claim.cpus;
    if (cpus.length > 0) given.set(claim.replica, formatCpus(cpus));
  }
  return { given: Object.fromEntries(given), lacking };
}

/** The NUMA nodes whose memory goes with some CPUs: theirs, or all where theirs have none. */
function memoryOf({ nodes, memory }: Topology, cpus: Cpus): string {
  const there = new Set(parseCpus(memory));
  const own = Object.entries(nodes)
    .filter(([, cores]) => cores.flatMap(parseCpus).some((cpu) => cpus.has(cpu)))
    .map(([node]) => Number(node))
    .filter((node) => there.has(node));
  return own.length > 0 ? formatCpus(own) : memory;
}

/** The CPUs that nobody has for himself, and all memory: what those have that share. */
export function restOf(state: Topology & Pick<CoresState, 'given'>): Cpuset {
  const taken = new Set(Object.values(state.given).flatMap(parseCpus));
  return { cpus: formatCpus(less(allCpus(state), taken)), mems: state.memory };
}

/** The CPUs and the memory of a replica: its own, or what the others leave. */
export function cpusetOf(state: Topology & Pick<CoresState, 'given'>, replica: string): Cpuset {
  const own = state.given[replica];
  if (own !== undefined) return { cpus: own, mems: memoryOf(state, new Set(parseCpus(own))) };
  return restOf(state);
}

/** One set of CPUs that is written. */
export interface CpusWrite {
  readonly replica: string;
  readonly cpus: string;
}

/** A replica while it is moved: what it is to have, and what it has. */
interface Mover {
  readonly replica: string;
  readonly target: Cpus;
  now: Cpus;
}

/** Whether somebody who is to have none of what one is to have still has some of it. */
function isInTheWay(one: Mover, others: readonly Mover[]): boolean {
  return others.some(
    (other) => common(one.target, other.now).length > 0 && common(one.target, other.target).length === 0,
  );
}

/**
 * The writes that lead from what replicas are held to (empty: to all) to what they are to have, so that on the way nobody gets what
 * another has for itself: first each gives up what is not its own any more, then each takes what nobody else has by then. Of those that
 * wait for each other one that shares begins: who is to have cores for itself still shares until it has them.
 */
export function writesBetween(
  held: CoresState['held'],
  targets: Readonly<Record<string, Cpuset>>,
  given: CoresState['given'],
): readonly CpusWrite[] {
  const movers = Object.entries(targets).map(([replica, { cpus }]): Mover => {
    const target = new Set(parseCpus(cpus));
    const now = parseCpus(held[replica]?.cpus ?? '');
    return { replica, target, now: new Set(now) };
  });
  const writes: CpusWrite[] = [];
  const write = (one: Mover, cpus: readonly number[]): void => {
    one.now = new Set(cpus);
    writes.push({ replica: one.replica, cpus: formatCpus(cpus) });
  };
  for (const one of movers) {
    const keep = one.now.size === 0 ? [...one.target] : common(one.now, one.target);
    if (keep.length > 0 && keep.length !== one.now.size) write(one, keep);
  }
  let waiting = movers.filter(({ now, target }) => now.size !== target.size || less(target, now).length > 0);
  while (waiting.length > 0) {
    const free = waiting.find((one) => !isInTheWay(one, movers));
    const next = free ?? waiting.find(({ replica }) => given[replica] === undefined) ?? waiting[0];
    if (!next) break;
    write(next, [...next.target]);
    waiting = waiting.filter((one) => one !== next);
  }
  return writes;
}
