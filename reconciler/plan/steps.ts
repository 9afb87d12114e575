import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { attemptOf } from '../model/release.ts';
import type { RolloutRecord } from '../model/release.ts';
import type { AssignedReplica } from '../model/replica.ts';
import { formatDuration } from '../model/units.ts';
import { counted } from '../model/words.ts';
import { isNew } from './advance.ts';
import { givesMore } from './forms.ts';
import { outdated, sameMake, turnsOf } from './turns.ts';
import type { Turn, TurnsInput } from './turns.ts';

/** Replicas that are changed together. */
export interface Step {
  readonly replicas: readonly string[];
  readonly canary?: true;
  /** What comes after it, milliseconds; `forever` waits for Git. */
  readonly pause?: number | 'forever';
}

/** How a change of one App that takes turns will go, if all goes well. */
export interface RolloutPlan {
  readonly app: string;
  readonly zone: string;
  readonly level: number;
  readonly maxUnavailable: number;
  readonly minReady: number;
  readonly progressDeadline?: number;
  readonly autoRevert?: boolean;
  /** No container is replaced by it. */
  readonly inPlace?: true;
  /** What its Zone lets be away at once. */
  readonly budget?: string;
  /** Apps that go before it. */
  readonly after: readonly string[];
  /** Empty where nothing more is done: see `givenUp`. */
  readonly steps: readonly Step[];
  /** This change has begun already: where it is. */
  readonly underWay?: string;
  /** This change was tried already, with what became of it. */
  readonly givenUp?: string;
  /** It stands still until its App goes on. */
  readonly frozen?: true;
}

export interface StepsInput extends Pick<TurnsInput, 'placements' | 'current' | 'network' | 'told'> {
  readonly catalog: Catalog;
  readonly records: readonly RolloutRecord[];
}

/** The record of an App, if it is of the very change that Git asks for. */
export function recordOf(app: Resource<AppSpec>, records: readonly RolloutRecord[]): RolloutRecord | undefined {
  const record = records.find((one) => one.app === app.name);
  return record?.attempt === attemptOf(app.spec) ? record : undefined;
}

/** The rollouts that a catalog leads to, the first to go first. */
export function stepsOf(input: StepsInput): readonly RolloutPlan[] {
  const plans = [...input.catalog.apps.values()].flatMap((app) => planOf(input, app) ?? []);
  plans.sort((a, b) => (a.zone === b.zone ? b.level - a.level || (a.app < b.app ? -1 : 1) : a.zone < b.zone ? -1 : 1));
  const { apps, revision } = input.catalog;
  const careful = ({ app }: RolloutPlan): boolean => apps.get(app)?.spec.rollout !== undefined;
  const begun = new Map(input.records.map((record) => [record.app, record.revision]));
  const since = ({ app, underWay }: RolloutPlan): string => (underWay && begun.get(app)) ?? revision;
  return plans.map((plan) => {
    const before = (one: RolloutPlan): boolean =>
      careful(one) && one.zone === plan.zone && one.level > plan.level && since(one) === since(plan);
    return careful(plan) ? { ...plan, after: plans.filter(before).map(({ app }) => app) } : plan;
  });
}

function planOf(input: StepsInput, app: Resource<AppSpec>): RolloutPlan | undefined {
  const { name, spec } = app;
  const record = recordOf(app, input.records);
  const turns = turnsOf({ ...input, app, reports: new Map(), late: new Set() });
  const stale = staleOf(turns);
  if (stale.length === 0) return undefined;
  const { rollout, zone, level, maxUnavailable } = spec;
  const steps = record?.failed ? [] : stepsIn(app, stale, turns, record);
  const inPlace = stale.every(({ last, want }) => sameMake(last, want));
  const frozen = spec.frozen === true && (rollout !== undefined || !inPlace);
  if (steps.length < 2 && !rollout && !frozen) return undefined;
  return {
    app: name,
    zone,
    level,
    maxUnavailable,
    minReady: rollout?.minReady ?? 0,
    ...(rollout?.progressDeadline === undefined
      ? {}
      : { progressDeadline: rollout.progressDeadline, autoRevert: rollout.autoRevert }),
    ...(inPlace ? { inPlace } : {}),
    ...(frozen ? { frozen } : {}),
    ...budgetOf(input, zone),
    after: [],
    steps,
    ...(record ? { [record.failed ? 'givenUp' : 'underWay']: record.message } : {}),
  };
}

function budgetOf({ catalog }: StepsInput, zone: string): Pick<RolloutPlan, 'budget'> {
  const most = catalog.zones.get(zone)?.spec.disruption?.maxUnavailable;
  if (!most) return {};
  return { budget: 'count' in most ? counted(most.count, 'replica') : `${String(most.percent)}% of its replicas` };
}

/** The replicas that are something else where they are placed, by ordinal. */
function staleOf(turns: readonly Turn[]): readonly Stale[] {
  return turns.flatMap(({ home, last, want }) =>
    home && last && want && outdated(last, want) ? [{ last, want }] : [],
  );
}

interface Stale {
  readonly last: AssignedReplica;
  readonly want: AssignedReplica;
}

function stepsIn(
  { spec }: Resource<AppSpec>,
  stale: readonly Stale[],
  turns: readonly Turn[],
  record: RolloutRecord | undefined,
): readonly Step[] {
  const { maxUnavailable, rollout } = spec;
  const due = stale.map(({ want }) => want.id);
  const went = turns.filter((turn) => isNew(turn, '')).length;
  // what only gives more is tried once, then it is everybody's
  if (stale.every(({ last, want }) => sameMake(last, want) && givesMore(last, want))) {
    const first = Math.max(0, maxUnavailable - went);
    return [due.slice(0, first), due.slice(first)].filter(({ length }) => length > 0).map((replicas) => ({ replicas }));
  }
  const first = rollout?.canary && record?.canaryDone !== true ? Math.max(0, rollout.canary.replicas - went) : 0;
  const canaries = inChunks(due.slice(0, first), maxUnavailable).map((replicas): Step => ({ replicas, canary: true }));
  const last = canaries.pop();
  const pause = rollout?.canary?.pause;
  if (last) canaries.push({ ...last, ...(pause === undefined ? {} : { pause }) });
  return [...canaries, ...inChunks(due.slice(first), maxUnavailable).map((replicas) => ({ replicas }))];
}

function inChunks(items: readonly string[], size: number): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}

/** Steps beyond this are counted, not named. */
const NAMED = 5;

/** A rollout as a person reads it. */
export function stepLines(plan: RolloutPlan): readonly string[] {
  const { app, zone, level, steps, after, givenUp, underWay, minReady, progressDeadline } = plan;
  const head = `rollout ${app} (zone ${zone}, level ${String(level)})`;
  if (givenUp !== undefined) return [head, `      ${givenUp}`];
  const replicas = steps.reduce((sum, step) => sum + step.replicas.length, 0);
  const rest = steps.slice(NAMED).reduce((sum, step) => sum + step.replicas.length, 0);
  return [
    `${head}: ${counted(replicas, 'replica')}${plan.inPlace ? ' in place' : ''}, ${pace(plan)}${after.length > 0 ? `, after ${after.join(', ')}` : ''}`,
    ...(underWay === undefined ? [] : [`      ${underWay}`]),
    ...steps.slice(0, NAMED).map((step, at) => `      ${String(at + 1)}. ${stepLine(step)}`),
    ...(rest > 0 ? [`      … ${counted(steps.length - NAMED, 'more step')}, ${counted(rest, 'replica')}`] : []),
    ...(plan.frozen ? [`      waits until ${app} goes on (spec.frozen)`] : []),
    ...(plan.budget === undefined ? [] : [`      Zone ${zone} lets ${plan.budget} be away at a time, of all Apps`]),
    ...(minReady > 0 ? [`      each counts once it has been ready for ${formatDuration(minReady)}`] : []),
    ...(progressDeadline === undefined
      ? []
      : [
          `      without progress for ${formatDuration(progressDeadline)} ${plan.autoRevert === true ? 'all go back to what they run now' : 'no more get it'}`,
        ]),
  ];
}

/** How many at a time; of what only gives more the others go together. */
function pace({ steps, maxUnavailable }: RolloutPlan): string {
  const more = steps.some(({ replicas }) => replicas.length > maxUnavailable);
  return more ? `${String(maxUnavailable)} first, then all others` : `${String(maxUnavailable)} at a time`;
}

function stepLine({ replicas, canary, pause }: Step): string {
  const wait = pause === 'forever' ? 'waits for Git' : `a pause of ${formatDuration(pause ?? 0)}`;
  return `${replicas.join(', ')}${canary ? ' (canary)' : ''}${pause === undefined ? '' : `, then ${wait}`}`;
}
