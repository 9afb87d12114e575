import type { Observed } from '../model/change.ts';
import { asPlumbError } from '../model/errors.ts';
import type { Context, Provider, World } from '../model/provider.ts';
import { kindOf, type Ref } from '../model/ref.ts';

/** The observed world of one host, kept from pass to pass and refreshed ref by ref. */
export interface LiveWorld extends World {
  /** Puts in what an apply saw. */
  set(item: Observed): void;
  /** Takes out what is no longer there. */
  forget(ref: Ref): void;
  all(): readonly Observed[];
}

/** Why a provider could not see its things, by provider name. */
export type Blind = ReadonlyMap<string, string>;

/** An empty world. */
export function createWorld(): LiveWorld {
  const items = new Map<Ref, Observed>();
  return {
    get: (ref) => items.get(ref),
    set: (item) => void items.set(item.ref, item),
    forget: (ref) => void items.delete(ref),
    all: () => [...items.values()],
  };
}

/**
 * Asks the providers, in order, so that later ones can use what earlier ones saw. With `refs` only those; without, all,
 * and `wanted` as well. A provider that cannot see makes its refs Unknown; what was known of them stays out of reach of
 * every diff until it sees again. `fresher` names refs that were changed since the question was asked: they are left alone.
 */
export async function observeInto(
  world: LiveWorld,
  providers: readonly Provider[],
  context: Context,
  wanted: readonly Ref[],
  refs?: readonly Ref[],
  fresher: (ref: Ref) => boolean = () => false,
): Promise<Blind> {
  const blind = new Map<string, string>();
  for (const provider of providers) {
    const mine = (ref: Ref): boolean => provider.kinds.includes(kindOf(ref));
    const asked = refs?.filter(mine);
    if (asked?.length === 0) continue;
    const scope = asked ?? known(world, wanted).filter(mine);
    try {
      replace(world, scope, await provider.observe(context, asked), fresher);
    } catch (error) {
      const why = asPlumbError(error).message;
      blind.set(provider.name, why);
      for (const ref of scope) if (!fresher(ref)) world.set({ known: false, ref, why });
    }
  }
  return blind;
}

function known(world: LiveWorld, wanted: readonly Ref[]): readonly Ref[] {
  return [...new Set([...wanted, ...world.all().map((item) => item.ref)])];
}

function replace(
  world: LiveWorld,
  scope: readonly Ref[],
  seen: readonly Observed[],
  fresher: (ref: Ref) => boolean,
): void {
  const found = new Set(seen.map((item) => item.ref));
  for (const ref of scope) if (!found.has(ref) && !fresher(ref)) world.forget(ref);
  for (const item of seen) if (!fresher(item.ref)) world.set(item);
}
