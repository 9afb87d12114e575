import type { Assignment } from '../../model/replica.ts';
import type { Lease, Leases } from '../../model/store.ts';

/** How many replicas a repair may restart at a time. */
interface Limits {
  readonly zone: string;
  readonly perHost: number;
  readonly perZone: number;
}

export interface RepairOptions {
  readonly host: string;
  /** Of the host's own store: what is being repaired still counts when its agent is started again. */
  readonly own: Pick<Leases, 'acquire' | 'release' | 'held'>;
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

/** A token, and how it is given back. */
interface Token {
  readonly lease: Lease;
  readonly from: Pick<Leases, 'release'>;
}

interface Held {
  readonly until: number;
  readonly tokens: readonly Token[];
  restarted: boolean;
}

/** The tokens of one store: so many leases of one name. */
interface Purse {
  readonly leases: Pick<Leases, 'acquire' | 'release'>;
  readonly name: string;
  readonly count: number;
}

const nameOf = (name: string, at: number): string => `${name}/${String(at)}`;

/** One of the tokens that are free, looked for from a place on; undefined when all are out. */
async function tokenFrom({ leases, name, count }: Purse, holder: string, first: number): Promise<Token | undefined> {
  for (let at = 0; at < count; at += 1) {
    const lease = await leases.acquire(nameOf(name, (first + at) % count), holder, LONGEST);
    if (lease) return { lease, from: leases };
  }
  return undefined;
}

async function release({ lease, from }: Token): Promise<void> {
  await from.release(lease).catch(() => undefined); // it runs out
}

/** The repairs of one host: so many at a time, and in the whole Zone as many as it has tokens, as long as the store answers. */
export function createRepairs(options: RepairOptions): Repairs {
  const { host, own, tokens, clock, random } = options;
  const held = new Map<string, Held>();
  const asking = new Set<string>();
  let remembered: Promise<void> | undefined;

  /** What an agent before this one had begun. */
  async function remember({ perHost }: Limits): Promise<void> {
    const names = Array.from({ length: perHost }, (_, at) => nameOf('repair', at));
    for (const lease of await own.held(names))
      // what seems to last longer was taken before the clock of the machine was set back
      held.set(lease.holder, {
        until: Math.min(lease.expires, clock() + LONGEST),
        tokens: [{ lease, from: own }],
        restarted: true,
      });
  }

  /** A token of the Zone; `silent` where its store does not answer in time, and `full` when all are out. */
  async function zoneToken(replica: string, { zone, perZone }: Limits): Promise<Token | 'silent' | 'full'> {
    if (!tokens) return 'silent';
    let late = false;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<'silent'>((resolve) => {
      timer = setTimeout(() => {
        late = true;
        resolve('silent');
      }, PATIENCE);
    });
    const purse = { leases: tokens, name: `repair/${zone}`, count: perZone };
    const answer = tokenFrom(purse, `${host}/${replica}`, Math.floor(random() * perZone)).then(
      (token) => {
        if (late && token) void release(token);
        return token ?? 'full';
      },
      () => 'silent' as const,
    );
    const found = await Promise.race([answer, patience]);
    clearTimeout(timer);
    return found;
  }

  /** Gives when to ask again, milliseconds; 0 when it may be repaired now. */
  async function ask(replica: string, limits: Limits): Promise<number> {
    remembered ??= remember(limits);
    await remembered.catch((error: unknown) => {
      remembered = undefined;
      throw error;
    });
    if (held.has(replica)) return 0;
    if (held.size >= limits.perHost) return AGAIN;
    const mine = await tokenFrom({ leases: own, name: 'repair', count: limits.perHost }, replica, 0);
    if (!mine) return AGAIN;
    const token = await zoneToken(replica, limits);
    if (token === 'full') {
      await release(mine);
      return AGAIN * (0.5 + random());
    }
    const all = token === 'silent' ? [mine] : [mine, token];
    held.set(replica, { until: clock() + LONGEST, tokens: all, restarted: false });
    return 0;
  }

  return {
    granted: () => new Set(held.keys()),
    want: (replicas, assignment) => {
      const limits = limitsOf(assignment);
      for (const replica of replicas) {
        if (held.has(replica) || asking.has(replica)) continue;
        if (held.size + asking.size >= limits.perHost) {
          options.ready(replica, AGAIN);
          continue;
        }
        asking.add(replica);
        // a disk that takes no token takes no intent either
        void ask(replica, limits)
          .catch(() => AGAIN)
          .then((wait) => {
            asking.delete(replica);
            options.ready(replica, wait);
          });
      }
    },
    restarted: (replica) => {
      const one = held.get(replica);
      if (one) one.restarted = true;
    },
    settle: (serves) => {
      for (const [replica, { until, tokens: all, restarted }] of held) {
        if (clock() < until && !(restarted && serves(replica))) continue;
        held.delete(replica);
        for (const token of all) void release(token);
      }
    },
  };
}
