import type { AppSpec, Resource } from '../model/catalog.ts';
import { attemptOf, versionOf } from '../model/release.ts';
import type { Release, RolloutRecord } from '../model/release.ts';
import type { AssignedReplica } from '../model/replica.ts';
import { formatDuration } from '../model/units.ts';
import { givesMore } from './forms.ts';
import { backTo, releaseOf, sameMake, wantedRelease, type Turn, type TurnsInput } from './turns.ts';

/** A record before its stage is known and told. */
export type Advanced = Omit<RolloutRecord, 'stage' | 'until' | 'message'>;

export interface AdvanceInput extends Pick<TurnsInput, 'network'> {
  readonly app: Resource<AppSpec>;
  /** Of the last pass; undefined unless a change was on its way, or given up. */
  readonly record: RolloutRecord | undefined;
  /** The revision that the App is of. */
  readonly revision: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Nothing is given up before: hosts may have had no way to say how they are. At any time, if absent. */
  readonly judgeFrom?: number;
  readonly turns: readonly Turn[];
  /** Where it leads, not the next step: no block, limit or frozen App keeps anything, and what was given up leads nowhere. */
  readonly whole?: boolean;
}

type Assigned = Turn & { readonly last: AssignedReplica };

function assigned(turns: readonly Turn[]): readonly Assigned[] {
  return turns.filter((turn): turn is Assigned => turn.last !== undefined);
}

/** Whether a replica was last given what Git says, as far as its place has room for it, wherever it was placed then. */
export function isNew({ last, want }: Turn, version: string): boolean {
  return last !== undefined && versionOf(last) === (want ? versionOf(want) : version);
}

/** Whether it was last given what ran before a change. */
export function isGood({ last, want }: Turn, good: Release): boolean {
  return last !== undefined && versionOf(last) === versionOf(want ? backTo(want, good, last) : good);
}

/**
 * Whether an App stands still, or is only told now to go on: its replicas count as serving, and may never have run as they are
 * made, so that nothing proves anything.
 */
export function standsStill({ app, turns, whole = false }: Pick<AdvanceInput, 'app' | 'turns' | 'whole'>): boolean {
  return !whole && (app.spec.frozen === true || turns.some(({ last }) => last?.spec.frozen === true));
}

/**
 * What to remember of an App's change after a look at its replicas; undefined when there is none. Another version in Git
 * supersedes it, with the same to go back to; another try of a version that failed begins anew. While the App stands still, so does
 * its change, and what was being waited for begins anew when it goes on.
 */
export function advance(input: AdvanceInput): Advanced | undefined {
  const { app, turns, now } = input;
  // where nothing is asked for nothing is left to change
  if (!app.spec.rollout || app.spec.replicas === 0 || goesAtOnce(input)) return undefined;
  const begun = tried(begin(input), turns);
  if (!begun) return undefined;
  if (standsStill(input)) return isUndone(begun, turns) || losesNobody(begun, turns) ? undefined : withoutClocks(begun);
  if (isDone(begun, turns)) return undefined;
  const { version } = begun;
  const given = turns.filter((turn) => isNew(turn, version));
  const served = given.filter(({ word }) => word === 'serves');
  const further = given.length > begun.given || served.length > begun.served;
  const { stuckSince = now, canaryAt: _before, ...rest } = begun;
  const stuck = given.some(({ word }) => word === 'fails');
  return giveUp(
    {
      ...rest,
      given: Math.max(begun.given, given.length),
      served: Math.max(begun.served, served.length),
      ...(stuck ? { stuckSince: further ? now : stuckSince } : {}),
      ...canaryState(begun, canariesOf(app.spec, begun, turns), app.spec, now),
      ...(begun.failed ? { failed: { ...begun.failed, back: begun.failed.back || isBack(begun, turns) } } : {}),
    },
    input,
  );
}

/**
 * What to remember of an App without a block that stands still while its replicas wait for new containers: what they are, for one that
 * moves meanwhile or comes new.
 */
export function keptStill(input: AdvanceInput): Advanced | undefined {
  const { app, network, record, revision, turns } = input;
  if (app.spec.rollout || app.spec.replicas === 0 || !standsStill(input)) return undefined;
  const wanted = wantedRelease({ app, network }, app.spec.network);
  const waits = ({ last, want, placement }: Turn): boolean =>
    last ? !sameMake(last, want ?? wanted) : placement !== undefined;
  const good = record?.good ?? bestOf(assigned(turns).filter(waits));
  if (!good || !turns.some(waits)) return undefined;
  const version = versionOf(wanted);
  const since = record?.version === version ? record.revision : revision;
  return { app: app.name, version, attempt: attemptOf(app.spec), revision: since, given: 0, served: 0, good };
}

/** Whether all replicas take up at once what Git says, since it is asked where that leads. */
export function goesAtOnce({ app, record, whole = false }: Pick<AdvanceInput, 'app' | 'record' | 'whole'>): boolean {
  return whole && !(record?.failed && record.attempt === attemptOf(app.spec));
}

/** Nobody serves, or might for all that is known. */
function serveNobody(turns: readonly Turn[]): boolean {
  return turns.every(({ last, health }) => !last || health.down);
}

/** It served nobody when its change began, nor has it since; what was given up stays so. */
function losesNobody({ untried, failed }: Advanced, turns: readonly Turn[]): boolean {
  return untried === true && !failed && serveNobody(turns);
}

/** One of which nobody has heard yet as what it was made. */
const isUntried = ({ last, home, report, word }: Turn): boolean =>
  last === undefined || (home && (report ? !report.ready : word === 'late'));

/** Once a replica served, whatever it was then, there is something to lose. */
function tried(change: Advanced | undefined, turns: readonly Turn[]): Advanced | undefined {
  if (!change?.untried || !turns.some(({ report }) => report?.ready)) return change;
  const { untried: _untried, ...rest } = change;
  return rest;
}

function begin(input: AdvanceInput): Advanced | undefined {
  const { app, network, record: kept, revision, turns, now } = input;
  const version = versionOf(wantedRelease({ app, network }, app.spec.network));
  const attempt = attemptOf(app.spec);
  const record = kept?.version === '' && kept.attempt === attempt ? { ...kept, version } : kept;
  if (record?.version === version && record.attempt === attempt) return notAhead(withoutWords(record), now);
  const fresh = { app: app.name, version, attempt, revision, given: 0, served: 0 };
  if (record?.version === version && !record.failed) {
    const { stuckSince: _clock, ...rest } = withoutWords(record);
    return { ...rest, attempt, given: 0, served: 0 };
  }
  if (record) return { ...fresh, good: record.good, ...(record.untried ? { untried: true } : {}) };
  const other = assigned(turns).filter((turn) => !isNew(turn, version));
  // one that came up nowhere yet is made as it is to be, to stand still then: there is nothing to go back to
  const nowhere = standsStill(input) && serveNobody(turns);
  const good = nowhere ? undefined : bestOf(other);
  return good && { ...fresh, good, ...(turns.every(isUntried) ? { untried: true } : {}) };
}

/** What seems to have begun later was noted by a controller whose clock goes ahead: it begins now, and not in an hour. */
function notAhead({ canaryAt, stuckSince, ...rest }: Advanced, now: number): Advanced {
  return {
    ...rest,
    ...(canaryAt === undefined ? {} : { canaryAt: Math.min(canaryAt, now) }),
    ...(stuckSince === undefined ? {} : { stuckSince: Math.min(stuckSince, now) }),
  };
}

function withoutClocks({ canaryAt: _watched, stuckSince: _patience, ...rest }: Advanced): Advanced {
  return rest;
}

function withoutWords({ stage: _stage, until: _until, message: _message, ...rest }: RolloutRecord): Advanced {
  return rest;
}

/** What most of them serve; where none serves, what most were given. */
function bestOf(turns: readonly Assigned[]): Release | undefined {
  const counts = new Map<string, { readonly first: Turn; count: number }>();
  for (const turn of turns) {
    const version = versionOf(turn.last);
    const one = counts.get(version) ?? { first: turn, count: 0 };
    one.count += turn.word === 'serves' ? turns.length + 1 : 1;
    counts.set(version, one);
  }
  const [best] = [...counts.values()].sort((a, b) => b.count - a.count);
  return best && releaseOf(best.first);
}

/** Whether all that have a place were given it and serve it, but for those of which nothing is heard. */
function allRun(given: (turn: Turn) => boolean, turns: readonly Turn[]): boolean {
  const placed = turns.filter(({ placement }) => placement !== undefined);
  const runs = (turn: Turn): boolean => turn.word === 'serves' || turn.word === 'silent' || turn.lost;
  return placed.every((turn) => given(turn) && runs(turn)) && placed.some(({ word }) => word === 'serves');
}

/** Whether all run what ran before. Lost hosts are told that when they are back, which may be never. */
function isBack({ good }: Advanced, turns: readonly Turn[]): boolean {
  return allRun((turn) => turn.lost || isGood(turn, good), turns);
}

function isDone({ version }: Advanced, turns: readonly Turn[]): boolean {
  return allRun((turn) => isNew(turn, version), turns);
}

/** Whether Git says again what all replicas were told before a change. */
function isUndone({ version, good }: Advanced, turns: readonly Turn[]): boolean {
  return versionOf(good) === version && turns.every((turn) => turn.last === undefined || isNew(turn, version));
}

/** Whether a change only lets replicas do more than before it. */
function isGrowth({ good }: Advanced, turns: readonly Turn[]): boolean {
  const want = turns.find((turn) => turn.want)?.want;
  return want !== undefined && sameMake(good, want) && givesMore(good, want);
}

/** The replicas that go first: those that went already, then by ordinal. Undefined where all may go. */
export function canariesOf(
  { rollout }: AppSpec,
  change: Advanced,
  turns: readonly Turn[],
): readonly Turn[] | undefined {
  const { version, good, canaryDone } = change;
  // the way back to what ran before needs no trial, nor does what only gives more
  if (!rollout?.canary || canaryDone || versionOf(good) === version || isGrowth(change, turns)) return undefined;
  const placed = turns.filter(({ placement }) => placement !== undefined);
  const went = placed.filter((turn) => isNew(turn, version));
  return [...went, ...placed.filter((turn) => !went.includes(turn))].slice(0, rollout.canary.replicas);
}

function canaryState(
  { version, canaryAt }: Advanced,
  canaries: readonly Turn[] | undefined,
  { rollout }: AppSpec,
  now: number,
): Pick<RolloutRecord, 'canaryAt' | 'canaryDone'> {
  if (!canaries?.length || !canaries.every((turn) => isNew(turn, version) && turn.word === 'serves')) return {};
  const since = canaryAt ?? now;
  const pause = rollout?.canary?.pause ?? 'forever';
  return { canaryAt: since, ...(pause !== 'forever' && now >= since + pause ? { canaryDone: true } : {}) };
}

function giveUp(change: Advanced, { app, turns, now, judgeFrom = 0 }: AdvanceInput): Advanced {
  const { progressDeadline } = app.spec.rollout ?? {};
  const { failed, stuckSince, version, good } = change;
  if (failed || progressDeadline === undefined || stuckSince === undefined) return change;
  if (now < judgeFrom || now - stuckSince < progressDeadline || versionOf(good) === version) return change;
  const culprit = turns.find((turn) => isNew(turn, version) && turn.word === 'fails');
  const { reason, message = '' } = culprit?.report ?? {};
  const trouble = reason === undefined ? 'does not serve' : `${reason}${message === '' ? '' : `: ${message}`}`;
  const why = `no progress for ${formatDuration(progressDeadline)}: ${culprit?.id ?? ''} ${trouble}`;
  return { ...change, failed: { at: now, why, back: false } };
}
