import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Observed } from '../../../reconciler/model/change.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Context, Provider, World } from '../../../reconciler/model/provider.ts';
import { nameOf, refOf, type Ref } from '../../../reconciler/model/ref.ts';
import { createWorld, observeInto, type Blind, type LiveWorld } from '../../../reconciler/observe/observe.ts';
import { known } from '../../support/changes.ts';

const WANTED: readonly Ref[] = ['container/a', 'container/b', 'cgroup/a', 'cgroup/b'];

interface Rig {
  readonly world: LiveWorld;
  /** What Docker says, by name of the replica. */
  readonly there: Map<string, string>;
  /** What the second provider was asked for, look by look; `all` for all. */
  readonly asked: (readonly Ref[] | 'all')[];
  readonly look: (refs?: readonly Ref[], fresher?: (ref: Ref) => boolean) => Promise<Blind>;
}

/** Two providers: containers, whose answer waits for `slow`, and cgroups, which are seen by way of the container in the world. */
function rig(slow: (asked: Rig['asked']) => Promise<void> = () => Promise.resolve()): Rig {
  const world = createWorld();
  const there = new Map([
    ['a', 'a1'],
    ['b', 'b1'],
  ]);
  const asked: (readonly Ref[] | 'all')[] = [];
  const containers: Provider = {
    name: 'containers',
    kinds: ['container'],
    observe: async () => {
      await slow(asked);
      return [...there].map(([name, id]) => known(refOf('container', name), { id }));
    },
    diff: () => [],
    apply: () => Promise.reject(new Error('not here')),
  };
  const byContainer = (at: World, ref: Ref): readonly Observed[] => {
    const container = at.get(refOf('container', nameOf(ref)));
    if (container?.known === false) return [{ known: false, ref, why: container.why }];
    return container ? [known(ref, { of: (container.state as { id: string }).id })] : [];
  };
  const cgroups: Provider = {
    name: 'cgroups',
    kinds: ['cgroup'],
    looksAt: ['container'],
    observe: (ctx, refs) => {
      asked.push(refs ?? 'all');
      return Promise.resolve(
        (refs ?? (['cgroup/a', 'cgroup/b'] as const)).flatMap((ref) => byContainer(ctx.world, ref)),
      );
    },
    diff: () => [],
    apply: () => Promise.reject(new Error('not here')),
  };
  const context: Context = { signal: new AbortController().signal, fleet: 'f', world };
  const look: Rig['look'] = (refs, fresher) =>
    observeInto(world, [containers, cgroups], context, WANTED, refs, fresher);
  return { world, there, asked, look };
}

const stateOf = (world: World, ref: Ref): unknown => {
  const item = world.get(ref);
  return item?.known === true ? item.state : item;
};

describe('observeInto', () => {
  it('sees all in order while nothing is known yet', async () => {
    const { world, asked, look } = rig();
    await look();
    assert.deepEqual(asked, ['all']);
    assert.deepEqual(stateOf(world, 'cgroup/a'), { of: 'a1' });
  });
  it('does not wait for one daemon before it asks the next', async () => {
    let first = true;
    const { asked, look } = rig(async (seen) => {
      const before = seen.length;
      // answers the second look only once the others were asked as well
      for (let turn = 0; !first && seen.length === before; turn += 1) {
        assert.ok(turn < 1000, 'nobody else was asked');
        await new Promise((resolve) => setImmediate(resolve));
      }
      first = false;
    });
    await look();
    await look();
    assert.deepEqual(asked, ['all', 'all']);
  });
  it('looks again where what it was judged by has changed, and only there', async () => {
    const { world, there, asked, look } = rig();
    await look();
    there.set('b', 'b2');
    await look();
    assert.deepEqual(asked, ['all', 'all', ['cgroup/b']]);
    assert.deepEqual(stateOf(world, 'cgroup/b'), { of: 'b2' });
    assert.deepEqual(stateOf(world, 'cgroup/a'), { of: 'a1' });
  });
  it('forgets what went with it', async () => {
    const { world, there, look } = rig();
    await look();
    there.delete('b');
    await look();
    assert.equal(world.get('cgroup/b'), undefined);
  });
  it('knows nothing by what cannot be seen any more', async () => {
    let away = false;
    const { world, look } = rig(() =>
      away ? Promise.reject(new PlumbError('DOCKER_UNAVAILABLE', 'away')) : Promise.resolve(),
    );
    await look();
    away = true;
    const blind = await look();
    assert.deepEqual([...blind], [['containers', 'away']]);
    assert.equal(world.get('cgroup/a')?.known, false);
    away = false;
    await look();
    assert.deepEqual(stateOf(world, 'cgroup/a'), { of: 'a1' });
  });
  it('looks again where a change is being made to it meanwhile', async () => {
    const { asked, look } = rig();
    await look();
    await look(undefined, (ref) => ref === 'container/a');
    assert.deepEqual(asked, ['all', 'all', ['cgroup/a']]);
  });
  it('keeps the order when asked for some', async () => {
    const { world, there, asked, look } = rig();
    await look();
    there.set('a', 'a2');
    await look(['container/a', 'cgroup/a']);
    assert.deepEqual(asked, ['all', ['cgroup/a']]);
    assert.deepEqual(stateOf(world, 'cgroup/a'), { of: 'a2' });
  });
});
