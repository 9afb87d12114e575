import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hold, type HoldInput } from '../../../reconciler/plan/hold.ts';
import { byRef, change, known, replica } from '../../support/changes.ts';

const NONE = { apps: [], owners: [] };

function run(
  input: Partial<HoldInput>,
  there: readonly string[] = [],
): { go: string[]; held: string[]; wakeAt?: number } {
  const world = byRef(there.map((ref) => known(ref as `${string}/${string}`)));
  const sorted = hold({
    changes: [],
    desired: byRef(replica('web-0')),
    world: { get: (ref) => world.get(ref) },
    now: 1000,
    keep: NONE,
    underway: () => false,
    pauses: new Map(),
    restarts: new Map(),
    ...input,
  });
  return {
    go: sorted.go.map(({ ref }) => ref),
    held: sorted.held.map(({ change: { ref }, reason }) => `${ref}: ${reason}`),
    ...(sorted.wakeAt === undefined ? {} : { wakeAt: sorted.wakeAt }),
  };
}

describe('hold', () => {
  it('keeps what belongs to an App with errors', () => {
    const { go, held } = run({
      changes: [change('container/web-0', 'delete'), change('container/api-0', 'delete')],
      keep: { apps: ['web'], owners: [] },
    });
    assert.deepEqual(go, ['container/api-0']);
    assert.match(held[0] ?? '', /App\/web has errors/);
  });
  it('keeps all replicas while a broken file has no known owner, but not host things', () => {
    const { go } = run({
      changes: [change('container/web-0', 'delete'), change('sysctl/vm.swappiness', 'delete')],
      keep: { apps: [], owners: ['*'] },
    });
    assert.deepEqual(go, ['sysctl/vm.swappiness']);
  });
  it('waits out a pause and says until when', () => {
    const pauses = new Map([['port/web-0' as const, { at: 5000, why: 'it failed' }]]);
    const there = ['sandbox/web-0', 'bridge/br-int'];
    const early = run({ changes: [change('port/web-0', 'update')], pauses }, there);
    assert.deepEqual(early, { go: [], held: ['port/web-0: it failed'], wakeAt: 5000 });
    assert.deepEqual(run({ changes: [change('port/web-0', 'update')], pauses, now: 5000 }, there).go, ['port/web-0']);
  });
  it('waits to give back memory until its rule and the time of the host say so, and tells when', () => {
    const want = { above: 10, window: 60_000, coolDown: 60_000, slot: { index: 0, of: 1 } };
    const have = { counted: 0, used: 20, total: 100, spare: 20, lows: [{ at: 500, bytes: 20 }] };
    const changes = [change('memory/host', 'update', { because: 'pressure', want, have })];
    const early = run({ changes });
    assert.equal(early.wakeAt, 60_500);
    assert.match(early.held[0] ?? '', /^memory\/host: 20 bytes only cache, and have to for 1m/);
    const { slot: _none, ...never } = want;
    const bare = run({
      changes: [change('memory/host', 'update', { because: 'pressure', want: never, have })],
      now: 1e9,
    });
    assert.equal(bare.wakeAt, undefined);
    assert.match(bare.held[0] ?? '', /was given no time/);
    const [late, inSlot] = [30_000 * 10 + 15_000, 30_000 * 10 + 9_000];
    assert.deepEqual(run({ changes, now: inSlot }).go, ['memory/host']);
    assert.deepEqual(run({ changes, now: late, wall: inSlot }).go, ['memory/host'], 'slots are of the time of day');
    const next = run({ changes, now: inSlot, wall: late });
    assert.match(next.held[0] ?? '', /gives back memory at 1970-01-01T00:05:3/);
    const wait = (next.wakeAt ?? 0) - inSlot;
    assert.ok(wait >= 15_000 && wait < 21_000, `it wakes ${String(wait)} ms later by its own clock`);
  });
  it('holds a restart after an exit, but not a new spec', () => {
    const restarts = new Map([['web-0', { at: 5000, why: 'ended twice' }]]);
    const there = ['sandbox/web-0', 'port/web-0'];
    const again = (because: 'exited' | 'spec changed'): string[] =>
      run({ changes: [change('container/web-0', 'update', { because })], restarts }, there).go;
    assert.deepEqual(again('exited'), []);
    assert.deepEqual(again('spec changed'), ['container/web-0']);
  });
  it('holds what depends on something absent, through the whole chain', () => {
    const { go, held } = run({ changes: [change('container/web-0', 'create'), change('port/web-0', 'create')] }, [
      'sandbox/web-0',
    ]);
    assert.deepEqual(go, []);
    assert.match(held.join('\n'), /port\/web-0: waits for bridge\/br-int/);
    assert.match(held.join('\n'), /container\/web-0: waits for port\/web-0: waits for bridge\/br-int/);
  });
  it('lets go what depends on something that is made in the same plan', () => {
    const refs = ['bridge/br-int', 'sandbox/web-0', 'port/web-0', 'container/web-0'] as const;
    assert.deepEqual(run({ changes: refs.map((ref) => change(ref, 'create')) }).go, [...refs]);
  });
  it('looks for an image only when a container is made of it', () => {
    const there = ['sandbox/web-0', 'port/web-0', 'bridge/br-int'];
    const image = change('image/busybox', 'create');
    assert.deepEqual(run({ changes: [image, change('container/web-0', 'update')] }, there).go, ['container/web-0']);
    assert.deepEqual(run({ changes: [image, change('container/web-0', 'create')] }, there).go, [
      'image/busybox',
      'container/web-0',
    ]);
  });
});
