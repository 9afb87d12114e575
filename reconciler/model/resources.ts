import type { ProbeSpec, Resources, Volume } from './catalog.ts';

/**
 * The things of one host, by kind of ref. `sandbox/web-0`, `port/web-0`, `container/web-0` and `cgroup/web-0` make up the
 * replica web-0; `bridge/br-int`, `sysctl/vm.swappiness` and `ovs-config/max-idle` belong to the host; `image/NAME` is an image.
 */

/** Docker labels of all that is ours. */
export const LABELS = {
  /** Name of the fleet; its presence is the owner mark. */
  fleet: 'plumbline.fleet',
  /** The ref, as `container/web-0`. */
  ref: 'plumbline.ref',
  app: 'plumbline.app',
  /** Fingerprint of the part of the spec that only a new container can change. */
  fingerprint: 'plumbline.fingerprint',
  /** Why its writable layer has no limit although it was to have one. */
  unlimited: 'plumbline.unlimited',
  /** `SIGTERM 10000`: how to stop it once its spec is gone. */
  stop: 'plumbline.stop',
  /** The canonical JSON that the fingerprint was taken of, to name the fields that differ. */
  made: 'plumbline.made',
} as const;

/** external_ids of OVS rows that are ours. */
export const EXTERNAL_IDS = {
  fleet: 'plumbline-fleet',
  ref: 'plumbline-ref',
  /** Id of the sandbox container whose network namespace the port serves. */
  sandbox: 'plumbline-sandbox',
} as const;

/** An image that must be on the host: local as it is, else pulled. */
export interface ImageSpec {
  readonly reference: string;
}
export interface ImageState {
  readonly id: string;
  /** `name@sha256:…` where a registry knows it. */
  readonly digest?: string;
}

/** The container of the pause image that holds a replica's network namespace. */
export interface SandboxSpec {
  readonly replica: string;
  readonly app: string;
  readonly hostname: string;
  readonly dns: { readonly servers: readonly string[]; readonly search: readonly string[] };
  readonly sysctls: Readonly<Record<string, string>>;
}
export interface SandboxState {
  readonly id: string;
  readonly running: boolean;
  /** Process in the namespace, as this agent sees pids; absent when not running. */
  readonly pid?: number;
  /** Docker's word, as in ContainerState. */
  readonly status: string;
  readonly fingerprint: string;
  /** Canonical JSON of what it was made from, if kept. */
  readonly made?: string;
  /** Net sysctls that were last read to be others than it was made with, and what they are. */
  readonly sysctls?: Readonly<Record<string, string>>;
}

/** The application's container; it joins its sandbox's network namespace. */
export interface ContainerSpec {
  readonly replica: string;
  readonly app: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
  /** Most bytes of its writable layer, where the storage driver keeps that. */
  readonly layer?: number;
  readonly openFiles?: number;
  readonly ulimits: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  readonly volumes: readonly Volume[];
  /** Applied at creation; afterwards the cgroup ref owns them. Not part of the fingerprint. */
  readonly resources: Resources;
  /** All its processes stand still: Docker is to say paused. Not part of the fingerprint. */
  readonly frozen?: true;
  /** How it is stopped. Not part of the fingerprint. */
  readonly stop: { readonly signal: string; readonly grace: number };
}
export interface ContainerState {
  readonly id: string;
  /** Docker's word: created, running, paused, restarting, exited, dead. */
  readonly status: string;
  readonly exitCode?: number;
  /** Milliseconds since 1970 of its end, where that was heard. */
  readonly endedAt?: number;
  /** Docker still calls it running, but the kernel knows no process of it any more. */
  readonly lifeless?: true;
  /** Somebody has told Docker to end it, and it may still be about to. */
  readonly stopping?: true;
  readonly fingerprint: string;
  /** Id of the image that it runs. */
  readonly image: string;
  /** Container id of the sandbox whose network namespace it is in; empty when that sandbox is gone, dead or was restarted. */
  readonly sandbox: string;
  /** Why its writable layer has no limit although it was to have one. */
  readonly unlimited?: string;
  /** `SIGTERM 10000`, as its label says. */
  readonly stop?: string;
  /** Canonical JSON of what it was made from, if kept. */
  readonly made?: string;
}

/** The sandbox's veth with address and route, and its OVS port. */
export interface PortSpec {
  readonly replica: string;
  readonly bridge: string;
  readonly datapath: 'system' | 'netdev';
  readonly vlan: number;
  readonly address: string;
  readonly prefix: number;
  readonly gateway?: string;
  readonly mac: string;
  readonly mtu: number;
  /** Bits a second. */
  readonly egress?: number;
  readonly ingress?: number;
  readonly antiSpoofing: boolean;
}
/** Field by field what is there, comparable with the spec, and what else a repair needs. */
export interface PortState extends Partial<Omit<PortSpec, 'replica'>> {
  /** Name of the host's end of the veth. */
  readonly device: string;
  /** Sandbox container it was made for. */
  readonly sandbox: string;
  /** Why it cannot carry traffic although the rows are there: vanished device, dead sandbox, peer deleted. */
  readonly broken?: string;
}

export interface BridgeSpec {
  readonly name: string;
  readonly datapath: 'system' | 'netdev';
  readonly uplink?: string;
}
export interface BridgeState {
  readonly datapath: 'system' | 'netdev';
  /** NICs among its ports that we plugged in. */
  readonly uplinks: readonly string[];
}

/** CPUs and NUMA nodes with memory, as the kernel lists them: `0-3,8`. */
export interface Cpuset {
  readonly cpus: string;
  readonly mems: string;
}

/** Which replicas of a host have cores of their own; all the others share the rest. */
export interface CoresSpec {
  /** By replica: so many CPUs of a NUMA node; `reserved` where more of them are reserved for it, which make its cores whole. */
  readonly pinned: Readonly<
    Record<string, { readonly node: number; readonly cores: number; readonly reserved?: number }>
  >;
  readonly shared: readonly string[];
}
export interface CoresState {
  /** NUMA node → its cores that are online, each as the list of its CPUs: `{"0": ["0,16", "1,17"]}`. */
  readonly nodes: Readonly<Record<string, readonly string[]>>;
  /** The NUMA nodes that have memory. */
  readonly memory: string;
  /** The CPUs that were given to replicas for themselves, as they are remembered. */
  readonly given: Readonly<Record<string, string>>;
  /** What the kernel holds the container of each replica to that runs. */
  readonly held: Readonly<Record<string, Cpuset>>;
}

/** What the kernel must hold a running container to. */
export interface CgroupSpec extends Resources {
  readonly replica: string;
  /** All in it stands still. */
  readonly frozen?: true;
}
/** What the kernel says, converted to the spec's units. */
export interface CgroupState extends Partial<Omit<Resources, 'cpu' | 'pinned' | 'force' | 'escape' | 'realtime'>> {
  readonly id: string;
  readonly frozen?: true;
  /** What of the replica runs outside its cgroup, in words: so neither its limits nor its cores hold it. */
  readonly escaped?: string;
  /** The kernel did not let that back: it is tried again once something else is outside. */
  readonly stays?: true;
  /** Knobs that the kernel lacks for this container. */
  readonly unsupported: readonly string[];
  /** The kernel's own words by file name (`cpu.weight`: `39`). Where they are there, drift is judged on them: conversions lose. */
  readonly raw?: Readonly<Record<string, string>>;
  /** What systemd, which holds the cgroup, says otherwise of it, by property (`MemorySwapMax`: `infinity`): a daemon-reload would write that. */
  readonly systemd?: Readonly<Record<string, string>>;
}

export interface SysctlSpec {
  readonly key: string;
  readonly value: string;
}
export interface SysctlState {
  /** Normalised: white space folded to single spaces. Absent: the kernel has no such knob. */
  readonly value?: string;
  /** Value before our first write; present means that we own it. */
  readonly original?: string;
  /** What it would not take for good, while it says the value: normalised. */
  readonly refused?: string;
}

/** A knob of the host that is one file or several below /sys or /proc, or settings of network cards: `cpu.governor`, `nic.mtu[driver=ixgbe]`, `nic.rings.rx`. */
export interface KnobSpec {
  readonly key: string;
  readonly value: string;
}
/** One file of a knob. */
export interface KnobPlace {
  /** Among those of the knob: `policy0`, `sda`, `eth0/rx-3`. */
  readonly name: string;
  /** A number by which it is judged: of an idle state the microseconds that it takes to leave it. */
  readonly about?: number;
  /** What it says, in a form that can be compared; absent where it cannot be read. */
  readonly value?: string;
  readonly errno?: string;
  /** Why there is no such setting, in words. */
  readonly lacks?: string;
  /** The most that it takes, where that is known. */
  readonly max?: number;
  /** Nothing changes it. */
  readonly fixed?: true;
  /** What it said before our first write. */
  readonly original?: string;
  /** What it would not take for good, by which value of the knob, and why: errno, or what it says instead. */
  readonly refused?: { readonly target: string; readonly want: string; readonly why: string };
}
export interface KnobState {
  /** What it is set to; absent where the files disagree. */
  readonly value?: string;
  /** Absent where the host is simulated. */
  readonly places?: readonly KnobPlace[];
  /** CPUs that are online and that nobody has for himself: `0-3,8`. */
  readonly free?: string;
  /** Where the host is simulated: the value before our first write. */
  readonly original?: string;
}

export interface OvsConfigSpec {
  readonly key: string;
  readonly value: string;
}
export interface OvsConfigState {
  readonly value?: string;
  readonly original?: string;
}

/** What the agent probes, beside the resources. */
export interface ProbeTarget {
  readonly replica: string;
  readonly address: string;
  readonly kind: 'startup' | 'readiness' | 'liveness';
  readonly probe: ProbeSpec;
}
