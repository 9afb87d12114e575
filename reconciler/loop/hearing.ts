import type { LostHost } from '../model/notice.ts';
import type { Leases } from '../model/store.ts';

/** What the name of a host's lease begins with. */
export const HOST_LEASE = 'host/';
/** The lease of the controller that leads. */
export const CONTROLLER_LEASE = 'controller';
/** A host renews its lease this often, and is not heard of any more when it runs out: milliseconds. */
export const HEARTBEAT = 2_000;
export const HOST_TTL = 8_000;
/** After the store was silent every host has this long to be heard of again, milliseconds. */
export const GRACE: number = 2 * HOST_TTL;

/** Which hosts are heard of, by their leases. */
export interface Hearing {
  /** Listens again, for hosts that have reported at some time. Gives whether another host is lost or back. */
  listen(hosts: readonly string[]): Promise<boolean>;
  lost(): readonly LostHost[];
  /** Takes over what another controller knew. */
  adopt(lost: readonly LostHost[]): void;
}

/** Nobody is lost before the store has answered long enough for everybody to be heard: a store outage loses no host. */
export function createHearing(leases: Leases, clock: () => number): Hearing {
  const lost = new Map<string, LostHost>();
  let since: number | undefined;
  return {
    async listen(hosts) {
      let held: ReadonlySet<string>;
      const asked = clock();
      try {
        const found = await leases.held(hosts.map((host) => HOST_LEASE + host));
        held = new Set(found.map(({ name }) => name.slice(HOST_LEASE.length)));
      } catch (error) {
        since = undefined;
        throw error;
      }
      const now = clock();
      // an answer that was long in coming had an outage before it
      if (now - asked > HEARTBEAT) since = undefined;
      since ??= now;
      const before = [...lost.keys()].join();
      for (const host of [...lost.keys()]) if (held.has(host) || !hosts.includes(host)) lost.delete(host);
      if (now - since >= GRACE)
        for (const host of hosts) if (!held.has(host) && !lost.has(host)) lost.set(host, { host, since: now });
      return [...lost.keys()].join() !== before;
    },
    lost: () => [...lost.values()].sort((a, b) => (a.host < b.host ? -1 : 1)),
    adopt: (known) => {
      for (const one of known) lost.set(one.host, one);
    },
  };
}
