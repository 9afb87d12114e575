import { readFileSync, readlinkSync } from 'node:fs';

/** Where the kernel tells of a container's processes; nothing here asks Docker. */
export interface Namespaces {
  /** Processes of the container by its cgroup, as this process sees pids: none once that is gone; undefined while its place is not known. */
  processes(id: string): readonly number[] | undefined;
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
  return {
    processes,
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
    network: (pid) => attempt(() => readlinkSync(`${procRoot}/${String(pid)}/ns/net`)),
    ipv6: attempt(() => readFileSync(`${procRoot}/sys/net/ipv6/conf/all/disable_ipv6`, 'utf8')) !== undefined,
    protect: ((BigInt(`0x${capabilities?.[1] ?? '0'}`) >> CAP_SYS_RESOURCE) & 1n) === 1n,
  };
}
