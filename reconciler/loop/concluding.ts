import { appOf } from '../model/replica.ts';
import { fullZones } from '../plan/full.ts';
import { project, type Projection } from '../plan/project.ts';
import type { Rest } from './attention.ts';
import type { Planned } from './deciding.ts';
import type { Decision } from './posting.ts';
import { homelessIn, preemptionsAfter } from './preemptions.ts';
import { heldBy } from './rebuilding.ts';

/** What hosts are to be, and by what that is concluded beside what was seen. */
export interface Conclusion {
  /** Who wrote the revision. */
  readonly author: string;
  /** Hosts that are told nothing now, nor looked at. */
  readonly silent: ReadonlySet<string>;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly judgeFrom: number;
}

/** What hosts are to be, after the commits: what they or others have changed meanwhile is looked at, too. Pure. */
export function projectionOf({ catalog, seen }: Planned, { author, silent, now, judgeFrom }: Conclusion): Projection {
  const { image, scope, kept, lost, records, reports } = seen;
  const { book, whereabouts, news } = image;
  const told = new Map([...(silent.size === 0 ? [] : whereabouts.assignments)].filter(([host]) => !silent.has(host)));
  return project({
    catalog,
    author,
    placements: book.placements,
    previous: silent.size === 0 ? whereabouts.assignments : told,
    reports,
    lost: new Set(lost?.map(({ host }) => host)),
    records,
    now,
    judgeFrom,
    ...(kept ? { kept: whereabouts } : {}),
    ...(scope
      ? { scope: { apps: new Set([...scope.apps, ...news.apps]), hosts: new Set([...scope.hosts, ...news.hosts]) } }
      : {}),
  });
}

/**
 * Apps that the next pass looks at although nothing has happened by then, and those that it looks at once room may have come: all else of them
 * is at rest.
 */
export function restOf({ placed, seen }: Planned, { unsettled, incomplete }: Projection): Rest {
  const remembered = new Set(seen.records.map(({ app }) => app));
  const homeless = new Set([...placed.homeless].filter((app) => incomplete.has(app) && !remembered.has(app)));
  // what is remembered no more is looked at once more: room was kept by it
  const busy = new Set([...placed.busy, ...unsettled, ...remembered]);
  for (const app of homeless) busy.delete(app);
  return { busy, homeless };
}

/** What is decided by then; published is what it was before. Pure. */
export function decisionAfter(
  before: Decision,
  { catalog, placed, seen, held }: Planned,
  { rollouts, records, waitingHosts, knobs }: Projection,
): Decision {
  const { reopening, awaited } = seen;
  const preemptions = preemptionsAfter(seen.preempted, placed.preemptions, seen.image.book.placements, catalog);
  const closed = reopening ? [heldBy(catalog, reopening, awaited)] : [];
  const full = [...fullZones(rollouts), ...(knobs === undefined ? [] : [knobs])];
  return {
    // who is not looked at still finds no room
    unplaceable: [
      ...before.unplaceable.filter(({ replica }) => seen.scope && !seen.scope.apps.has(appOf(replica))),
      ...homelessIn(placed.unplaceable, preemptions, catalog),
    ],
    held: [...closed, ...(held === undefined ? [] : [held])],
    published: before.published,
    waiting: rollouts.reduce((sum, one) => sum + one.waiting.length, waitingHosts.size),
    awaited,
    draining: placed.draining,
    ...(reopening ? { reopening } : {}),
    ...(full.length > 0 ? { full } : {}),
    ...(preemptions.length > 0 ? { preemptions } : {}),
    ...(records.length > 0 ? { rollouts: records } : {}),
  };
}
