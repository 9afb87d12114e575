import type { AppSpec, Resource } from '../model/catalog.ts';
import type { Placement } from '../model/replica.ts';
import { isComplete } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import { sameItem } from './same.ts';
import { covers, wantedRelease } from './turns.ts';
import type { TurnsInput } from './turns.ts';

/**
 * Whether hosts were told just what Git says of an App: each of its replicas is placed, with all that it asks for, and told where it
 * is placed. Nothing is then left to be decided of it, unless something is remembered.
 */
export function isSettled(app: Resource<AppSpec>, at: Whereabouts, network: TurnsInput['network']): boolean {
  const { name, owner, spec } = app;
  const placed = at.placed(name);
  const told = at.told(name);
  if (told.length !== spec.replicas || !isComplete(placed, name, spec)) return false;
  // one object for all, of which these two members change
  const like = { id: '', app: name, owner, ...wantedRelease({ app, network }, spec.network), placement: undefined };
  const fits = ({ from, network: plugged, demand }: Placement): boolean =>
    from === undefined && plugged === spec.network && covers(demand, spec.resources);
  return placed.values().every((placement, ordinal) => {
    const one = told[ordinal];
    if (one?.id !== placement.replica || !fits(placement)) return false;
    return sameItem(one, Object.assign(like, { id: placement.replica, placement }));
  });
}
