import type { AppSpec } from '../../model/catalog.ts';

/** How often a replica's container ended by itself or had to be made anew lately, and since when it runs or is down. */
export interface RestartState {
  /** Restarts since it last stayed up for `resetAfter`. */
  readonly count: number;
  /** Restarts since the agent knows it. */
  readonly total: number;
  readonly startedAt?: number;
  readonly exitedAt?: number;
  /** How it last went: `ended with status 3`. */
  readonly how?: string;
}

type Policy = AppSpec['restart'];

export const NEVER_RESTARTED: RestartState = { count: 0, total: 0 };

/** Restarts without staying up in between from which on it is a crash loop. */
const LOOP = 2;
/** Bounds of the time that a replica of a crash loop must stay up before it is trusted again, in milliseconds. */
const SHORTEST_PROOF = 2_000;
const LONGEST_PROOF = 10_000;
/** Docker calls a container started that ends with its start, and tells of the end some ten milliseconds later. */
const MOMENT = 200;

/** No start takes longer: an end that far before it is told by another clock. Milliseconds. */
const LONGEST_START = 60_000;

/**
 * When a container ended that is seen as ended now. Its engine tells it by the machine's clock, which somebody may have set anew since: what lies
 * before its start, or is yet to come, is not believed. One may end with its start, which is noted a moment later.
 */
export function endOf({ startedAt = 0 }: RestartState, told: number | undefined, now: number): number {
  if (told === undefined || told > now || told < startedAt - LONGEST_START) return now;
  return Math.max(startedAt, told);
}

/** It was seen to have ended, or to be unfit. Having stayed up long enough, it starts afresh. */
export function exited(state: RestartState, policy: Policy, now: number, how: string): RestartState {
  if (state.exitedAt !== undefined) return state;
  const stayed = state.startedAt !== undefined && now - state.startedAt >= policy.resetAfter;
  return { count: stayed ? 0 : state.count, total: state.total, exitedAt: now, how };
}

/** It was started again after an end. */
export function restarted(state: RestartState, now: number): RestartState {
  return { ...running(state, now), count: state.count + 1, total: state.total + 1 };
}

/** It was seen running or made anew for another reason. */
export function running({ exitedAt: _ended, ...state }: RestartState, now: number): RestartState {
  return { ...state, startedAt: state.startedAt ?? now };
}

function pauseOf({ count }: RestartState, { backoff, maxBackoff }: Policy): number {
  return count === 0 ? 0 : Math.min(backoff * 2 ** (count - 1), maxBackoff);
}

/**
 * Not before this time may it be started again: at once the first time, then after `backoff`, doubling up to `maxBackoff`.
 * The pause counts from its end, of one that runs and is unfit from its start.
 */
export function restartAt(state: RestartState, policy: Policy): number {
  const since = state.exitedAt ?? state.startedAt;
  return state.count === 0 || since === undefined ? 0 : since + pauseOf(state, policy);
}

/** With this end it ends again and again, which it did not before. */
export function beginsCrashLoop(state: RestartState): boolean {
  return state.count === LOOP && state.exitedAt !== undefined;
}

/** When a replica of a crash loop that runs has stayed up as long as its next pause, within bounds; undefined where there is nothing to prove. */
export function provenAt(state: RestartState, policy: Policy): number | undefined {
  if (state.count < LOOP || state.startedAt === undefined || state.exitedAt !== undefined) return undefined;
  return state.startedAt + Math.min(Math.max(pauseOf(state, policy), SHORTEST_PROOF), LONGEST_PROOF);
}

/** When a replica that was started again after an end may be told as ready: once it has proved itself, or has not ended with its start. */
export function trustedAt(state: RestartState, policy: Policy): number | undefined {
  if (state.count === 0 || state.startedAt === undefined || state.exitedAt !== undefined) return undefined;
  return provenAt(state, policy) ?? state.startedAt + MOMENT;
}

/** Ends again and again: two restarts without staying up in between, and the third has not proved itself. */
export function isCrashLoop(state: RestartState, policy: Policy, now: number): boolean {
  return state.count >= LOOP && (state.exitedAt !== undefined || now < (provenAt(state, policy) ?? Infinity));
}
