import type { Notice } from '../model/notice.ts';
import type { Ports } from '../model/store.ts';
import { belongs } from './belonging.ts';
import { knownOf, statusFrom } from './control.ts';
import { CONTROLLER_LEASE, controllerIn, HOST_LEASE, HOST_TTL_AT_MOST } from './hearing.ts';
import type { Status } from './status/status.ts';
import type { Known } from './status/view.ts';

/**
 * The status of a fleet by its store alone. While no controller leads, nobody says which hosts are lost: then those without a
 * lease are taken for it, and that nobody leads is said first.
 */
export async function fleetStatus(store: Ports, now: number): Promise<Status> {
  const notice = await store.bulletin.read();
  const known = await knownOf(store);
  const leader = await store.leases.get(CONTROLLER_LEASE);
  if (!notice) {
    const status = statusFrom(known, notice);
    return { ...status, messages: [leader ? unreadText(leader.holder) : silenceAfter(notice), ...status.messages] };
  }
  if (leader) return { ...statusFrom(known, notice), leader: controllerIn(leader.holder) };
  const hosts = expectedOf(known);
  const held = await store.leases.held(
    hosts.map((host) => HOST_LEASE + host),
    HOST_TTL_AT_MOST,
  );
  const heard = new Set(held.map(({ name }) => name.slice(HOST_LEASE.length)));
  const since = new Map(notice.lost.map((one) => [one.host, one.since]));
  const lost = hosts.filter((host) => !heard.has(host)).map((host) => ({ host, since: since.get(host) ?? now }));
  const status = statusFrom(known, { ...notice, lost });
  return { ...status, sync: 'Unknown', health: 'Degraded', messages: [silenceAfter(notice), ...status.messages] };
}

/** What is said to who asks the store of a fleet something: that no controller leads, or that none ever spoke; undefined while one leads. */
export async function silenceOf({ bulletin, leases }: Pick<Ports, 'bulletin' | 'leases'>): Promise<string | undefined> {
  return (await leases.get(CONTROLLER_LEASE)) ? undefined : silenceAfter(await bulletin.read());
}

function silenceAfter(notice: Notice | undefined): string {
  return notice ? LEADERLESS : NOBODY;
}

function unreadText(holder: string): string {
  return `controller ${controllerIn(holder)} leads, and has read no revision so far: plumb events -n 3 says what keeps it from that`;
}

/** Where no controller leads now. */
export const LEADERLESS =
  'no controller leads: nothing is placed, and this is what was known last; start plumb controller';

/** Where none ever said anything. */
export const NOBODY =
  'no controller has said anything of this fleet so far: start plumb controller, or name another --store or --fleet';

function expectedOf({ snapshot, assignments, reports }: Known): readonly string[] {
  const told = new Map(assignments.map((assignment) => [assignment.host, assignment]));
  const used = new Set([...snapshot.placements.values()].map(({ host }) => host));
  return reports.flatMap((report) => {
    const { host } = report;
    const known = { recorded: snapshot.hosts.has(host), used: used.has(host), assignment: told.get(host), report };
    return belongs(known) ? [host] : [];
  });
}
