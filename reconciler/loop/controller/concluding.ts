import type { Behind } from '../../model/notice.ts';
import { appOf } from '../../model/replica.ts';
import { fullZones } from '../../plan/full.ts';
import { projecting, type Projection } from '../../plan/project.ts';
import { inTurns } from '../turns.ts';
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

/** What hosts are to be, after the commits: what they or others have changed meanwhile is looked at, too. The image stays as it is until then. */
export function projectionOf(
  { catalog, placed, seen }: Planned,
  { author, silent, now, judgeFrom }: Conclusion,
): Promise<Projection> {
  const { image, scope, kept, lost, records, reports } = seen;
  return image.hold(() => {
    const { book, whereabouts, news } = image;
    const told = new Map([...(silent.size === 0 ? [] : whereabouts.assignments)].filter(([host]) => !silent.has(host)));
    return inTurns(
      projecting({
        catalog,
        author,
        placements: book.placements,
        previous: silent.size === 0 ? whereabouts.assignments : told,
        reports,
        lost: new Set(lost?.map(({ host }) => host)),
        records,
        turned: placed.turned,
        now,
        judgeFrom,
        ...(kept ? { kept: whereabouts } : {}),
        ...(scope
          ? { scope: { apps: new Set([...scope.apps, ...news.apps]), hosts: new Set([...scope.hosts, ...news.hosts]) } }
          : {}),
      }),
    );
  });
}

/** The Apps of which replicas wait for their turn: to be told what Git says, or to get the place that it says. */
function behindIn(rollouts: Projection['rollouts'], outdated: readonly string[]): readonly Behind[] {
  const counts = new Map<string, number>();
  for (const replica of new Set([...rollouts.flatMap(({ waiting }) => waiting), ...outdated]))
    counts.set(appOf(replica), (counts.get(appOf(replica)) ?? 0) + 1);
  return [...counts].map(([app, replicas]) => ({ app, replicas }));
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
  const behind = behindIn(rollouts, placed.outdated);
  const full = [...fullZones(rollouts), ...(knobs === undefined ? [] : [knobs])];
  return {
    unplaceable: homelessIn(placed.unplaceable, preemptions, catalog),
    held: [...closed, ...(held === undefined ? [] : [held])],
    published: before.published,
    waiting: behind.reduce((sum, { replicas }) => sum + replicas, waitingHosts.size),
    ...(behind.length > 0 ? { behind } : {}),
    awaited,
    draining: placed.draining,
    ...(placed.departed.length > 0 ? { departed: placed.departed } : {}),
    ...(reopening ? { reopening } : {}),
    ...(full.length > 0 ? { full } : {}),
    ...(preemptions.length > 0 ? { preemptions } : {}),
    ...(records.length > 0 ? { rollouts: records } : {}),
  };
}
