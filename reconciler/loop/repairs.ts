import type { Assignment } from '../model/replica.ts';
import type { Lease, Leases } from '../model/store.ts';

/** How many replicas a repair may restart at a time. */
interface Limits {
  readonly zone: string;
  readonly perHost: number;
  readonly perZone: number;
}

export interface RepairOptions {
  readonly host: string;
  /** Of the fleet's store; absent on a machine of its own. */
  readonly tokens: Pick<Leases, 'acquire' | 'release'> | undefined;
  readonly clock: () => number;
  readonly random: () => number;
  /** Calls back when a replica may be repaired, or may ask again. */
  readonly ready: (replica: string, in_: number) => void;
}

/** The budget of repairs that restart what runs. */
export interface Repairs {
  /** Those that may be restarted now. */
  granted(): ReadonlySet<string>;
  /** Asks for these; the answer comes by `ready`. */
  want(replicas: ReadonlySet<string>, assignment: Assignment): void;
  /** A replica was restarted. */
  restarted(replica: string): void;
  /** Gives back what those hold that were restarted and serve again, and what was held for too long. */
  settle(serves: (replica: string) => boolean): void;
}

/** A repair counts until its replica serves again, at most this long, milliseconds: a token of an agent that died runs out by itself. */
const LONGEST = 60_000;
/** A store that does not answer for so long keeps no host from its own repairs, milliseconds. */
const PATIENCE = 2_000;
/** Without a token a host asks again after this, with jitter, milliseconds. */
const AGAIN = 2_000;

const DEFAULTS = { perHost: 1, perZone: 5 };

function limitsOf({ repairs, replicas }: Assignment): Limits {
  return repairs ?? { ...DEFAULTS, zone: replicas[0]?.placement.zone ?? '' };
}

interface Held {
  readonly until: number;
  readonly token: Lease | undefined;
  restarted: boolean;
}

/** The repairs of one host: so many at a time, and in the whole Zone as many as it has tokens, as long as the store answers. */
export function createRepairs(options: RepairOptions): Repairs {
  const { host, tokens, clock, random } = options;
  const held = new Map<string, Held>();
  const asking = new Set<string>();

  /** A token of the Zone; undefined when all are out. */
  async function tokenFor(replica: string, { zone, perZone }: Limits): Promise<Lease | undefined> {
    const first = Math.floor(random() * perZone);
    for (let at = 0; at < perZone; at += 1) {
      const name = `repair/${zone}/${String((first + at) % perZone)}`;
      const lease = await tokens?.acquire(name, `${host}/${replica}`, LONGEST);
      if (lease) return lease;
    }
    return undefined;
  }

  function give(replica: string, token: Lease | undefined): void {
    held.set(replica, { until: clock() + LONGEST, token, restarted: false });
    options.ready(replica, 0);
  }

  async function ask(replica: string, limits: Limits): Promise<void> {
    let late = false;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<'silent'>((resolve) => {
      timer = setTimeout(() => {
        late = true;
        resolve('silent');
      }, PATIENCE);
    });
    const answer = tokenFor(replica, limits).then(
      (token) => {
        if (late && token) void release(token);
        return token ?? 'full';
      },
      () => 'silent' as const,
    );
    const token = await Promise.race([answer, patience]);
    clearTimeout(timer);
    asking.delete(replica);
    if (token === 'full') options.ready(replica, AGAIN * (0.5 + random()));
    else give(replica, token === 'silent' ? undefined : token);
  }

  async function release(token: Lease): Promise<void> {
    await tokens?.release(token).catch(() => undefined); // it runs out
  }

  return {
    granted: () => new Set(held.keys()),
    want: (replicas, assignment) => {
      const limits = limitsOf(assignment);
      for (const replica of replicas) {
        if (held.has(replica) || asking.has(replica)) continue;
        if (held.size + asking.size >= limits.perHost) options.ready(replica, AGAIN);
        else if (tokens) {
          asking.add(replica);
          void ask(replica, limits);
        } else give(replica, undefined);
      }
    },
    restarted: (replica) => {
      const one = held.get(replica);
      if (one) one.restarted = true;
    },
    settle: (serves) => {
      for (const [replica, { until, token, restarted }] of held) {
        if (clock() < until && !(restarted && serves(replica))) continue;
        held.delete(replica);
        if (token) void release(token);
      }
    },
  };
}
