import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { Target } from './target.ts';

export type Client = Redis | Cluster;

/** Milliseconds before the next try to connect: doubling, and never the same for two processes. */
export function pause(attempt: number, most = 2000): number {
  return Math.min(25 * 2 ** Math.min(attempt, 10), most) * (0.5 + Math.random() / 2);
}

/** What lies between this process and a server: quick to give up on one connection, never tired of trying the next. */
function options(target: Target): RedisOptions & { readonly replyMapping: 'legacy' } {
  return {
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    ...(target.tls && { tls: target.tls }),
    db: target.db,
    replyMapping: 'legacy',
    connectTimeout: 2000,
    disableClientInfo: true,
    // a reply that was lost is asked for again by `Calls`, which knows how often
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // `Ears` does it, and knows what it missed meanwhile
    autoResubscribe: false,
    // a master that became a replica: whoever is master now is asked for again
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
}

/** A client that connects by itself, again and again. Its commands fail at once while it is not connected. */
export function connect(target: Target): Client {
  const { nodes, group, tls } = target;
  const shared = options(target);
  if (target.form === 'cluster')
    return new Cluster([...nodes], {
      enableOfflineQueue: false,
      clusterRetryStrategy: (attempt) => pause(attempt),
      slotsRefreshTimeout: 2000,
      // certificates name what the Cluster calls its nodes
      ...(tls && { dnsLookup: (address, found) => found(null, address) }),
      redisOptions: shared,
    });
  const own = { ...shared, enableOfflineQueue: false, retryStrategy: (attempt: number) => pause(attempt) };
  if (target.form === 'single') return new Redis({ ...own, ...nodes[0] });
  return new Redis({
    ...own,
    sentinels: [...nodes],
    name: group,
    sentinelRetryStrategy: (attempt) => pause(attempt),
    sentinelCommandTimeout: 2000,
    ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  });
}
