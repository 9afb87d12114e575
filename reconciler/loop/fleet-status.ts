import type { Ports } from '../model/store.ts';
import { belongs } from './belonging.ts';
import { knownOf, statusFrom } from './control.ts';
import { CONTROLLER_LEASE, controllerIn, HOST_LEASE, HOST_TTL_AT_MOST } from './hearing.ts';
import { timeOf } from './status/hosts-told.ts';
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
    return leader
      ? { ...status, messages: [unreadText(leader.holder), ...status.messages] }
      : { ...status, silence: NOBODY };
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
  return { ...status, sync: 'Unknown', health: 'Degraded', silence: await leaderless(store, now) };
}

/** What is said to who asks the store of a fleet something: that no controller leads, or that none ever spoke; undefined while one leads. */
export async function silenceOf(store: Pick<Ports, 'bulletin' | 'leases'>, now: number): Promise<string | undefined> {
  if (await store.leases.get(CONTROLLER_LEASE)) return undefined;
  return (await store.bulletin.read()) ? leaderless(store, now) : NOBODY;
}

/** Who stands by tries once a second: a lead that was free for so long is taken by nobody, milliseconds. */
const TAKEOVER = 10_000;

/** Who led last, where no controller leads now, and what to do. */
async function leaderless({ leases }: Pick<Ports, 'leases'>, now: number): Promise<string> {
  const last = await leases.get(CONTROLLER_LEASE, 'lapsed');
  const was = last
    ? `${controllerIn(last.holder)} led until ${timeOf(last.expires)} and is silent since`
    : 'the last one has stopped';
  const next =
    last && now - last.expires > TAKEOVER
      ? ', and none has taken over: start plumb controller'
      : '. One that stands by takes over within seconds; where none does, start plumb controller';
  return `no controller leads: ${was}${next}. Until then nothing is placed, and this is what was known last`;
}

function unreadText(holder: string): string {
  return `controller ${controllerIn(holder)} leads, and has read no revision so far: plumb events -n 3 says what keeps it from that`;
}

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
