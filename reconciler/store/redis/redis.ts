import { randomUUID } from 'node:crypto';
import { PlumbError } from '../../model/errors.ts';
import type { FleetStore } from '../../model/store.ts';
import { createBulletin } from './bulletin.ts';
import { createCalls } from './calls.ts';
import type { Calls, Patience } from './calls.ts';
import { connect, onOther, soon, spread } from './connect.ts';
import type { Context, Keep } from './context.ts';
import { createEars } from './ears.ts';
import { createJournals } from './journals.ts';
import { keysOf, nameOf } from './keys.ts';
import type { Keys } from './keys.ts';
import { createLeases } from './leases.ts';
import { createMailbox } from './mailbox.ts';
import { createReservations } from './reservations.ts';
import { loadScripts } from './scripts.ts';
import { parseTarget } from './target.ts';

export interface RedisOptions {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Fleets that share a server do not see each other; `default` when absent. */
  readonly fleet?: string;
  /** Whose journal is copied here, by this process alone; `controller` when absent. */
  readonly writer?: string;
  /** An agent's: its mailbox follows this host only, and needs no right to more. */
  readonly host?: string;
  /** Whose time leases run by: the server's, or that of `clock`, which is for tests. */
  readonly leaseTime?: 'server' | 'clock';
  readonly patience?: Partial<Patience>;
  readonly keep?: Partial<Keep>;
}

/** A reply must be kept for longer than its request is tried: at a thousand commits a second that is 15 s. */
export const KEEP: Keep = {
  replies: 15_000,
  replyAge: 24 * 3600 * 1000,
  commits: 2000,
  mails: 20_000,
  entries: 10_000,
};
const PATIENCE: Patience = { attempt: 2000, total: 12_000 };

/** Which life of the store this is: a random name that is made when there is none, and goes when Redis is emptied. */
async function enter(calls: Calls, keys: Keys, shown: string): Promise<string> {
  const [info, found] = await calls.ask(['info', 'server'], ['get', keys.incarnation]);
  const [, version = '?'] = /^redis_version:(\S+)/m.exec(String(info)) ?? [];
  if (!(Number.parseInt(version) >= 7))
    throw new PlumbError('STORE_UNAVAILABLE', `Redis at ${shown} is ${version}; Plumbline needs 7 or later`, {
      version,
    });
  if (typeof found === 'string') return found;
  const name = randomUUID();
  try {
    const [other] = await calls.write(['set', keys.incarnation, name, 'NX', 'GET']);
    return typeof other === 'string' ? other : name;
  } catch (error) {
    // an agent may not begin a fleet
    if (!(error instanceof PlumbError) || error.code !== 'STORE_REFUSED') throw error;
    throw new PlumbError(
      'STORE_UNAVAILABLE',
      `Redis at ${shown} is empty, and no controller has opened it yet`,
      {},
      error,
    );
  }
}

/**
 * Opens the store of a fleet on Redis 7: a server, Sentinels or a Cluster, as the URL says. It works for as long as the
 * keys live: once they were emptied, every call throws STORE_EMPTIED and the store has to be opened again. Throws USAGE,
 * STORE_REFUSED, STORE_UNAVAILABLE.
 */
export async function openRedis(url: string, options: RedisOptions): Promise<FleetStore> {
  const target = parseTarget(url);
  const { shown, acks } = target;
  const { clock, fleet = 'default', writer = 'controller', host, leaseTime = 'server' } = options;
  const keys = keysOf(nameOf('fleet', fleet));
  nameOf('journal', writer);
  const patience = { ...PATIENCE, ...options.patience };
  const keep = { ...KEEP, ...options.keep };
  const retry = host === undefined ? soon : spread;
  const client = connect(target, retry);
  const listeners: (() => void)[] = [];
  onOther(client, () => {
    for (const call of listeners) call();
  });
  const ears = createEars(() => connect(target, retry), shown);
  try {
    const incarnation = await enter(createCalls(client, { shown, acks, patience }), keys, shown);
    const calls = createCalls(client, { shown, acks, patience, incarnation: [keys.incarnation, incarnation] });
    const context: Context = { calls, ears, keys, scripts: loadScripts(), keep, incarnation, clock, shown };
    return {
      reservations: createReservations(context),
      leases: createLeases(context, leaseTime === 'clock' ? clock : undefined),
      mailbox: createMailbox(context, host),
      bulletin: createBulletin(context),
      journals: createJournals(context, writer, host === undefined),
      onBack: (call) => {
        listeners.push(call);
      },
      close: async () => {
        calls.close();
        ears.close();
        client.disconnect();
      },
    };
  } catch (error) {
    client.disconnect();
    throw error;
  }
}
