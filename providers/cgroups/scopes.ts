import type { Observed } from '../../reconciler/model/change.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import type { Held } from './held.ts';
import type { Hierarchy } from './hierarchy.ts';
import { PROPERTIES, scopeOf, unlike, type Systemd } from './systemd.ts';

/** Where systemd's knowledge of limits is not what the kernel holds: a daemon-reload would write that into the cgroup. */
export interface Scopes {
  /**
   * What was seen, with what systemd says otherwise until that is settled. It is asked once of each scope, of all new ones in one call; where it does not
   * answer, it is asked again at a look after a pause that doubles.
   */
  hear(
    seen: readonly Observed<CgroupState>[],
    scopeOf: (ref: Ref) => string | undefined,
    signal: AbortSignal,
  ): Promise<readonly Observed<CgroupState>[]>;
  /** It was told, or cannot be. */
  settle(scope: string): void;
  /** Its container has ended: the next one in it is another. */
  forget(scope: string): void;
}

/** The scope that a cgroup is to systemd; undefined where it holds none. */
export function scopeIn({ version }: Hierarchy, held: Held | undefined): string | undefined {
  return held && version === 'v2' ? scopeOf(held.directoryOf('memory')) : undefined;
}

/** A systemd that is silent keeps nobody's limits waiting for longer, milliseconds. */
const PATIENCE = 2_000;

/** How long one that did not answer is left alone, at most, milliseconds. */
const LONGEST = 64_000;

/** `clock`: milliseconds from anywhere. */
export function createScopes(systemd: Systemd, clock: () => number): Scopes {
  let pause = PATIENCE;
  /** It is left alone until then. */
  let silent = -Infinity;
  /** Undefined where it is settled, or was never otherwise. */
  const said = new Map<string, CgroupState['systemd']>();
  const made = new WeakMap<CgroupState, CgroupState>();

  async function ask(unheard: ReadonlyMap<string, CgroupState>, signal: AbortSignal): Promise<void> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
    const over = new Promise<undefined>((resolve) => {
      deadline.addEventListener('abort', () => {
        resolve(undefined);
      });
    });
    const answer = systemd.show([...unheard.keys()], PROPERTIES, deadline).catch(() => undefined);
    const words = await Promise.race([answer, over]);
    if (words) {
      pause = PATIENCE;
      // what came late, of looks at the same time, is older than what has been heard, or settled, since
      for (const [scope, state] of unheard) if (!said.has(scope)) said.set(scope, unlike(state, words.get(scope)));
    } else if (clock() >= silent) {
      // of looks that waited at the same time, one
      silent = clock() + pause;
      pause = Math.min(2 * pause, LONGEST);
    }
  }

  /** The same object for the same state. */
  function told(scope: string, state: CgroupState): CgroupState {
    const systemd = said.get(scope);
    if (!systemd) return state;
    const before = made.get(state) ?? { ...state, systemd };
    made.set(state, before);
    return before;
  }

  return {
    async hear(seen, scopeOf, signal) {
      const scopes = seen.map(({ ref }) => scopeOf(ref));
      const unheard = new Map<string, CgroupState>();
      for (const [at, item] of seen.entries()) {
        const scope = scopes[at];
        if (item.known && scope !== undefined && !said.has(scope)) unheard.set(scope, item.state);
      }
      if (unheard.size > 0 && clock() >= silent) await ask(unheard, signal);
      return seen.map((item, at) => {
        const scope = scopes[at];
        return item.known && scope !== undefined ? { ...item, state: told(scope, item.state) } : item;
      });
    },
    settle: (scope) => void said.set(scope, undefined),
    forget: (scope) => void said.delete(scope),
  };
}
