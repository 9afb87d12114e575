/* Generated from the schemas by `npm run update`. Do not edit. */

export type Document = Fleet | App | Zone | Network | Host | Tuning;

/**
 * The one root document of a repository.
 */
export interface Fleet {
  apiVersion: 'plumbline/v1';
  kind: 'Fleet';
  metadata: Metadata;
  /**
   * What is wanted.
   */
  spec: {
    /**
     * How often.
     */
    intervals?: {
      /**
       * Full comparison of the host, with jitter; hints make repairs immediate anyway.
       */
      resync?: string;
      /**
       * Look for new commits at least this often; where the repository is on the controller's own machine, also as soon as a ref of it moves.
       */
      poll?: string;
    };
    /**
     * Blast radius.
     */
    budget?: {
      /**
       * Most replicas that one revision may take away: a number, or a share as 20%. More is held until it is allowed by hand.
       */
      deletions?: number | string;
    };
    /**
     * Path prefix → team that owns what is below it.
     */
    owners?: {
      /**
       * A DNS label: lower-case letters, digits and hyphens, at most 40 characters.
       */
      [k: string]: string;
    };
  };
}
/**
 * Name, owner and labels.
 */
export interface Metadata {
  /**
   * A DNS label: lower-case letters, digits and hyphens, at most 40 characters.
   */
  name: string;
  /**
   * The team that owns the object; without it the owner comes from spec.owners of the Fleet.
   */
  owner?: string;
  labels?: Labels;
  /**
   * Free text for people and tools.
   */
  annotations?: {
    [k: string]: string;
  };
}
/**
 * Labels: what selectors match.
 */
export interface Labels {
  /**
   * Letters, digits, dots, underscores and hyphens, at most 63.
   */
  [k: string]: string;
}
/**
 * An application: replicas of one container image, placed on hosts, plugged into a Network, limited and probed.
 */
export interface App {
  apiVersion: 'plumbline/v1';
  kind: 'App';
  metadata: Metadata;
  /**
   * What is wanted.
   */
  spec: {
    /**
     * The image reference. A local image is used as it is, otherwise it is pulled; its digest is pinned in the record.
     */
    image: string;
    /**
     * Replaces the image's entrypoint.
     *
     * @minItems 1
     */
    command?: [string, ...string[]];
    /**
     * Arguments; replace the image's command.
     */
    args?: string[];
    /**
     * Environment variables. Not for secrets.
     */
    env?: {
      [k: string]: string;
    };
    /**
     * User, as name, uid or uid:gid; the image's if absent. With ulimits.nproc a uid that no other App of the Zone has.
     */
    user?: string;
    /**
     * Working directory, an absolute path.
     */
    workdir?: string;
    /**
     * How many replicas.
     */
    replicas?: number;
    /**
     * All its processes stand still (the cgroup freezer, as docker pause) and use no CPU; they keep place, address and memory. It is for all replicas at once, without turns; none is probed, and each counts as serving in every budget. What needs a new container waits until the App goes on, but for replicas that serve nobody; with a rollout block all that takes turns waits, since nothing that stands still proves anything. A replica that moves begins anew elsewhere, in the version that it had.
     */
    frozen?: boolean;
    /**
     * Business level: 0 is most critical, 3 least. Placed in this order.
     */
    level?: number;
    /**
     * The Zone that runs it: its name, or what it must be like.
     */
    zone:
      | string
      | {
          /**
           * All must be among spec.traits of the Zone. Empty asks for no more than the level.
           */
          traits: Labels;
        };
    /**
     * Which hosts of the zone may run it.
     */
    hosts?: Selector;
    /**
     * For what its image is built: only hosts that report it run it. Any host if absent.
     */
    platform?:
      | 'linux/amd64'
      | 'linux/arm64'
      | 'linux/arm/v7'
      | 'linux/arm/v6'
      | 'linux/386'
      | 'linux/ppc64le'
      | 'linux/riscv64'
      | 'linux/s390x';
    /**
     * Most replicas of this App on one switch, rack or host (hard). Without a limit they are spread evenly as far as possible.
     */
    spread?: {
      /**
       * Most replicas behind one switch.
       */
      switch?: number;
      /**
       * Most replicas in one rack.
       */
      rack?: number;
      /**
       * Most replicas on one host.
       */
      host?: number;
    };
    /**
     * Other Apps that its replicas are placed near to. Looked at when a replica is placed: what is placed stays.
     */
    affinity?: Companion[];
    /**
     * Other Apps that its replicas are kept apart from; they are kept apart from it as well.
     */
    antiAffinity?: Companion[];
    /**
     * Replicas that want a place get one all together or not at all: those of this App and of all Apps that name the same gang, at most 1000.
     */
    gang?: string;
    /**
     * How its replicas are plugged in.
     */
    network:
      | {
          /**
           * The Network.
           */
          name: string;
          /**
           * Most that a replica may send (default: the Network's).
           */
          egress?: number | string;
          /**
           * Most that a replica may receive (default: the Network's).
           */
          ingress?: number | string;
        }
      | {
          /**
           * What spec.isolation of the Network says.
           */
          isolation: string;
          /**
           * Most that a replica may send (default: the Network's).
           */
          egress?: number | string;
          /**
           * Most that a replica may receive (default: the Network's).
           */
          ingress?: number | string;
        };
    /**
     * Limits; they change in place, without a restart, in turns as spec.update says.
     */
    resources?: {
      /**
       * CPU.
       */
      cpu?: {
        /**
         * Reserved when placing; also sets shares (1024 a core) unless given.
         */
        cores?: (number | string) & string;
        /**
         * The cores are those of one NUMA node that nobody else of the fleet runs on; cores is then a whole number, and there is no quota. Its memory comes from that node. Where a core has two threads each counts as one, and cores are rounded up to whole ones: 3 takes 4 of such a host, and runs on all of them.
         */
        pinned?: boolean;
        /**
         * Relative weight under contention.
         */
        shares?: number;
        /**
         * Most CPU time it may use; no limit if absent.
         */
        quota?: number | string;
        /**
         * So much CPU time that it has not used of its quota it may use later beside it (CFS burst, Linux 5.14 and later); at most the quota.
         */
        burst?: number | string;
        /**
         * It runs only when nobody else wants the CPU (cpu.idle, Linux 5.15 and later); in place of shares.
         */
        idle?: boolean;
        /**
         * How the kernel schedules all its threads. Otherwise other, as the kernel does.
         */
        scheduling?: {
          /**
           * other; batch: it is not taken for interactive, and runs longer at a time; idle: only where nobody on its CPU wants to; rr and fifo: before all others, for as long as they like, so only on pinned cores.
           */
          class: 'other' | 'batch' | 'idle' | 'rr' | 'fifo';
          /**
           * Of rr and fifo, 1 (default) to 49; threads of the kernel that handle interrupts have 50.
           */
          priority?: number;
          /**
           * Of rr and fifo, where the kernel gives each cgroup a budget (cgroup v1 with CONFIG_RT_GROUP_SCHED): so much of each CPU, 500m if absent. Those of all replicas of a host together must be less than kernel.sched_rt_runtime_us, 950m.
           */
          realtime?: number | string;
        };
      };
      /**
       * Memory.
       */
      memory?: {
        /**
         * Most memory; reserved when placing. At least 6Mi.
         */
        limit?: (number | string) & string;
        /**
         * Soft limit under memory pressure.
         */
        reservation?: number | string;
        /**
         * Swap it may use beside its memory.
         */
        swap?: (number | string) & number;
        /**
         * From here on it is slowed down and gives pages back; at most the limit. Hosts with cgroup v2 only.
         */
        high?: number | string;
        /**
         * How readily its pages are swapped rather than its page cache dropped; otherwise as its parent. Hosts with cgroup v1 only; with v2 a Tuning sets vm.swappiness for all.
         */
        swappiness?: number;
        /**
         * Where memory runs out all its processes are ended, not one. Hosts with cgroup v2 only.
         */
        oomGroup?: boolean;
        /**
         * How soon its processes are ended where the memory of a host runs out: -999 last, 1000 first. Otherwise as its level says: 0 for level 0, 100, 200, and 300 for level 3. Below 0 it is spared before the daemons of the machine.
         */
        oomScoreAdj?: number;
        /**
         * A limit below what is in use is set all the same: processes are killed for it. Otherwise it is refused, with both figures, and tried again.
         */
        force?: boolean;
        /**
         * Most memory in huge pages, by their size; no limit where absent.
         */
        hugepages?: {
          /**
           * In pages of 2Mi; a multiple of it.
           */
          '2Mi'?: number | string;
          /**
           * In pages of 1Gi; a multiple of it.
           */
          '1Gi'?: number | string;
        };
        /**
         * When its page cache is given back (memory.force_empty on cgroup v1: all; memory.reclaim on v2: down to half of what is said here, Linux 5.19 and later). A host does so in a time of its own, in which no other host of its Zone does. What was given back has to be read from disk again.
         */
        reclaim?: {
          /**
           * Page cache from which on it is too much: bytes, or a share of the limit as 50%.
           */
          above: number | string;
          /**
           * How long it must have been above; looked at with each full look of an agent (resync of the Fleet). Readings of that time are told apart by 1/256 of what there is, smaller ones by a 16th of themselves; the last one is exact.
           */
          window?: string;
          /**
           * Pause from one time to the next.
           */
          coolDown?: string;
        };
      };
      /**
       * What it takes of the disks of its host. Size and spindles are reserved when placing; nothing holds it to them.
       */
      disk?: {
        /**
         * Room on the disks.
         */
        size?: number | string;
        /**
         * Spindles that it keeps busy: 1, or 250m for a quarter of one.
         */
        spindles?: number | string;
        /**
         * Most that it may write beside its volumes, into the layer of its container, where the storage driver of Docker keeps such a limit: overlay2 on xfs that is mounted with pquota, btrfs, zfs, devicemapper. Elsewhere it has none, and status says so. At least 1Mi. A change replaces the container.
         */
        layer?: number | string;
      };
      /**
       * Most processes and threads.
       */
      pids?: number;
      /**
       * Relative weight of block I/O.
       */
      blockIoWeight?: number;
      /**
       * What is done where a process or thread of it runs outside its cgroup, so that neither limits nor cores hold it: status tells of it (report), or it is moved back as well (return).
       */
      escape?: 'report' | 'return';
      /**
       * Most block I/O, by device as the host names it (sda, nvme0n1); * stands for each disk that has no entry. A device that a host does not have is passed over there.
       */
      blockIoLimits?: {
        /**
         * The most in a second.
         */
        [k: string]: {
          /**
           * Bytes read.
           */
          readBytes?: number | string;
          /**
           * Bytes written.
           */
          writeBytes?: number | string;
          /**
           * Reads.
           */
          readOps?: number;
          /**
           * Writes.
           */
          writeOps?: number;
        };
      };
    };
    /**
     * Most open files (ulimit nofile, soft and hard). A change replaces the container.
     */
    openFiles?: number;
    /**
     * Other ulimits: one number, or soft and hard. data refuses an App more memory of its own when it asks for it, as overcommit does for a host (vm.overcommit_memory is nothing that an App has for itself); it begins with the start of the container, which fails with 48Mi and less and does well with 128Mi. nproc counts all that a uid runs on a host, whichever App it is of, and nothing of root: it asks for a spec.user that no other App of the Zone has, and holds all replicas on a host together (each by itself where dockerd has userns-remap, Linux 5.14 and later). resources.pids holds each replica.
     */
    ulimits?: {
      [k: string]:
        | number
        | {
            soft: number;
            hard: number;
          };
    };
    /**
     * Network sysctls of the replica's own network namespace.
     */
    sysctls?: {
      /**
       * A value of a kernel knob.
       */
      [k: string]: string | number;
    };
    /**
     * Mounts.
     */
    volumes?: (
      | {
          /**
           * Where in the container, an absolute path.
           */
          path: string;
          /**
           * The directory on the host; it must exist.
           */
          host: string;
          /**
           * Mounted read-only.
           */
          readOnly?: boolean;
        }
      | {
          /**
           * Where in the container, an absolute path.
           */
          path: string;
          /**
           * A tmpfs.
           */
          tmpfs: {
            /**
             * Its size.
             */
            size: number | string;
          };
        }
    )[];
    /**
     * Health probes, run by the agent in the network namespace of the replica.
     */
    probes?: {
      /**
       * Until it succeeds the others wait.
       */
      startup?:
        | {
            /**
             * The request.
             */
            http: {
              /**
               * Port.
               */
              port: number;
              /**
               * Path, starting with /.
               */
              path?: string;
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          }
        | {
            /**
             * The address.
             */
            tcp: {
              /**
               * Port.
               */
              port: number;
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          }
        | {
            /**
             * The command.
             */
            exec: {
              /**
               * Program and arguments.
               *
               * @minItems 1
               */
              command: [string, ...string[]];
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          };
      /**
       * Ready while it succeeds.
       */
      readiness?:
        | {
            /**
             * The request.
             */
            http: {
              /**
               * Port.
               */
              port: number;
              /**
               * Path, starting with /.
               */
              path?: string;
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          }
        | {
            /**
             * The address.
             */
            tcp: {
              /**
               * Port.
               */
              port: number;
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          }
        | {
            /**
             * The command.
             */
            exec: {
              /**
               * Program and arguments.
               *
               * @minItems 1
               */
              command: [string, ...string[]];
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          };
      /**
       * Restarted when it fails.
       */
      liveness?:
        | {
            /**
             * The request.
             */
            http: {
              /**
               * Port.
               */
              port: number;
              /**
               * Path, starting with /.
               */
              path?: string;
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          }
        | {
            /**
             * The address.
             */
            tcp: {
              /**
               * Port.
               */
              port: number;
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          }
        | {
            /**
             * The command.
             */
            exec: {
              /**
               * Program and arguments.
               *
               * @minItems 1
               */
              command: [string, ...string[]];
            };
            /**
             * Between probes.
             */
            period?: string;
            /**
             * Of one probe.
             */
            timeout?: string;
            /**
             * Failures in a row until it counts as failed.
             */
            failures?: number;
            /**
             * Successes in a row until it counts as passed.
             */
            successes?: number;
          };
    };
    /**
     * How it is stopped.
     */
    stop?: {
      /**
       * First signal, as SIGTERM or SIGINT.
       */
      signal?: string;
      /**
       * Then this long until SIGKILL.
       */
      grace?: string;
    };
    /**
     * Restarts after an exit: the first at once, then with doubling pauses.
     */
    restart?: {
      /**
       * First pause.
       */
      backoff?: string;
      /**
       * Longest pause.
       */
      maxBackoff?: string;
      /**
       * Pauses start afresh after this long up.
       */
      resetAfter?: string;
    };
    /**
     * How a change that replaces containers rolls out.
     */
    update?: {
      /**
       * Most replicas that are away, or being changed, at a time.
       */
      maxUnavailable?: number;
    };
    /**
     * How careful a change of image, limits, probes or Network is. With this block Apps of one Zone that change with one revision go one level after the other, the most critical last.
     */
    rollout?: {
      /**
       * A replica counts as serving only after it has been ready for so long; at once if absent.
       */
      minReady?: string;
      /**
       * Some replicas go first, then the rollout waits.
       */
      canary?: {
        /**
         * How many go first, in order of their number; fewer than all.
         */
        replicas: number;
        /**
         * How long they must have served before the others follow: a duration, or forever, until Git says otherwise.
         */
        pause: 'forever' | string;
      };
      /**
       * After so long without any progress a change is given up. Longer than minReady. Without it a change that does not get on waits where it is.
       */
      progressDeadline?: string;
      /**
       * Whether the replicas of a change that was given up go back to what ran before it, until Git says something else; otherwise they stay where they are. Only with progressDeadline, and true then.
       */
      autoRevert?: boolean;
    };
  };
}
/**
 * Which hosts: all labels must match. Empty matches all.
 */
export interface Selector {
  matchLabels?: Labels;
}
/**
 * Another App.
 */
export interface Companion {
  /**
   * The other App.
   */
  app: string;
  /**
   * Where they count as together: behind one switch, in one rack or on one host.
   */
  within: 'switch' | 'rack' | 'host';
  /**
   * Whether a replica waits rather than go anywhere else. Otherwise it is a wish, which comes before even spread.
   */
  required?: boolean;
}
/**
 * A set of hosts with one purpose: which levels it takes, how densely it is packed, what its Apps may mount.
 */
export interface Zone {
  apiVersion: 'plumbline/v1';
  kind: 'Zone';
  metadata: Metadata;
  /**
   * What is wanted.
   */
  spec: {
    /**
     * Its hosts. A host is in at most one Zone.
     */
    hosts: Selector;
    /**
     * Levels of Apps that it takes.
     *
     * @minItems 1
     */
    levels?: [number, ...number[]];
    /**
     * What its hosts are good for, as gpu: a100 or disk: ssd. Apps may ask for traits in place of a name (spec.zone.traits).
     */
    traits?: Labels;
    /**
     * What runs the replicas.
     */
    runtime?: 'docker' | 'simulated';
    /**
     * How much may be promised for each unit that is there.
     */
    overcommit?: {
      /**
       * Of CPU.
       */
      cpu?: number;
      /**
       * Of memory.
       */
      memory?: number;
      /**
       * Of room on disks.
       */
      disk?: number;
      /**
       * Of spindles: how many replicas that each keep one busy share one.
       */
      spindles?: number;
    };
    /**
     * Kept back on each host for the system.
     */
    reserve?: {
      /**
       * CPU.
       */
      cpu?: number | string;
      /**
       * Memory.
       */
      memory?: number | string;
      /**
       * Room on the disks.
       */
      disk?: number | string;
    };
    /**
     * spread fills the emptiest host first, pack the fullest.
     */
    strategy?: 'spread' | 'pack';
    /**
     * Whether a replica that fits on no host takes the place of replicas of strictly less critical levels: the least critical and the fewest that do, within maxUnavailable of their Apps and the budget below. Those move, or wait for room. false: it waits.
     */
    preemption?: boolean;
    /**
     * How much of the Zone may be away at once by what Plumbline does.
     */
    disruption?: {
      /**
       * Most replicas of the Zone's Apps that are away at a time by updates, changes in place, drains, moves and preemption: a number, or a share as 10% (rounded down, at least one). What is away anyway counts.
       */
      maxUnavailable?: number | string;
      /**
       * Replicas that run and that agents restart at a time to put something right: drift, a failing liveness probe. What is down already is started at once.
       */
      repairs?: {
        /**
         * On one host.
         */
        perHost?: number;
        /**
         * On all its hosts, while the store of the fleet answers.
         */
        perZone?: number;
      };
    };
    /**
     * Host volumes must be at or below one of these.
     */
    allowedHostPaths?: string[];
  };
}
/**
 * A network zone: one VLAN with its IPv4 addresses on an Open vSwitch bridge. (IPv6 is a later kind of address.)
 */
export interface Network {
  apiVersion: 'plumbline/v1';
  kind: 'Network';
  metadata: Metadata;
  /**
   * What is wanted.
   */
  spec: {
    /**
     * VLAN id; 0 is untagged.
     */
    vlan: number;
    /**
     * Its IPv4 network, as 10.1.0.0/24.
     */
    cidr: string;
    /**
     * Default route of its replicas; none if absent.
     */
    gateway?: string;
    /**
     * Addresses to give out, as 10.1.0.10-10.1.0.99; all of the CIDR if absent.
     *
     * @minItems 1
     */
    ranges?: [string, ...string[]];
    /**
     * Addresses never given out.
     */
    exclude?: string[];
    /**
     * How long a released address rests before another replica may have it.
     */
    quarantine?: string;
    /**
     * Leases addresses to Zones in blocks of this prefix length: one prefix tells the Zone, as firewalls and routes like it. A block is a Zone's for as long as an address of it is in use or rests. If absent, Zones share the addresses one by one.
     */
    blockSize?: number;
    /**
     * Hosts that have this VLAN; all if absent.
     */
    hosts?: Selector;
    /**
     * How isolated it is, in words of your own, as dmz or pci. Apps may ask for that in place of a name (spec.network.isolation).
     */
    isolation?: string;
    /**
     * The OVS bridge on each host.
     */
    bridge?: string;
    /**
     * system is the kernel datapath, netdev the one in user space.
     */
    datapath?: 'system' | 'netdev';
    /**
     * NIC of each host that is plugged into the bridge. One that carries an address of the host is refused.
     */
    uplink?: string;
    /**
     * MTU of the replicas.
     */
    mtu?: number;
    /**
     * Drop frames that a replica sends with another MAC or address than its own.
     */
    antiSpoofing?: boolean;
    /**
     * Most that a replica may send.
     */
    egress?: number | string;
    /**
     * Most that a replica may receive.
     */
    ingress?: number | string;
    /**
     * resolv.conf of the replicas.
     */
    dns?: {
      /**
       * Name servers.
       *
       * @maxItems 3
       */
      servers?: [] | [string] | [string, string] | [string, string, string];
      /**
       * Search domains.
       */
      search?: string[];
    };
  };
}
/**
 * One machine: how it is recognised, where it stands, what it has.
 */
export interface Host {
  apiVersion: 'plumbline/v1';
  kind: 'Host';
  metadata: Metadata;
  /**
   * What is wanted.
   */
  spec: {
    /**
     * Which machine it is; the first that is given must match. Without any, metadata.name is the hostname.
     */
    machine?: {
      /**
       * Content of /etc/machine-id: 32 hexadecimal digits.
       */
      machineId?: string;
      /**
       * Its hostname.
       */
      hostname?: string;
      /**
       * One of its IPv4 addresses.
       */
      address?: string;
    };
    /**
     * Where it stands; the scheduler spreads over switch, rack and host.
     */
    topology?: {
      /**
       * Letters, digits, dots, underscores and hyphens, at most 63.
       */
      datacenter?: string;
      /**
       * Letters, digits, dots, underscores and hyphens, at most 63.
       */
      room?: string;
      /**
       * Letters, digits, dots, underscores and hyphens, at most 63.
       */
      rack?: string;
      /**
       * Letters, digits, dots, underscores and hyphens, at most 63.
       */
      switch?: string;
    };
    /**
     * What the machine has, as `plumb host facts -o yaml` tells it. Tunings select hosts by it.
     */
    hardware?: {
      /**
       * Processors.
       */
      cpu?: {
        /**
         * Maker, as /proc/cpuinfo has it: GenuineIntel.
         */
        vendor?: string;
        /**
         * Model name.
         */
        model?: string;
        /**
         * Cores, each with all its threads.
         */
        cores?: number;
        /**
         * NUMA nodes.
         */
        nodes?: number;
      };
      /**
       * Memory.
       */
      memory?: number | string;
      /**
       * Release of the kernel, as `uname -r` says it.
       */
      kernel?: string;
      /**
       * Network cards.
       *
       * @maxItems 256
       */
      nics?: {
        /**
         * As eth0.
         */
        name: string;
        /**
         * As mlx5_core.
         */
        driver: string;
        /**
         * Number of the maker, as PCI has it: 0x15b3.
         */
        vendor?: string;
        /**
         * Number of the model, as PCI has it: 0x1015.
         */
        model?: string;
        /**
         * Megabits a second.
         */
        speed?: number;
      }[];
      /**
       * Disks that are devices of their own.
       *
       * @maxItems 1024
       */
      disks?: {
        /**
         * As nvme0n1.
         */
        name: string;
        /**
         * Whether it turns.
         */
        rotational: boolean;
        /**
         * Model, as the kernel has it.
         */
        model?: string;
      }[];
    };
    /**
     * Cores that are never pinned, those of the NUMA node with the lowest number first: for the system, and for what shares. Where a core has two threads each counts as one, and they are rounded up to whole ones.
     */
    reservedCores?: number;
    /**
     * Overrides what the machine reports.
     */
    capacity?: {
      /**
       * Cores.
       */
      cpu?: number | string;
      /**
       * Memory.
       */
      memory?: number | string;
      /**
       * Processes and threads.
       */
      pids?: number;
      /**
       * Room for replicas on its disks; the machine reports the file system that holds Docker's data.
       */
      disk?: number | string;
      /**
       * Disks that work side by side; the machine reports its physical ones.
       */
      spindles?: number;
    };
    /**
     * What one of its cores does, in cores of the machines by which the cpu of Apps is measured: a core of 1.5 takes half as much again. Weights and quotas stay in cores of its own.
     */
    performance?: number;
    /**
     * Whether new replicas may be placed on it.
     */
    schedulable?: boolean;
    /**
     * Whether its replicas move to other hosts, with their addresses and at most maxUnavailable of an App at a time. No new ones are placed on it.
     */
    drain?: boolean;
  };
}
/**
 * Knobs of the hosts that a selector matches. A change goes to one host first; when it does well with it, to a tenth of each Zone at a time. The original value comes back when a knob leaves Git.
 */
export interface Tuning {
  apiVersion: 'plumbline/v1';
  kind: 'Tuning';
  metadata: Metadata;
  /**
   * What is wanted.
   */
  spec: {
    /**
     * Which hosts.
     */
    hosts: Selector;
    /**
     * Only hosts of this Zone.
     */
    zone?: string;
    /**
     * Which hosts, by spec.hardware of their Host documents: all that is said must be so. A host without that is not selected.
     */
    hardware?: {
      /**
       * Processors.
       */
      cpu?: {
        /**
         * Maker, as GenuineIntel. `*` stands for anything.
         */
        vendor?: string;
        /**
         * Model name, as *Xeon*. `*` stands for anything.
         */
        model?: string;
        /**
         * Least cores.
         */
        minCores?: number;
        /**
         * Most cores.
         */
        maxCores?: number;
        /**
         * Least NUMA nodes.
         */
        minNodes?: number;
      };
      /**
       * Least memory.
       */
      minMemory?: number | string;
      /**
       * Release of the kernel.
       */
      kernel?: {
        /**
         * This one or a later.
         */
        min?: string;
        /**
         * An earlier one than this.
         */
        below?: string;
      };
      /**
       * It has a network card of which all of this is so.
       */
      nic?: {
        /**
         * As eth*. `*` stands for anything.
         */
        name?: string;
        /**
         * As mlx5_core. `*` stands for anything.
         */
        driver?: string;
        /**
         * Number of the maker, as 0x15b3. `*` stands for anything.
         */
        vendor?: string;
        /**
         * Number of the model, as 0x1015. `*` stands for anything.
         */
        model?: string;
        /**
         * Least megabits a second.
         */
        minSpeed?: number;
      };
      /**
       * It has a disk of which all of this is so.
       */
      disk?: {
        /**
         * Whether it turns.
         */
        rotational?: boolean;
        /**
         * As *SSD*. `*` stands for anything.
         */
        model?: string;
      };
    };
    /**
     * Where several Tunings of a host set a knob, the one of the highest priority wins. Two of the same priority must agree.
     */
    priority?: number;
    /**
     * Kernel parameters by their dotted name.
     */
    sysctls?: {
      /**
       * A value of a kernel knob.
       */
      [k: string]: string | number;
    };
    /**
     * Limits of the whole machine.
     */
    limits?: {
      /**
       * Highest process id (kernel.pid_max).
       */
      pidMax?: number;
      /**
       * Most threads (kernel.threads-max).
       */
      threadsMax?: number;
      /**
       * Most open files of the machine (fs.file-max).
       */
      fileMax?: number;
      /**
       * Highest nofile that a process may ask for (fs.nr_open).
       */
      openFilesMax?: number;
      /**
       * Most asynchronous I/O requests (fs.aio-max-nr).
       */
      aioMaxRequests?: number;
      /**
       * Most inotify watches of a user (fs.inotify.max_user_watches).
       */
      inotifyWatches?: number;
      /**
       * Most inotify instances of a user (fs.inotify.max_user_instances).
       */
      inotifyInstances?: number;
      /**
       * Most memory maps of a process (vm.max_map_count).
       */
      mapCountMax?: number;
    };
    /**
     * Processors and how they save power.
     */
    cpu?: {
      /**
       * Of frequency scaling, on all CPUs: performance, powersave, schedutil …
       */
      governor?: string;
      /**
       * 0 for performance to 15 for saving (energy_perf_bias).
       */
      energyBias?: number;
      /**
       * As performance or balance_performance (energy_performance_preference).
       */
      energyPreference?: string;
      /**
       * Idle states that take longer to leave than so many microseconds are disabled; 0 leaves polling only.
       */
      maxIdleLatency?: number;
      /**
       * Where unbound work of the kernel runs. A list of CPUs as the kernel writes it (0-3,8), or shared: all that are online and that no replica has for itself.
       */
      workqueue?: string;
    };
    /**
     * Memory of the machine.
     */
    memory?: {
      /**
       * When memory is given in transparent huge pages.
       */
      hugepages?: 'always' | 'madvise' | 'never';
      /**
       * How hard the kernel tries to make them.
       */
      hugepageDefrag?: 'always' | 'defer' | 'defer+madvise' | 'madvise' | 'never';
      /**
       * Share of the memory that the kernel keeps free (vm.min_free_kbytes), as 1%: at most 5%. Each host works out its own value.
       */
      minFree?: string;
      /**
       * When a host gives back what the kernel keeps of names and inodes: first the page cache of those replicas whose App has a rule of its own (spec.resources.memory.reclaim); where that is not enough, vm.drop_caches=2. It does so in a time of its own, in which no other host of its Zone does.
       */
      reclaim?: {
        /**
         * Reclaimable slab (SReclaimable) from which on it is too much: bytes, or a share of the memory as 20%.
         */
        slab: number | string;
        /**
         * How long it must have been above. Readings of that time are told apart by 1/256 of what there is, smaller ones by a 16th of themselves; the last one is exact.
         */
        window?: string;
        /**
         * Pause from one time to the next.
         */
        coolDown?: string;
      };
    };
    /**
     * Disks that are devices of their own.
     */
    disks?: {
      /**
       * Those that turn.
       */
      rotating?: {
        /**
         * Scheduler of block I/O, as none, mq-deadline, kyber or bfq.
         */
        scheduler?: string;
        /**
         * How far is read ahead, in whole KiB (queue/read_ahead_kb).
         */
        readAhead?: number | string;
        /**
         * Requests that may wait (queue/nr_requests).
         */
        queueDepth?: number;
      };
      /**
       * Those that do not.
       */
      solid?: {
        /**
         * Scheduler of block I/O, as none, mq-deadline, kyber or bfq.
         */
        scheduler?: string;
        /**
         * How far is read ahead, in whole KiB (queue/read_ahead_kb).
         */
        readAhead?: number | string;
        /**
         * Requests that may wait (queue/nr_requests).
         */
        queueDepth?: number;
      };
    };
    /**
     * Network cards. One that two entries match keeps what the first gave it, and status names the other.
     *
     * @minItems 1
     * @maxItems 32
     */
    nics?: [
      {
        /**
         * Which of a host's cards; without it all. A `*` at the end stands for anything.
         */
        match?: {
          /**
           * As eth*.
           */
          name?: string;
          /**
           * As mlx5_core.
           */
          driver?: string;
          /**
           * Number of the maker, as 0x15b3.
           */
          vendor?: string;
          /**
           * Number of the model, as PCI has it: 0x1015.
           */
          model?: string;
        };
        /**
         * Largest packet, bytes.
         */
        mtu?: number;
        /**
         * Packets that may wait to be sent.
         */
        txQueueLength?: number;
        /**
         * spread: each interrupt of a queue on a CPU of its own, as far as they go, among those that no replica has for itself.
         */
        interrupts?: 'spread';
        /**
         * spread: what each queue receives is worked on by all CPUs that no replica has for itself (RPS).
         */
        receiveSteering?: 'spread' | 'off';
        /**
         * spread: the queues to send by are divided among these CPUs (XPS).
         */
        transmitSteering?: 'spread' | 'off';
        /**
         * Flows of which each queue that receives remembers the CPU where they are read (RFS, rps_flow_cnt): a power of two, or 0 for none. The sysctl net.core.rps_sock_flow_entries has to be as many as all queues of the host together.
         */
        receiveFlows?: number;
        /**
         * What the card does instead of the CPU, by the names of ethtool -K.
         */
        offloads?: {
          /**
           * Checks sums of what it receives.
           */
          rx?: 'on' | 'off';
          /**
           * Makes sums of what it sends.
           */
          tx?: 'on' | 'off';
          /**
           * Gathers a packet from pieces of memory (scatter-gather).
           */
          sg?: 'on' | 'off';
          /**
           * Cuts TCP into packets (segmentation offload). It needs tx and sg.
           */
          tso?: 'on' | 'off';
          /**
           * The kernel cuts late (generic segmentation offload).
           */
          gso?: 'on' | 'off';
          /**
           * The kernel joins what it receives (generic receive offload).
           */
          gro?: 'on' | 'off';
          /**
           * The card joins what it receives (large receive offload). Not for what is bridged or routed.
           */
          lro?: 'on' | 'off';
          /**
           * Takes off VLAN tags.
           */
          rxvlan?: 'on' | 'off';
          /**
           * Puts on VLAN tags.
           */
          txvlan?: 'on' | 'off';
          /**
           * Tells the hash of each packet.
           */
          rxhash?: 'on' | 'off';
          /**
           * Chooses queues by filters; needed for accelerated RFS.
           */
          ntuple?: 'on' | 'off';
          /**
           * The card joins as generic receive offload does.
           */
          'rx-gro-hw'?: 'on' | 'off';
          /**
           * Joined packets stay a list, which is cheap to forward.
           */
          'rx-gro-list'?: 'on' | 'off';
          /**
           * Joins UDP that is forwarded.
           */
          'rx-udp-gro-forwarding'?: 'on' | 'off';
          /**
           * Leaves out VLANs that nobody asked for.
           */
          'rx-vlan-filter'?: 'on' | 'off';
          /**
           * Copies from programs past the cache.
           */
          'tx-nocache-copy'?: 'on' | 'off';
          /**
           * Cuts UDP into packets.
           */
          'tx-udp-segmentation'?: 'on' | 'off';
          /**
           * Cuts what goes through a UDP tunnel.
           */
          'tx-udp_tnl-segmentation'?: 'on' | 'off';
          /**
           * Takes over flows of tc, as those of Open vSwitch with hw-offload.
           */
          'hw-tc-offload'?: 'on' | 'off';
        };
        /**
         * Packets that the card holds in each queue (ethtool -G). On most cards the link goes down for a moment when this changes.
         */
        rings?: {
          /**
           * Packets received: a number, or max for the most that the card has.
           */
          rx?: 'max' | number;
          /**
           * Packets to be sent: a number, or max for the most that the card has.
           */
          tx?: 'max' | number;
          /**
           * Small packets received: a number, or max for the most that the card has.
           */
          'rx-mini'?: 'max' | number;
          /**
           * Large packets received: a number, or max for the most that the card has.
           */
          'rx-jumbo'?: 'max' | number;
        };
        /**
         * Queues of the card (ethtool -L). A card has combined ones, or some to receive and some to send. On most cards the link goes down for a moment when this changes.
         */
        channels?: {
          /**
           * Queues for both ways: a number, or max for the most that the card has.
           */
          combined?: 'max' | number;
          /**
           * Queues to receive: a number, or max for the most that the card has.
           */
          rx?: 'max' | number;
          /**
           * Queues to send: a number, or max for the most that the card has.
           */
          tx?: 'max' | number;
        };
        /**
         * How long the card waits before it interrupts (ethtool -C).
         */
        coalescing?: {
          /**
           * The driver chooses for receiving, by what comes in; on some cards it then changes rx-usecs by itself, so set one or the other.
           */
          'adaptive-rx'?: 'on' | 'off';
          /**
           * The driver chooses for sending.
           */
          'adaptive-tx'?: 'on' | 'off';
          /**
           * Most microseconds from a packet received to the interrupt.
           */
          'rx-usecs'?: number;
          /**
           * Most packets received before it.
           */
          'rx-frames'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'rx-usecs-irq'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'rx-frames-irq'?: number;
          /**
           * Most microseconds from a packet sent to the interrupt.
           */
          'tx-usecs'?: number;
          /**
           * Most packets sent before it.
           */
          'tx-frames'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'tx-usecs-irq'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'tx-frames-irq'?: number;
        };
      },
      ...{
        /**
         * Which of a host's cards; without it all. A `*` at the end stands for anything.
         */
        match?: {
          /**
           * As eth*.
           */
          name?: string;
          /**
           * As mlx5_core.
           */
          driver?: string;
          /**
           * Number of the maker, as 0x15b3.
           */
          vendor?: string;
          /**
           * Number of the model, as PCI has it: 0x1015.
           */
          model?: string;
        };
        /**
         * Largest packet, bytes.
         */
        mtu?: number;
        /**
         * Packets that may wait to be sent.
         */
        txQueueLength?: number;
        /**
         * spread: each interrupt of a queue on a CPU of its own, as far as they go, among those that no replica has for itself.
         */
        interrupts?: 'spread';
        /**
         * spread: what each queue receives is worked on by all CPUs that no replica has for itself (RPS).
         */
        receiveSteering?: 'spread' | 'off';
        /**
         * spread: the queues to send by are divided among these CPUs (XPS).
         */
        transmitSteering?: 'spread' | 'off';
        /**
         * Flows of which each queue that receives remembers the CPU where they are read (RFS, rps_flow_cnt): a power of two, or 0 for none. The sysctl net.core.rps_sock_flow_entries has to be as many as all queues of the host together.
         */
        receiveFlows?: number;
        /**
         * What the card does instead of the CPU, by the names of ethtool -K.
         */
        offloads?: {
          /**
           * Checks sums of what it receives.
           */
          rx?: 'on' | 'off';
          /**
           * Makes sums of what it sends.
           */
          tx?: 'on' | 'off';
          /**
           * Gathers a packet from pieces of memory (scatter-gather).
           */
          sg?: 'on' | 'off';
          /**
           * Cuts TCP into packets (segmentation offload). It needs tx and sg.
           */
          tso?: 'on' | 'off';
          /**
           * The kernel cuts late (generic segmentation offload).
           */
          gso?: 'on' | 'off';
          /**
           * The kernel joins what it receives (generic receive offload).
           */
          gro?: 'on' | 'off';
          /**
           * The card joins what it receives (large receive offload). Not for what is bridged or routed.
           */
          lro?: 'on' | 'off';
          /**
           * Takes off VLAN tags.
           */
          rxvlan?: 'on' | 'off';
          /**
           * Puts on VLAN tags.
           */
          txvlan?: 'on' | 'off';
          /**
           * Tells the hash of each packet.
           */
          rxhash?: 'on' | 'off';
          /**
           * Chooses queues by filters; needed for accelerated RFS.
           */
          ntuple?: 'on' | 'off';
          /**
           * The card joins as generic receive offload does.
           */
          'rx-gro-hw'?: 'on' | 'off';
          /**
           * Joined packets stay a list, which is cheap to forward.
           */
          'rx-gro-list'?: 'on' | 'off';
          /**
           * Joins UDP that is forwarded.
           */
          'rx-udp-gro-forwarding'?: 'on' | 'off';
          /**
           * Leaves out VLANs that nobody asked for.
           */
          'rx-vlan-filter'?: 'on' | 'off';
          /**
           * Copies from programs past the cache.
           */
          'tx-nocache-copy'?: 'on' | 'off';
          /**
           * Cuts UDP into packets.
           */
          'tx-udp-segmentation'?: 'on' | 'off';
          /**
           * Cuts what goes through a UDP tunnel.
           */
          'tx-udp_tnl-segmentation'?: 'on' | 'off';
          /**
           * Takes over flows of tc, as those of Open vSwitch with hw-offload.
           */
          'hw-tc-offload'?: 'on' | 'off';
        };
        /**
         * Packets that the card holds in each queue (ethtool -G). On most cards the link goes down for a moment when this changes.
         */
        rings?: {
          /**
           * Packets received: a number, or max for the most that the card has.
           */
          rx?: 'max' | number;
          /**
           * Packets to be sent: a number, or max for the most that the card has.
           */
          tx?: 'max' | number;
          /**
           * Small packets received: a number, or max for the most that the card has.
           */
          'rx-mini'?: 'max' | number;
          /**
           * Large packets received: a number, or max for the most that the card has.
           */
          'rx-jumbo'?: 'max' | number;
        };
        /**
         * Queues of the card (ethtool -L). A card has combined ones, or some to receive and some to send. On most cards the link goes down for a moment when this changes.
         */
        channels?: {
          /**
           * Queues for both ways: a number, or max for the most that the card has.
           */
          combined?: 'max' | number;
          /**
           * Queues to receive: a number, or max for the most that the card has.
           */
          rx?: 'max' | number;
          /**
           * Queues to send: a number, or max for the most that the card has.
           */
          tx?: 'max' | number;
        };
        /**
         * How long the card waits before it interrupts (ethtool -C).
         */
        coalescing?: {
          /**
           * The driver chooses for receiving, by what comes in; on some cards it then changes rx-usecs by itself, so set one or the other.
           */
          'adaptive-rx'?: 'on' | 'off';
          /**
           * The driver chooses for sending.
           */
          'adaptive-tx'?: 'on' | 'off';
          /**
           * Most microseconds from a packet received to the interrupt.
           */
          'rx-usecs'?: number;
          /**
           * Most packets received before it.
           */
          'rx-frames'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'rx-usecs-irq'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'rx-frames-irq'?: number;
          /**
           * Most microseconds from a packet sent to the interrupt.
           */
          'tx-usecs'?: number;
          /**
           * Most packets sent before it.
           */
          'tx-frames'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'tx-usecs-irq'?: number;
          /**
           * The same, while an interrupt is being served.
           */
          'tx-frames-irq'?: number;
        };
      }[]
    ];
    /**
     * Open vSwitch.
     */
    ovs?: {
      /**
       * Keys of Open_vSwitch other_config. Those that ovs-vswitchd.conf.db(5) has are checked; what ovs-vswitchd reads only when it starts counts as NeedsRestart until it was restarted.
       */
      otherConfig?: {
        /**
         * A value of a kernel knob.
         */
        [k: string]: string | number;
      };
      /**
       * Keys of other_config of single bridges, by the bridge's name.
       */
      bridges?: {
        [k: string]: {
          /**
           * Seconds for which a MAC that is not heard of is kept.
           */
          'mac-aging-time'?: number;
          /**
           * MACs that the bridge keeps.
           */
          'mac-table-size'?: number;
        };
      };
    };
  };
}
