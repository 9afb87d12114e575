import { goesBack, versionOf } from '../model/release.ts';
import type { RolloutRecord } from '../model/release.ts';
import { incarnationOf, mayLeave } from '../model/rollout.ts';
import type { Standing } from '../model/rollout.ts';
import type { AssignedReplica } from '../model/replica.ts';
import { advance, canariesOf, runs } from './advance.ts';
import type { AdvanceInput, Advanced } from './advance.ts';
import { tellChange } from './tell.ts';
import { keeping, outdated, turnsOf, wantedReplica } from './turns.ts';
import type { Turn, TurnsInput } from './turns.ts';

export interface RolloutInput extends TurnsInput, Omit<AdvanceInput, 'turns'> {
  /** A less critical App of the same Zone that changes with that revision and is not done, if there is one. */
  readonly ahead: (revision: string) => string | undefined;
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
  if (!change) return { change, back: false, open: () => true };
  const back = goesBack(change, spec);
  const canaries = canariesOf(spec, change, turns);
  const open = (turn: Turn): boolean =>
    back || (ahead === undefined && change.failed === undefined && (canaries?.includes(turn) ?? true));
  return { change, back, open };
}

/**
 * What each replica of an App is to be now. A change that only a new container can bring reaches at most `maxUnavailable`
 * replicas at a time, counting all that are not known to serve; the next go when those are Ready again, so that an image
 * that never becomes Ready stays with those. All other changes reach all replicas at once.
 *
 * With a `rollout` block some go first, and what does not get on is given up: then all are to be what they were before.
 */
export function rollout(input: RolloutInput): Rollout {
  const { app } = input;
  const turns = turnsOf(input);
  const change = advance({ ...input, turns });
  const ahead = change && input.ahead(change.revision);
  const gate = gateOf(input, change, turns, ahead);
  const courses = turns.flatMap((turn) => courseOf(input, gate, turn));
  const going = leaving(input, turns, courses, gate);
  const replicas = courses.map((course) => given(course, going, gate));
  // one whose placement is still in the old Network waits for place to move it
  const moves = ({ turn }: Course): boolean => turn.placement?.network !== app.spec.network;
  const waiting = courses.flatMap((course, at) => {
    const now = replicas[at];
    const updated = now === course.want || (now !== undefined && !outdated(now.spec, course.want.spec));
    return updated && !moves(course) ? [] : [course.turn.id];
  });
  const progress: Progress = {
    app: app.name,
    updated: replicas.length - waiting.length,
    total: app.spec.replicas,
    waiting,
    waitingFor:
      waiting.length === 0 ? [] : turns.filter(({ id, health }) => health.away || going.has(id)).map(({ id }) => id),
  };
  return { replicas, progress, ...(change ? { record: tellChange(change, { app, turns, replicas, ahead }) } : {}) };
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
  const { placement, last, home } = turn;
  if (!placement) return [];
  const want = wantedReplica(input, placement);
  const aim = back && change ? keeping(want, change.good) : want;
  return [{ turn, want, aim, stale: home && last !== undefined && outdated(last.spec, aim.spec) }];
}

/** The replicas that are taken away now for what they are to be. */
function leaving(
  { app }: RolloutInput,
  turns: readonly Turn[],
  courses: readonly Course[],
  { change, open }: Gate,
): ReadonlySet<string> {
  const stale = new Set(courses.filter((course) => course.stale && open(course.turn)).map(({ turn }) => turn.id));
  if (stale.size === 0) return stale;
  const good = change && versionOf(change.good.spec);
  const standing = turns.map((turn): Standing => {
    const { id, health } = turn;
    const spent = good !== undefined && !runs(turn, good);
    const down = health.down || (spent && knownUnready(turn));
    return { id, away: health.away, down, stale: stale.has(id), spent };
  });
  return mayLeave(standing, app.spec.maxUnavailable);
}

/** Its host has asked it, as it was last assigned, and it is not ready. */
function knownUnready({ word, report, last }: Turn): boolean {
  if (word !== 'fails' || !report || !last || report.ready || report.unprobed) return false;
  return report.incarnation === incarnationOf(last);
}

/** What a replica is now: its aim when its turn has come, else what it was with what needs no turn. */
function given({ turn, aim, stale }: Course, going: ReadonlySet<string>, { change, open }: Gate): AssignedReplica {
  const { id, last, home } = turn;
  if (stale && last && !going.has(id)) return keeping(aim, last);
  return change && !home && !open(turn) ? keeping(aim, last ?? change.good) : aim;
}
