import type { AppSpec, Resource } from '../model/catalog.ts';
import { choose } from './group.ts';
import type { Group } from './group.ts';
import { settle } from './home.ts';
import { gaveUp } from './packing.ts';
import { arrive, keepClaim, preempt, preemptedText } from './preempt.ts';
import { noAddress, nowhere } from './reasons.ts';
import { groupIn } from './run.ts';
import type { Run, Unplaceable } from './run.ts';
import type { Wish } from './survey.ts';

function failure(run: Run, app: Resource<AppSpec>, group: Group): Omit<Unplaceable, 'replica'> {
  const { table, input } = run;
  const pool = run.pool(app.spec.network, app.spec.zone);
  const dry = pool !== undefined && pool.next() === undefined && choose(table, group) !== undefined;
  const why = dry
    ? noAddress(input.catalog, app.spec.network, pool.count(), table)
    : nowhere(input.catalog, table, group, app, run.candidates(app.spec));
  return { app: app.name, ...why };
}

/** Keeps count of what is still wanted. */
function hadTurn({ wanted }: Run, { spec }: Resource<AppSpec>, { pack, demand }: Group, failed: boolean): void {
  const sum = wanted.get(spec.zone);
  if (sum) {
    sum.cpu -= demand.cpu;
    sum.memory -= demand.memory;
  }
  if (failed && pack) gaveUp(pack, demand);
}

/** What became of the wishes of one App. */
export interface Settled {
  readonly failed: readonly Unplaceable[];
  /** Replicas whose turn to move has not come. */
  readonly waiting: ReadonlySet<string>;
}

/** How many more replicas of an App may be moved. */
function turnsLeft({ turns, disruption }: Run, { name, spec }: Resource<AppSpec>): number {
  return Math.min(turns.get(name) ?? 0, disruption.left(spec.zone));
}

/** Whether a replica may move now: at once, or because its turn has come. */
export function hasTurn(run: Run, app: Resource<AppSpec>, { replica, moves }: Wish): boolean {
  return moves !== 'in turn' || turnsLeft(run, app) > 0 || run.preempting.turned.has(replica);
}

/** One that serves is taken away, or will be once others have made room for it: nobody else takes that turn. */
function takeTurn(run: Run, app: Resource<AppSpec>, replica: string): void {
  if (run.preempting.turned.has(replica)) return;
  run.preempting.turned.add(replica);
  run.turns.set(app.name, turnsLeft(run, app) - 1);
  run.disruption.spend(app.spec.zone);
  run.preempting.slack.delete(app.name);
}

/** Places the replicas of one App, each at its turn; tells of those that found nothing. */
export function* settleApp(
  run: Run,
  app: Resource<AppSpec>,
  wishes: readonly Wish[],
): Generator<{ readonly run: Run; readonly app: Resource<AppSpec> }, Settled> {
  const unplaceable: Unplaceable[] = [];
  const waiting = new Set<string>();
  const turn = { run, app };
  let failed: Omit<Unplaceable, 'replica'> | undefined;
  run.preempting.hopeless = undefined;
  for (const wish of wishes) {
    if (!hasTurn(run, app, wish)) {
      keepClaim(run, wish.replica);
      waiting.add(wish.replica);
      continue;
    }
    yield turn;
    run.promise(wish.replica);
    const group = groupIn(run, app);
    // once one finds nothing, the next would not either, unless it brings its own room or others make it
    if (!failed || wish.from) failed = settle(run, app, group, wish) ? undefined : failure(run, app, group);
    const made = failed && (!wish.from || wish.moves) ? preempt(run, app, wish) : undefined;
    if (made?.placed) failed = undefined;
    const home = failed ? undefined : run.book.placements.get(wish.replica);
    if (home && home !== wish.from) arrive(run, home);
    hadTurn(run, app, group, failed !== undefined);
    if (failed) unplaceable.push({ ...failed, ...(made ? preemptedText(failed, made) : {}), replica: wish.replica });
    if (wish.moves === 'in turn' && (!failed || made?.waits !== undefined)) takeTurn(run, app, wish.replica);
  }
  return { failed: unplaceable, waiting };
}
