import type {
  AppSpec,
  Catalog,
  FleetSpec,
  HostSpec,
  NetworkSpec,
  Resource,
  TuningSpec,
  ZoneSpec,
} from '../../reconciler/model/catalog.ts';
import type { Demand } from '../../reconciler/model/demand.ts';
import type { Report } from '../../reconciler/model/replica.ts';

/** What a small catalog is made of: name → the members that differ from the defaults. */
export interface Sketch {
  readonly apps?: Readonly<Record<string, Partial<AppSpec>>>;
  readonly zones?: Readonly<Record<string, Partial<ZoneSpec>>>;
  readonly networks?: Readonly<Record<string, Partial<NetworkSpec>>>;
  readonly hosts?: Readonly<Record<string, Partial<HostSpec> & { readonly labels?: Readonly<Record<string, string>> }>>;
  readonly tunings?: Readonly<Record<string, Partial<TuningSpec>>>;
  readonly owners?: Readonly<Record<string, string>>;
  readonly heldObjects?: readonly string[];
  readonly heldOwners?: readonly string[];
  readonly revision?: string;
}

const MI = 2 ** 20;

/** An App of one small replica in zone main on Network net. */
export function appSpec(change: Partial<AppSpec> = {}): AppSpec {
  return {
    image: 'plumbline/busybox:1',
    env: {},
    replicas: 1,
    level: 2,
    zone: 'main',
    hosts: { matchLabels: {} },
    spread: {},
    network: 'net',
    resources: { cpu: 100, shares: 102, memory: 64 * MI, swap: 0, pids: 16 },
    ulimits: {},
    sysctls: {},
    volumes: [],
    probes: {},
    stop: { signal: 'SIGTERM', grace: 10_000 },
    restart: { backoff: 1_000, maxBackoff: 300_000, resetAfter: 600_000 },
    maxUnavailable: 1,
    ...change,
  };
}

/** Resources with this cpu (thousandths), memory (MiB) and pids. */
export function resources(cpu: number, memory = 64, pids = 16): AppSpec['resources'] {
  return { cpu, shares: 1024, memory: memory * MI, swap: 0, pids };
}

function zoneSpec(change: Partial<ZoneSpec>): ZoneSpec {
  return {
    hosts: { matchLabels: {} },
    levels: [0, 1, 2, 3],
    traits: {},
    runtime: 'docker',
    overcommit: { cpu: 1, memory: 1 },
    reserve: { cpu: 0, memory: 0 },
    strategy: 'spread',
    preemption: true,
    allowedHostPaths: [],
    ...change,
  };
}

/** The spec of a Network, sound but for what is said. */
export function networkSpec(change: Partial<NetworkSpec>): NetworkSpec {
  return {
    vlan: 10,
    cidr: '10.1.0.0/16',
    pool: [['10.1.0.10', '10.1.255.254']],
    quarantine: 600_000,
    hosts: { matchLabels: {} },
    bridge: 'br-int',
    datapath: 'system',
    mtu: 1500,
    antiSpoofing: false,
    dns: { servers: [], search: [] },
    ...change,
  };
}

const FLEET: FleetSpec = { resync: 30_000, poll: 30_000, deletions: { count: 5 }, owners: {} };

/** A catalog of what the sketch names; zone main (all hosts) and Network net are there unless it says otherwise. */
export function catalogOf(sketch: Sketch): Catalog {
  const { revision = 'rev1', owners = {} } = sketch;
  const resource = <Spec>(kind: string, name: string, spec: Spec, labels = {}): Resource<Spec> => {
    const origin = { revision, file: `${kind}-${name}.yaml`, line: 1, column: 1 };
    return { name, owner: owners[name] ?? 'team', labels, spec, origin, fields: { '/spec': { ...origin, line: 5 } } };
  };
  const all = <From, Spec>(kind: string, from: Readonly<Record<string, From>>, spec: (item: From) => Spec) =>
    new Map(Object.entries(from).map(([name, item]) => [name, resource(kind, name, spec(item))]));
  const hosts = Object.entries(sketch.hosts ?? {}).map(([name, { labels, ...spec }]) => {
    const open = { reservedCores: 1, performance: 1, schedulable: true, drain: false };
    const full: HostSpec = { machine: { hostname: name }, topology: {}, capacity: {}, ...open, ...spec };
    return [name, resource('host', name, full, labels)] as const;
  });
  return {
    revision,
    fleet: resource('fleet', 'fleet', FLEET),
    apps: all('app', sketch.apps ?? {}, appSpec),
    zones: all('zone', sketch.zones ?? { main: {} }, zoneSpec),
    networks: all('network', sketch.networks ?? { net: {} }, networkSpec),
    hosts: new Map(hosts),
    tunings: all('tuning', sketch.tunings ?? {}, (spec) => ({
      priority: 0,
      hosts: { matchLabels: {} },
      sysctls: {},
      ovsOtherConfig: {},
      knobs: [],
      ...spec,
    })),
    problems: [],
    heldObjects: new Set(sketch.heldObjects),
    heldOwners: new Set(sketch.heldOwners),
  };
}

/** `count` hosts h1…, two to a rack and two racks to a switch. */
export function hostsOf(count: number): NonNullable<Sketch['hosts']> {
  const host = (i: number): readonly [string, Partial<HostSpec>] => [
    `h${String(i + 1)}`,
    { topology: { rack: `r${String(Math.floor(i / 2) + 1)}`, switch: `s${String(Math.floor(i / 4) + 1)}` } },
  ];
  return Object.fromEntries(Array.from({ length: count }, (_, i) => host(i)));
}

/** What a machine says that it has. */
export interface Machine extends Partial<Demand> {
  readonly threadsPerCore?: number;
}

/** A report of a machine with nothing on it: 4 cores, 4 GiB and 4096 processes unless given. */
export function reportOf(
  host: string,
  { threadsPerCore, ...capacity }: Machine = {},
  change: Partial<Report> = {},
): Report {
  return {
    host,
    generation: 0,
    revision: '',
    at: 0,
    facts: {
      hostname: host,
      machineId: host,
      addresses: [],
      capacity: { cpu: 4000, memory: 4096 * MI, pids: 4096, ...capacity },
      ...(threadsPerCore === undefined ? {} : { threadsPerCore }),
      kernel: '6.1.0',
      cgroup: 'v2',
    },
    replicas: [],
    observed: [],
    limitations: [],
    conditions: [],
    ...change,
  };
}
