import type { Lease, Leases } from '../../model/store.ts';
import type { Command } from './calls.ts';
import type { Context } from './context.ts';

/** Leases on Redis. Time is the server's, which no host's wrong clock can bend, or `now` where one is given. */
export function createLeases({ calls, keys, scripts }: Context, now: (() => number) | undefined): Leases {
  function command(name: string, ...args: readonly (string | number)[]): Command {
    return { script: scripts.lease, keys: [keys.lease(name)], args: [now?.() ?? '', ...args] };
  }
  function leaseOf(name: string, reply: unknown): Lease | undefined {
    if (!Array.isArray(reply)) return undefined;
    const [holder, fence, expires] = reply as readonly string[];
    return { name, holder: holder ?? '', fence: Number(fence), expires: Number(expires) };
  }
  return {
    acquire: async (name, holder, ttl) => {
      const [reply] = await calls.write(command(name, 'acquire', holder, ttl));
      return leaseOf(name, reply);
    },
    acquireAll: async (names, holder, ttl) => {
      const replies = await calls.write(...names.map((name) => command(name, 'acquire', holder, ttl)));
      return names.map((name, at) => leaseOf(name, replies[at]));
    },
    release: async ({ name, holder, fence }) => {
      await calls.write(command(name, 'release', holder, fence));
    },
    get: async (name, lapsed) => {
      const [reply] = await calls.ask(command(name, 'get', lapsed ?? ''));
      return leaseOf(name, reply);
    },
    held: async (names, ttl = Infinity) => {
      const fields = names.map((name): Command => ['hmget', keys.lease(name), 'holder', 'fence', 'expires']);
      const [time, ...replies] = await calls.ask(['time'], ...fields);
      const [seconds, micros] = (time as readonly string[]).map(Number);
      const at = now?.() ?? (seconds ?? 0) * 1000 + (micros ?? 0) / 1000;
      return replies.flatMap((reply, n) => {
        const lease = leaseOf(names[n] ?? '', reply);
        return lease !== undefined && lease.expires > at && lease.expires <= at + ttl ? [lease] : [];
      });
    },
  };
}
