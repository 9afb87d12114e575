import assert from 'node:assert/strict';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Placement } from '../../reconciler/model/replica.ts';
import { refOf } from '../../reconciler/model/ref.ts';
import type { Journal } from '../../reconciler/model/store.ts';
import type { SimulatedHost, SimulatedThing } from './simulated-host.ts';
import { KNOB, RANGE, VLAN, type AppWish, type Wishes } from './wishes.ts';

/** What there is when a story is judged. */
export interface Scene {
  readonly status: Status;
  readonly placements: ReadonlyMap<string, Placement>;
  readonly wishes: Wishes;
  /** Number of the revision that asks for them. */
  readonly revision: number;
  readonly host: SimulatedHost;
}

const FLEET = 'story';

/** A neighbour's things, which nobody may touch. */
export const untouched: readonly SimulatedThing[] = ['sandbox', 'container', 'port'].map((kind) => ({
  ref: refOf(kind, 'neighbour-0'),
  owner: 'neighbours',
  state: { id: 'n', status: 'running', vlan: 7, address: '10.1.0.99' },
}));

const replicasOf = (name: string, { replicas }: AppWish): readonly string[] =>
  Array.from({ length: replicas }, (_, number) => `${name}-${String(number)}`);

const ours = (host: SimulatedHost, kind: string): readonly string[] =>
  [...host.all(kind)].flatMap(([name, { owner }]) => (owner === FLEET ? [name] : []));

/** Names of the Apps whose files cannot be read. */
const brokenOf = ({ apps }: Wishes): readonly string[] =>
  Object.entries(apps).flatMap(([name, { broken }]) => (broken ? [name] : []));

/** How many of so many placed replicas may go at once: the default budget of a Fleet. */
export function budget(placed: number): number {
  return Math.max(1, Math.floor(placed / 2));
}

/** Every intent has exactly one outcome, but for those named, every outcome an intent before it; and the chain is sound. */
export async function assertOutcomes(
  { journal }: { readonly journal: Pick<Journal, 'read' | 'verify'> },
  untold: ReadonlySet<string> = new Set(),
): Promise<void> {
  await journal.verify();
  const outcomes = new Map<string, number>();
  for await (const entry of journal.read({ types: ['intent', 'outcome'] })) {
    if (entry.type === 'intent') outcomes.set(entry.trace, 0);
    if (entry.type === 'outcome') outcomes.set(entry.trace, (outcomes.get(entry.trace) ?? NaN) + 1);
  }
  const wrong = [...outcomes].filter(([trace, count]) => count !== (untold.has(trace) ? 0 : 1));
  assert.deepEqual(wrong, [], 'an intent without exactly one outcome');
}

/** Whole, and held to just what Git says of it. */
function assertReplica({ host, placements }: Scene, name: string, wish: AppWish): void {
  const state = (kind: string): SimulatedThing['state'] => {
    const thing = host.get(refOf(kind, name));
    assert.equal(thing?.owner, FLEET, `${kind}/${name} is not there as ours`);
    return thing.state;
  };
  const [sandbox, container, port] = [state('sandbox'), state('container'), state('port')];
  const { image, status } = container;
  const { address, vlan } = port;
  assert.deepEqual(
    { image, status, sandbox: container['sandbox'], vlan, address, port: port['sandbox'], up: sandbox['status'] },
    {
      image: host.get(refOf('image', wish.image))?.state['id'],
      status: 'running',
      sandbox: sandbox['id'],
      vlan: VLAN,
      address: placements.get(name)?.address,
      port: sandbox['id'],
      up: 'running',
    },
    name,
  );
  assert.equal(state('cgroup')['memory'], wish.memory * 2 ** 20, `memory of ${name}`);
}

/** No address twice, none out of range; nothing of ours without a placement, and the neighbour's things as they were. */
function assertNoStrays({ host, placements }: Scene): void {
  const numbers = [...placements.values()].map(({ address }) => Number(/^10\.1\.0\.(\d+)$/.exec(address)?.[1]));
  assert.ok(
    numbers.every((number) => number >= RANGE[0] && number <= RANGE[1]),
    'an address out of range',
  );
  assert.equal(new Set(numbers).size, numbers.length, 'an address twice');
  for (const kind of ['sandbox', 'container', 'port'])
    for (const name of ours(host, kind)) assert.ok(placements.has(name), `${kind}/${name} is nobody's`);
  for (const thing of untouched) assert.deepEqual(host.get(thing.ref), thing);
}

function assertKnob({ host, wishes }: Scene): void {
  const value = host.get(refOf('sysctl', KNOB))?.state['value'] ?? 'default';
  assert.equal(value, wishes.knob ?? 'default', 'the knob');
}

/** What Git asks for is there, and no more: whatever was held or broken is not any more. */
export function assertExact(scene: Scene): void {
  const { status, wishes, placements, revision, host } = scene;
  assert.deepEqual([status.revision, status.sync, status.health], [`r${String(revision)}`, 'Synced', 'Healthy']);
  const wanted = Object.entries(wishes.apps).flatMap(([name, wish]) => replicasOf(name, wish));
  assert.deepEqual([...placements.keys()].sort(), wanted.sort());
  for (const kind of ['sandbox', 'container', 'port']) assert.deepEqual(ours(host, kind), wanted, kind);
  for (const [name, wish] of Object.entries(wishes.apps))
    for (const replica of replicasOf(name, wish)) assertReplica(scene, replica, wish);
  assertNoStrays(scene);
  assertKnob(scene);
}

/**
 * What Git asks for is there. What it asks for no longer is there only while its App's file is broken, or if more would go
 * than the deletion budget (half) lets go; and that is said.
 */
export function assertPlausible(scene: Scene): void {
  const { status, wishes, placements, revision } = scene;
  const broken = brokenOf(wishes);
  const readable = Object.entries(wishes.apps).filter(([name]) => !broken.includes(name));
  const wanted = new Set(readable.flatMap(([name, wish]) => replicasOf(name, wish)));
  const extra = [...placements.values()].filter(({ replica, app }) => !wanted.has(replica) && !broken.includes(app));
  if (broken.length === 0 && extra.length === 0) {
    assertExact(scene);
    return;
  }
  const allowed = budget(placements.size);
  assert.deepEqual([status.revision, status.sync], [`r${String(revision)}`, 'OutOfSync']);
  assert.deepEqual([status.problems > 0, status.held.length > 0], [broken.length > 0, extra.length > allowed]);
  // an App that left Git while a file was broken may have had its owner's word only there
  if (broken.length === 0) assert.ok(extra.length > allowed, `${String(extra.length)} linger`);
  for (const [name, wish] of readable)
    for (const replica of replicasOf(name, wish)) {
      const item = status.items.find(({ ref }) => ref === `replica/${replica}`);
      assert.deepEqual([item?.sync, item?.health], ['Synced', 'Healthy'], replica);
      assertReplica(scene, replica, wish);
    }
  assertNoStrays(scene);
  if (broken.length === 0 || wishes.knob !== undefined) assertKnob(scene);
}
