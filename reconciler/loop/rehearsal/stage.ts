import type { AssignedReplica } from '../../model/replica.ts';
import { incarnationOf } from '../../model/rollout.ts';
import { between, chance } from './chance.ts';

/** How simulated hosts behave. */
export interface Behaviour {
  /** Shortest and longest time from the Assignment to a replica that serves, milliseconds. */
  readonly latency: readonly [number, number];
  /** Share of the starts that end again and again before one holds, 0 to 1. */
  readonly failures: number;
  /** Share of the hosts that fall silent within a minute, 0 to 1, and shortest and longest time for which, milliseconds. */
  readonly silent: number;
  readonly silence: readonly [number, number];
  /** What the same seed makes fail, fails again. */
  readonly seed: number;
}

/** One replica on a simulated host. Nothing of it is more than numbers and short texts: a fleet has 150,000. */
export interface Acted {
  readonly id: string;
  phase: 'Placed' | 'Starting' | 'Ready' | 'Stopping';
  /** The incarnation that is wanted, and the one that was last made. */
  incarnation: string;
  made: string | undefined;
  /** When it goes on by itself, milliseconds since 1970; Infinity when there is nothing to come. */
  dueAt: number;
  /** When it is to serve. */
  readyAt: number;
  /** Times that it has ended, and times that it will end before it holds. */
  restarts: number;
  endings: number;
  /** Since when it serves, and for how long it must to count. */
  since: number;
  minReady: number;
  /** It stands still once it serves. */
  frozen: boolean;
}

/** What runs on one simulated host. */
export interface Stage {
  /** Takes up what the host is told. */
  take(replicas: readonly AssignedReplica[], now: number): void;
  /** Lets time pass; gives whether anything is worth a Report. */
  pass(now: number): boolean;
  /** When something happens next; Infinity when nothing will. */
  dueAt(): number;
  readonly replicas: ReadonlyMap<string, Acted>;
}

/** Of the time that a start takes the part in which nothing of it is there. */
const PLACED = 0.2;
/** Pause before a replica that ended is started again: the first, doubling up to the longest, milliseconds. */
const BACKOFF = 1_000;
const LONGEST_BACKOFF = 30_000;
/** How often a start that fails ends before one holds. */
const ENDINGS: readonly [number, number] = [3, 6];
/** Ends without staying up from which on it is a crash loop, as real agents count. */
export const LOOP = 2;

/** An empty host. */
export function createStage(host: string, behaviour: Behaviour): Stage {
  const { seed, latency, failures } = behaviour;
  const replicas = new Map<string, Acted>();
  let next = Infinity;

  function begin(replica: AssignedReplica, made: string | undefined, now: number): Acted {
    const { id, spec } = replica;
    const incarnation = incarnationOf(replica);
    const fails = chance(seed, 'fails', id, incarnation) < failures;
    const lasts = between(latency, chance(seed, 'latency', host, id, incarnation));
    return {
      id,
      phase: 'Placed',
      incarnation,
      made,
      dueAt: now + lasts * PLACED,
      readyAt: now + lasts,
      restarts: 0,
      endings: fails ? Math.round(between(ENDINGS, chance(seed, 'endings', id, incarnation))) : 0,
      since: 0,
      minReady: spec.rollout?.minReady ?? 0,
      frozen: spec.frozen === true,
    };
  }

  function advance(one: Acted): void {
    const at = one.dueAt;
    one.dueAt = Infinity;
    if (one.phase === 'Stopping') {
      replicas.delete(one.id);
    } else if (one.phase === 'Placed') {
      one.phase = 'Starting';
      one.dueAt = one.readyAt;
    } else if (one.phase === 'Starting') {
      one.made = one.incarnation;
      if (one.restarts < one.endings) {
        one.restarts += 1;
        one.dueAt = at + Math.min(BACKOFF * 2 ** (one.restarts - 1), LONGEST_BACKOFF);
      } else {
        one.phase = 'Ready';
        one.since = at;
        // a Report says when it begins to count
        if (one.minReady > 0) one.dueAt = at + one.minReady;
      }
    }
  }

  function plan(): void {
    next = Infinity;
    for (const { dueAt } of replicas.values()) next = Math.min(next, dueAt);
  }

  return {
    replicas,
    dueAt: () => next,
    take(wanted, now) {
      const ids = new Set<string>();
      for (const replica of wanted) {
        ids.add(replica.id);
        const before = replicas.get(replica.id);
        const same = before?.phase !== 'Stopping' && before?.incarnation === incarnationOf(replica);
        if (before && same) before.frozen = replica.spec.frozen === true;
        else replicas.set(replica.id, begin(replica, before?.made, now));
      }
      for (const one of replicas.values()) {
        if (ids.has(one.id) || one.phase === 'Stopping') continue;
        one.phase = 'Stopping';
        one.dueAt = now + between(latency, chance(seed, 'stop', host, one.id)) / 2;
      }
      plan();
    },
    pass(now) {
      if (now < next) return false;
      for (const one of [...replicas.values()]) while (one.dueAt <= now) advance(one);
      plan();
      return true;
    },
  };
}
