import type { Assignment, Report } from '../model/replica.ts';
import type { Mailbox } from '../model/store.ts';

/** What all hosts that have reported said and were told. */
export async function mailOf(
  mailbox: Mailbox,
): Promise<{ readonly reports: readonly Report[]; readonly assignments: readonly Assignment[] }> {
  const hosts = await mailbox.reporting();
  const [reports, assignments] = await Promise.all([
    mailbox.reports(hosts),
    mailbox.assignments(new Map(hosts.map((host) => [host, undefined]))),
  ]);
  return { reports, assignments };
}
