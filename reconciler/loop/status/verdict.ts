import { isEmptied } from '../../model/notice.ts';
import type { Notice } from '../../model/notice.ts';
import type { RolloutRecord } from '../../model/release.ts';
import { isAsTold } from '../../model/replica.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import { isStalled } from './hosts-told.ts';
import type { HealthWord, Status, StatusItem } from './status.ts';

const WORST_FIRST: readonly HealthWord[] = ['Degraded', 'Missing', 'Progressing', 'Healthy'];

/** The word that needs most to be known of some items. */
export function worst(items: readonly StatusItem[]): HealthWord {
  return WORST_FIRST.find((word) => items.some(({ health }) => health === word)) ?? 'Healthy';
}

/** Numbers of replicas and hosts, from which the state of the whole follows. */
export type Totals = Readonly<
  Record<'items' | 'unsynced' | 'unknown' | 'behind' | 'unsettled' | 'stalled' | HealthWord, number>
>;

/** Totals of nothing. */
export const NOTHING: Totals = {
  ...{ items: 0, unsynced: 0, unknown: 0, behind: 0, unsettled: 0, stalled: 0 },
  ...{ Degraded: 0, Missing: 0, Progressing: 0, Healthy: 0 },
};

/** Totals with others added, or with sign −1 taken away. */
export function sumOf(one: Totals, other: Totals, sign: 1 | -1): Totals {
  const sum: Record<keyof Totals, number> = { ...one };
  for (const key of Object.keys(NOTHING) as (keyof Totals)[]) sum[key] += sign * other[key];
  return sum;
}

/** Totals of replicas, of what hosts were told and of what they said. */
export function totalsOf(
  items: readonly StatusItem[],
  assignments: Iterable<Assignment>,
  reports: ReadonlyMap<string, Report>,
): Totals {
  const totals = { ...NOTHING };
  const told = new Set<string>();
  for (const { sync, health } of items) {
    totals.items += 1;
    totals[health] += 1;
    if (sync !== 'Synced') totals.unsynced += 1;
    if (sync === 'Unknown') totals.unknown += 1;
  }
  for (const { host, generation } of assignments) {
    told.add(host);
    const report = reports.get(host);
    // what is placed on a host that has never reported is unknown already; where nothing is, nobody waits for it
    if (report && report.generation !== generation) totals.behind += 1;
  }
  for (const report of reports.values()) {
    // nobody waits for one that was told nothing: Git has no such host, or it is told at once
    if (!told.has(report.host)) continue;
    if (!isAsTold(report)) totals.unsettled += 1;
    if (isStalled(report)) totals.stalled += 1;
  }
  return totals;
}

export type Verdict = Pick<Status, 'sync' | 'health'>;

/** A pause without end waits for a person, and so does what stands still. */
export function pausedIn({ rollouts = [] }: Pick<Notice, 'rollouts'>): readonly RolloutRecord[] {
  return rollouts.filter(({ stage, until }) => stage === 'frozen' || (stage === 'paused' && until === undefined));
}

/** What waits for a person. */
export function heldIn(notice: Pick<Notice, 'held' | 'rollouts'>): readonly string[] {
  return [...notice.held, ...pausedIn(notice).map(({ message }) => message)];
}

/** How the whole is, by its totals and by what the controller says. */
export function verdictOf(notice: Notice | undefined, totals: Totals): Verdict {
  if (!notice) return { sync: 'Unknown', health: worstOf(totals, totals.stalled > 0) };
  const { rollouts = [], held, failing, published, source, waiting, problems, lost, awaited, draining = [] } = notice;
  // hosts have yet to be told of a revision just seen, or of replicas whose turn in a rollout has not come
  const told = published === source.revision && waiting === 0;
  // what cannot be read is kept as it runs: that is not what Git says; nor is a change over before its controller says so
  const drained = draining.every(isEmptied);
  const asAsked =
    held.length === 0 && failing === undefined && problems === 0 && told && drained && rollouts.length === 0;
  const synced = totals.unsynced + totals.behind + totals.unsettled === 0 && asAsked;
  const gaveUp = rollouts.some(({ failed }) => failed !== undefined);
  const degraded = totals.stalled > 0 || gaveUp || lost.length > 0;
  return {
    sync: totals.unknown > 0 ? 'Unknown' : synced ? 'Synced' : 'OutOfSync',
    health: !degraded && awaited.length > 0 ? 'Progressing' : worstOf(totals, degraded),
  };
}

function worstOf(totals: Totals, degraded: boolean): HealthWord {
  return degraded ? 'Degraded' : (WORST_FIRST.find((word) => totals[word] > 0) ?? 'Healthy');
}
