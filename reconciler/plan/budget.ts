import type { FleetSpec } from '../model/catalog.ts';

/** How many replicas the budget lets go of `running` ones: a share is rounded down, but one may always go unless it is 0 %. */
export function allowance(deletions: FleetSpec['deletions'], running: number): number {
  if ('count' in deletions) return deletions.count;
  return deletions.percent === 0 ? 0 : Math.max(1, Math.floor((running * deletions.percent) / 100));
}

/** Replicas that would go for good: at once, or when nothing of them runs any more. */
export interface Going {
  readonly releases: readonly string[];
  readonly leaving: readonly string[];
}

export interface OverBudget {
  /** Replicas that stay although Git no longer asks for them. */
  readonly kept: ReadonlySet<string>;
  /** What is held and how to allow it. */
  readonly message: string;
}

/** All that would go, when it is more than the Fleet's deletion budget; undefined when it may go. */
export function overBudget(
  { releases, leaving }: Going,
  deletions: FleetSpec['deletions'],
  running: number,
  allowed: boolean,
): OverBudget | undefined {
  const gone = [...leaving, ...releases];
  const limit = allowance(deletions, running);
  if (allowed || gone.length <= limit) return undefined;
  const few = gone.slice(0, 3).join(', ') + (gone.length > 3 ? ', …' : '');
  const all = `${String(gone.length)} of ${String(running)} replicas would go (${few})`;
  return {
    kept: new Set(gone),
    message: `${all}, the budget allows ${String(limit)}; raise spec.budget.deletions of the Fleet, or run with --allow-deletions`,
  };
}
