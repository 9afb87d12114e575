/** A host as the samplers see it. Numbers of switch and rack count from 0. */
export interface SampledHost {
  readonly switch: number;
  readonly rack: number;
  readonly cpu: number;
  readonly memory: number;
}

/** Replicas of one App, without hard limits. */
export interface SampledApp {
  readonly replicas: number;
  readonly cpu: number;
  readonly memory: number;
}

/** A way to look at some hosts only: gives the first hosts that fit, at most `size` of them. */
export interface Sampler {
  readonly size: number;
  /** Called before each App. */
  begin(): void;
  find(fits: (host: number) => boolean): readonly number[];
}

/** A number from 0 to 1, the same row of them for a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Goes round a list from where it stopped last, until so many fit. */
function roundRobin(order: Int32Array, size: number): Sampler['find'] {
  let at = 0;
  return (fits) => {
    const found: number[] = [];
    for (let seen = 0; seen < order.length && found.length < size; seen += 1) {
      const host = order[at] ?? 0;
      at = (at + 1) % order.length;
      if (fits(host)) found.push(host);
    }
    return found;
  };
}

/**
 * As Nomad does for services: the nodes are shuffled for each evaluation and the binary logarithm of their number, rounded up,
 * is looked at for a placement (developer.hashicorp.com/nomad/docs/concepts/scheduling/placement; `scheduler/stack.go`).
 */
export function logarithm(hosts: number): Sampler {
  const next = random(7);
  const order = Int32Array.from({ length: hosts }, (_, host) => host);
  const size = Math.max(2, Math.ceil(Math.log2(hosts)));
  let find = roundRobin(order, size);
  return {
    size,
    begin: () => {
      for (let last = hosts - 1; last > 0; last -= 1) {
        const other = Math.floor(next() * (last + 1));
        [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
      }
      find = roundRobin(order, size);
    },
    find: (fits) => find(fits),
  };
}

/**
 * As Kubernetes does: round the nodes, which are interleaved by zone, until 50 % less one for each 125 nodes, at least 5 %, fit
 * (kubernetes.io/docs/concepts/scheduling-eviction/scheduler-perf-tuning, "Default threshold").
 */
export function percentage(hosts: number): Sampler {
  const size = Math.ceil((hosts * Math.max(5, 50 - hosts / 125)) / 100);
  return {
    size,
    begin: () => undefined,
    find: roundRobin(
      Int32Array.from({ length: hosts }, (_, host) => host),
      size,
    ),
  };
}

/** Where the replicas go: for each App its hosts, −1 for one that found none. */
export type Sampled = readonly Int32Array[];

interface Columns {
  readonly cpu: Float64Array;
  readonly memory: Float64Array;
}

/** Best fit in two dimensions, better when more: `ScoreFit` of Nomad's bin packing, "BestFit v3" of Google's data centres. */
function fitness(free: Columns, host: number, of: SampledHost, app: SampledApp): number {
  const cpu = ((free.cpu[host] ?? 0) - app.cpu) / of.cpu;
  const memory = ((free.memory[host] ?? 0) - app.memory) / of.memory;
  return 20 - 10 ** cpu - 10 ** memory;
}

/** How many replicas of an App each domain has, over the capacity of the domain. */
function loads(hosts: readonly SampledHost[]): {
  readonly of: (host: number) => readonly [number, number, number];
  readonly add: (host: number) => void;
  readonly clear: () => void;
} {
  const counts = new Map<string, number>();
  const weights = new Map<string, number>();
  const keys = hosts.map((host, at) => [`s${String(host.switch)}`, `r${String(host.rack)}`, `h${String(at)}`] as const);
  for (const [at, three] of keys.entries())
    for (const key of three) weights.set(key, (weights.get(key) ?? 0) + (hosts[at]?.cpu ?? 0));
  const load = (key: string): number => (counts.get(key) ?? 0) / (weights.get(key) ?? 1);
  return {
    of: (host) => {
      const [behind = '', rack = '', self = ''] = keys[host] ?? [];
      return [load(behind), load(rack), load(self)];
    },
    add: (host) => {
      for (const key of keys[host] ?? []) counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    clear: () => counts.clear(),
  };
}

/**
 * Places Apps as they come. The sampler says which hosts are looked at, and the best of those is taken: with `spread` the one with
 * the fewest replicas of the App for its capacity behind the switch, then in the rack, then on the host, then the emptiest; else the
 * fullest that fits.
 */
export function sampled(
  hosts: readonly SampledHost[],
  apps: readonly SampledApp[],
  sampler: Sampler,
  spread: boolean,
): Sampled {
  const free = {
    cpu: Float64Array.from(hosts, ({ cpu }) => cpu),
    memory: Float64Array.from(hosts, ({ memory }) => memory),
  };
  const counters = loads(hosts);
  return apps.map((app) => {
    counters.clear();
    sampler.begin();
    const fits = (host: number): boolean => (free.cpu[host] ?? 0) >= app.cpu && (free.memory[host] ?? 0) >= app.memory;
    return Int32Array.from({ length: app.replicas }, () => {
      let best = -1;
      let least: readonly number[] = [];
      for (const host of sampler.find(fits)) {
        const of = hosts[host];
        if (!of) continue;
        const full = -fitness(free, host, of, app);
        const score = spread ? [...counters.of(host), -full] : [full];
        if (best !== -1 && !less(score, least)) continue;
        best = host;
        least = score;
      }
      if (best === -1) return best;
      free.cpu[best] = (free.cpu[best] ?? 0) - app.cpu;
      free.memory[best] = (free.memory[best] ?? 0) - app.memory;
      counters.add(best);
      return best;
    });
  });
}

function less(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}
