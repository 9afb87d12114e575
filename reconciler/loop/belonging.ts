import { PROTOCOL } from '../model/protocol.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { Store } from '../model/store.ts';

/** What is known of a host. */
interface HostKnown {
  /** It is in the book: Git has it, or had it by then. */
  readonly recorded: boolean;
  /** Something is placed there. */
  readonly used: boolean;
  readonly assignment: Assignment | undefined;
  readonly report: Report;
}

/**
 * Whether a host that has reported at some time is the fleet's to wait for. One that Git has no more is, until it has let go of all that it was told; one
 * that Git never had (an agent under a wrong name) is not, unless it runs something.
 */
export function belongs({ recorded, used, assignment, report }: HostKnown): boolean {
  if (recorded || used || report.replicas.length > 0) return true;
  return assignment !== undefined && (assignment.replicas.length > 0 || assignment.generation !== report.generation);
}

/**
 * What is said in place of a host whose agent speaks no more, and that nobody but its agent keeps waiting: it has let go of all. Undefined where it is not
 * waited for anyway, or is not given up: Git has it, something is placed there, or an emptied store is filled again from what it said.
 */
export function partingOf({ recorded, used, assignment, report }: HostKnown, now: number): Report | undefined {
  if (recorded || used || report.kept || (assignment?.replicas.length ?? 0) > 0) return undefined;
  if (!belongs({ recorded, used, assignment, report })) return undefined;
  const { host, facts } = report;
  const { generation = report.generation, revision = report.revision } = assignment ?? {};
  const ready = {
    type: 'Ready',
    status: true,
    reason: 'GivenUp',
    message: '',
    observedGeneration: generation,
  } as const;
  const nothing = { replicas: [], observed: [], limitations: [], conditions: [ready] };
  return { protocol: PROTOCOL, host, generation, revision, at: now, facts, ...nothing };
}

/** Says it where that ends the waiting for a host that has left Git; gives whether it did. */
export async function giveUpHost(
  { reservations, mailbox }: Pick<Store, 'reservations' | 'mailbox'>,
  host: string,
  now: number,
): Promise<boolean> {
  const [report] = await mailbox.reports([host]);
  if (!report) return false;
  const assignment = await mailbox.assignment(host);
  const { hosts, placements } = await reservations.snapshot();
  const used = [...placements.values()].some((placement) => placement.host === host);
  const parting = partingOf({ recorded: hosts.has(host), used, assignment, report }, now);
  if (parting) await mailbox.report(parting);
  return parting !== undefined;
}
