import type { Catalog } from '../model/catalog.ts';
import { selects } from '../model/catalog.ts';
import type { Assignment, Report } from '../model/replica.ts';
import type { Proposal } from '../model/reservations.ts';
import { blockOf } from './addresses.ts';
import type { HostView } from './hosts.ts';

/** Hosts that Git has in a Zone and that have not reported; one that was told something once must say what. */
export function unheard(catalog: Catalog, reports: readonly Report[]): readonly string[] {
  const heard = new Set(reports.filter(({ generation, kept }) => generation === 0 || kept).map(({ host }) => host));
  const zones = [...catalog.zones.values()];
  return [...catalog.hosts.values()]
    .filter(({ name, labels }) => !heard.has(name) && zones.some(({ spec }) => selects(spec.hosts, labels)))
    .map(({ name }) => name)
    .sort();
}

/** The Assignments that hosts still have and the store does not. */
export function keptBy(reports: readonly Report[], stored: readonly Assignment[]): readonly Assignment[] {
  const known = new Set(stored.map(({ host }) => host));
  return reports.flatMap(({ host, kept }) => (kept && !known.has(host) ? [kept] : []));
}

/**
 * What makes an emptied store know again who is where: each host, open, and what it was last told to run. Of two that claim
 * one replica or address the one with more generations behind it comes first, and the other is refused.
 */
export function rebuildProposals(
  { networks }: Pick<Catalog, 'networks'>,
  hosts: readonly HostView[],
  kept: readonly Assignment[],
): readonly Proposal[] {
  const records = hosts.map(({ record }) => ({ ...record, state: 'open' as const }));
  const epochs = new Map(records.map(({ host, epoch }) => [host, epoch]));
  const order = [...kept].sort((a, b) => b.generation - a.generation || (a.host < b.host ? -1 : 1));
  return [
    ...records.map((record): Proposal => ({ op: 'host', record })),
    ...order.flatMap(({ host, replicas }) =>
      replicas.map(({ placement }): Proposal => {
        const block = blockOf(networks.get(placement.network)?.spec, placement.address);
        const home = { placement, hostEpoch: epochs.get(host) ?? 1, spread: {} };
        return { op: 'place', ...home, ...(block === undefined ? {} : { block }) };
      }),
    ),
  ];
}
