import type { Change, Observed } from '../../reconciler/model/change.ts';
import { kindOf } from '../../reconciler/model/ref.ts';
import { planHost, type HostPlan, type HostPlanInput } from '../../reconciler/plan/host.ts';
import { byRef } from './changes.ts';

/** The plan of a host where a provider asks for one change, and nothing holds it but what `more` says. */
export function planOf(
  change: Change,
  {
    desired,
    observed,
    ...more
  }: Pick<HostPlanInput, 'desired' | 'settled'> &
    Partial<Omit<HostPlanInput, 'world'>> & { readonly observed: readonly Observed[] },
): HostPlan {
  const world = byRef(observed);
  return planHost({
    revision: 'r',
    desired,
    world: { get: (ref) => world.get(ref), all: () => observed },
    differs: [{ name: change.provider, kinds: [kindOf(change.ref)], diff: () => [change] }],
    inScope: () => true,
    now: 0,
    keep: { apps: [], owners: [] },
    underway: () => false,
    pauses: new Map(),
    restarts: new Map(),
    unhealthy: new Set(),
    ...more,
  });
}
