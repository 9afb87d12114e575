import type { Labels } from '../../schemas/types.ts';
import type { Origin } from './change.ts';
import type { Demand } from './demand.ts';
import type { ReclaimRule } from './memory.ts';
import type { SpreadLevel } from './topology.ts';

/** The specs below are the manifests' with defaults filled in and quantities parsed: cpu in thousandths of a core, bytes, bits a second, milliseconds. */

export interface Selector {
  readonly matchLabels: Labels;
}

export interface FleetSpec {
  readonly resync: number;
  readonly poll: number;
  /** A number of replicas, or a share of those there are. */
  readonly deletions: { readonly count: number } | { readonly percent: number };
  /** Path prefix → owner. */
  readonly owners: Readonly<Record<string, string>>;
}

export interface Resources {
  /** Reserved, thousandths of a core. */
  readonly cpu: number;
  /** These are whole cores of one NUMA node, which the replica has for itself. */
  readonly pinned?: true;
  /** Weight; explicit, or 1024 a reserved core. */
  readonly shares: number;
  /** Most CPU time, thousandths of a core. */
  readonly quota?: number;
  /** So much of the quota that was not used may be used later on top of it, thousandths of a core; at most the quota. */
  readonly burst?: number;
  /** It runs only when nobody else wants the CPU; the shares then count for nothing. */
  readonly idle?: true;
  /** Class in which the kernel schedules its threads, with a priority where it has one: `batch`, `rr 10`. */
  readonly scheduling?: string;
  /** Of rr and fifo, where the kernel has a budget for them: so much of each CPU, in thousandths. */
  readonly realtime?: number;
  /** Bytes. */
  readonly memory: number;
  readonly reservation?: number;
  /** Bytes beside the memory. */
  readonly swap: number;
  /** Bytes from which on it is slowed down and gives pages back; cgroup v2. */
  readonly high?: number;
  /** How readily pages are swapped, 0 to 200; cgroup v1. */
  readonly swappiness?: number;
  /** Where memory runs out, all of it is ended, not one process; cgroup v2. */
  readonly oomGroup?: true;
  /** How soon its processes are ended where the memory of the machine runs out, -999 (last) to 1000; else as its level says. */
  readonly oomScoreAdj?: number;
  /** A limit of memory below what is in use is set all the same: processes are killed for it. */
  readonly force?: true;
  /** Bytes in huge pages of 2 MiB and of 1 GiB. */
  readonly hugetlb2M?: number;
  readonly hugetlb1G?: number;
  readonly pids: number;
  readonly blockIoWeight?: number;
  /** What of it runs outside its cgroup is only told of, or moved back. */
  readonly escape?: 'report' | 'return';
  /** By name of a block device; `*`: all other disks. */
  readonly blockIoLimits?: Readonly<Record<string, BlockIoLimit>>;
}

/** The most of a device in a second: bytes and operations. */
export interface BlockIoLimit {
  readonly readBytes?: number;
  readonly writeBytes?: number;
  readonly readOps?: number;
  readonly writeOps?: number;
}

/** What a replica takes of a host's disks. */
export interface Storage {
  /** Bytes. */
  readonly disk?: number;
  /** Thousandths of a spindle. */
  readonly spindles?: number;
}

export interface ProbeSpec {
  readonly check:
    | { readonly type: 'http'; readonly port: number; readonly path: string }
    | { readonly type: 'tcp'; readonly port: number }
    | { readonly type: 'exec'; readonly command: readonly string[] };
  readonly period: number;
  readonly timeout: number;
  readonly failures: number;
  readonly successes: number;
}

export interface Probes {
  readonly startup?: ProbeSpec;
  readonly readiness?: ProbeSpec;
  readonly liveness?: ProbeSpec;
}

export type Volume =
  | { readonly path: string; readonly host: string; readonly readOnly: boolean }
  | { readonly path: string; readonly tmpfs: number };

/** How careful a change that replaces containers is. */
export interface RolloutSpec {
  /** How long a replica must have been ready to count as serving. */
  readonly minReady: number;
  /** So many go first; then the others wait, for ever until Git says otherwise. */
  readonly canary?: { readonly replicas: number; readonly pause: number | 'forever' };
  /** Without progress for so long a change is given up. */
  readonly progressDeadline?: number;
  /** What was given up goes back to what ran before it. */
  readonly autoRevert: boolean;
}

/** Another App that an App wants to be near, or away from. */
export interface Companion {
  readonly app: string;
  /** Where the two count as together. */
  readonly within: SpreadLevel;
  /** Else it is a wish, which a place may go without. */
  readonly required: boolean;
}

export interface AppSpec {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
  readonly replicas: number;
  /** All its processes stand still. */
  readonly frozen?: true;
  readonly level: number;
  readonly zone: string;
  readonly hosts: Selector;
  readonly spread: { readonly switch?: number; readonly rack?: number; readonly host?: number };
  readonly affinity?: readonly Companion[];
  readonly antiAffinity?: readonly Companion[];
  /** Its replicas, and those of the Apps with the same word, are placed together or not at all. */
  readonly gang?: string;
  readonly network: string;
  /** Bits a second; the App's, else the Network's. */
  readonly egress?: number;
  readonly ingress?: number;
  readonly resources: Resources;
  readonly storage?: Storage;
  /** When what only caches of its memory is given back. */
  readonly reclaim?: ReclaimRule;
  /** What the host must be, as linux/amd64. */
  readonly platform?: string;
  /** Bytes that it may write into the layer of its container, where the storage driver keeps that. */
  readonly layer?: number;
  readonly openFiles?: number;
  readonly ulimits: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly volumes: readonly Volume[];
  readonly probes: Probes;
  readonly stop: { readonly signal: string; readonly grace: number };
  readonly restart: { readonly backoff: number; readonly maxBackoff: number; readonly resetAfter: number };
  readonly maxUnavailable: number;
  readonly rollout?: RolloutSpec;
}

export interface ZoneSpec {
  readonly hosts: Selector;
  readonly levels: readonly number[];
  /** What Apps may ask for in place of its name. */
  readonly traits: Labels;
  readonly runtime: 'docker' | 'simulated';
  /** What is not named is promised once. */
  readonly overcommit: Partial<Demand>;
  readonly reserve: Partial<Demand>;
  readonly strategy: 'spread' | 'pack';
  /** Whether replicas make room for those of more critical levels. */
  readonly preemption: boolean;
  readonly allowedHostPaths: readonly string[];
  readonly disruption?: {
    /** The most that may be away at once by what Plumbline does: a number of replicas, or a share of those that Git asks for. */
    readonly maxUnavailable?: { readonly count: number } | { readonly percent: number };
    /** The most that run and that agents restart at a time to put something right. */
    readonly repairs?: { readonly perHost: number; readonly perZone: number };
  };
}

export interface NetworkSpec {
  readonly vlan: number;
  readonly cidr: string;
  readonly gateway?: string;
  /** Inclusive pairs of first and last address to give out: ranges less exclusions, gateway, network and broadcast address. */
  readonly pool: readonly (readonly [string, string])[];
  readonly quarantine: number;
  /** Prefix length of the blocks that are leased to zones; absent when all zones share the addresses one by one. */
  readonly blockSize?: number;
  readonly hosts: Selector;
  /** The same of a Network: how isolated it is. */
  readonly isolation?: string;
  readonly bridge: string;
  readonly datapath: 'system' | 'netdev';
  readonly uplink?: string;
  readonly mtu: number;
  readonly antiSpoofing: boolean;
  readonly egress?: number;
  readonly ingress?: number;
  readonly dns: { readonly servers: readonly string[]; readonly search: readonly string[] };
}

/** What a machine has, as its Host document says. */
export interface Hardware {
  readonly cpu: { readonly vendor?: string; readonly model?: string; readonly cores?: number; readonly nodes?: number };
  /** Bytes. */
  readonly memory?: number;
  /** As `uname -r` says it. */
  readonly kernel?: string;
  readonly nics: readonly {
    readonly name: string;
    readonly driver: string;
    readonly vendor?: string;
    /** Number of the model, as PCI has it. */
    readonly model?: string;
    /** Megabits a second. */
    readonly speed?: number;
  }[];
  readonly disks: readonly { readonly name: string; readonly rotational: boolean; readonly model?: string }[];
}

/** What a host must have; in texts `*` stands for anything. Of `nic` and `disk` all must be so of one and the same. */
export interface HardwareSelector {
  readonly cpu?: {
    readonly vendor?: string;
    readonly model?: string;
    readonly minCores?: number;
    readonly maxCores?: number;
    readonly minNodes?: number;
  };
  readonly minMemory?: number;
  readonly kernel?: { readonly min?: string; readonly below?: string };
  readonly nic?: {
    readonly name?: string;
    readonly driver?: string;
    readonly vendor?: string;
    readonly model?: string;
    readonly minSpeed?: number;
  };
  readonly disk?: { readonly rotational?: boolean; readonly model?: string };
}

export interface HostSpec {
  readonly machine: { readonly machineId?: string; readonly hostname?: string; readonly address?: string };
  readonly topology: {
    readonly datacenter?: string;
    readonly room?: string;
    readonly rack?: string;
    readonly switch?: string;
  };
  readonly hardware?: Hardware;
  readonly capacity: Partial<Demand>;
  /** Cores that nobody has for himself: those of the NUMA node with the lowest number first. */
  readonly reservedCores: number;
  /** What one of its cores does, in cores of the machines by which Apps are measured. */
  readonly performance: number;
  readonly schedulable: boolean;
  /** What is on it moves elsewhere, and nothing new is placed on it. */
  readonly drain: boolean;
}

export interface TuningSpec {
  readonly hosts: Selector;
  /** Only hosts of this Zone. */
  readonly zone?: string;
  readonly hardware?: HardwareSelector;
  /** Of several that set a knob, the highest wins. */
  readonly priority: number;
  /** Dotted name → value; limits are already among them under their kernel names. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** By key; of a bridge as `mac-table-size[bridge=br-int]`. */
  readonly ovsOtherConfig: Readonly<Record<string, string>>;
  /** What is files below /sys and /proc/irq, by key (`cpu.governor`), and the JSON pointer that says it. */
  readonly knobs: readonly { readonly key: string; readonly value: string; readonly pointer: string }[];
}

/** One valid document. */
export interface Resource<Spec> {
  readonly name: string;
  readonly owner: string;
  readonly labels: Labels;
  readonly spec: Spec;
  readonly origin: Origin;
  /** JSON pointer of each value written in the manifest (`/spec/resources/memory/limit`) → its line. */
  readonly fields: Readonly<Record<string, Origin>>;
  /** Of an App that does not name its Zone or Network: by what these were chosen. */
  readonly asks?: Asks;
}

/** What an App asks for in place of a name: the traits of its Zone, and how isolated its Network is. */
export interface Asks {
  readonly traits?: Labels;
  readonly isolation?: string;
}

/** One error or warning of the repository. */
export interface Problem {
  /** One of docs/errors.md's compile codes, e.g. `UNKNOWN_FIELD`. */
  readonly code: string;
  readonly message: string;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** The next step: what was expected, or "did you mean". */
  readonly hint?: string;
  /** The line, with a caret under the column. */
  readonly excerpt?: string;
}

/** What a revision says, as far as it can be understood. */
export interface Catalog {
  readonly revision: string;
  readonly fleet: Resource<FleetSpec>;
  readonly apps: ReadonlyMap<string, Resource<AppSpec>>;
  readonly zones: ReadonlyMap<string, Resource<ZoneSpec>>;
  readonly networks: ReadonlyMap<string, Resource<NetworkSpec>>;
  readonly hosts: ReadonlyMap<string, Resource<HostSpec>>;
  readonly tunings: ReadonlyMap<string, Resource<TuningSpec>>;
  readonly problems: readonly Problem[];
  /** `App/web` of objects that exist but cannot be understood: they are kept as they run. */
  readonly heldObjects: ReadonlySet<string>;
  /** Owners with a broken file: nothing of theirs is pruned. `*` holds all (the broken file's owner is not known). */
  readonly heldOwners: ReadonlySet<string>;
  /** Replicas that stay although unwanted, since more would go than the deletion budget allows. */
  readonly budgetKeeps?: ReadonlySet<string>;
}

/** Whether all labels of the selector are among the given. */
export function selects(selector: Selector, labels: Labels): boolean {
  return Object.entries(selector.matchLabels).every(([key, value]) => labels[key] === value);
}
