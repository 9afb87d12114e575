import { expand } from '../reconciler/plan/expand.ts';
import type { Known } from '../reconciler/loop/view.ts';
import type { Io } from './io.ts';
import { pathsOf } from './paths.ts';
import { storedKnown } from './stored.ts';
import { withView, type Looking } from './view.ts';

/** The refs (for `explain` the replicas, for `capacity` the Apps, for `drain` the hosts) that a word of a command line may name; none when nothing can be read. */
export async function candidatesOf(verb: string, words: readonly string[], io: Io): Promise<readonly string[]> {
  try {
    const { assignments, snapshot } = await knownOf(words, io);
    if (verb === 'explain') return [...snapshot.placements.keys()];
    if (verb === 'drain') return [...snapshot.hosts.keys()];
    if (verb === 'capacity') return [...new Set([...snapshot.placements.values()].map(({ app }) => app))];
    return assignments.flatMap((assignment) => expand(assignment).map(({ ref }) => ref));
  } catch {
    return []; // a completion never complains
  }
}

/** What a running `up` knows, else what its state directory remembers. */
async function knownOf(words: readonly string[], io: Io): Promise<Known> {
  const flags = stateOf(words);
  try {
    return await withView(flags, io, (view) => view.known());
  } catch {
    return await storedKnown(pathsOf(flags, io).state);
  }
}

/** The state options among the words typed so far. */
function stateOf(words: readonly string[]): Looking {
  const valueOf = (flag: string): string | undefined => {
    const at = words.indexOf(flag);
    return at < 0 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1];
  };
  const named = { stateDir: '--state-dir', socket: '--socket', store: '--store', fleet: '--fleet' } as const;
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, flag]) => {
      const value = valueOf(flag);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
