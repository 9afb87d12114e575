import type { Ports } from '../model/store.ts';
import { knownOf, statusFrom } from './control.ts';
import { CONTROLLER_LEASE, HOST_LEASE } from './hearing.ts';
import type { Status } from './status.ts';

/**
 * The status of a fleet by its store alone. While no controller leads, nobody says which hosts are lost: then those without a
 * lease are taken for it, and that nobody leads is said first.
 */
export async function fleetStatus(store: Ports, now: number): Promise<Status> {
  const notice = await store.bulletin.read();
  const known = await knownOf(store);
  if (!notice || (await store.leases.get(CONTROLLER_LEASE))) return statusFrom(known, notice);
  const hosts = known.reports.map(({ host }) => host);
  const held = await store.leases.held(hosts.map((host) => HOST_LEASE + host));
  const heard = new Set(held.map(({ name }) => name.slice(HOST_LEASE.length)));
  const since = new Map(notice.lost.map((one) => [one.host, one.since]));
  const lost = hosts.filter((host) => !heard.has(host)).map((host) => ({ host, since: since.get(host) ?? now }));
  const status = statusFrom(known, { ...notice, lost });
  const message = 'no controller leads: nothing is placed, and this is what was known last; start plumb controller';
  return { ...status, sync: 'Unknown', health: 'Degraded', messages: [message, ...status.messages] };
}
