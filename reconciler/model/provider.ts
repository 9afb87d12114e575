import type { Change, Desired, Evidence, FieldDiff, Known, Observed } from './change.ts';
import type { Ref } from './ref.ts';

/** What an apply or observe is given: a deadline, and the world as last observed. */
export interface Context {
  readonly signal: AbortSignal;
  /** Name of the fleet: the owner mark. What carries another fleet's mark is not ours. */
  readonly fleet: string;
  /** What other providers saw or did, e.g. the process id of a sandbox. */
  readonly world: World;
  /** Refs that are desired: an observe of all must not miss them, also where nothing there carries our mark. */
  readonly wanted?: readonly Ref[];
  /** To be awaited between making a new thing and starting it: what it starts after is done. Throws CONFLICT when that failed. */
  readonly ready?: () => Promise<void>;
}

/** The observed world, by ref. Undefined: looked for and not there. */
export interface World {
  get(ref: Ref): Observed | undefined;
}

/** The one interface of all providers. Laws: test/conformance/provider.ts. */
export interface Provider<Spec = unknown, State = unknown> {
  readonly name: string;
  /** Ref kinds that it answers for. */
  readonly kinds: readonly string[];
  /** Kinds of others by which it judges its own of the same name while it observes: `container` for `cgroup/web-0`. */
  readonly looksAt?: readonly string[];
  /**
   * Reports what is there: with `refs` those (and nothing for one that is absent), without all that is there and relevant.
   * Never writes. A daemon that does not answer gives Unknown for each ref asked for, or throws a retryable PlumbError
   * when all was asked for.
   */
  observe(ctx: Context, refs?: readonly Ref[]): Promise<readonly Observed<State>[]>;
  /** Pure: the changes that lead from `observed` to `desired`. Empty means converged. Unknown gives no change. */
  diff(desired: readonly Desired<Spec>[], observed: readonly Observed<State>[]): readonly Change<Spec>[];
  /** Makes one change. Idempotent. Throws PlumbError, CONFLICT when the guard no longer holds. */
  apply(change: Change<Spec>, ctx: Context): Promise<Evidence>;
  /** Hints that refs may have changed, until the signal aborts. Losing one is harmless. `*` as a name means all of a kind. */
  watch?(ctx: Context): AsyncIterable<Ref>;
}

/** The rule of one ref: both sides, one, or neither; undefined when there is nothing to do. */
export type DiffRule<Spec, State> = (
  want: Desired<Spec> | undefined,
  have: Known<State> | undefined,
) => Change<Spec> | undefined;

/** Pairs desired and observed by ref and asks the rule for each pair; unknown refs never reach the rule. */
export function diffByRef<Spec, State>(rule: DiffRule<Spec, State>): Provider<Spec, State>['diff'] {
  return (desired, observed) => {
    const seen = new Map(observed.map((item) => [item.ref, item]));
    const wanted = new Set(desired.map((item) => item.ref));
    const changes: Change<Spec>[] = [];
    for (const want of desired) {
      const have = seen.get(want.ref);
      if (have?.known === false) continue;
      const change = rule(want, have);
      if (change) changes.push(change);
    }
    for (const have of observed) {
      if (!have.known || wanted.has(have.ref)) continue;
      const change = rule(undefined, have);
      if (change) changes.push(change);
    }
    return changes;
  };
}

/** The fields of `want` that differ from `have`, compared by value; keys in the given order. */
export function diffFields<Spec extends object>(
  keys: readonly (keyof Spec & string)[],
  want: Spec,
  have: Partial<Spec>,
): readonly FieldDiff[] {
  return keys
    .filter((key) => want[key] !== have[key] && JSON.stringify(want[key]) !== JSON.stringify(have[key]))
    .map((key) => ({ path: `/${key}`, have: have[key], want: want[key] }));
}
