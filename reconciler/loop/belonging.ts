import type { Assignment, Report } from '../model/replica.ts';

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
