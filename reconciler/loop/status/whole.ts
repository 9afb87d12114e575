import type { RolloutRecord } from '../../model/release.ts';
import { departedMessages, drainMessages, lostMessages, hostStatuses } from './hosts-told.ts';
import { hostItems, unplaceableItems, withoutRoom } from './items.ts';
import { totalsOf, pausedIn, heldIn, verdictOf } from './verdict.ts';
import type { RolloutStatus, Status } from './status.ts';
import type { StatusInput } from './input.ts';
import { compareNames } from '../../model/words.ts';

/** The state of everything that Git asks for, one item a replica. */
export function statusOf(input: StatusInput): Status {
  const { notice, assignments, placements } = input;
  const items = [
    ...withoutRoom(hostItems({ ...input, lost: notice?.lost ?? [] }, [...placements.values()]), notice),
    ...unplaceableItems(notice, (replica) => placements.has(replica)),
  ];
  items.sort((a, b) => compareNames(a.ref, b.ref));
  const reports = [...input.reports.values()];
  const stalled = reports.flatMap(({ host, conditions }) =>
    conditions.filter(({ type, status }) => type === 'Stalled' && status).map(({ message }) => `${host}: ${message}`),
  );
  const conflicts = reports.flatMap((report) =>
    (report.conflicts ?? []).map((claim) => ({ ...claim, host: report.host })),
  );
  const rollouts = notice?.rollouts ?? [];
  const paused = pausedIn({ rollouts });
  return {
    version: 1,
    revision: notice?.source.revision ?? '',
    ...verdictOf(notice, totalsOf(items, assignments.values(), input.reports)),
    items,
    hosts: hostStatuses(input),
    ...(notice ? { source: notice.source } : {}),
    problems: notice?.problems ?? 0,
    limitations: reports.flatMap(({ host, limitations }) => limitations.map((one) => ({ ...one, host }))),
    ...(conflicts.length > 0 ? { conflicts } : {}),
    held: notice ? heldIn(notice) : [],
    ...(notice?.failing === undefined ? {} : { failing: notice.failing }),
    messages: [
      ...lostMessages(input),
      ...drainMessages(input.notice),
      ...departedMessages(notice ?? {}),
      ...(notice?.full ?? []),
      ...rollouts.filter((one) => !paused.includes(one)).map(({ message }) => message),
      ...stalled,
    ],
    ...(rollouts.length === 0 ? {} : { rollouts: rollouts.map(rolloutStatus) }),
    ...(notice?.behind ? { behind: notice.behind } : {}),
    draining: notice?.draining ?? [],
  };
}

function rolloutStatus({ app, stage, revision, message, until }: RolloutRecord): RolloutStatus {
  return { app, stage, revision, message, ...(until === undefined ? {} : { until }) };
}
