import { selects } from '../model/catalog.ts';
import type { AppSpec } from '../model/catalog.ts';
import type { Placement } from '../model/replica.ts';
import type { HostView } from './hosts.ts';
import type { PlaceInput } from './input.ts';

/** A placement that could not be made anew as it stands. It is left alone. */
export interface Misplaced {
  readonly replica: string;
  readonly app: string;
  readonly host: string;
  readonly why: string;
}

/** Why a placement could not be made today. */
export function misfit(
  { catalog, snapshot }: PlaceInput,
  app: AppSpec,
  placement: Placement,
  view: HostView | undefined,
): string | undefined {
  const { host, zone } = placement;
  if (!catalog.hosts.has(host)) return `host ${host} has left the catalog`;
  if (!catalog.zones.has(zone)) return undefined; // its document has errors: nothing is concluded from that
  if (!view) return snapshot.hosts.has(host) ? `host ${host} is in no zone` : `host ${host} has not reported`;
  if (view.record.zone !== zone) return `host ${host} is in zone ${view.record.zone} now, not in ${zone}`;
  if (view.platform !== undefined && app.platform !== undefined && view.platform !== app.platform)
    return `host ${host} is ${view.platform}, and the App asks for ${app.platform}`;
  if (!selects(app.hosts, view.labels)) return `host ${host} no longer has the labels that the App asks for`;
  const network = catalog.networks.get(app.network);
  if (network && !selects(network.spec.hosts, view.labels)) return `host ${host} no longer has Network ${app.network}`;
  const levels = catalog.zones.get(zone)?.spec.levels;
  return levels?.includes(app.level) === false ? `zone ${zone} no longer takes level ${String(app.level)}` : undefined;
}
