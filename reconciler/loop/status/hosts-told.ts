import { isEmptied } from '../../model/notice.ts';
import type { Notice } from '../../model/notice.ts';
import { isAsTold } from '../../model/replica.ts';
import type { Report } from '../../model/replica.ts';
import { partingOf } from '../belonging.ts';
import type { KnobState } from '../../model/change.ts';
import { NOTHING as NO_DEMAND, plus } from '../../model/demand.ts';
import type { Demand } from '../../model/demand.ts';
import type { HostStatus } from './status.ts';
import type { StatusInput } from './input.ts';
import { compareNames, counted } from '../../model/words.ts';

/** A time as people and programs read it, given milliseconds since 1970. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** What is said of hosts that are not heard of. */
export function lostMessages({
  notice,
  hosts,
  assignments,
  reports,
}: Omit<StatusInput, 'placements'>): readonly string[] {
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

/** What is said of a host that is drained and has never reported. */
export function unheardText(host: string): string {
  return `${host} is to be drained, and what is left on it is not known: it has not reported; look after its plumb agent`;
}

/** What is said of hosts that are drained. */
export function drainMessages(notice: Notice | undefined): readonly string[] {
  return (notice?.draining ?? []).flatMap((drain) => {
    const { host, staying, leaving } = drain;
    if (isEmptied(drain)) return [`host ${host} is drained: nothing is left on it`];
    if (staying.length + leaving.length === 0) return [unheardText(`host ${host}`)];
    const parts = [`${String(leaving.length)} leaving`, `${String(staying.length)} staying`];
    const first = staying[0] ? ` (${staying[0].replica}: ${staying[0].why})` : '';
    return [`host ${host} is being drained: ${parts.join(', ')}${first}; plumb drain ${host} --watch shows all`];
  });
}

/** What is said of hosts that have left Git, or all its Zones, with replicas on them. */
export function departedMessages({ departed = [] }: Partial<Notice>): readonly string[] {
  return departed.map(({ host, replicas, zoneless }) => {
    const moves = `drain: true so that ${replicas === 1 ? 'it moves' : 'they move'}`;
    const [where, back] = zoneless
      ? ['in no Zone', `give it the labels of one again, or ${moves}`]
      : ['not in Git', `put it back, with ${moves}`];
    return `host ${host} is ${where} any more and keeps ${counted(replicas, 'replica')}: ${back}`;
  });
}

/** All that is not told otherwise is as it should be. */
function knobsOf({ knobs = 0, limitations }: Report): Readonly<Record<KnobState, number>> {
  const count = (state: KnobState): number => limitations.filter((one) => one.state === state).length;
  const others = {
    Drifted: count('Drifted'),
    Unsupported: count('Unsupported'),
    Refused: count('Refused'),
    NeedsRestart: count('NeedsRestart'),
  };
  const rest = Object.values(others).reduce((sum, some) => sum + some, 0);
  return { InSync: Math.max(0, knobs - rest), ...others };
}

/** Whether something fails on the host of a Report. */
export function isStalled({ conditions }: Report): boolean {
  return conditions.some(({ type, status }) => type === 'Stalled' && status);
}

/** Hosts with what is promised of them and what they said, by name. */
export function hostStatuses({ hosts, placements, assignments, reports, notice }: StatusInput): readonly HostStatus[] {
  const used = new Map<string, Demand>();
  for (const { host, demand } of placements.values()) used.set(host, plus(used.get(host) ?? NO_DEMAND, demand));
  const lost = new Set(notice?.lost.map(({ host }) => host));
  return [...hosts.values()]
    .sort((a, b) => compareNames(a.host, b.host))
    .map((record) => {
      const [told, report] = [assignments.get(record.host), reports.get(record.host)];
      const busy = told && report && (report.generation !== told.generation || !isAsTold(report));
      return {
        ...record,
        used: used.get(record.host) ?? NO_DEMAND,
        ...(lost.has(record.host) ? { lost: true } : {}),
        ...(report && isStalled(report) ? { stalled: true } : {}),
        ...(busy ? { busy } : {}),
        ...(report?.knobs === undefined ? {} : { knobs: knobsOf(report) }),
        ...(report?.memory?.['host'] === undefined ? {} : { memory: report.memory['host'] }),
      };
    });
}
