import type { AppSpec, Catalog } from '../reconciler/model/catalog.ts';
import type { Report } from '../reconciler/model/replica.ts';
import { catalogOf, reportOf, resources } from '../test/support/catalog.ts';
import type { Sketch } from '../test/support/catalog.ts';

export const HOSTS = 6000;
export const RACKS = 60;
export const SWITCHES = 12;
export const REPLICAS = 150_000;
/** Apps that find no room, where a bench has some. */
export const HOMELESS = 100;
const APPS = 6000;
const NETWORKS = 20;
/** No App is larger. */
const MOST = 3000;

/** How a fleet is laid out. */
export interface Layout {
  /** Share of all CPU that its replicas ask for. */
  readonly fill: number;
  readonly strategy: 'spread' | 'pack';
  /** Whether every third App has hard limits of replicas on a host and in a rack. */
  readonly hard: boolean;
  /** The level of all Apps; absent, they take turns. */
  readonly level?: number;
  /** Times as many hosts, Apps and replicas; 1 when absent. */
  readonly scale?: number;
}

/** A fleet whose Apps, all of one level, ask for more than it has, so that it gets full although large replicas leave some over. */
export const CROWDED: Layout = { fill: 1.03, strategy: 'spread', hard: true, level: 2 };

/** One with room, of any number of hosts. */
export const IDLE: Layout = { fill: 0.67, strategy: 'spread', hard: false };

/** Sizes of Apps that fall as 1/rank (Zipf), the largest cut off, and sum up to the replicas that there are. */
function sizes(scale: number): readonly number[] {
  const [count, replicas, most] = [APPS * scale, REPLICAS * scale, MOST * scale];
  const all = (first: number): number[] =>
    Array.from({ length: count }, (_, rank) => Math.max(1, Math.min(most, Math.floor(first / (rank + 1)))));
  const sum = (list: readonly number[]): number => list.reduce((total, size) => total + size, 0);
  let [low, high] = [1, replicas];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (sum(all(middle)) <= replicas) low = middle;
    else high = middle;
  }
  const list = all(low);
  for (let rank = 0, rest = replicas - sum(list); rest > 0; rank += 1, rest -= 1)
    list[most + rank] = (list[most + rank] ?? 0) + 1;
  return list;
}

/** Three sizes, of which every third App takes more memory for its CPU. */
function resourcesOf(rank: number): AppSpec['resources'] {
  const size = [1, 2, 1, 4, 1, 2, 2, 1][rank % 8] ?? 1;
  return resources(size * 2000, Math.round(size * 4096 * (rank % 3 === 0 ? 2.2 : 0.8)), 64);
}

function appOf(rank: number, replicas: number, { hard, level = rank % 4 }: Layout): Partial<AppSpec> {
  const limited = hard && rank % 3 === 1;
  return {
    replicas,
    level,
    network: `n${String(rank % NETWORKS)}`,
    resources: resourcesOf(rank),
    ...(limited ? { spread: { rack: Math.ceil((replicas * 2) / RACKS) + 1, host: 1 } } : {}),
  };
}

/** Racks of twice the machine: every fourth, so that switches differ too. */
const weightOf = (rack: number): number => (rack % 4 === 3 ? 2 : 1);

/** The catalog and the first reports of 6,000 hosts in 60 racks behind 12 switches, with 150,000 replicas to place. Deterministic. */
export function fabric(layout: Layout): { readonly catalog: Catalog; readonly reports: readonly Report[] } {
  const { fill, strategy, scale = 1 } = layout;
  const apps = sizes(scale).map((size, rank) => [`a${String(rank)}`, appOf(rank, size, layout)] as const);
  const hosts: Record<string, NonNullable<Sketch['hosts']>[string]> = {};
  const weights = new Map<string, number>();
  for (let h = 0; h < HOSTS * scale; h += 1) {
    const rack = h % RACKS;
    const topology = { rack: `r${String(rack)}`, switch: `s${String(rack % SWITCHES)}` };
    const name = `h${String(h).padStart(4, '0')}`;
    hosts[name] = { topology };
    weights.set(name, weightOf(Math.floor(rack / SWITCHES) + (rack % SWITCHES)));
  }
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const asked = (key: 'cpu' | 'memory'): number =>
    apps.reduce((sum, [, { replicas = 0, resources: of }]) => sum + replicas * (of?.[key] ?? 0), 0);
  const unit = { cpu: Math.ceil(asked('cpu') / fill / total), memory: Math.ceil(asked('memory') / fill / total) };
  const networks = Array.from({ length: NETWORKS }, (_, n) => [
    `n${String(n)}`,
    {
      vlan: 100 + n,
      cidr: `10.${String(n)}.0.0/16`,
      pool: [[`10.${String(n)}.0.10`, `10.${String(n)}.255.254`]] as const,
    },
  ]);
  return {
    catalog: catalogOf({
      apps: Object.fromEntries(apps),
      hosts,
      zones: { main: { strategy } },
      networks: Object.fromEntries(networks) as NonNullable<Sketch['networks']>,
    }),
    reports: [...weights].map(([name, weight]) =>
      reportOf(name, { cpu: unit.cpu * weight, memory: unit.memory * weight, pids: 1_000_000 }),
    ),
  };
}
