import type { Assignment, Report } from '../model/replica.ts';
import type { Mailbox } from '../model/store.ts';
import { createWhereabouts } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import type { Snapshot } from '../model/reservations.ts';
import { createInterning } from './interning.ts';
import { inLots, oneAhead } from './lots.ts';

/** Things of a host that its agent cannot see now. */
export interface Hidden {
  readonly host: string;
  /** Why not the first of them. */
  readonly why: string;
  /** How many. */
  readonly unseen: number;
}

/** What hosts were told and said, of some at a time. */
export function mailInLots(
  mailbox: Mailbox,
  hosts: readonly string[],
): AsyncGenerator<readonly [readonly Assignment[], readonly Report[]]> {
  return oneAhead(inLots(hosts), (some) =>
    Promise.all([mailbox.assignments(new Map(some.map((host) => [host, undefined]))), mailbox.reports(some)]),
  );
}

/** What its agent cannot see. */
export function hiddenOf({ host, observed }: Report): readonly Hidden[] {
  const hidden = observed.filter((item) => !item.known);
  const [first] = hidden;
  return first ? [{ host, why: first.why, unseen: hidden.length }] : [];
}

/** What all hosts that have reported were told and said, as small as a controller keeps it. */
export async function mailOf(
  mailbox: Mailbox,
  { placements }: Snapshot,
): Promise<{ readonly whereabouts: Whereabouts; readonly hidden: readonly Hidden[] }> {
  const interning = createInterning();
  const whereabouts = createWhereabouts(placements);
  const hidden: Hidden[] = [];
  for await (const [assignments, reports] of mailInLots(mailbox, await mailbox.reporting())) {
    for (const assignment of assignments) whereabouts.assign(interning.assignment(assignment, whereabouts));
    for (const report of reports) {
      hidden.push(...hiddenOf(report));
      whereabouts.report(interning.report(report, whereabouts));
    }
  }
  return { whereabouts, hidden };
}
