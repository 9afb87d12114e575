import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { Target } from './target.ts';

export type Client = Redis | Cluster;

/** Milliseconds before the next try to connect: doubling, and never the same for two processes. */
export function pause(attempt: number, most = 2000): number {
  return Math.min(25 * 2 ** Math.min(attempt, 10), most) * (0.5 + Math.random() / 2);
}

/** Milliseconds before a try to connect; the first has the number 1. */
export type Retry = (attempt: number) => number;

/** Of few processes, on which others wait. */
export const soon: Retry = (attempt) => pause(attempt);

/** From the first try to connect on, milliseconds: not as long as a lease that was renewed before the cut still lasts. */
const SPREAD = 3000;
const LEAST = 500;

/**
 * Of the agents of a fleet, which lose their connections all at one moment: spread over three seconds, however short the
 * outage was: of 6,000 with two connections each a server that is just back has 4,000 connections a second, and not all in a tenth of one.
 */
export function spread(attempt: number, random: () => number = Math.random): number {
  return (attempt > 1 ? LEAST : 0) + random() * SPREAD;
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

/** Which history of which process a server has: another after a restart, and after a failover. */
async function historyOf(client: Redis): Promise<string> {
  const info = String(await client.call('info', 'server', 'replication'));
  return [/^run_id:(\w+)/m, /^master_replid:(\w+)/m].map((line) => line.exec(info)?.[1] ?? '').join();
}

/** Of a Cluster: a node that is gone, and other masters than before, as a node may lose its part to a replica and go on as one. */
function onOtherNodes(client: Cluster, call: () => void): void {
  let last = '';
  client.on('-node', call);
  client.on('refresh', () => {
    const before = last;
    const masters = client.nodes('master').map(({ options: { host = '', port = 0 } }) => `${host}:${String(port)}`);
    last = masters.sort().join();
    if (before !== '' && last !== before) call();
  });
}

/**
 * Calls back when a server is another than before, or was started anew: it may have lost what was acknowledged last. That a connection
 * was cut is not enough.
 */
export function onOther(client: Client, call: () => void): void {
  if (client instanceof Cluster) {
    onOtherNodes(client, call);
    return;
  }
  let last: string | undefined;
  let first = true;
  const compare = async (): Promise<void> => {
    const early = first;
    first = false;
    const now = await historyOf(client);
    if (!early && now !== last) call();
    last = now;
  };
  // where the connection is lost again meanwhile, the next one compares
  client.on('ready', () => void compare().catch(() => undefined));
}

/**
 * Leaves connections that hang, for others. What is still on its way over a plain one is dropped: the kernel would go on to send it, and it could
 * arrive behind what was written since over the next one.
 */
export function leave(client: Client): void {
  for (const { stream } of client instanceof Cluster ? client.nodes() : [client])
    // until it was connected there is none, whatever its type says
    if (stream instanceof Socket && !(stream instanceof TLSSocket)) stream.resetAndDestroy();
  client.disconnect(true);
}

/**
 * Asks a Cluster which node has what, once one says that a key is elsewhere. ioredis does so too, but not for commands sent in one go of which
 * some were answered, such as INFO and WAIT, which are about no key.
 */
export function lookAround(client: Client, { message }: Error): void {
  if (client instanceof Cluster && message.startsWith('MOVED')) client.refreshSlotsCache();
}

/** A server that has taken a connection must answer within this, milliseconds: one that hangs takes connections, too. */
const GREETING = 5000;

function impatient(client: Redis): Redis {
  let timer: NodeJS.Timeout | undefined;
  client.on('connect', () => {
    clearTimeout(timer);
    timer = setTimeout(() => client.disconnect(true), GREETING);
  });
  for (const event of ['ready', 'close', 'end']) client.on(event, () => clearTimeout(timer));
  return client;
}

/** A client that connects by itself, again and again. Its commands fail at once while it is not connected. */
export function connect(target: Target, retry: Retry = soon): Client {
  const { nodes, group, tls } = target;
  const shared = options(target);
  if (target.form === 'cluster')
    return new Cluster([...nodes], {
      enableOfflineQueue: false,
      clusterRetryStrategy: retry,
      slotsRefreshTimeout: 2000,
      // certificates name what the Cluster calls its nodes
      ...(tls && { dnsLookup: (address, found) => found(null, address) }),
      redisOptions: shared,
    });
  const own = { ...shared, enableOfflineQueue: false, retryStrategy: retry };
  if (target.form === 'single') return impatient(new Redis({ ...own, ...nodes[0] }));
  const watched = new Redis({
    ...own,
    sentinels: [...nodes],
    name: group,
    sentinelRetryStrategy: retry,
    sentinelCommandTimeout: 2000,
    ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  });
  return impatient(watched);
}
