import type { Change, Desired } from '../model/change.ts';
import { fingerprintOf } from '../model/fingerprint.ts';
import type { World } from '../model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../model/ref.ts';
import type { ContainerState } from '../model/resources.ts';

interface Seen {
  readonly desired: ReadonlyMap<Ref, Desired>;
  readonly world: World;
  /** Fingerprint of the spec that each ref was last converged to, as this process saw it. */
  readonly reached: Pick<ReadonlyMap<Ref, string>, 'get'>;
}

const REPLICA_KINDS: ReadonlySet<string> = new Set(['sandbox', 'port', 'container']);

/** Whether a change takes a replica away for a while. */
export function interrupts({ ref, disruption }: Change): boolean {
  return REPLICA_KINDS.has(kindOf(ref)) && (disruption === 'restart' || disruption === 'recreate');
}

/** It repairs, rather than brings something new: nobody asked for it, an observation did. */
function isRepair({ ref, because }: Change, { reached, desired }: Seen): boolean {
  if (because === 'drift' || because === 'unhealthy') return true;
  // another spec than the one that was reached is a change; the same, or one of which nothing is remembered, is another reading
  const before = reached.get(ref);
  const want = desired.get(ref)?.spec;
  return because === 'spec changed' && (before === undefined || before === fingerprintOf(want as object));
}

function runs({ world }: Seen, replica: string): boolean {
  const item = world.get(refOf('container', replica));
  if (item?.known !== true) return false;
  const { status, sandbox, lifeless } = item.state as Partial<ContainerState>;
  // what stands still has memory to lose, and counts as serving
  const alive = status === 'running' || status === 'paused';
  return alive && sandbox !== '' && lifeless !== true;
}

/** The replicas that run, or stand still, and that a repair would restart: what is down already is started without a question. */
export function repairsIn(changes: readonly Change[], seen: Seen): ReadonlySet<string> {
  const found = changes.filter(
    (change) => interrupts(change) && kindOf(change.ref) !== 'port' && isRepair(change, seen),
  );
  return new Set(found.map(({ ref }) => nameOf(ref)).filter((replica) => runs(seen, replica)));
}
