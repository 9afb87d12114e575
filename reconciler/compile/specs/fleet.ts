import type { Fleet } from '../../../schemas/types.ts';
import type { FleetSpec } from '../../model/catalog.ts';
import { parseDuration } from '../../model/units.ts';
import { filled } from './say.ts';
import type { Say } from './say.ts';

/** The Fleet's spec in plain units. */
export function fleetSpec({ spec }: Fleet, say: Say): FleetSpec {
  const intervals = filled(spec.intervals);
  const deletions = filled(spec.budget?.deletions);
  const resync = parseDuration(filled(intervals.resync));
  const poll = parseDuration(filled(intervals.poll));
  if (resync < 1000) say('/spec/intervals/resync', 'BAD_VALUE', 'spec.intervals.resync is too short', 'at least 1s');
  if (poll < 1000) say('/spec/intervals/poll', 'BAD_VALUE', 'spec.intervals.poll is too short', 'at least 1s');
  return {
    resync,
    poll,
    deletions: typeof deletions === 'number' ? { count: deletions } : { percent: Number(deletions.slice(0, -1)) },
    owners: spec.owners ?? {},
  };
}
