import { join } from 'node:path';
import { errnoOf } from '../../reconciler/model/errors.ts';
import { readText, type Files } from './files.ts';
import { OOM } from './knob.ts';

/** How deep an init inside a container may nest cgroups of its own. */
const DEEPEST = 8;

/** Process ids in a cgroup and in what an init inside has made below it, as this process sees them. Throws ENOENT, ENODEV when it is gone. */
export function processesIn(files: Files, directory: string, depth = 0): readonly number[] {
  const own = files.text(join(directory, 'cgroup.procs')).split('\n').map(Number);
  const below = depth === DEEPEST ? [] : files.folders(directory);
  const nested = below.flatMap((name) => {
    try {
      return processesIn(files, join(directory, name), depth + 1);
    } catch {
      return []; // it has just gone
    }
  });
  return [...own.filter((pid) => pid > 0), ...nested];
}

/** The oom_score_adj of a process; undefined where it has ended. */
function adjustmentOf(files: Files, procRoot: string, pid: number): string | undefined {
  try {
    return readText(files, join(procRoot, String(pid)), OOM);
  } catch {
    return undefined; // it has ended, or is of another namespace
  }
}

/** The first process of a cgroup whose cgroup.procs says this; undefined where none can be seen. */
export function firstIn(files: Files, directory: string, list: string): number | undefined {
  const end = list.indexOf('\n');
  const first = end < 0 ? list : list.slice(0, end);
  // on v2 all processes of an init that has cgroups of its own are in those; one of another namespace is a 0
  return Number(first) > 0 ? Number(first) : first === '' ? processesIn(files, directory)[0] : undefined;
}

/** What the first process of a cgroup says; undefined where none can be seen. */
function firstAdjustment(files: Files, procRoot: string, directory: string): string | undefined {
  try {
    const pid = firstIn(files, directory, readText(files, directory, 'cgroup.procs'));
    return pid === undefined ? undefined : adjustmentOf(files, procRoot, pid);
  } catch {
    return undefined; // the cgroup is gone
  }
}

/** New processes begin as the one that made them: so often they are looked for. */
const LOOKS = 5;

/**
 * Sets oom_score_adj of a cgroup's processes: of those that stand where the first one does, and of those that are spared more than
 * they are to be. One that gives itself away more readily is left alone. Throws the kernel's errno: EACCES where it is to be lowered without the right.
 */
export function adjust(files: Files, procRoot: string, directory: string, value: number): void {
  const before = firstAdjustment(files, procRoot, directory);
  for (let look = 0; look < LOOKS; look += 1) {
    const due = processesIn(files, directory).filter((pid) => {
      const has = adjustmentOf(files, procRoot, pid);
      return has !== undefined && has !== String(value) && (has === before || Number(has) < value);
    });
    if (due.length === 0) return;
    for (const pid of due) {
      try {
        files.write(join(procRoot, String(pid), OOM), String(value));
      } catch (error) {
        if (!['ENOENT', 'ESRCH'].includes(errnoOf(error))) throw error;
      }
    }
  }
}

/** Pages of memory that a process has; 0 where it ends, though the kernel may not have got all of them back yet. */
function pagesOf(files: Files, procRoot: string, pid: number): number {
  try {
    return Number(readText(files, join(procRoot, String(pid)), 'statm').split(' ')[1]);
  } catch {
    return 0;
  }
}

/** States of a thread that has given back all that it had: a zombie, and one that is just forgotten (proc(5), stat). */
const OVER: ReadonlySet<string | undefined> = new Set(['Z', 'X']);

/**
 * Whether a process has ended with all its threads, and its memory is the kernel's again, though nobody may have asked yet how it ended.
 * It lets go of its pages first (statm says 0 then), and the kernel gets them back afterwards, one by one.
 */
export function hasEnded(files: Files, procRoot: string, pid: number): boolean {
  const threads = join(procRoot, String(pid), 'task');
  return files.folders(threads).every((thread) => {
    try {
      // the name before it, in parentheses, may hold anything
      const stat = readText(files, join(threads, thread), 'stat');
      return OVER.has(stat.slice(stat.lastIndexOf(')') + 2)[0]);
    } catch {
      return true; // it has just gone
    }
  });
}

/** The process of a cgroup that has the most memory; undefined where none has any. */
export function largest(files: Files, procRoot: string, directory: string): number | undefined {
  const sizes = processesIn(files, directory).map((pid) => ({ pid, pages: pagesOf(files, procRoot, pid) }));
  return sizes.filter(({ pages }) => pages > 0).sort((a, b) => b.pages - a.pages)[0]?.pid;
}
