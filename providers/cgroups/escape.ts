import { join } from 'node:path';
import { errnoOf } from '../../reconciler/model/errors.ts';
import type { Files } from './files.ts';
import type { Hierarchy } from './hierarchy.ts';

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
  return attempt(() => files.link(join(procRoot, pid, 'ns', kind)));
}

/**
 * The processes of each replica: what is in the network namespace of its sandbox, but neither in the process namespace of that nor in our own
 * (a probe that looks in is no part of it).
 */
function processesOf(places: Places, suspects: ReadonlyMap<string, Suspect>): ReadonlyMap<string, readonly string[]> {
  const own = namespace(places, 'self', 'pid');
  const here = namespace(places, 'self', 'net');
  const homes = new Map<string, { readonly replica: string; readonly pause: string | undefined }>();
  for (const [replica, { sandboxPid }] of suspects) {
    const net = namespace(places, String(sandboxPid), 'net');
    // a number that was given again to a process of the host names no sandbox
    if (net !== undefined && net !== here)
      homes.set(net, { replica, pause: namespace(places, String(sandboxPid), 'pid') });
  }
  const found = new Map<string, string[]>();
  for (const pid of places.files.entries(places.procRoot)) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const home = homes.get(namespace(places, pid, 'net') ?? '');
    if (!home) continue;
    const within = namespace(places, pid, 'pid');
    if (within === undefined || within === own || within === home.pause) continue;
    found.set(home.replica, [...(found.get(home.replica) ?? []), pid]);
  }
  return found;
}

/** Controller → cgroup, as /proc tells it of a process or thread; on v2 the controller is empty. */
function cgroupsOf({ files, procRoot, tree }: Places, task: string): ReadonlyMap<string, string> {
  const lines = files.text(join(procRoot, task, 'cgroup')).split('\n');
  const all = lines.flatMap((line) => {
    // 4:memory:/docker/…, of which the path may hold colons
    const [number, names = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (tree.version === 'v2') return number === '0' ? [['', path] as const] : [];
    return names.split(',').map((name) => [name, path] as const);
  });
  return new Map(all.filter(([name]) => name === '' || CONTROLLERS.includes(name)));
}

function escapeOf(places: Places, { id, path }: Suspect, pid: string, tid?: string): readonly Escape[] {
  const { files, tree, procRoot } = places;
  const task = tid === undefined ? pid : join(pid, 'task', tid);
  return (
    attempt(() => {
      const away = [...cgroupsOf(places, task)].filter(
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

function escapesOf(places: Places, suspect: Suspect, pids: readonly string[]): readonly Escape[] {
  const { files, procRoot, tree } = places;
  const whole = pids.flatMap((pid) => escapeOf(places, suspect, pid));
  // on v2 threads stay with their process, or below it
  if (tree.version === 'v2') return whole;
  const gone = new Set(whole.map(({ pid }) => String(pid)));
  let known: readonly ReadonlySet<string>[] | undefined;
  const strays = pids.flatMap((pid) => {
    const threads = gone.has(pid) ? [] : files.entries(join(procRoot, pid, 'task')).filter((tid) => tid !== pid);
    if (threads.length === 0) return [];
    known ??= threadsIn(places, suspect);
    const lists = known;
    return threads
      .filter((tid) => lists.some((list) => !list.has(tid)))
      .flatMap((tid) => escapeOf(places, suspect, pid, tid));
  });
  return [...whole, ...strays];
}

/** What of each replica is outside its cgroup; a replica of which nothing is, is left out. */
export function findEscapes(
  places: Places,
  suspects: ReadonlyMap<string, Suspect>,
): ReadonlyMap<string, readonly Escape[]> {
  const found = new Map<string, readonly Escape[]>();
  for (const [replica, pids] of processesOf(places, suspects)) {
    const suspect = suspects.get(replica);
    const escapes = suspect ? escapesOf(places, suspect, pids) : [];
    if (escapes.length > 0) found.set(replica, escapes);
  }
  return found;
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
