import { goesBack, versionOf } from '../model/release.ts';
import type { RolloutRecord, Stage } from '../model/release.ts';
import type { AppSpec, Resource } from '../model/catalog.ts';
import type { AssignedReplica } from '../model/replica.ts';
import { counted } from '../model/words.ts';
import { canariesOf, standsStill } from './advance.ts';
import type { Advanced } from './advance.ts';
import type { Turn } from './turns.ts';

export interface Seen {
  readonly app: Resource<AppSpec>;
  readonly turns: readonly Turn[];
  /** What each is to be now. */
  readonly replicas: readonly AssignedReplica[];
  readonly ahead: string | undefined;
  /** Nothing is given up before. */
  readonly judgeFrom?: number;
  readonly whole?: boolean;
}

/** The record with its stage, and that in words. */
export function tellChange(change: Advanced, seen: Seen): RolloutRecord {
  const stage = stageOf(change, seen);
  const until = dueAt(change, stage, seen);
  const message = `${change.app}: ${words(stage, change, seen)}`;
  return { ...change, stage, ...(until === undefined ? {} : { until }), message };
}

function stageOf(change: Advanced, seen: Seen): Stage {
  const { app, turns, ahead } = seen;
  const { failed, canaryAt } = change;
  if (failed) return goesBack(change, app.spec) ? (failed.back ? 'reverted' : 'reverting') : 'stopped';
  if (standsStill(seen)) return 'frozen';
  if (ahead !== undefined) return 'queued';
  if (!canariesOf(app.spec, change, turns)) return 'rolling';
  return canaryAt === undefined ? 'canary' : 'paused';
}

/** A commit as people write it; other words whole. */
function short(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 7) : revision;
}

function words(stage: Stage, change: Advanced, seen: Seen): string {
  const { app, replicas, turns, ahead = '' } = seen;
  const { good, failed } = change;
  const what = `${short(change.revision)} (${app.spec.image})`;
  const before = `${short(good.origin.revision)} (${good.spec.image})`;
  const wants = new Map(turns.map(({ id, want }) => [id, want]));
  const have = replicas.filter((one) => versionOf(one) === versionOf(wants.get(one.id) ?? one)).length;
  const some = `${String(have)} of ${counted(app.spec.replicas, 'replica')}`;
  const gaveUp = `${what} was given up, ${failed?.why ?? ''}`;
  const first = (canariesOf(app.spec, change, turns) ?? []).map(({ id }) => id).join(', ');
  switch (stage) {
    case 'frozen':
      return `${some} have ${what}; what is left of the change waits until ${app.name} goes on (spec.frozen)`;
    case 'queued':
      return `${what} waits until ${ahead} is done, which changes with the same revision and is less critical`;
    case 'canary':
      return `${what} goes to ${first} first; the others wait until that serves`;
    case 'paused':
      return `${what} serves in ${first} since ${timeOf(change.canaryAt)}; the others wait ${untilWhen(change, app.spec)}`;
    case 'rolling':
      return `${some} have ${what}`;
    case 'stopped':
      return `${gaveUp}; ${some} have it and no more get it: commit another change of the App, or its revert`;
    case 'reverting':
      return `${gaveUp}; its replicas go back to ${before}${standsStill(seen) ? `, once ${app.name} goes on (spec.frozen)` : ''}`;
    case 'reverted':
      return `${gaveUp}; all replicas${turns.some(({ lost }) => lost) ? ' on hosts that are heard of' : ''} run ${before} until Git says something else`;
    default:
      return stage satisfies never;
  }
}

function timeOf(ms = 0): string {
  return new Date(ms).toISOString();
}

function untilWhen({ canaryAt = 0 }: Advanced, { rollout }: AppSpec): string {
  const pause = rollout?.canary?.pause ?? 'forever';
  if (pause !== 'forever') return `until ${timeOf(canaryAt + pause)}`;
  return 'for Git: shorten spec.rollout.canary.pause, or leave spec.rollout.canary out';
}

function dueAt(change: Advanced, stage: Stage, { app, judgeFrom = 0 }: Seen): number | undefined {
  const { rollout } = app.spec;
  const { version, good, canaryAt, stuckSince, failed } = change;
  if (failed || versionOf(good) === version) return undefined;
  const pause = rollout?.canary?.pause;
  const resumes = stage === 'paused' && typeof pause === 'number' ? (canaryAt ?? 0) + pause : Infinity;
  const deadline = rollout?.progressDeadline ?? Infinity;
  const givesUp = stuckSince === undefined ? Infinity : Math.max(stuckSince + deadline, judgeFrom);
  const next = Math.min(resumes, givesUp);
  return next === Infinity ? undefined : next;
}
