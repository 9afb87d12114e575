import { isWell, type HostStatus, type Status, type StatusItem } from '../reconciler/loop/status/status.ts';
import { amountOf } from '../reconciler/model/demand.ts';
import type { Dimension } from '../reconciler/model/demand.ts';
import type { Io } from './io.ts';
import { sumOf, type Level } from './status-scope.ts';
import { narrowed, table, tint } from './table.ts';
import { compareNames } from '../reconciler/model/words.ts';

/** What a narrow terminal does without, the first of them first. */
const LEAVES = ['CPU', 'MEMORY', 'CLOSED', 'HOSTS', 'REPLICAS', 'LOST'];

/** More groups than these do not fit on a screen. */
const MOST = 12;

interface Group {
  readonly name: string;
  readonly hosts: HostStatus[];
  readonly items: StatusItem[];
}

function groupsBy(level: Level, { hosts, items }: Status): readonly Group[] {
  const groups = new Map<string, Group>();
  const of = new Map<string, Group>();
  for (const host of hosts) {
    const name = host[level];
    const group = groups.get(name) ?? { name, hosts: [], items: [] };
    groups.set(name, group);
    group.hosts.push(host);
    of.set(host.host, group);
  }
  // what has no host has its Zone, which it is missing in
  const homeOf = ({ host, zone }: StatusItem): Group | undefined =>
    of.get(host) ?? (level === 'zone' && zone !== undefined ? groups.get(zone) : undefined);
  for (const item of items) homeOf(item)?.items.push(item);
  return [...groups.values()];
}

/** What of a group asks to be looked at. */
function trouble({ hosts, items }: Group): number {
  return hosts.filter(({ lost, stalled }) => lost ?? stalled).length + items.filter((item) => !isWell(item)).length;
}

function row(group: Group, io: Pick<Io, 'color'>): readonly string[] {
  const { name, hosts, items } = group;
  const lost = hosts.filter((host) => host.lost).length;
  const closed = hosts.filter((host) => host.state === 'closed' && !host.lost).length;
  const ill = items.filter((item) => !isWell(item)).length;
  const warn = (count: number): string => (count === 0 ? '0' : tint(io, 'red', String(count)));
  const [used, all] = [sumOf(hosts, 'used'), sumOf(hosts, 'allocatable')];
  const share = (key: Dimension): string =>
    `${String(Math.round((100 * amountOf(used, key)) / Math.max(1, amountOf(all, key))))}%`;
  const counts = [String(hosts.length), warn(lost), String(closed), String(items.length), warn(ill)];
  return [name, ...counts, share('cpu'), share('memory')];
}

/**
 * A status by the largest parts that it has several of, those with trouble first; undefined where there is one host. `placed` tells
 * that only hosts with something of it count.
 */
export function groupLines(
  status: Status,
  levels: readonly Level[],
  io: Pick<Io, 'color'>,
  { all, width }: { readonly all: boolean; readonly width: number | undefined },
): readonly string[] | undefined {
  for (const level of levels) {
    const groups = groupsBy(level, status);
    if (groups.length < 2) continue;
    const ranked = groups
      .map((group) => ({ group, ill: trouble(group) }))
      .sort((a, b) => b.ill - a.ill || compareNames(a.group.name, b.group.name));
    const shown = all ? ranked : ranked.slice(0, MOST);
    const rest = ranked.slice(shown.length);
    const head = [level.toUpperCase(), 'HOSTS', 'LOST', 'CLOSED', 'REPLICAS', 'NOT WELL', 'CPU', 'MEMORY'];
    const rows = shown.map(({ group }) => row(group, io));
    const text = table(...narrowed(head, rows, LEAVES, width), width);
    if (rest.length === 0) return [text];
    const ill = rest.filter((one) => one.ill > 0).length;
    const how = ill === 0 ? 'all well' : `${String(ill)} of them with trouble`;
    return [text, `… and ${String(rest.length)} more, ${how}: --all shows them`];
  }
  return undefined;
}
