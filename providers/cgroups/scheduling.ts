import { join } from 'node:path';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { systemExec, type Exec } from '../exec/exec.ts';
import { readText, type Files } from './files.ts';
import { processesIn } from './processes.ts';

/** Scheduling classes by their number in the kernel (SCHED_…). */
const CLASSES: Readonly<Record<string, string>> = { 0: 'other', 1: 'fifo', 2: 'rr', 3: 'batch', 5: 'idle' };
/** What chrt calls them. */
const FLAGS: Readonly<Record<string, string>> = {
  other: '--other',
  fifo: '--fifo',
  rr: '--rr',
  batch: '--batch',
  idle: '--idle',
};

/** What a thread is in that nobody asked anything for. */
export const USUAL_CLASS = 'other';

/** Whether threads of a class run before all others, for as long as they like. */
export function isRealtime(text: string | undefined): boolean {
  return text !== undefined && /^(fifo|rr)\b/.test(text);
}

/** Has processes, with all their threads, run in a class, as `rr 10`; those that have ended do not count. Throws with the kernel's errno as `code`. */
export type SetClass = (pids: readonly number[], text: string) => Promise<void>;

/** What chrt says of a process that has ended. */
const GONE = /No such process|cannot obtain the list of tasks|^\s*$/;
/** Milliseconds that all of a container may take. */
const LIMIT = 60_000;

/** By chrt of util-linux, started for one process after the other by xargs, which is small; what is started later inherits the class. */
export function chrt(exec: Exec = systemExec()): SetClass {
  return async (pids, text) => {
    const [name = USUAL_CLASS, priority = '0'] = text.split(' ');
    const args = ['-r', '-n', '1', 'chrt', '--all-tasks', FLAGS[name] ?? '--other', '--pid', priority];
    const options = { input: pids.join('\n'), signal: AbortSignal.timeout(LIMIT), silent: true } as const;
    const { status, stderr } = await exec.run('xargs', args, options);
    if (status === 0) return;
    if (/^xargs: .*chrt.*No such file|ENOENT|^xargs: No such file/.test(stderr))
      throw new PlumbError('MISSING_PROGRAM', 'chrt and xargs are needed: apt-get install util-linux findutils');
    if (status === -1) throw new PlumbError('TIMEOUT', `chrt of ${String(pids.length)} processes was not done in time`);
    const words = stderr.split('\n').find((line) => !GONE.test(line));
    if (words === undefined) return;
    throw Object.assign(new Error(words.trim()), { code: /not permitted/.test(words) ? 'EPERM' : 'EINVAL' });
  };
}

/** The class and the name of a thread, as its `stat` in /proc has them. */
export function classIn(stat: string): { readonly text: string; readonly name: string } {
  const end = stat.lastIndexOf(')');
  const rest = stat.slice(end + 2).split(' ');
  // proc(5): fields 40 and 41; the state, first of the rest, is field 3
  const [priority = '0', policy = '0'] = rest.slice(37, 39);
  const known = CLASSES[policy] ?? `policy ${policy}`;
  const name = stat.slice(stat.indexOf('(') + 1, end);
  return { text: priority === '0' ? known : `${known} ${priority}`, name };
}

/** The class of a thread (`4711/task/4712`); undefined where it has ended. */
function classOf(files: Files, procRoot: string, task: string): ReturnType<typeof classIn> | undefined {
  try {
    return classIn(readText(files, join(procRoot, task), 'stat'));
  } catch {
    return undefined;
  }
}

/** A process that has threads of another class than one, with the first of these in words; and how many threads were looked at. */
interface Apart {
  readonly pids: readonly number[];
  readonly first?: string;
  readonly looked: number;
}

/** The processes of a cgroup that are not, with all their threads, in a class. Throws ENOENT, ENODEV where the cgroup is gone. */
function apartFrom(files: Files, procRoot: string, directory: string, text: string): Apart {
  const pids = new Set<number>();
  let first: string | undefined;
  let looked = 0;
  for (const pid of processesIn(files, directory))
    for (const tid of files.entries(join(procRoot, String(pid), 'task'))) {
      looked += 1;
      const one = classOf(files, procRoot, join(String(pid), 'task', tid));
      if (!one || one.text === text) continue;
      pids.add(pid);
      first ??= `thread ${tid} (${one.name}) ${one.text}`;
    }
  return { pids: [...pids], looked, ...(first === undefined ? {} : { first }) };
}

/** So many threads are looked at in a millisecond, and so many at once: some 30 µs each. With a look each minute it is fifty a second, 0.15 % of a core. */
const RATE = 0.1;
const AT_ONCE = 3_000;

/** The scheduling classes of containers. */
export interface Classes {
  /**
   * The class of a container's first process, which is `first`; where another than the usual one was asked for or is there, with the first thread that differs:
   * `batch, thread 12 (java) other`. Threads are looked at in turn, those of a few containers at a time; of the others it is what was seen last.
   * Undefined where its cgroup is gone.
   */
  of(id: string, directory: string, first: string): string | undefined;
  /** Looks at all threads of a container from now on, and next time at once. */
  note(id: string): void;
  /** Looks at them no more. */
  forget(id: string): void;
}

/** Reads classes from /proc; `clock` gives milliseconds from anywhere. */
export function createClasses(files: Files, procRoot: string, clock: () => number): Classes {
  const seen = new Map<string, { readonly first: string; readonly text: string } | undefined>();
  /** Those that had their turn in this round. */
  const done = new Set<string>();
  let left = AT_ONCE;
  let at = clock();

  function isDue(id: string): boolean {
    const now = clock();
    left = Math.min(AT_ONCE, left + (now - at) * RATE);
    at = now;
    if (done.size >= seen.size) done.clear();
    return left > 0 && !done.has(id);
  }

  function look(id: string, directory: string, first: string): string {
    const apart = apartFrom(files, procRoot, directory, first);
    const text = apart.first === undefined ? first : `${first}, ${apart.first}`;
    left -= apart.looked;
    seen.set(id, { first, text });
    done.add(id);
    return text;
  }

  return {
    of(id, directory, first) {
      if (first === USUAL_CLASS && !seen.has(id)) return first;
      const last = seen.get(id);
      if (last?.first === first && !isDue(id)) return last.text;
      try {
        return look(id, directory, first);
      } catch {
        return undefined;
      }
    },
    note: (id) => seen.set(id, undefined),
    forget(id) {
      seen.delete(id);
      done.delete(id);
    },
  };
}

/** New threads begin as the one that made them: so often they are looked for. */
const LOOKS = 5;

/** Puts all threads of a cgroup into a class; whether they are in it. Throws with the kernel's errno. */
export async function setClassIn(
  files: Files,
  procRoot: string,
  directory: string,
  text: string,
  setClass: SetClass,
): Promise<boolean> {
  for (let look = 0; look < LOOKS; look += 1) {
    const { pids } = apartFrom(files, procRoot, directory, text);
    if (pids.length === 0) return true;
    await setClass(pids, text);
  }
  return false;
}
