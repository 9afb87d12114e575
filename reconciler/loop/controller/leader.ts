import { asPlumbError } from '../../model/errors.ts';
import type { Hold, Lease, Leases } from '../../model/store.ts';
import type { Log } from '../log.ts';
import { pause } from '../pause.ts';

/** What a lease is kept with. */
export interface LeaderOptions {
  readonly leases: Pick<Leases, 'acquire' | 'release'>;
  /** The lease that all candidates want. */
  readonly name: string;
  /** Who this is, for people and for the store. */
  readonly holder: string;
  /** Milliseconds that it is held without being renewed. */
  readonly ttl: number;
  readonly clock: () => number;
  readonly log: Log;
  /** Called when the lease was won or lost. */
  readonly onChange: (leads: boolean) => void;
}

export interface Leader {
  /** Whether the lease is ours for sure, by our own clock: a process that was stopped finds out at its next question. */
  leads(): boolean;
  /** This time of leading: the lease, under which the leader writes; undefined while another leads. */
  term(): Hold | undefined;
  /** Whether that time still lasts. A process that was busy for too long to renew the lease asks the store before it gives up. */
  holds(term: Hold | undefined): Promise<boolean>;
  /** Competes until the signal aborts, then lets go. */
  run(signal: AbortSignal): Promise<void>;
}

/** Renewed so often within its time, and wanted so often: who stands by must not add much to the time that it still runs. */
const RENEWALS = 4;
const ATTEMPTS = 8;
/** A store that does not answer keeps nobody from stopping for longer, milliseconds. */
const GOODBYE = 2_000;
/** Part of the time after which a holder that could not renew no longer acts on it. */
const SURE = 0.75;

/** Competes for a lease and keeps it: of many candidates one leads. */
export function createLeader(options: LeaderOptions): Leader {
  const { leases, name, holder, ttl, clock, log } = options;
  let lease: Lease | undefined;
  let sureUntil = 0;
  let told = false;
  /** An outage of the store is told once. */
  let away = false;

  const leads = (): boolean => lease !== undefined && clock() < sureUntil;

  function tell(): void {
    const now = leads();
    if (now === told) return;
    told = now;
    options.onChange(now);
  }

  async function renew(): Promise<void> {
    const asked = clock();
    try {
      const before = lease?.fence;
      lease = await leases.acquire(name, holder, ttl);
      // somebody else held it meanwhile: it is won anew
      if (lease && before !== undefined && lease.fence !== before) told = false;
      if (lease) sureUntil = asked + ttl * SURE;
      if (away) log.info({ lease: name }, 'the store answers again');
      away = false;
    } catch (error) {
      const { code, message } = asPlumbError(error);
      if (!away) log.warn({ code, lease: name }, `lease not renewed, and asked for again and again: ${message}`);
      log.debug({ err: error, lease: name }, 'lease not renewed');
      away = true;
    }
    tell();
  }

  return {
    leads,
    term: () => lease,
    holds: async (term) => {
      if (lease !== undefined && !leads()) await renew();
      return leads() && term !== undefined && lease?.fence === term.fence;
    },
    async run(signal) {
      while (!signal.aborted) {
        await renew();
        await pause(ttl / (lease ? RENEWALS : ATTEMPTS), signal);
      }
      const held = lease;
      lease = undefined;
      tell();
      if (!held) return;
      const released = leases.release(held).catch((error: unknown) => {
        const { code, message } = asPlumbError(error);
        log.warn({ code }, `lease not released, it runs out: ${message}`);
      });
      await Promise.race([released, pause(GOODBYE, new AbortController().signal)]);
    },
  };
}
