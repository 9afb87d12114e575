import type { AppSpec, Resource } from '../model/catalog.ts';
import { demandOf } from './asks.ts';
import { choose } from './choose.ts';
import type { Group } from './group.ts';
import { settle } from './home.ts';
import { giveBack } from './marks.ts';
import { foundOf } from './misses.ts';
import { gaveUp } from './packing.ts';
import { preempt } from './preempt.ts';
import { preemptedText } from './make-room.ts';
import { arrive } from './room-below.ts';
import { nowhere } from './reasons.ts';
import type { Why } from './reasons.ts';
import { groupIn } from './run.ts';
import type { Run, Unplaceable } from './run.ts';
import { dryUntil, stillNowhere, unaddressed } from './still.ts';
import type { Wish } from './wishes.ts';
import { hostName } from './table.ts';
import type { Waiter } from './waiting.ts';

/** Why no replica of an App is placed, and what is to be remembered of that where nobody makes room for it. */
interface Failure {
  readonly why: Why;
  readonly waiter: Waiter;
}

function failure(run: Run, app: Resource<AppSpec>, group: Group): Failure {
  const { table, input } = run;
  const { spec } = app;
  const pool = run.pool(spec.network, spec.zone);
  const isDry = pool !== undefined && !pool.next();
  const row = isDry ? choose(table, group) : undefined;
  if (isDry && row !== undefined) {
    const { dry = [], ...waiter } = unaddressed(run, app, hostName(table, row), pool);
    const { why } = waiter;
    return { why, waiter: group.around ? { lacks: 'company', apps: [app], why, dry } : { ...waiter, dry } };
  }
  const candidates = run.candidates(spec);
  const found = foundOf(input.catalog, table, group, app, candidates);
  const why = nowhere(input.catalog, table, group, app, candidates, found);
  const known = { apps: [app], why, ...(isDry ? { dry: [dryUntil(input.catalog, spec.network, pool)] } : {}) };
  return {
    why,
    waiter: group.around ? { ...known, lacks: 'company' } : { ...known, lacks: 'room', candidates, found },
  };
}

/** Keeps count of what is still wanted. */
export function hadTurn({ wanted }: Run, { spec }: Resource<AppSpec>): void {
  const sum = wanted.get(spec.zone);
  const { cpu, memory } = demandOf(spec);
  if (sum) {
    sum.cpu -= cpu;
    sum.memory -= memory;
  }
}

/** What became of the wishes of one App. */
export interface Settled {
  readonly failed: readonly Unplaceable[];
  /** Replicas whose turn to move has not come. */
  readonly waiting: ReadonlySet<string>;
}

/** How many more replicas of an App may be moved. */
export function turnsLeft({ turns, disruption }: Run, { name, spec }: Resource<AppSpec>): number {
  return Math.min(turns.get(name) ?? 0, disruption.left(spec.zone));
}

/** Whether a replica may move now: at once, or because its turn has come. */
export function hasTurn(run: Run, app: Resource<AppSpec>, { replica, moves }: Wish): boolean {
  return moves !== 'in turn' || turnsLeft(run, app) > 0 || run.preempting.turned.has(replica);
}

const withoutTurn = (run: Run, app: Resource<AppSpec>, wishes: readonly Wish[]): readonly string[] =>
  wishes.filter((wish) => !hasTurn(run, app, wish)).map(({ replica }) => replica);

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
  const isAlone = app.spec.gang === undefined && wishes.length > 0;
  const known = isAlone && wishes.every(({ from }) => !from) ? stillNowhere(run, app) : undefined;
  if (known) return { failed: stillWithout(run, app, wishes, known), waiting };
  let failed: Failure | undefined;
  let hopes = false;
  run.preempting.hopeless = undefined;
  for (const wish of wishes) {
    if (!hasTurn(run, app, wish)) {
      run.preempting.waiting.set(wish.replica, app);
      waiting.add(wish.replica);
      continue;
    }
    yield turn;
    run.promise(wish.replica);
    const group = groupIn(run, app);
    // once one finds nothing, the next would not either, unless it brings its own room or others make it
    const isFirst = failed === undefined;
    if (!failed || wish.from) failed = settle(run, app, group, wish) ? undefined : failure(run, app, group);
    if (failed && isFirst && !wish.from) giveBack(run, app, withoutTurn(run, app, wishes));
    const made = failed && (!wish.from || wish.moves) ? preempt(run, app, wish) : undefined;
    if (made?.placed) failed = undefined;
    const home = failed ? undefined : run.book.placements.get(wish.replica);
    if (home && home !== wish.from) arrive(run, home);
    hadTurn(run, app);
    if (failed && group.pack) gaveUp(group.pack, group.demand);
    if (failed)
      unplaceable.push(unplaced(app, wish, { ...failed.why, ...(made ? preemptedText(failed.why, made) : {}) }));
    hopes ||= wish.from !== undefined || made?.waits !== undefined || made?.why !== undefined;
    if (wish.moves === 'in turn' && (!failed || made?.waits !== undefined)) takeTurn(run, app, wish.replica);
  }
  if (failed && isAlone && !hopes) run.waiting?.keep(failed.waiter);
  return { failed: unplaceable, waiting };
}

const unplaced = ({ name }: Resource<AppSpec>, { replica }: Wish, why: Why): Unplaceable => ({
  app: name,
  ...why,
  replica,
});

/** The same for an App that is known to find no room. */
function stillWithout(run: Run, app: Resource<AppSpec>, wishes: readonly Wish[], why: Why): readonly Unplaceable[] {
  for (let turns = wishes.length; turns > 0; turns -= 1) hadTurn(run, app);
  return wishes.map((wish) => unplaced(app, wish, why));
}
