import { expand } from '../reconciler/plan/expand.ts';
import type { Known } from '../reconciler/loop/view.ts';
import type { Io } from './io.ts';
import { remoteView } from './local.ts';
import { pathsOf, type StateOptions } from './paths.ts';
import { storedKnown } from './stored.ts';

/** The refs (or, for `explain`, the replicas) that a word of a command line may name; none when nothing can be read. */
export async function candidatesOf(verb: string, words: readonly string[], io: Io): Promise<readonly string[]> {
  try {
    const { assignments, snapshot } = await knownOf(words, io);
    if (verb === 'explain') return [...snapshot.placements.keys()];
    return assignments.flatMap((assignment) => expand(assignment).map(({ ref }) => ref));
  } catch {
    return []; // a completion never complains
  }
}

/** What a running `up` knows, else what its state directory remembers. */
async function knownOf(words: readonly string[], io: Io): Promise<Known> {
  const { socket, state } = pathsOf(stateOf(words), io);
  try {
    return await remoteView(socket).known();
  } catch {
    return await storedKnown(state);
  }
}

/** The state options among the words typed so far. */
function stateOf(words: readonly string[]): StateOptions {
  const valueOf = (flag: string): string | undefined => {
    const at = words.indexOf(flag);
    return at < 0 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1];
  };
  const [stateDir, socket] = [valueOf('--state-dir'), valueOf('--socket')];
  return { ...(stateDir === undefined ? {} : { stateDir }), ...(socket === undefined ? {} : { socket }) };
}
