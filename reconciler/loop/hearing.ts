import type { LostHost } from '../model/notice.ts';
import type { Leases } from '../model/store.ts';

/** What the name of a host's lease begins with. */
export const HOST_LEASE = 'host/';
/** The lease of the controller that leads. */
export const CONTROLLER_LEASE = 'controller';

/** The name of a controller, of what holds its leases. */
export function controllerIn(holder: string): string {
  return holder.split('/')[0] ?? holder;
}

/** A host renews its lease this often, and is not heard of any more when it runs out: milliseconds. */
export const HEARTBEAT = 2_000;
export const HOST_TTL = 8_000;
/**
 * A lease of a host that is to last longer than this was given by a clock that went ahead, and says nothing. Clocks that differ by less than a lease lasts
 * must not make all of a fleet lost at once, as when another Redis takes over.
 */
export const HOST_TTL_AT_MOST: number = 2 * HOST_TTL;
/** After the store was silent every host has this long to be heard of again, milliseconds. */
export const GRACE: number = 2 * HOST_TTL;
/** Longer than that without an answer, milliseconds: there may have been an outage, or this process stood still. */
const GAP = 2 * HEARTBEAT;

/** Which hosts are heard of, by their leases. */
export interface Hearing {
  /** Listens again, for hosts that have reported at some time. Gives whether another host is lost or back. */
  listen(hosts: readonly string[]): Promise<boolean>;
  lost(): readonly LostHost[];
  /** The store may have lost the leases that it had: every host has time to be heard of again. */
  anew(): void;
  /** Takes over what another controller knew. */
  adopt(lost: readonly LostHost[]): void;
}

/**
 * Nobody is lost before the store has answered in time for long enough that everybody was heard: a store outage loses no host,
 * whichever call it was that waited for its end.
 */
export function createHearing(leases: Leases, clock: () => number): Hearing {
  const lost = new Map<string, LostHost>();
  /** Since when all answers came in time, and when the last one did. */
  let since: number | undefined;
  let answered = -Infinity;
  /** Hosts that no answer named, and since when: a controller that is always slow takes those for lost as well. */
  const missing = new Map<string, number>();

  function isLost(host: string, now: number): boolean {
    return now - Math.min(since ?? now, missing.get(host) ?? now) >= GRACE;
  }

  function anew(): void {
    since = undefined;
    missing.clear();
  }

  return {
    async listen(hosts) {
      let held: ReadonlySet<string>;
      try {
        const found = await leases.held(
          hosts.map((host) => HOST_LEASE + host),
          HOST_TTL_AT_MOST,
        );
        held = new Set(found.map(({ name }) => name.slice(HOST_LEASE.length)));
      } catch (error) {
        anew();
        throw error;
      }
      const now = clock();
      if (now - answered > GAP) since = undefined;
      since ??= now;
      answered = now;
      const before = [...lost.keys()].join();
      const expected = new Set(hosts);
      for (const host of [...lost.keys()]) if (held.has(host) || !expected.has(host)) lost.delete(host);
      for (const host of [...missing.keys()]) if (held.has(host) || !expected.has(host)) missing.delete(host);
      for (const host of hosts) {
        if (held.has(host) || lost.has(host)) continue;
        if (!missing.has(host)) missing.set(host, now);
        if (isLost(host, now)) lost.set(host, { host, since: now });
      }
      return [...lost.keys()].join() !== before;
    },
    lost: () => [...lost.values()].sort((a, b) => (a.host < b.host ? -1 : 1)),
    anew,
    adopt: (known) => {
      // what was known when this one led before is older than what the other knew
      lost.clear();
      anew();
      for (const one of known) lost.set(one.host, one);
    },
  };
}
