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
/** Milliseconds in which one that has ended is looked for: most are only started anew. */
const RESTART = 180_000;
/** Milliseconds between two looks at all of them, whatever has ended. */
const APART = 60_000;

/**
 * Looks at all processes once in ten minutes, which costs some 10 µs for each of them, and meanwhile at those it found: what has
 * ended is known at the next look, what was started within ten minutes. Where one has ended, all are looked at for three minutes, at
 * most each minute. `now` gives milliseconds from anywhere.
 */
export function createProcesses(procRoot: string, names: ReadonlySet<string>, now: () => number): () => Processes {
  let found = new Map<string, string>();
  let swept: number | undefined;
  let ended: number | undefined;

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

  /** Forgets those that have ended. */
  function prune(): void {
    for (const [pid, name] of found)
      if (nameOf(procRoot, pid) !== name) {
        found.delete(pid);
        ended = now();
      }
  }

  return () => {
    prune();
    const restarts = ended !== undefined && now() - ended < RESTART;
    if (swept === undefined || now() - swept >= (restarts ? APART : SWEEP)) [found, swept] = [sweep(), now()];
    const seen = new Map(found);
    return { of: (name) => [...seen].flatMap(([pid, one]) => (one === name ? [pid] : [])) };
  };
}
