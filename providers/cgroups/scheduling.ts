import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf, PlumbError } from '../../reconciler/model/errors.ts';
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

/** Has a process, with all its threads, run in a class, as `rr 10`. Throws with the kernel's errno as `code`. */
export type SetClass = (pid: number, text: string) => Promise<void>;

const run = promisify(execFile);

/** By chrt of util-linux; what is started later inherits the class. */
export const chrt: SetClass = async (pid, text) => {
  const [name = USUAL_CLASS, priority = '0'] = text.split(' ');
  try {
    const args = ['--all-tasks', FLAGS[name] ?? '--other', '--pid', priority, String(pid)];
    await run('chrt', args, { timeout: 10_000, env: { ...process.env, LC_ALL: 'C' } });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw new PlumbError('MISSING_PROGRAM', 'chrt is not installed: apt-get install util-linux', {}, error);
    const words = String((error as { readonly stderr?: unknown }).stderr);
    const code = /No such process/.test(words) ? 'ESRCH' : /not permitted/.test(words) ? 'EPERM' : 'EINVAL';
    throw Object.assign(new Error(`chrt: ${words.trim()}`), { code });
  }
};

/** The class of a thread (`4711/task/4712`) or of a process's first; undefined where it has ended. */
function classOf(files: Files, procRoot: string, task: string): { text: string; name: string } | undefined {
  try {
    const stat = readText(files, join(procRoot, task), 'stat');
    const end = stat.lastIndexOf(')');
    const rest = stat.slice(end + 2).split(' ');
    // proc(5): fields 40 and 41; the state, first of the rest, is field 3
    const [priority = '0', policy = '0'] = rest.slice(37, 39);
    const known = CLASSES[policy] ?? `policy ${policy}`;
    const name = stat.slice(stat.indexOf('(') + 1, end);
    return { text: priority === '0' ? known : `${known} ${priority}`, name };
  } catch {
    return undefined;
  }
}

/**
 * The class of the first process of a cgroup; with `all` that of all threads, and where one differs which: `batch, thread 12 (java) other`. Undefined where
 * none can be seen.
 */
export function classIn(files: Files, procRoot: string, directory: string, all: boolean): string | undefined {
  try {
    const pids = processesIn(files, directory);
    const first = pids[0] === undefined ? undefined : classOf(files, procRoot, String(pids[0]));
    if (!first || (!all && first.text === USUAL_CLASS)) return first?.text;
    for (const pid of pids)
      for (const tid of files.entries(join(procRoot, String(pid), 'task'))) {
        const one = classOf(files, procRoot, join(String(pid), 'task', tid));
        if (one && one.text !== first.text) return `${first.text}, thread ${tid} (${one.name}) ${one.text}`;
      }
    return first.text;
  } catch {
    return undefined;
  }
}

/** New threads begin as the one that made them: so often they are looked for. */
const LOOKS = 5;

/** Puts all threads of a cgroup into a class. Throws with the kernel's errno. */
export async function setClassIn(
  files: Files,
  procRoot: string,
  directory: string,
  text: string,
  setClass: SetClass,
): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    if (classIn(files, procRoot, directory, true) === text) return;
    for (const pid of processesIn(files, directory)) {
      try {
        await setClass(pid, text);
      } catch (error) {
        if (errnoOf(error) !== 'ESRCH') throw error;
      }
    }
  }
}
