import { hash } from 'node:crypto';
import type { Desired, Observed } from '../../reconciler/model/change.ts';
import { fingerprintOf } from '../../reconciler/model/fingerprint.ts';
import { kindOf, nameOf, type Ref } from '../../reconciler/model/ref.ts';
import { knownOf, madeOf, originalOf, shownOf, type FixedParts, type Look } from './states.ts';
import type { Thing } from './things.ts';

/** What makes up a replica. */
const REPLICA_KINDS: ReadonlySet<string> = new Set(['sandbox', 'port', 'container', 'cgroup']);

export interface AppearanceInput {
  readonly host: string;
  readonly fleet: string;
  /** All that is wanted of the host, each behind what it depends on. */
  readonly desired: readonly Desired[];
  /** Which containers there are, by replica: running, or ended. Of other replicas nothing is there. */
  readonly containers: ReadonlyMap<string, 'running' | 'exited'>;
  readonly fixed: FixedParts;
}

/**
 * What would be seen on a host that is as it is wanted, without a folder for it: the same things as those of a simulated
 * runtime, so that a plan over it is empty where its containers run. The same wish gives the same ids.
 */
export function appearanceOf({ host, fleet, desired, containers, fixed }: AppearanceInput): readonly Observed[] {
  const things = new Map<Ref, Thing>();
  const look: Look = (ref) => things.get(ref);
  for (const { ref, spec } of desired) {
    const kind = kindOf(ref);
    const status = containers.get(nameOf(ref));
    if (REPLICA_KINDS.has(kind) && status === undefined) continue;
    if (kind === 'cgroup' && status === 'exited') continue;
    const idOf = (): string => hash('sha256', `${host} ${ref} ${fingerprintOf(spec as object)}`, 'hex');
    const state = madeOf(ref, spec, originalOf(ref, undefined, fleet), look, fixed, idOf);
    const ended = kind === 'container' && status === 'exited' ? { status: 'exited', exitCode: 1 } : {};
    things.set(ref, { ...(kind === 'image' ? {} : { owner: fleet }), state: { ...state, ...ended } });
  }
  const refs = [...things.keys()];
  return [...things].map(([ref, { owner, state }]) =>
    knownOf(
      ref,
      shownOf(ref, state, look, () => refs),
      owner === fleet,
    ),
  );
}
