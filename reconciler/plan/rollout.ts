import type { AppSpec } from '../model/catalog.ts';
import { mayLeaveWithin } from '../model/disruption.ts';
import type { Disruption } from '../model/disruption.ts';
import { formOf } from '../model/form.ts';
import { goesBack } from '../model/release.ts';
import type { Release, RolloutRecord } from '../model/release.ts';
import { incarnationOf } from '../model/rollout.ts';
import type { Standing } from '../model/rollout.ts';
import type { AssignedReplica } from '../model/replica.ts';
import { advance, canariesOf, goesAtOnce, isGood, isNew, keptStill, standsStill } from './advance.ts';
import type { AdvanceInput, Advanced } from './advance.ts';
import { tellChange } from './tell.ts';
import { givesMore } from './forms.ts';
import { backTo, keeping, keepingNetwork, outdated, releaseOf, sameMake, turnsOf } from './turns.ts';
import type { Turn, TurnsInput } from './turns.ts';

export interface RolloutInput extends TurnsInput, Omit<AdvanceInput, 'turns'> {
  /** A less critical App of the same Zone that changes with that revision and is not done, if there is one. */
  readonly ahead: (revision: string) => string | undefined;
  /** Whether replicas may be plugged in as a Network says by now: another App tries it first. */
  readonly mayPlug: (network: string) => boolean;
  /** What of the Zone may be taken away; what this App takes is spent. */
  readonly disruption: Disruption;
}

/** How far an App is: for status. */
export interface Progress {
  readonly app: string;
  /** Replicas that are assigned what Git says. */
  readonly updated: number;
  readonly total: number;
  /** Replicas whose turn has not come, or that go back. */
  readonly waiting: readonly string[];
  /** Replicas that must serve before the next may go. */
  readonly waitingFor: readonly string[];
  /** Its Zone lets no more be away now, in words. */
  readonly full?: string;
}

export interface Rollout {
  /** What each placed replica is to be now, by ordinal. */
  readonly replicas: readonly AssignedReplica[];
  readonly progress: Progress;
  /** What must be remembered until the next pass. */
  readonly record?: RolloutRecord;
}

/** Which replicas may be given something new now, and what. */
interface Gate {
  readonly change: Advanced | undefined;
  readonly back: boolean;
  readonly open: (turn: Turn) => boolean;
}

function gateOf(input: RolloutInput, change: Advanced | undefined, turns: readonly Turn[], ahead?: string): Gate {
  const { spec } = input.app;
  const still = standsStill({ ...input, turns });
  if (!change) return { change, back: false, open: still ? losesNothing(spec) : () => true };
  const back = goesBack(change, spec);
  if (still) return { change, back, open: () => false };
  const canaries = canariesOf(spec, change, turns);
  const mended = mendedNow(input, change, turns, ahead);
  const inTurn = (turn: Turn): boolean => ahead === undefined && (canaries?.includes(turn) ?? true);
  const open = (turn: Turn): boolean => back || (change.failed === undefined && (inTurn(turn) || mended(turn)));
  return { change, back, open };
}

/** While an App stands still: what is held to other limits where it is, and what is known to serve nobody. */
function losesNothing({ frozen }: AppSpec): Gate['open'] {
  return ({ home, health, last, want }) => {
    if (!home || !last || !want) return false;
    return health.down || (frozen === true && sameMake(last, want));
  };
}

/**
 * Whether a replica need not wait for its turn: where no more may be taken away and nothing is under way, those whose turn it is wait
 * for what is known to serve nobody, so that this must not wait for them.
 */
function mendedNow(
  { app, disruption }: RolloutInput,
  change: Advanced,
  turns: readonly Turn[],
  ahead: string | undefined,
): (turn: Turn) => boolean {
  const { zone, maxUnavailable } = app.spec;
  const away = turns.filter(({ health }) => health.away).length;
  const full = disruption.left(zone) <= 0 || (ahead === undefined && away >= maxUnavailable);
  const underway = turns.some((turn) => isNew(turn, change.version) && turn.word !== 'serves');
  return (turn) => full && !underway && turn.home && turn.word === 'fails' && servesNobody(change, turn);
}

/**
 * What each replica of an App is to be now. A change of what makes or holds a replica reaches at most `maxUnavailable` at a
 * time, counting all that are not known to serve as they were last told; the next go when those do, so that an image that never
 * becomes Ready, or a limit that no host can hold, stays with those. One that only gives more goes to all others once
 * `maxUnavailable` of them serve with it. All other changes reach all replicas at once.
 *
 * With a `rollout` block some go first, and what does not get on is given up: then all are to be what they were before.
 *
 * While an App stands still no container that serves is replaced, and with a `rollout` block nothing is changed that takes turns.
 */
export function rollout(input: RolloutInput): Rollout {
  const { app } = input;
  const turns = turnsOf(input);
  const change = advance({ ...input, turns });
  const ahead = change && input.ahead(change.revision);
  const gate = gateOf(input, change, turns, ahead);
  const courses = turns.flatMap((turn) => courseOf(input, gate, turn));
  const going = leaving(input, turns, courses, gate);
  const noted = change ?? keptStill({ ...input, turns });
  const replicas = courses.map((course) => given(course, going, gate, noted?.good));
  // one whose placement is still in the old Network waits for place to move it
  const moves = ({ turn }: Course): boolean => turn.placement?.network !== app.spec.network;
  const waiting = courses.flatMap((course, at) => {
    const now = replicas[at];
    const updated = now === course.want || (now !== undefined && !outdated(now, course.want));
    return updated && !moves(course) ? [] : [course.turn.id];
  });
  const full =
    waiting.length > 0 && !standsStill({ ...input, turns }) ? input.disruption.why(app.spec.zone) : undefined;
  const progress: Progress = {
    app: app.name,
    updated: replicas.length - waiting.length,
    total: app.spec.replicas,
    waiting,
    waitingFor:
      waiting.length === 0 ? [] : turns.filter(({ id, health }) => health.away || going.has(id)).map(({ id }) => id),
    ...(full === undefined ? {} : { full }),
  };
  return {
    replicas,
    progress,
    ...(noted ? { record: tellChange(noted, { ...input, turns, replicas, ahead }) } : {}),
  };
}

/** Where a placed replica goes. */
interface Course {
  readonly turn: Turn;
  /** As Git says. */
  readonly want: AssignedReplica;
  /** The same, or what ran before it. */
  readonly aim: AssignedReplica;
  /** Its host has another version of it. */
  readonly stale: boolean;
}

function courseOf(input: RolloutInput, { change, back }: Gate, turn: Turn): readonly Course[] {
  const { want, last, home } = turn;
  if (!want) return [];
  const aim = back && change ? backTo(want, change.good, last) : wired(input, turn, want);
  return [{ turn, want, aim, stale: home && last !== undefined && outdated(last, aim) }];
}

/** As wanted, but plugged in as before while another App tries what its Network says now. */
function wired({ mayPlug }: RolloutInput, turn: Turn, want: AssignedReplica): AssignedReplica {
  const { last, home } = turn;
  if (!last || !home || last.plug === want.plug || mayPlug(want.spec.network)) return want;
  return keepingNetwork(want, releaseOf(turn));
}

/** The replicas that are changed now for what they are to be. */
function leaving(
  input: RolloutInput,
  turns: readonly Turn[],
  courses: readonly Course[],
  { change, open }: Gate,
): ReadonlySet<string> {
  const { app, disruption } = input;
  const due = courses.filter((course) => course.stale && open(course.turn));
  const stale = new Set(due.map(({ turn }) => turn.id));
  if (stale.size === 0) return stale;
  const mended = new Set(due.filter(isMended).map(({ turn }) => turn.id));
  const standing = turns.map((turn): Standing => {
    const { id, health } = turn;
    const spent = change ? !isGood(turn, change.good) : mended.has(id);
    const down = change ? servesNobody(change, turn) : health.down;
    return { id, away: health.away, down, stale: stale.has(id), spent };
  });
  const { zone, maxUnavailable } = app.spec;
  const most = goesAtOnce(input) || proven(courses, due, maxUnavailable) ? Infinity : maxUnavailable;
  return mayLeaveWithin(standing, { zone, maxUnavailable: most }, disruption);
}

/** It serves, and is not held to what it was last told (a kernel refuses that, perhaps), which is not wanted any more: that is not waited for. */
function isMended({ turn: { report, last } }: Course): boolean {
  return report?.ready === true && last !== undefined && Boolean(report.form) && report.form !== formOf(last);
}

/** A change that only gives more has been tried on as many as may be away, or on all others: nothing is gained by going on slowly. */
function proven(courses: readonly Course[], due: readonly Course[], maxUnavailable: number): boolean {
  const grows = ({ turn: { last }, aim }: Course): boolean =>
    last !== undefined && sameMake(last, aim) && givesMore(last, aim);
  if (!due.every(grows)) return false;
  const serve = courses.filter(({ turn, aim, stale }) => !stale && !turn.health.away && turn.home && isAs(turn, aim));
  return serve.length >= maxUnavailable;
}

const isAs = ({ last }: Turn, aim: AssignedReplica): boolean => last !== undefined && !outdated(last, aim);

/** Making it anew costs nothing more. */
function servesNobody({ good }: Advanced, turn: Turn): boolean {
  return turn.health.down || (!isGood(turn, good) && knownUnready(turn));
}

/** Its host has asked it, as it was last assigned, and it is not ready. */
function knownUnready({ word, report, last }: Turn): boolean {
  if (word !== 'fails' || !report || !last || report.ready || report.unprobed) return false;
  return report.incarnation === incarnationOf(last);
}

/** What a replica is now: its aim when its turn has come, else what it was with what needs no turn. */
function given(
  { turn, aim, stale }: Course,
  going: ReadonlySet<string>,
  { open }: Gate,
  good: Release | undefined,
): AssignedReplica {
  const { id, last, home } = turn;
  if (stale && !going.has(id)) return keeping(aim, releaseOf(turn));
  const before = last ? releaseOf(turn) : good;
  return before && !home && !open(turn) ? backTo(aim, before, last) : aim;
}
