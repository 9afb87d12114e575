import { pinnedIn } from './demand.ts';
import type { Ref } from './ref.ts';
import type { Placement } from './replica.ts';
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

/** So many CPUs rounded up to whole cores of so many threads. */
export function inWhole(cpus: number, threads: number): number {
  return Math.ceil(cpus / threads) * threads;
}

/** What is said of a replica whose own cores are no whole ones on a host with so many threads for each; undefined where they are. */
export function sharingText({ demand, host }: Placement, threads = 1): string | undefined {
  const cores = pinnedIn(demand)?.cores ?? 0;
  const isWhole = inWhole(cores, threads) === cores;
  return isWhole ? undefined : `shares a core with others until ${host} has room for whole ones`;
}

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

type Core = readonly number[];

/** One replica's CPUs while all are being worked out. */
interface Claim {
  readonly replica: string;
  readonly cores: number;
  /** At least `cores`. */
  readonly reserved: number;
  readonly node: readonly Core[];
  /** What it had of the node. */
  readonly before: Cpus;
  readonly cpus: number[];
}

const isWhole = (core: Core, free: Cpus): boolean => core.every((cpu) => free.has(cpu));

/** The CPUs of a list, those of a set first. */
const firstOf = (cpus: readonly number[], some: Cpus): readonly number[] => [
  ...common(cpus, some),
  ...less(cpus, some),
];

/** What a replica had already of a node: as remembered, else as the kernel holds it. */
function had({ given, held }: CoresState, replica: string, cores: number, node: readonly Core[]): Cpus {
  const there = new Set(node.flat());
  const remembered = given[replica];
  if (remembered !== undefined) return new Set(common(parseCpus(remembered), there));
  const holds = parseCpus(held[replica]?.cpus ?? '');
  const threads = Math.max(1, ...node.map(({ length }) => length));
  // what shares is held to more, or to others
  const isOwn = [cores, inWhole(cores, threads)].includes(holds.length) && isWhole(holds, there);
  return new Set(isOwn ? holds : []);
}

/**
 * Gives replicas what they keep: of the cores that nobody else has a part of those first of which one had most, and then all their threads as far as
 * so many are asked for and one CPU is left for all others. Nobody gets more of a core before all have what they had.
 */
function keep(claims: readonly Claim[], free: Set<number>): void {
  for (const some of [common, firstOf])
    for (const { cores, node, before, cpus } of claims) {
      for (const cpu of cpus) free.add(cpu);
      const own = node
        .filter((core) => isWhole(core, free) && core.some((cpu) => before.has(cpu)))
        .toSorted((a, b) => common(b, before).length - common(a, before).length);
      const most = Math.min(cores, free.size - 1);
      cpus.length = 0;
      for (const core of own) cpus.push(...some(core, before).slice(0, most - cpus.length));
      for (const cpu of cpus) free.delete(cpu);
    }
}

/**
 * So many more CPUs of a node: first whole cores, the last of the node first (the first CPU of a machine has the most to do for others),
 * then a part of one, then what is left of cores that others have a part of.
 */
function pick({ cores, cpus, node, before }: Claim, free: Cpus): readonly number[] {
  const missing = cores - cpus.length;
  const picked: number[] = [];
  const whole = node
    .filter((core) => isWhole(core, free))
    .reverse()
    .toSorted((a, b) => b.length - a.length);
  for (const core of whole) if (picked.length + core.length <= missing) picked.push(...core);
  const taken = new Set(picked);
  const [larger = []] = whole.filter(([cpu]) => !taken.has(cpu ?? NaN)).toSorted((a, b) => a.length - b.length);
  const parts = node
    .filter((core) => !isWhole(core, free))
    .reverse()
    .flatMap((core) => common(core, free));
  for (const some of [larger, firstOf(parts, before)]) picked.push(...some.slice(0, missing - picked.length));
  return picked;
}

/** The same without cores that it can do without once it has the others whole: where cores have unlike numbers of threads (some offline), one may be too many. */
function trimmed({ cores, node }: Claim, cpus: readonly number[], free: Cpus): readonly number[] {
  const own = new Set(cpus);
  const touched = node
    .map((core) => firstOf(core, own).filter((cpu) => own.has(cpu) || free.has(cpu)))
    .filter(([cpu]) => own.has(cpu ?? NaN));
  let left = touched;
  for (const core of touched.toSorted((a, b) => a.length - b.length))
    if (left.flat().length - core.length >= cores) left = left.filter((one) => one !== core);
  return left === touched ? cpus : left.flat().slice(0, cores);
}

/**
 * Whoever has a part of a core gets the rest of it where nobody else has that, so that nobody runs beside him on a thread of it, as far as so many are
 * reserved for him: what is not was promised to those that share. One CPU at least is left for these.
 */
function fillUp({ node, cpus, reserved }: Claim, free: Set<number>): readonly number[] {
  const own = new Set(cpus);
  const rest = node.filter((core) => core.some((cpu) => own.has(cpu))).flatMap((core) => common(core, free));
  const more = rest.slice(0, Math.max(0, Math.min(free.size - 1, reserved - cpus.length)));
  for (const cpu of more) free.delete(cpu);
  return [...cpus, ...more];
}

/** Takes the CPUs of those that are no longer asked for and still run out of what is free. */
function takeLeaving(
  { pinned, shared }: CoresSpec,
  { given, held }: CoresState,
  free: Set<number>,
): Map<string, string> {
  const known = new Set([...Object.keys(pinned), ...shared]);
  const leaving = new Map<string, string>();
  for (const [replica, cpus] of Object.entries(given)) {
    if (known.has(replica) || held[replica] === undefined) continue;
    const own = common(parseCpus(cpus), free);
    if (own.length > 0) leaving.set(replica, formatCpus(own));
    for (const cpu of own) free.delete(cpu);
  }
  return leaving;
}

/**
 * Which CPUs each pinned replica has alone: disjoint, of the NUMA node that it was placed on, and those that it has had before, as far
 * as they are there and nobody else has a part of the same core. It has so many CPUs as it is to have, or more where they make no whole
 * number of cores and the rest of the last is reserved for it, too. What a replica had that is no longer asked for stays its own while it runs. One CPU at
 * least is left for all others.
 */
export function allot(spec: CoresSpec, state: CoresState): Allotment {
  const free = allCpus(state);
  const given = takeLeaving(spec, state, free);
  const claims = Object.entries(spec.pinned)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([replica, { node: number, cores, reserved = cores }]): Claim => {
      const node = (state.nodes[String(number)] ?? []).map(parseCpus);
      return { replica, cores, reserved, node, before: had(state, replica, cores, node), cpus: [] };
    });
  keep(claims, free);
  const lacking: string[] = [];
  for (const claim of claims) {
    const more = pick(claim, free);
    const isEnough = claim.cpus.length + more.length === claim.cores && free.size > more.length;
    if (!isEnough) lacking.push(claim.replica);
    const all = [...claim.cpus, ...(isEnough ? more : common(more, claim.before).slice(0, free.size - 1))];
    for (const cpu of claim.cpus) free.add(cpu);
    claim.cpus.splice(0, Infinity, ...trimmed(claim, all, free));
    for (const cpu of claim.cpus) free.delete(cpu);
  }
  for (const claim of claims) {
    const cpus = fillUp(claim, free);
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
 * wait for each other one that shares begins, with what nobody has for itself by then: who is to have cores for itself still shares until it has them.
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
  const owned = new Set(Object.values(given).flatMap(parseCpus));
  for (const one of movers) {
    const stays = one.now.size === 0 ? [...one.target] : common(one.now, one.target);
    // one that is to have nothing of what it has steps aside first: whoever waits for that may have what it is to have
    const keep = stays.length > 0 ? stays : less(one.now, owned);
    if (keep.length > 0 && keep.length !== one.now.size) write(one, keep);
  }
  let waiting = movers.filter(({ now, target }) => now.size !== target.size || less(target, now).length > 0);
  const aside = new Set<Mover>();
  while (waiting.length > 0) {
    const free = waiting.find((one) => !isInTheWay(one, movers));
    const next = free ?? waiting.find(({ replica }) => given[replica] === undefined) ?? waiting[0];
    if (!next) break;
    // of what others have for themselves by now it takes nothing before they have moved
    const taken = new Set(
      movers.flatMap((one) => (one === next || given[one.replica] === undefined ? [] : [...one.now])),
    );
    const part = free || aside.has(next) ? [] : less(next.target, taken);
    aside.add(next);
    write(next, part.length > 0 ? part : [...next.target]);
    if (part.length === 0 || part.length === next.target.size) waiting = waiting.filter((one) => one !== next);
  }
  return writes;
}
