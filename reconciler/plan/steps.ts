import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import { attemptOf, versionOf } from '../model/release.ts';
import type { RolloutRecord } from '../model/release.ts';
import type { AssignedReplica, Placement } from '../model/replica.ts';
import { ordinalOf } from '../model/replica.ts';
import { sameHome } from '../model/rollout.ts';
import { formatDuration } from '../model/units.ts';
import { counted } from '../model/words.ts';
import { outdated } from './turns.ts';

/** Replicas that are changed together. */
export interface Step {
  readonly replicas: readonly string[];
  readonly canary?: true;
  /** What comes after it, milliseconds; `forever` waits for Git. */
  readonly pause?: number | 'forever';
}

/** How a change of one App that replaces containers will go, if all goes well. */
export interface RolloutPlan {
  readonly app: string;
  readonly zone: string;
  readonly level: number;
  readonly maxUnavailable: number;
  readonly minReady: number;
  readonly progressDeadline?: number;
  readonly autoRevert?: boolean;
  /** Apps that go before it. */
  readonly after: readonly string[];
  /** Empty where nothing more is done: see `givenUp`. */
  readonly steps: readonly Step[];
  /** This change has begun already: where it is. */
  readonly underWay?: string;
  /** This change was tried already, with what became of it. */
  readonly givenUp?: string;
}

export interface StepsInput {
  readonly catalog: Catalog;
  readonly placements: ReadonlyMap<string, Placement>;
  /** What replicas were last assigned. */
  readonly current: ReadonlyMap<string, AssignedReplica>;
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
  const due = staleOf(input, app);
  if (due.length === 0) return undefined;
  const { rollout, zone, level, maxUnavailable } = spec;
  const steps = record?.failed ? [] : stepsIn(input, app, due, record);
  if (steps.length < 2 && !rollout) return undefined;
  return {
    app: name,
    zone,
    level,
    maxUnavailable,
    minReady: rollout?.minReady ?? 0,
    ...(rollout?.progressDeadline === undefined
      ? {}
      : { progressDeadline: rollout.progressDeadline, autoRevert: rollout.autoRevert }),
    after: [],
    steps,
    ...(record ? { [record.failed ? 'givenUp' : 'underWay']: record.message } : {}),
  };
}

/** The replicas that run something else where they are placed, by ordinal. */
function staleOf({ placements, current }: StepsInput, { name, spec }: Resource<AppSpec>): readonly string[] {
  const stale = [...placements.values()].filter((placement) => {
    const last = placement.app === name ? current.get(placement.replica) : undefined;
    if (!last || ordinalOf(placement.replica) >= spec.replicas || !sameHome(last.placement, placement)) return false;
    return outdated(last.spec, { ...spec, network: placement.network });
  });
  return stale.map(({ replica }) => replica).sort((a, b) => ordinalOf(a) - ordinalOf(b));
}

function stepsIn(
  { current }: StepsInput,
  { name, spec }: Resource<AppSpec>,
  due: readonly string[],
  record: RolloutRecord | undefined,
): readonly Step[] {
  const { maxUnavailable, rollout } = spec;
  const all = [...current.values()].filter(({ app }) => app === name);
  const version = versionOf(spec);
  const went = all.filter((one) => versionOf(one.spec) === version).length;
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
  const { app, zone, level, maxUnavailable, steps, after, givenUp, underWay, minReady, progressDeadline } = plan;
  const head = `rollout ${app} (zone ${zone}, level ${String(level)})`;
  if (givenUp !== undefined) return [head, `      ${givenUp}`];
  const replicas = steps.reduce((sum, step) => sum + step.replicas.length, 0);
  const rest = steps.slice(NAMED).reduce((sum, step) => sum + step.replicas.length, 0);
  return [
    `${head}: ${counted(replicas, 'replica')}, ${String(maxUnavailable)} at a time${after.length > 0 ? `, after ${after.join(', ')}` : ''}`,
    ...(underWay === undefined ? [] : [`      ${underWay}`]),
    ...steps.slice(0, NAMED).map((step, at) => `      ${String(at + 1)}. ${stepLine(step)}`),
    ...(rest > 0 ? [`      … ${counted(steps.length - NAMED, 'more step')}, ${counted(rest, 'replica')}`] : []),
    ...(minReady > 0 ? [`      each counts once it has been ready for ${formatDuration(minReady)}`] : []),
    ...(progressDeadline === undefined
      ? []
      : [
          `      without progress for ${formatDuration(progressDeadline)} ${plan.autoRevert === true ? 'all go back to what they run now' : 'no more get it'}`,
        ]),
  ];
}

function stepLine({ replicas, canary, pause }: Step): string {
  const wait = pause === 'forever' ? 'waits for Git' : `a pause of ${formatDuration(pause ?? 0)}`;
  return `${replicas.join(', ')}${canary ? ' (canary)' : ''}${pause === undefined ? '' : `, then ${wait}`}`;
}
