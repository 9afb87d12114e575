import type { AppSpec } from '../model/catalog.ts';

/** How often a replica's container ended by itself lately, and since when it runs or is down. */
export interface RestartState {
  /** Restarts since it last stayed up for `resetAfter`. */
  readonly count: number;
  /** Restarts since the agent knows it. */
  readonly total: number;
  readonly startedAt?: number;
  readonly exitedAt?: number;
}

export const NEVER_RESTARTED: RestartState = { count: 0, total: 0 };

/** It was seen to have ended. Having stayed up long enough, it starts afresh. */
export function exited(state: RestartState, policy: AppSpec['restart'], now: number): RestartState {
  if (state.exitedAt !== undefined) return state;
  const stayed = state.startedAt !== undefined && now - state.startedAt >= policy.resetAfter;
  return { count: stayed ? 0 : state.count, total: state.total, exitedAt: now };
}

/** It was started again after an end. */
export function restarted(state: RestartState, now: number): RestartState {
  return { count: state.count + 1, total: state.total + 1, startedAt: now };
}

/** It was seen running or made anew for another reason. */
export function running(state: RestartState, now: number): RestartState {
  return { count: state.count, total: state.total, startedAt: state.startedAt ?? now };
}

/** Not before this time may it be started again: at once the first time, then after `backoff`, doubling up to `maxBackoff`. */
export function restartAt(state: RestartState, policy: AppSpec['restart']): number {
  if (state.count === 0 || state.exitedAt === undefined) return 0;
  return state.exitedAt + Math.min(policy.backoff * 2 ** (state.count - 1), policy.maxBackoff);
}

/** With this end it ends again and again, which it did not before. */
export function beginsCrashLoop(state: RestartState): boolean {
  return state.count === 2 && state.exitedAt !== undefined;
}

/** Ends again and again: two restarts without staying up in between. */
export function isCrashLoop(state: RestartState): boolean {
  return state.count >= 2 && state.exitedAt !== undefined;
}
