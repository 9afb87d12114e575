import { join } from 'node:path';
import { errnoOf } from '../../reconciler/model/errors.ts';
import type { Files } from './files.ts';
import type { Hierarchy } from './hierarchy.ts';
import { openFile, type Budget, type OpenFile } from './open-files.ts';

/** A replica whose processes are looked for: its sandbox's first process, its container, and the path of that one's cgroup. */
export interface Suspect {
  readonly sandboxPid: number;
  readonly id: string;
  readonly path: string;
}

/** A process or thread of a replica that is not in its cgroup, and so neither held to its limits nor on its cores. */
export interface Escape {
  readonly pid: number;
  /** Of a thread that has left alone. */
  readonly tid?: number;
  readonly name: string;
  /** The v1 controllers of which it is elsewhere; on v2 an empty name. */
  readonly controllers: readonly string[];
  /** The cgroup in which it is. */
  readonly where: string;
}

/** Where the kernel tells of processes and cgroups. */
export interface Places {
  readonly files: Files;
  readonly procRoot: string;
  readonly tree: Hierarchy;
}

/** What holds a process to its limits and cores. */
const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids', 'blkio'];

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // it has ended meanwhile
  }
}

function namespace({ files, procRoot }: Places, pid: string, kind: 'net' | 'pid'): string | undefined {
  return attempt(() => files.link(`${procRoot}/${pid}/ns/${kind}`));
}

/** The sandboxes of replicas by their network namespace. */
interface Home {
  readonly replica: string;
  readonly sandboxPid: string;
}

function homesOf(places: Places, suspects: ReadonlyMap<string, Suspect>): ReadonlyMap<string, Home> {
  const here = namespace(places, 'self', 'net');
  const homes = new Map<string, Home>();
  for (const [replica, { sandboxPid }] of suspects) {
    const net = namespace(places, String(sandboxPid), 'net');
    // a number that was given again to a process of the host names no sandbox
    if (net !== undefined && net !== here) homes.set(net, { replica, sandboxPid: String(sandboxPid) });
  }
  return homes;
}

/** Controller → cgroup, as /proc tells it of a process or thread; on v2 the controller is empty. */
function cgroupsIn(text: string, { version }: Hierarchy): ReadonlyMap<string, string> {
  const all = text.split('\n').flatMap((line) => {
    // 4:memory:/docker/…, of which the path may hold colons
    const [number, names = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (version === 'v2') return number === '0' ? [['', path] as const] : [];
    return names.split(',').map((name) => [name, path] as const);
  });
  return new Map(all.filter(([name]) => name === '' || CONTROLLERS.includes(name)));
}

/** What /proc/…/cgroup of a process, or of a thread of it, says where it is not all in the replica's cgroup. */
function escapeIn(places: Places, { id, path }: Suspect, text: string, pid: string, tid?: string): readonly Escape[] {
  const { files, tree, procRoot } = places;
  const task = tid === undefined ? pid : join(pid, 'task', tid);
  return (
    attempt(() => {
      const away = [...cgroupsIn(text, tree)].filter(
        ([name, where]) => !where.includes(id) && files.exists(tree.directory(name, path)),
      );
      const [first] = away;
      if (!first) return [];
      const name = files.text(join(procRoot, task, 'comm')).trim();
      const who = tid === undefined ? {} : { tid: Number(tid) };
      return [{ pid: Number(pid), ...who, name, controllers: away.map(([each]) => each), where: first[1] }];
    }) ?? []
  );
}

/** Thread ids that are in a v1 cgroup or below it, of each controller. */
function threadsIn({ files, tree }: Places, { path }: Suspect): readonly ReadonlySet<string>[] {
  const within = (directory: string): readonly string[] => [
    ...(attempt(() => files.text(join(directory, 'tasks')).split('\n')) ?? []),
    ...files.folders(directory).flatMap((name) => within(join(directory, name))),
  ];
  const directories = CONTROLLERS.map((name) => tree.directory(name, path)).filter((each) => files.exists(each));
  return directories.map((directory) => new Set(within(directory)));
}

/** Threads of a process that are elsewhere than it is; on v2 threads stay with their process, or below it. */
function straysOf(places: Places, suspect: Suspect, pid: string, known: () => readonly ReadonlySet<string>[]) {
  const { files, procRoot, tree } = places;
  const tasks = `${procRoot}/${pid}/task`;
  // proc(5) counts the threads of a process in the links of this directory: itself, its name, and one for each
  if (tree.version === 'v2' || attempt(() => files.links(tasks)) === 3) return [];
  const threads = files.entries(tasks).filter((tid) => tid !== pid);
  if (threads.length === 0) return [];
  const lists = known();
  return threads
    .filter((tid) => lists.some((list) => !list.has(tid)))
    .flatMap((tid) => attempt(() => escapeIn(places, suspect, files.text(join(tasks, tid, 'cgroup')), pid, tid)) ?? []);
}

/** A process of a replica: which sandbox it came from never changes, where it is may. */
interface Member {
  readonly replica: string;
  /** Of the container. */
  readonly id: string;
  readonly cgroup: OpenFile;
  /** As the text of `cgroup` was judged. */
  away: readonly Escape[];
}

/** Looks for escapes again and again. */
export interface Sweep {
  /** What of each replica is outside its cgroup; a replica of which nothing is, is left out. */
  find(suspects: ReadonlyMap<string, Suspect>): ReadonlyMap<string, readonly Escape[]>;
}

/**
 * The processes of a replica are those in the network namespace of its sandbox that are neither in the process namespace of that nor in our own
 * (a probe that looks in is no part of it). Those that are known from the look before are only asked where they are now, as long as the
 * `budget` has a descriptor for each.
 */
export function createSweep(places: Places, budget: Budget): Sweep {
  const { files, procRoot } = places;
  let members = new Map<string, Member>();

  type Homes = ReturnType<typeof homesOf>;

  /** Asks where it is now; undefined when it has ended. */
  function ask(pid: string, member: Member, suspect: Suspect, homes: Homes): Member | undefined {
    const news = attempt(() => member.cgroup.read());
    if (news === undefined) return undefined;
    if (news) member.away = escapeIn(places, suspect, member.cgroup.text, pid);
    // v1 says of one that has ended, and that nobody has waited for, that it is in /: it has no namespaces any more; without a descriptor the number may be another's
    const isIts = (): boolean => homes.get(namespace(places, pid, 'net') ?? '')?.replica === member.replica;
    return member.away.length === 0 || isIts() ? member : undefined;
  }

  function meet(pid: string, home: Home, suspect: Suspect, own: string | undefined, homes: Homes): Member | undefined {
    const within = namespace(places, pid, 'pid');
    if (within === undefined || within === own || within === namespace(places, home.sandboxPid, 'pid'))
      return undefined;
    const cgroup = openFile(files, `${procRoot}/${pid}/cgroup`, budget);
    if (!cgroup) return undefined;
    const member = ask(pid, { replica: home.replica, id: suspect.id, cgroup, away: [] }, suspect, homes);
    if (!member) cgroup.close();
    return member;
  }

  function membersNow(suspects: ReadonlyMap<string, Suspect>): Map<string, Member> {
    const homes = homesOf(places, suspects);
    const own = namespace(places, 'self', 'pid');
    const now = new Map<string, Member>();
    for (const pid of files.entries(procRoot)) {
      if (!/^[0-9]+$/.test(pid)) continue;
      const before = members.get(pid);
      const suspected = before && suspects.get(before.replica);
      let member = before && suspected?.id === before.id ? ask(pid, before, suspected, homes) : undefined;
      if (!member) {
        const home = homes.get(namespace(places, pid, 'net') ?? '');
        const suspect = home && suspects.get(home.replica);
        member = suspect && meet(pid, home, suspect, own, homes);
      }
      if (member) now.set(pid, member);
    }
    for (const [pid, { cgroup }] of members) if (now.get(pid)?.cgroup !== cgroup) cgroup.close();
    members = now;
    return now;
  }

  return {
    find(suspects) {
      const found = new Map<string, readonly Escape[]>();
      const lists = new Map<string, readonly ReadonlySet<string>[]>();
      for (const [pid, { replica, away }] of membersNow(suspects)) {
        const suspect = suspects.get(replica);
        if (!suspect) continue;
        const known = (): readonly ReadonlySet<string>[] => {
          const all = lists.get(replica) ?? threadsIn(places, suspect);
          lists.set(replica, all);
          return all;
        };
        const escapes = away.length > 0 ? away : straysOf(places, suspect, pid, known);
        if (escapes.length > 0) found.set(replica, [...(found.get(replica) ?? []), ...escapes]);
      }
      return found;
    },
  };
}

/** One look that remembers nothing. */
export function findEscapes(
  places: Places,
  suspects: ReadonlyMap<string, Suspect>,
): ReadonlyMap<string, readonly Escape[]> {
  return createSweep(places, { left: 0 }).find(suspects);
}

/** How deep an init inside a container is looked for. */
const DEEPEST = 4;

/**
 * Writes a process into a cgroup. On v2 nothing runs in one that hands controllers on to others below it, as that of a container with an
 * init of its own does (EBUSY): then into the first below that takes it.
 */
function enter(places: Places, directory: string, file: string, id: string, depth = 0): string | undefined {
  const { files, tree } = places;
  let errno: string;
  try {
    files.write(join(directory, file), id);
    return undefined;
  } catch (error) {
    errno = errnoOf(error);
  }
  if (errno === 'ESRCH') return undefined;
  if (errno !== 'EBUSY' || tree.version !== 'v2' || depth === DEEPEST) return errno;
  const below = [...files.folders(directory)].sort((a, b) => Number(b === 'init.scope') - Number(a === 'init.scope'));
  for (const name of below)
    if (enter(places, join(directory, name), file, id, depth + 1) === undefined) return undefined;
  return errno;
}

/** Moves one back. Gives the errno of the kernel's no; one that has ended is back as well. */
export function bringBack(places: Places, path: string, escape: Escape): string | undefined {
  const { pid, tid, controllers } = escape;
  for (const name of controllers) {
    const file = tid === undefined ? 'cgroup.procs' : 'tasks';
    const errno = enter(places, places.tree.directory(name, path), file, String(tid ?? pid));
    if (errno !== undefined) return errno;
  }
  return undefined;
}

/** So many are named. */
const NAMED = 3;

/** In words: `process 4711 (java) in /user.slice`. */
export function escapeWords(escapes: readonly Escape[]): string {
  const words = escapes
    .slice(0, NAMED)
    .map(({ pid, tid, name, where }) =>
      tid === undefined
        ? `process ${String(pid)} (${name}) in ${where}`
        : `thread ${String(tid)} (${name}) of process ${String(pid)} in ${where}`,
    );
  const more = escapes.length - words.length;
  return [...words, ...(more > 0 ? [`${String(more)} more`] : [])].join(', ');
}
