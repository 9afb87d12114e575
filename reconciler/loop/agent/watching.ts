import type { Provider } from '../../model/provider.ts';
import { kindOf, refOf, type Ref } from '../../model/ref.ts';
import { pause } from '../pause.ts';
import type { AgentOptions, AgentState } from './agent-state.ts';
import type { Item, WorkQueue } from './queue.ts';

/** A hint that may be an echo is looked at this long after the change, milliseconds. */
const QUIET = 800;
/** What was hinted at is told no later than this, milliseconds: it may be what a hand has done right after us. */
const TOLD = 900;
/** A watch that breaks is taken up again after so long, and after twice as long each time up to the longest, milliseconds. */
const AGAIN = 1_000;
const LONGEST = 60_000;

/** Hears what providers hint at, and has it looked at. */
export interface Watching {
  /** Hears all that can be watched for ever, once there is an Assignment. */
  run(signal: AbortSignal): Promise<void>;
  /** By when it is to be told what a look at these items finds, milliseconds since 1970. */
  toldBy(items: readonly Item[]): number;
}

/** What the providers of an agent hint at goes to its queue. */
export function createWatching(
  { providers, clock, log }: Pick<AgentOptions, 'providers' | 'clock' | 'log'>,
  state: AgentState,
  queue: Pick<WorkQueue, 'add'>,
): Watching {
  /** When refs that were not looked at since were first hinted at. */
  const hinted = new Map<Ref, number>();

  function hint(ref: Ref): void {
    log.debug({ ref, busy: state.busy.has(ref) }, 'hint');
    if (state.busy.get(ref)?.begun === true) return;
    // of containers no echoes are told, and one that ends as soon as it is started must not wait
    const echo = kindOf(ref) === 'container' ? 0 : QUIET;
    const quiet = (state.touched.get(ref) ?? -echo) + echo;
    queue.add(ref, Math.max(clock(), quiet));
    if (!hinted.has(ref)) hinted.set(ref, clock());
  }

  /** Hears one provider for ever: a watch that breaks is taken up again, and then all of its kinds are looked at. */
  async function hear(provider: Provider, signal: AbortSignal): Promise<void> {
    for (let wait = AGAIN; !signal.aborted; wait = Math.min(wait * 2, LONGEST)) {
      const fleet = state.assignment?.fleet ?? '';
      const began = clock();
      try {
        const context = { signal, fleet, world: state.world, wanted: [...state.desired.keys()] };
        for await (const ref of provider.watch?.(context) ?? []) hint(ref);
      } catch (error) {
        log.warn({ err: error, provider: provider.name }, 'watch broke off');
      }
      if (clock() - began > LONGEST) wait = AGAIN;
      await pause(wait, signal);
      for (const kind of provider.kinds) hint(refOf(kind, '*'));
    }
  }

  return {
    run: async (signal) => {
      const watched = providers.filter((provider) => provider.watch !== undefined);
      await assigned(state, signal);
      await Promise.all(watched.map((provider) => hear(provider, signal)));
    },
    toldBy: (items) => {
      const now = clock();
      const since = Math.min(...items.map((item) => hinted.get(item as Ref) ?? now));
      for (const item of items) hinted.delete(item as Ref);
      return since + TOLD;
    },
  };
}

/** Resolves once there is an Assignment, or the signal aborts. */
async function assigned(state: AgentState, signal: AbortSignal): Promise<void> {
  while (!state.assignment && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 20));
}
