import type { Notice } from '../../model/notice.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { HostRecord } from '../../model/reservations.ts';
import { partingOf } from '../belonging.ts';

/** A time as people and programs read it, given milliseconds since 1970. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** What is known of hosts, by name, and what their controller says. */
interface Told {
  readonly notice: Notice | undefined;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly assignments: ReadonlyMap<string, Assignment>;
  readonly reports: ReadonlyMap<string, Report>;
}

/** What is said of hosts that are not heard of. */
export function lostMessages({ notice, hosts, assignments, reports }: Told): readonly string[] {
  const lost = notice?.lost ?? [];
  return lost.map(({ host, since }) => {
    // where anything is placed there is a record
    const known = { recorded: hosts.has(host), used: false, assignment: assignments.get(host) };
    const report = reports.get(host);
    const next =
      report && partingOf({ ...known, report }, 0)
        ? `, or if the machine is gone and Git has no such Host any more, say so: plumb host revoke ${host}`
        : '';
    return `host ${host} is not heard of since ${timeOf(since)}: what it ran may run on; look after its plumb agent${next}`;
  });
}

/** What is said of hosts that are drained. */
export function drainMessages(notice: Notice | undefined): readonly string[] {
  return (notice?.draining ?? []).flatMap(({ host, staying, leaving }) => {
    if (staying.length + leaving.length === 0) return [`host ${host} is drained: nothing is left on it`];
    const parts = [`${String(leaving.length)} leaving`, `${String(staying.length)} staying`];
    const first = staying[0] ? ` (${staying[0].replica}: ${staying[0].why})` : '';
    return [`host ${host} is being drained: ${parts.join(', ')}${first}; plumb drain ${host} --watch shows all`];
  });
}
