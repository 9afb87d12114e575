import { isDeepStrictEqual } from 'node:util';
import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { outdatedIn } from '../model/pool.ts';
import type { RolloutRecord, Stage } from '../model/release.ts';
import { sayingOf } from '../model/replica.ts';
import type { Placement } from '../model/replica.ts';
import { counted } from '../model/words.ts';
import { createWhereabouts } from '../model/whereabouts.ts';
import type { Whereabouts } from '../model/whereabouts.ts';
import { networkIn } from './plugging.ts';
import { lookBack, project } from './project.ts';
import type { ProjectInput } from './project.ts';
import type { Progress } from './rollout.ts';
import { recordOf, stepsOf } from './steps.ts';
import { outdated, turnsOf } from './turns.ts';
import type { Turn } from './turns.ts';

/** A replica of an App, and what it waits for. */
export interface Lined {
  readonly replica: string;
  readonly host?: string;
  /** The image that it was last told to run. */
  readonly image?: string;
  /** What of that is not as Git says, as fields of spec; empty where all is. */
  readonly differs: readonly string[];
  readonly serves: boolean;
  /** Which of the steps to come changes it, the first is 1. */
  readonly step?: number;
  /** Why it does not serve as Git says, in words. */
  readonly waits?: string;
}

/** The replicas of an App by ordinal, as a change of it reaches them. */
export interface Lineup {
  readonly app: string;
  /** How far it is, and what the next step waits for. */
  readonly message: string;
  /** Of a change that is under way or was given up, of an App with a `rollout` block. */
  readonly stage?: Stage;
  readonly revision?: string;
  /** When it goes on, or is given up, by itself, milliseconds since 1970. */
  readonly until?: number;
  /** Steps to come. */
  readonly steps: number;
  readonly replicas: readonly Lined[];
}

export type LineupInput = Pick<ProjectInput, 'placements' | 'previous' | 'reports' | 'lost' | 'records' | 'now'> & {
  readonly catalog: Catalog;
};

interface Seen {
  readonly app: Resource<AppSpec>;
  readonly turns: readonly Turn[];
  readonly progress: Progress | undefined;
  readonly record: RolloutRecord | undefined;
  readonly steps: readonly (readonly string[])[];
  readonly lost: ReadonlySet<string>;
  /** Whether Git asks for another place or address. */
  readonly isOutdated: (placement: Placement) => boolean;
}

/** Tells how far a change of an App is, and what each replica that is not yet as Git says waits for; undefined where Git has no such App. */
export function lineup(input: LineupInput, name: string): Lineup | undefined {
  const { catalog, records = [], lost = new Set() } = input;
  const app = catalog.apps.get(name);
  if (!app) return undefined;
  const at = createWhereabouts(input.placements, input.previous.values(), input.reports);
  // who else of its Zone changes takes of what that lets be away
  const others = [...catalog.apps.values()].filter(({ spec }) => spec.zone === app.spec.zone);
  const apps = new Set([...others.map((one) => one.name), ...records.map((record) => record.app)]);
  // whether it is to be given up is for its controller to say
  const next = project({ ...input, author: '', judgeFrom: Infinity, kept: at, scope: { apps, hosts: new Set() } });
  const known = recordOf(app, records);
  const seen: Seen = {
    app,
    ...turnsIn(input, at, app),
    progress: next.rollouts.find((one) => one.app === name),
    record: known ?? next.records.find((one) => one.app === name),
    lost,
    isOutdated: outdatedIn(catalog, app.spec),
  };
  const replicas = seen.turns.map((turn) => lined(seen, turn));
  const { stage, revision, until } = seen.record ?? {};
  return {
    app: name,
    message: messageOf(seen, replicas),
    ...(stage === undefined || revision === undefined ? {} : { stage, revision }),
    ...(until === undefined ? {} : { until }),
    steps: seen.steps.length,
    replicas,
  };
}

function turnsIn(input: LineupInput, at: Whereabouts, app: Resource<AppSpec>): Pick<Seen, 'turns' | 'steps'> {
  const { catalog, records = [] } = input;
  const placements = new Map<string, Placement>();
  for (const placement of at.placed(app.name).values())
    if (placement.yields === undefined) placements.set(placement.replica, placement);
  const before = lookBack(input, at, app.name, placements);
  const network = networkIn(catalog, at.assignments);
  const alone = { ...catalog, apps: new Map([[app.name, app]]) };
  const [plan] = stepsOf({ ...before, catalog: alone, network, records });
  return { turns: turnsOf({ ...before, app, network }), steps: plan?.steps.map(({ replicas }) => replicas) ?? [] };
}

function lined(seen: Seen, turn: Turn): Lined {
  const { id, placement, last, health } = turn;
  const elsewhere = misplaced(seen, turn);
  const differs = [...new Set([...differing(turn), ...elsewhere])].sort();
  const step = seen.steps.findIndex((replicas) => replicas.includes(id)) + 1;
  const away = health.away ? absence(seen, turn) : undefined;
  const own = differs.length > 0 ? (seen.record?.stage === 'reverting' ? away : turnText(seen, turn)) : away;
  const waits = elsewhere.length > 0 ? `it has yet to get another place: plumb explain ${id} says why` : own;
  return {
    replica: id,
    ...(placement ? { host: placement.host } : {}),
    ...(last ? { image: last.spec.image } : {}),
    differs,
    serves: !health.away,
    ...(step > 0 ? { step } : {}),
    ...(waits === undefined ? {} : { waits }),
  };
}

/** The fields of spec in which what it was last told, where it is, is not what Git says. */
function differing({ home, last, want }: Turn): readonly string[] {
  if (!home || !last || !want || !outdated(last, want)) return [];
  const [have, wish] = [last.spec, want.spec];
  const keys = [...new Set([...Object.keys(have), ...Object.keys(wish)])] as (keyof AppSpec)[];
  const fields = keys.filter((key) => !isDeepStrictEqual(have[key], wish[key])).sort();
  return last.plug === want.plug || fields.includes('network') ? fields : [...fields, 'network'];
}

/** The field of spec in which where it is placed is not what Git says. */
function misplaced({ app: { spec }, isOutdated }: Seen, { placement }: Turn): readonly string[] {
  if (!placement || !isOutdated(placement)) return [];
  return [placement.zone === spec.zone ? 'network' : 'zone'];
}

/** What keeps a replica from its turn. */
function turnText({ app, record, progress }: Seen, { id }: Turn): string {
  switch (record?.stage) {
    case 'frozen':
      return `${app.name} stands still (spec.frozen)`;
    case 'stopped':
      return 'no more get the change: it was given up';
    case 'reverted':
      return 'it is as before the change, which was given up';
    case 'queued':
      return 'a less critical App goes first';
    case 'paused':
      return 'the pause after the first ones is not over';
    default:
      break;
  }
  if (!progress?.waiting.includes(id)) return 'it is its turn';
  return keptBy(progress) ?? 'others go first';
}

/** So many are named. */
const NAMED = 5;

/** What keeps the next ones, in words. */
function keptBy({ full, waitingFor }: Progress): string | undefined {
  if (full !== undefined || waitingFor.length === 0) return full;
  const more = waitingFor.length > NAMED ? ` and ${counted(waitingFor.length - NAMED, 'other')}` : '';
  return `${waitingFor.slice(0, NAMED).join(', ')}${more} must serve first`;
}

/** Why one that was told what Git says does not serve. */
function absence({ lost }: Seen, { placement, last, home, word, report, id }: Turn): string {
  if (!placement) return `it has no host: plumb explain ${id} says why`;
  const { host, from } = placement;
  if (lost.has(host)) return `${host} is lost`;
  if (!home && from !== undefined) return `it moves from ${from}, which has not let it go`;
  if (!home || !last) return `${host} is to be told of it`;
  if (word === 'late') return `${host} has not said yet that it has done what it was told`;
  return report ? sayingOf(report) : `${host} has not said anything of it`;
}

function messageOf(seen: Seen, replicas: readonly Lined[]): string {
  const { app, record, progress, steps } = seen;
  const next = progress && progress.waiting.length > 0 ? keptBy(progress) : undefined;
  // who goes first is in the words of a canary
  if (record) return next !== undefined && record.stage === 'rolling' ? `${record.message}; ${next}` : record.message;
  const all = counted(app.spec.replicas, 'replica');
  const isMoving = seen.turns.some((turn) => misplaced(seen, turn).length > 0);
  const stale = replicas.filter(({ differs }) => differs.length > 0).length;
  if (stale > 0) {
    const left = steps.length > 1 ? `, ${String(steps.length)} steps to go` : '';
    return `${app.name}: ${String(stale)} of ${all} are not yet ${isMoving ? 'placed as' : 'told what'} Git says${left}${next === undefined ? '' : `; ${next}`}`;
  }
  const serve = replicas.filter(({ serves }) => serves).length;
  return `${app.name}: ${String(serve)} of ${all} serve as Git says`;
}
