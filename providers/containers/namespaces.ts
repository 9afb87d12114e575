import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';

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
  /** Whether all of a container stands still, whoever did that; undefined while its place is not known, or it is gone. */
  frozen(id: string): boolean | undefined;
  /** Has all of a container stand still or go on, past Docker, which does not hear of it. */
  setFrozen(id: string, frozen: boolean): void;
  /** The network namespace of a process, as `net:[4026532281]`; undefined when it is gone. */
  network(pid: number): string | undefined;
  /** Whether the kernel has IPv6. */
  readonly ipv6: boolean;
  /** Whether this process (and so, it is taken, dockerd) may hold the OOM killer off others. */
  readonly protect: boolean;
}

const CAP_SYS_RESOURCE = 24n;

/** How each generation of the kernel says that a cgroup stands still, and that it goes on. */
const FREEZERS = {
  v1: { file: 'freezer.state', frozen: 'FROZEN', thawed: 'THAWED' },
  v2: { file: 'cgroup.freeze', frozen: '1', thawed: '0' },
} as const;

/** Where the cgroups of containers are: the path of each is its id between these. */
type Place = readonly [before: string, after: string];

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
  let place: Place | undefined;
  let freezer: { readonly place: Place; readonly version: keyof typeof FREEZERS } | undefined;
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
  const freezerOf = (id: string) => {
    if (!freezer) return undefined;
    const { file, ...words } = FREEZERS[freezer.version];
    return { path: `${freezer.place[0]}${id}${freezer.place[1]}/${file}`, ...words };
  };
  return {
    processes,
    first,
    frozen: (id) => {
      const at = freezerOf(id);
      const text = at && attempt(() => readFileSync(at.path, 'utf8'));
      return text === undefined ? undefined : text.trim() !== at?.thawed;
    },
    setFrozen: (id, frozen) => {
      const at = freezerOf(id);
      if (at) attempt(() => (writeFileSync(at.path, frozen ? at.frozen : at.thawed), ''));
    },
    learn: (id, pid) => {
      const text = attempt(() => readFileSync(`${procRoot}/${String(pid)}/cgroup`, 'utf8')) ?? '';
      let found: Place | undefined;
      for (const line of text.split('\n')) {
        // `4:memory:/docker/ID` on v1, `0::/system.slice/docker-ID.scope` on v2
        const [number = '', names = '', path = ''] = line.split(/:(.*?):(.*)/);
        const at = path.indexOf(id);
        if (at < 0) continue;
        const root = number === '0' ? cgroupRoot : `${cgroupRoot}/${names.replace(/^name=/, '')}`;
        const here: Place = [root + path.slice(0, at), path.slice(at + id.length)];
        const version = number === '0' ? 'v2' : 'v1';
        if (existsSync(`${here[0]}${id}${here[1]}/${FREEZERS[version].file}`)) freezer = { place: here, version };
        if (found) continue;
        place = here;
        if (processes(id)?.includes(pid)) found = here;
      }
      place = found;
    },
    network,
    ipv6: attempt(() => readFileSync(`${procRoot}/sys/net/ipv6/conf/all/disable_ipv6`, 'utf8')) !== undefined,
    protect: ((BigInt(`0x${capabilities?.[1] ?? '0'}`) >> CAP_SYS_RESOURCE) & 1n) === 1n,
  };
}
