import { sharingText } from '../../model/cores.ts';
import type { LostHost, Notice } from '../../model/notice.ts';
import { formOf } from '../../model/form.ts';
import { hiddenIn } from '../../model/handover.ts';
import { foreign } from '../../model/protocol.ts';
import { refOf } from '../../model/ref.ts';
import { incarnationOf } from '../../model/rollout.ts';
import { isAsTold, RESTARTING, sayingOf } from '../../model/replica.ts';
import type { AssignedReplica, Placement, ReplicaReport } from '../../model/replica.ts';
import { timeOf } from './hosts-told.ts';
import type { HealthWord, StatusItem } from './status.ts';
import type { StatusInput } from './input.ts';

/** How it does, of one that is as Git says. */
const RUNS = new Set(['CrashLoop', 'ProbeFailed', RESTARTING]);
/** What may pass by itself. */
const PASSING = new Set(['Waiting', 'ProbeFailed', RESTARTING]);

/** What is said of a replica by the host where it is placed. */
interface ItemInput extends Pick<StatusInput, 'assignments' | 'reports'> {
  readonly lost: readonly LostHost[];
}

function replicaItem(input: ItemInput, placement: Placement): StatusItem {
  const { replica, host, address } = placement;
  const report = input.reports.get(host);
  const assignment = input.assignments.get(host);
  const seen = report?.replicas.find(({ id }) => id === replica);
  const base = { ref: refOf('replica', replica), host, address };
  if (!report || !assignment) return { ...base, sync: 'Unknown', health: 'Progressing', reason: 'NoReport' };
  const assigned = assignment.replicas.find(({ id }) => id === replica);
  if (placement.yields !== undefined) {
    const reason = `Preempted: gives its place to ${placement.yields}, which finds no other`;
    return { ...base, sync: 'OutOfSync', health: 'Progressing', reason };
  }
  const leaving = placement.from !== undefined && !assigned;
  if (leaving) {
    const reason = `Moving: from ${placement.from}, which has not let it go`;
    return { ...base, sync: 'OutOfSync', health: 'Progressing', reason };
  }
  const lost = input.lost.find((one) => one.host === host);
  if (lost) {
    const reason = `Lost: ${host} is not heard of since ${timeOf(lost.since)}`;
    return { ...base, sync: 'Unknown', health: 'Missing', reason, restarts: seen?.restarts ?? 0 };
  }
  const strange = foreign(report);
  if (strange !== undefined)
    return { ...base, sync: 'Unknown', health: 'Progressing', reason: `ProtocolMismatch: ${strange}` };
  const hidden = assigned || seen ? undefined : hiddenIn(report, replica);
  if (hidden !== undefined) {
    const reason = `Leaving: what is left of it cannot be seen: ${hidden}`;
    return { ...base, sync: 'Unknown', health: 'Progressing', reason };
  }
  if (seen?.reason === 'Unknown')
    return { ...base, sync: 'Unknown', health: healthOf(seen, false), reason: `Unknown: ${seen.message ?? ''}` };
  const current = report.generation === assignment.generation && assigned !== undefined;
  // member by member: a spread that more is added to gets a hidden class of its own, for each of 150,000
  return {
    ref: base.ref,
    host,
    address,
    sync:
      current && seen?.incarnation === incarnationOf(assigned) && isFormed(seen, assigned) && !waits(seen)
        ? 'Synced'
        : 'OutOfSync',
    health: healthOf(seen, current && isAsTold(report)),
    reason: reasonOf(seen, sharingText(placement, report.facts.threadsPerCore)),
    restarts: seen?.restarts ?? 0,
    ...(assigned ? { image: assigned.spec.image } : {}),
    ...(seen?.settlesAt === undefined ? {} : { until: seen.settlesAt }),
    ...(report.memory?.[replica] === undefined ? {} : { memory: report.memory[replica] }),
  };
}

function reasonOf(seen: ReplicaReport | undefined, note: string | undefined): string {
  const said = seen ? sayingOf(seen) : 'Pending';
  return said === 'Ready' && note !== undefined ? `Ready, and ${note}` : said;
}

/** An older agent does not say. */
function isFormed({ form }: ReplicaReport, assigned: AssignedReplica): boolean {
  return form === undefined || form === formOf(assigned);
}

function waits(seen: ReplicaReport): boolean {
  return seen.reason !== undefined && !RUNS.has(seen.reason);
}

/** What is not there is on its way until its host says that it is done. */
function healthOf(seen: ReplicaReport | undefined, done: boolean): HealthWord {
  if (!seen || (seen.phase === 'Placed' && seen.reason === undefined)) return done ? 'Missing' : 'Progressing';
  if (seen.ready) return seen.settlesAt === undefined ? 'Healthy' : 'Progressing';
  return seen.reason === undefined || PASSING.has(seen.reason) ? 'Progressing' : 'Degraded';
}

/** The replicas that are placed on a host. */
export function hostItems(input: ItemInput, placements: readonly Placement[]): readonly StatusItem[] {
  return placements.map((placement) => replicaItem(input, placement));
}

/** The replicas that found no place; not those that have one, and there not the room that Git asks for. */
export function unplaceableItems(
  notice: Notice | undefined,
  isPlaced: (replica: string) => boolean,
): readonly StatusItem[] {
  const homeless = (notice?.unplaceable ?? []).filter(({ replica }) => !isPlaced(replica));
  return homeless.map(({ replica, message, zone }) => ({
    ref: refOf('replica', replica),
    host: '',
    ...(zone === undefined ? {} : { zone }),
    sync: 'OutOfSync',
    health: 'Missing',
    reason: `Unplaceable: ${message}`,
  }));
}

/** Replicas that lack room where they are are not as Git says, however well they are. */
export function withoutRoom(items: readonly StatusItem[], notice: Notice | undefined): readonly StatusItem[] {
  const told = new Map(notice?.unplaceable.map(({ replica, message }) => [refOf('replica', replica), message]));
  if (told.size === 0) return items;
  return items.map((item) => {
    const message = told.get(item.ref);
    if (message === undefined) return item;
    return { ...item, sync: item.sync === 'Unknown' ? item.sync : 'OutOfSync', reason: `NoRoom: ${message}` };
  });
}
