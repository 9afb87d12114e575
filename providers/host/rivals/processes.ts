import fs from 'node:fs';
import { join } from 'node:path';

function nameOf(procRoot: string, pid: string): string {
  try {
    return fs.readFileSync(join(procRoot, pid, 'comm'), 'latin1').trim();
  } catch {
    return ''; // it has ended
  }
}

/** Which of some programs run, by what the kernel calls them: fifteen characters. */
export interface Processes {
  /** The numbers of the processes of each; empty where none runs. */
  of(name: string): readonly string[];
}

/** Milliseconds after which all processes are looked at again. */
const SWEEP = 600_000;

/**
 * Looks at all processes once in ten minutes, which costs some 10 µs for each of them, and meanwhile at those it found: what has
 * ended is known at the next look, what was started within ten minutes. `now` gives milliseconds from anywhere.
 */
export function createProcesses(procRoot: string, names: ReadonlySet<string>, now: () => number): () => Processes {
  let found = new Map<string, string>();
  let swept: number | undefined;

  function sweep(): Map<string, string> {
    let all: readonly string[];
    try {
      all = fs.readdirSync(procRoot);
    } catch {
      all = [];
    }
    const numbers = all.filter((name) => /^\d+$/.test(name));
    return new Map(numbers.map((pid) => [pid, nameOf(procRoot, pid)] as const).filter(([, name]) => names.has(name)));
  }

  return () => {
    if (swept === undefined || now() - swept >= SWEEP) [found, swept] = [sweep(), now()];
    else for (const [pid, name] of found) if (nameOf(procRoot, pid) !== name) found.delete(pid);
    const seen = new Map(found);
    return { of: (name) => [...seen].flatMap(([pid, one]) => (one === name ? [pid] : [])) };
  };
}
