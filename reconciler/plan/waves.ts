import type { Change, Desired, HeldChange, Known, Plan, Summary } from '../model/change.ts';
import { kindOf, type Ref } from '../model/ref.ts';
import { compareNames } from '../model/words.ts';

/** What goes first when something is taken away, and what comes first when it is built. Unlisted kinds go with the first. */
const TAKEN: Readonly<Record<string, number>> = { container: 0, port: 1, sandbox: 2 };
const BUILT: Readonly<Record<string, number>> = { sandbox: 5, port: 6, container: 7, cgroup: 8, memory: 9 };
const LAST_TAKEN = 3;
const FIRST_BUILT = 4;

function rank({ ref, verb }: Change): number {
  const kind = kindOf(ref);
  return verb === 'delete' ? (TAKEN[kind] ?? LAST_TAKEN) : (BUILT[kind] ?? FIRST_BUILT);
}

/** Groups changes so that each wave's are independent of each other and depend on earlier waves only; ordered by ref within one. */
export function inWaves(changes: readonly Change[]): readonly (readonly Change[])[] {
  const waves = new Map<number, Change[]>();
  for (const change of changes) {
    const at = rank(change);
    const wave = waves.get(at);
    if (wave) wave.push(change);
    else waves.set(at, [change]);
  }
  return [...waves.entries()].sort(([a], [b]) => a - b).map(([, wave]) => wave.sort(byRef));
}

function byRef(a: Change, b: Change): number {
  return compareNames(a.ref, b.ref);
}

/** Counts a plan as its footer shows it. */
export function summarize(changes: readonly Change[]): Summary {
  const count = (test: (change: Change) => boolean): number => changes.filter(test).length;
  return {
    add: count((c) => c.verb === 'create'),
    change: count((c) => (c.verb === 'update' && c.disruption !== 'move') || c.verb === 'adopt'),
    move: count((c) => c.disruption === 'move'),
    replace: count((c) => c.verb === 'replace'),
    destroy: count((c) => c.verb === 'delete'),
  };
}

/** A plan of the changes that may be made now. */
export function planOf(revision: string, changes: readonly Change[], held: readonly HeldChange[]): Plan {
  return { revision, waves: inWaves(changes), held, summary: summarize(changes) };
}

/**
 * What must follow when something others live in is made anew: the port and the container of a new sandbox, the ports of a
 * new bridge. `present` gives what is there now.
 */
export function cascade(
  changes: readonly Change[],
  desired: ReadonlyMap<Ref, Desired>,
  present: (ref: Ref) => Known | undefined,
  providerOf: (ref: Ref) => string,
): readonly Change[] {
  const all = new Map(changes.map((change) => [change.ref, change]));
  const remade = (ref: Ref): Change | undefined => {
    const change = all.get(ref);
    const home = kindOf(ref) === 'sandbox' || kindOf(ref) === 'bridge';
    return home && change && (change.verb === 'create' || change.verb === 'replace') ? change : undefined;
  };
  for (const want of desired.values()) {
    const cause = want.dependsOn.map(remade).find((change) => change !== undefined);
    const have = present(want.ref);
    const known = all.get(want.ref);
    if (!cause || have === undefined || known?.verb === 'replace' || known?.verb === 'create') continue;
    const field = { path: `/${kindOf(cause.ref)}`, have: 'the old one', want: 'a new one' };
    all.set(want.ref, {
      ref: want.ref,
      provider: providerOf(want.ref),
      verb: 'replace',
      want: want.spec,
      have: have.state,
      fields: [...(known?.fields ?? []), field],
      disruption: 'recreate',
      because: cause.because === 'new' ? 'recovery' : cause.because,
      ...(have.version === undefined ? {} : { guard: have.version }),
    });
  }
  return [...all.values()];
}
