import { isDeepStrictEqual } from 'node:util';
import type { Observed } from '../model/change.ts';
import { asPlumbError } from '../model/errors.ts';
import type { Context, Provider, World } from '../model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../model/ref.ts';

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

/** What one look goes by. */
interface Look {
  readonly world: LiveWorld;
  readonly context: Context;
  /** Refs that were changed since the question was asked: they are left alone. */
  readonly fresher: (ref: Ref) => boolean;
  /** Kinds that some provider looks at while it observes its own. */
  readonly watched: ReadonlySet<string>;
  /** Refs of those kinds that are not as they were last known. */
  readonly changed: Set<Ref>;
}

/**
 * Asks the providers, in order, so that later ones can use what earlier ones saw. With `refs` only those; without, all,
 * and `wanted` as well. A provider that cannot see makes its refs Unknown; what was known of them stays out of reach of
 * every diff until it sees again. `fresher` names refs that were changed since the question was asked: they are left alone.
 *
 * A look at all does not wait for one provider's daemon before it asks the next: each begins with the world as it was last
 * known, and looks again at the refs where what it `looksAt` turns out to have changed.
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
  const watched = new Set(providers.flatMap(({ looksAt = [] }) => looksAt));
  const look: Look = { world, context, fresher, watched, changed: new Set() };
  const begun = refs === undefined && world.all().length > 0 ? await begin(providers, context) : undefined;
  for (const provider of providers) {
    const mine = (ref: Ref): boolean => provider.kinds.includes(kindOf(ref));
    const asked = refs?.filter(mine);
    if (asked?.length === 0) continue;
    const scope = asked ?? known(world, wanted).filter(mine);
    try {
      const early = begun?.get(provider);
      const seen = early ? await refreshed(provider, scope, await early, look) : await provider.observe(context, asked);
      replace(look, scope, seen);
    } catch (error) {
      const why = asPlumbError(error).message;
      blind.set(provider.name, why);
      for (const ref of scope) if (!fresher(ref)) put(look, { known: false, ref, why });
    }
  }
  return blind;
}

type Begun = ReadonlyMap<Provider, Promise<readonly Observed[]>>;

/** Has all begin, each when the questions of those before it are on their way. */
async function begin(providers: readonly Provider[], context: Context): Promise<Begun> {
  const begun = new Map<Provider, Promise<readonly Observed[]>>();
  for (const provider of providers) {
    const seen = provider.observe(context);
    seen.catch(() => undefined); // heard when its turn comes
    begun.set(provider, seen);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return begun;
}

/** What a provider saw early, with those refs looked at again that it judged by what has changed since. */
async function refreshed(
  provider: Provider,
  scope: readonly Ref[],
  early: readonly Observed[],
  { context, changed, fresher }: Look,
): Promise<readonly Observed[]> {
  const { looksAt = [] } = provider;
  const refs = new Set([...scope, ...early.map(({ ref }) => ref)]);
  const stale = [...refs].filter((ref) =>
    looksAt.some((kind) => {
      const other = refOf(kind, nameOf(ref));
      return changed.has(other) || fresher(other);
    }),
  );
  if (stale.length === 0) return early;
  const again = new Set(stale);
  return [...early.filter(({ ref }) => !again.has(ref)), ...(await provider.observe(context, stale))];
}

function known(world: LiveWorld, wanted: readonly Ref[]): readonly Ref[] {
  return [...new Set([...wanted, ...world.all().map((item) => item.ref)])];
}

function replace(look: Look, scope: readonly Ref[], seen: readonly Observed[]): void {
  const { world, fresher, changed } = look;
  const found = new Set(seen.map((item) => item.ref));
  for (const ref of scope) {
    if (found.has(ref) || fresher(ref)) continue;
    if (world.get(ref)) changed.add(ref);
    world.forget(ref);
  }
  for (const item of seen) if (!fresher(item.ref)) put(look, item);
}

function put({ world, watched, changed }: Look, item: Observed): void {
  if (watched.has(kindOf(item.ref)) && !same(world.get(item.ref), item)) changed.add(item.ref);
  world.set(item);
}

function same(before: Observed | undefined, now: Observed): boolean {
  return before?.known === true && now.known && isDeepStrictEqual(before.state, now.state);
}
