import { preview } from '../../reconciler/loop/controller/preview.ts';
import { renderText, type FleetPlan } from '../../reconciler/plan/render.ts';
import { catalogOf, type Sketch } from './catalog.ts';
import { createFleet, type Fleet } from './fleet.ts';

/** A fleet that is as the first says, and the plan of the second for it, with what a person reads of that. */
export async function plannedFrom(
  before: Sketch,
  after: Sketch,
): Promise<{ readonly fleet: Fleet; readonly plan: FleetPlan; readonly text: string }> {
  const fleet = createFleet(Object.keys(before.hosts ?? {}));
  fleet.settle(catalogOf(before));
  const { assignments, reports } = fleet.words();
  const known = {
    snapshot: { cursor: 0, ...fleet.book },
    assignments: [...assignments.values()],
    reports: [...reports.values()],
    hidden: [],
  };
  const seen = { known, reports: () => Promise.resolve(known.reports), differs: [], allowDeletions: false, now: 0 };
  const plan = await preview({ catalog: catalogOf(after), ...seen });
  return { fleet, plan, text: renderText(plan) };
}
