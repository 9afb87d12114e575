import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Change, Desired, Observed } from '../../reconciler/model/change.ts';
import type { Context, Provider, World } from '../../reconciler/model/provider.ts';
import type { Ref } from '../../reconciler/model/ref.ts';

/** What one run of the laws is given. A fresh one is made for each law, so that laws do not see each other's leftovers. */
export interface Bench<Spec, State> {
  readonly provider: Provider<Spec, State>;
  /** `world` is filled from what the provider observes and returns, over what this one answers. */
  readonly ctx: Context;
  /** Wanted sets to walk through in turn, each within the provider's kinds and in an order that may be applied; an empty one tears all down. */
  readonly states: readonly (readonly Desired<Spec>[])[];
  /** Order of refs when applying deletes; by default that of the last wanted set, reversed. */
  readonly deleteOrder?: (ref: Ref) => number;
  /** Things of the provider's kinds that are there and do not carry our mark, made by hand; none of them may be touched. */
  readonly strangers?: readonly Ref[];
  /** The state of the world in a comparable form, read by other means than the provider (files, another client). */
  snapshot(): Promise<unknown>;
  /** What belongs together (a replica's sandbox and container) has one key, and no subset splits it; by default each ref is alone. */
  readonly together?: (ref: Ref) => string;
  close(): Promise<void>;
}

/** Holds a provider to the laws of every provider. `make` prepares a world with at least two wanted sets. */
export function conforms<Spec, State>(
  name: string,
  make: () => Promise<Bench<Spec, State>>,
  options: { readonly skip?: string | false } = {},
): void {
  const law = (title: string, check: (bench: Bench<Spec, State>) => Promise<void>): void => {
    it(title, { skip: options.skip ?? false }, async () => {
      const bench = await make();
      try {
        await check(bench);
      } finally {
        await bench.close();
      }
    });
  };
  describe(`${name} keeps the laws of providers`, () => {
    law('after apply, observe and diff is empty, from every state to the next', afterApplyNothingIsLeft);
    law('apply twice equals apply once', twiceIsOnce);
    law('diff of unknown is empty', unknownGivesNothing);
    law('diff of a subset is the subset of the diff', subsets);
    law('a delete needs a positive observation and our mark', deletesOnlyWhatIsOurs);
    law('observe never writes', observeNeverWrites);
  });
}

class Recorded implements World {
  readonly seen = new Map<Ref, Observed>();
  readonly before: World;
  constructor(before: World) {
    this.before = before;
  }
  get(ref: Ref): Observed | undefined {
    return this.seen.get(ref) ?? this.before.get(ref);
  }
}

async function look<Spec, State>(bench: Bench<Spec, State>, world: Recorded): Promise<readonly Observed<State>[]> {
  const wanted = bench.states.flat().map((item) => item.ref);
  const ctx = { ...bench.ctx, wanted, world };
  const all = await bench.provider.observe(ctx);
  world.seen.clear();
  for (const item of all) world.seen.set(item.ref, item);
  return all;
}

/** Deletes first, the last wanted first; then the rest in the order in which it is wanted. */
function ordered<Spec, State>(
  bench: Bench<Spec, State>,
  desired: readonly Desired<Spec>[],
  changes: readonly Change<Spec>[],
): readonly Change<Spec>[] {
  const wish = (ref: Ref): number => desired.findIndex((item) => item.ref === ref);
  const all = bench.states.flat().map((item) => item.ref);
  const last = bench.deleteOrder ?? ((ref: Ref) => -all.indexOf(ref));
  const deletes = changes.filter((change) => change.verb === 'delete').toSorted((a, b) => last(a.ref) - last(b.ref));
  const rest = changes.filter((change) => change.verb !== 'delete').toSorted((a, b) => wish(a.ref) - wish(b.ref));
  return [...deletes, ...rest];
}

async function reach<Spec, State>(
  bench: Bench<Spec, State>,
  desired: readonly Desired<Spec>[],
  times: number,
): Promise<readonly Change<Spec>[]> {
  const world = new Recorded(bench.ctx.world);
  const changes = bench.provider.diff(desired, await look(bench, world));
  for (const change of ordered(bench, desired, changes)) {
    for (let time = 0; time < times; time += 1) {
      const { observed } = await bench.provider.apply(change, { ...bench.ctx, world });
      if (observed) world.seen.set(observed.ref, observed);
      else if (change.verb === 'delete') world.seen.delete(change.ref);
    }
  }
  return changes;
}

async function left<Spec, State>(
  bench: Bench<Spec, State>,
  desired: readonly Desired<Spec>[],
): Promise<readonly Change<Spec>[]> {
  return bench.provider.diff(desired, await look(bench, new Recorded(bench.ctx.world)));
}

async function afterApplyNothingIsLeft<Spec, State>(bench: Bench<Spec, State>): Promise<void> {
  assert.ok(bench.states.length >= 2, 'the bench has at least two states');
  for (const [index, desired] of [...bench.states, ...bench.states.toReversed()].entries()) {
    await reach(bench, desired, 1);
    assert.deepEqual(await left(bench, desired), [], `step ${String(index)}`);
  }
}

async function twiceIsOnce<Spec, State>(bench: Bench<Spec, State>): Promise<void> {
  let changed = 0;
  for (const desired of bench.states) {
    changed += (await reach(bench, desired, 2)).length;
    assert.deepEqual(await left(bench, desired), []);
  }
  assert.ok(changed > 0, 'the states of the bench differ');
}

async function unknownGivesNothing<Spec, State>(bench: Bench<Spec, State>): Promise<void> {
  for (const desired of bench.states) {
    const unknown = desired.map(({ ref }) => ({ known: false as const, ref, why: 'no answer' }));
    assert.deepEqual(bench.provider.diff(desired, unknown), []);
    assert.deepEqual(bench.provider.diff([], unknown), [], 'nor a delete of what is no longer wanted');
  }
}

async function subsets<Spec, State>(bench: Bench<Spec, State>): Promise<void> {
  const [first = [], second = []] = bench.states;
  await reach(bench, first, 1);
  const observed = await look(bench, new Recorded(bench.ctx.world));
  for (const desired of [first, second, []]) {
    const whole = bench.provider.diff(desired, observed);
    const groups = new Map<string, Set<Ref>>();
    for (const { ref } of [...desired, ...observed]) {
      const key = bench.together?.(ref) ?? ref;
      groups.set(key, (groups.get(key) ?? new Set()).add(ref));
    }
    const all = [...groups.values()];
    for (let size = 0; size <= all.length; size += 1) {
      for (const part of [all.slice(0, size), all.slice(size), all.slice(size, size + 1)]) {
        const subset = new Set(part.flatMap((group) => [...group]));
        assert.deepEqual(
          bench.provider.diff(
            desired.filter((item) => subset.has(item.ref)),
            observed.filter((item) => subset.has(item.ref)),
          ),
          whole.filter((change) => subset.has(change.ref)),
          [...subset].join(' '),
        );
      }
    }
  }
}

async function deletesOnlyWhatIsOurs<Spec, State>(bench: Bench<Spec, State>): Promise<void> {
  const [first = []] = bench.states;
  assert.deepEqual(
    bench.provider.diff([], []).filter((change) => change.verb === 'delete'),
    [],
    'nothing was seen',
  );
  await reach(bench, first, 1);
  const observed = await look(bench, new Recorded(bench.ctx.world));
  const unmarked = observed.map((item) => (item.known ? { ...item, owned: false } : item));
  assert.deepEqual(bench.provider.diff([], unmarked), [], 'unmarked things are left alone');
  const strangers = new Set(bench.strangers ?? []);
  for (const item of observed)
    if (strangers.has(item.ref)) assert.ok(!item.known || !item.owned, `${item.ref} is not ours`);
  const touched = bench.provider.diff([], observed).filter((change) => strangers.has(change.ref));
  assert.deepEqual(touched, [], 'strangers are left alone');
}

async function observeNeverWrites<Spec, State>(bench: Bench<Spec, State>): Promise<void> {
  for (const desired of bench.states) {
    await reach(bench, desired, 1);
    const before = await bench.snapshot();
    const world = new Recorded(bench.ctx.world);
    await look(bench, world);
    await bench.provider.observe({ ...bench.ctx, world }, [...new Set(bench.states.flat().map((item) => item.ref))]);
    assert.deepEqual(await bench.snapshot(), before);
  }
}
