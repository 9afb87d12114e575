import type { AppSpec, Catalog, NetworkSpec } from './catalog.ts';
import { parseIpv4 } from './ipv4.ts';
import type { Placement } from './replica.ts';

/** Addresses from the first to the last, as numbers; the lowest ranges first. */
export type Ranges = readonly (readonly [number, number])[];

const ranges = new WeakMap<NetworkSpec, Ranges>();

/** The ranges that a Network gives out, reckoned once. Compile has made sure that they are addresses. */
export function rangesOf(network: NetworkSpec): Ranges {
  const made =
    ranges.get(network) ??
    network.pool
      .map(([first, last]) => [parseIpv4(first) ?? 0, parseIpv4(last) ?? -1] as const)
      .sort((a, b) => a[0] - b[0]);
  ranges.set(network, made);
  return made;
}

/** Whether the Network gives out this address. */
export function inPool(network: NetworkSpec, address: string): boolean {
  const number = parseIpv4(address) ?? -1;
  return rangesOf(network).some(([first, last]) => first <= number && number <= last);
}

/** Whether placements of an App must be given up for new ones, because Git says so. */
export function outdatedIn(catalog: Catalog, app: AppSpec): (placement: Placement) => boolean {
  const network = catalog.networks.get(app.network)?.spec;
  if (!network || !catalog.zones.has(app.zone)) return () => false;
  return (placement) =>
    placement.network !== app.network || placement.zone !== app.zone || !inPool(network, placement.address);
}
