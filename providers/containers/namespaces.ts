import { readFileSync, readlinkSync } from 'node:fs';

/** A process and its network namespace. */
export interface First {
  readonly pid: number;
  /** As `net:[4026532281]`. */
  readonly network: string;
}

/** Where the kernel tells of a container's processes; nothing here asks Docker. */
export interface Namespaces {
  /** Processes of the container by its cgroup, as this process sees pids: none once that is gone; undefined while its place is not known. */
  processes(id: string): readonly number[] | undefined;
  /**
   * The first process of a container and its network namespace, as they were found last, for as long as that process is in that namespace;
   * undefined when it has none, or where that is not known.
   */
  first(id: string): First | undefined;
  /** Learns from one process of a container where the cgroups of all are. */
  learn(id: string, pid: number): void;
  /** The network namespace of a process, as `net:[4026532281]`; undefined when it is gone. */
  network(pid: number): string | undefined;
  /** Whether the kernel has IPv6. */
  readonly ipv6: boolean;
  /** Whether this process (and so, it is taken, dockerd) may hold the OOM killer off others. */
  readonly protect: boolean;
}

const CAP_SYS_RESOURCE = 24n;

function attempt(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Of more containers than this the first process is not remembered. */
const MOST = 4000;

/** The kernel's files below the given roots. */
export function namespaces(procRoot = '/proc', cgroupRoot = '/sys/fs/cgroup'): Namespaces {
  let place: readonly [before: string, after: string] | undefined;
  const capabilities = /^CapEff:\s*([0-9a-f]+)/m.exec(
    attempt(() => readFileSync(`${procRoot}/self/status`, 'utf8')) ?? '',
  );
  const processes = (id: string): readonly number[] | undefined => {
    if (!place) return undefined;
    const [before, after] = place;
    const text = attempt(() => readFileSync(`${before}${id}${after}/cgroup.procs`, 'utf8')); // utf8 is read without a buffer of its own
    // the cgroup goes with its last process, or a moment later
    return (text ?? '')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  };
  const network = (pid: number): string | undefined => attempt(() => readlinkSync(`${procRoot}/${String(pid)}/ns/net`));
  const known = new Map<string, First>();
  const first = (id: string): First | undefined => {
    const before = known.get(id);
    if (before && network(before.pid) === before.network) return before;
    known.delete(id);
    const [pid] = processes(id) ?? [];
    const home = pid === undefined ? undefined : network(pid);
    if (pid === undefined || home === undefined) return undefined;
    if (known.size >= MOST) known.clear();
    const found = { pid, network: home };
    known.set(id, found);
    return found;
  };
  return {
    processes,
    first,
    learn: (id, pid) => {
      const text = attempt(() => readFileSync(`${procRoot}/${String(pid)}/cgroup`, 'utf8')) ?? '';
      for (const line of text.split('\n')) {
        // `4:memory:/docker/ID` on v1, `0::/system.slice/docker-ID.scope` on v2
        const [number = '', names = '', path = ''] = line.split(/:(.*?):(.*)/);
        const at = path.indexOf(id);
        if (at < 0) continue;
        const root = number === '0' ? cgroupRoot : `${cgroupRoot}/${names.replace(/^name=/, '')}`;
        place = [root + path.slice(0, at), path.slice(at + id.length)];
        if (processes(id)?.includes(pid)) return;
      }
      place = undefined;
    },
    network,
    ipv6: attempt(() => readFileSync(`${procRoot}/sys/net/ipv6/conf/all/disable_ipv6`, 'utf8')) !== undefined,
    protect: ((BigInt(`0x${capabilities?.[1] ?? '0'}`) >> CAP_SYS_RESOURCE) & 1n) === 1n,
  };
}
