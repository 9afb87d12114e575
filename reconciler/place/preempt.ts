import type { AppSpec, Resource } from '../model/catalog.ts';
import type { Placement } from '../model/replica.ts';
import { incarnationOf } from '../model/rollout.ts';
import type { Group } from './group.ts';
import { lift, settle } from './home.ts';
import { marksFor } from './marks.ts';
import { groupIn } from './run.ts';
import type { Run } from './run.ts';
import type { Wish } from './wishes.ts';
import { search } from './bids.ts';
import { act, whyNot, NOBODY, type Preempted } from './make-room.ts';

/** Whether replicas of an App are being made anew, each at its turn: one that moves would have to wait for them, while others are stopped for it. */
function isChanging({ input, survey }: Run, { name, spec }: Resource<AppSpec>): boolean {
  if (input.changing?.has(name)) return true;
  // while it stands still none has a turn
  if (spec.frozen === true) return false;
  const told = survey.witness.whereabouts.told(name);
  return told.some((one) => one.spec !== spec && incarnationOf(one) !== incarnationOf({ ...one, spec }));
}

/** Looks while a replica is out of the place that it has. */
function without<T>(run: Run, app: Resource<AppSpec>, from: Placement | undefined, look: (group: Group) => T): T {
  const group = groupIn(run, app);
  if (from) lift(run, group, from, -1);
  const found = look(group);
  if (from) lift(run, group, from, 1);
  return found;
}

/**
 * Finds room for a replica that has none, or that is to leave a host that is drained, at the expense of replicas of strictly lower levels: within the
 * budgets, on a host that no other filter removes, the least critical and the fewest that do. They are stopped first; once their host has let go of
 * them, in this run or a later one, they move elsewhere or give up their places, and the replica comes. Asked again, it goes on with what was begun.
 */
export function preempt(run: Run, app: Resource<AppSpec>, wish: Wish): Preempted {
  const { input, preempting } = run;
  const { replica, from, moves } = wish;
  preempting.claims.delete(replica);
  const zone = input.catalog.zones.get(app.spec.zone)?.spec;
  // a gang does so together
  if (!zone || input.preempts === 'never' || app.spec.gang !== undefined) return NOBODY;
  const { hopeless } = preempting;
  if (hopeless && !from && marksFor(run, [replica]).length === 0) return { placed: false, ...hopeless };
  if (!from && !run.pool(app.spec.network, app.spec.zone)?.next()) return NOBODY;
  const bidder = { replica, app, inTurn: moves === 'in turn' && !preempting.turned.has(replica) };
  const { best, barred } = without(run, app, from, (group) => search(run, group, bidder));
  const come = (): boolean => settle(run, app, groupIn(run, app), wish, () => best?.row);
  const changes = from && isChanging(run, app) ? `App ${app.name} is in the middle of a change` : undefined;
  if (best && zone.preemption && changes === undefined)
    return act(run, bidder, best, { come, ...(from ? { text: 'moves to its new place' } : {}) });
  const why = whyNot(run, bidder, best ?? barred, changes);
  // what one that moves leaves behind may make another place possible for the next
  if (!from) preempting.hopeless = why === undefined ? {} : { why };
  return { placed: false, ...(why === undefined ? {} : { why }) };
}
