import type { AppSpec, Resource } from '../model/catalog.ts';
import { preemptedText } from './make-room.ts';
import { preemptGang } from './preempt-gang.ts';
import { attempt } from './run.ts';
import type { Run, Unplaceable } from './run.ts';
import { hadTurn, settleApp } from './seat.ts';
import type { Settled } from './seat.ts';
import { keepGang, stillApart } from './still.ts';
import type { Wish } from './wishes.ts';

type Member = Resource<AppSpec>;

/** The Apps of a gang whose replicas are placed with those of this App, in the given order; itself alone without one. */
export function gangOf(apps: readonly Member[], app: Member): readonly Member[] {
  const { gang } = app.spec;
  return gang === undefined ? [app] : apps.filter(({ spec }) => spec.gang === gang);
}

/** Why those wait that would find a place by themselves. */
function held(gang: string, wish: Wish, app: string, failed: readonly Unplaceable[]): Unplaceable {
  const own = failed.find(({ replica }) => replica === wish.replica);
  const [first] = failed;
  const why = own ?? first;
  const message = `gang ${gang} is placed together or not at all. ${why?.message ?? ''}`;
  return { replica: wish.replica, app, reasons: own?.reasons ?? [], message };
}

/** An App whose replica moves: one of a gang does so alone, as the others have their places. */
export function asMover({ spec: { gang: _together, ...spec }, ...app }: Resource<AppSpec>): Resource<AppSpec> {
  return { ...app, spec };
}

/** Places those of a gang that have no place, all or none; gives what found nothing, and why. */
function* settleTogether(
  run: Run,
  members: readonly Member[],
  fresh: (app: Member) => readonly Wish[],
): Generator<{ readonly run: Run; readonly app: Member }, readonly Unplaceable[]> {
  const wanted = members.flatMap((app) => fresh(app).map(() => app));
  const known = wanted.length === 0 ? undefined : stillApart(run, members);
  if (known) {
    for (const app of wanted) hadTurn(run, app);
    return known;
  }
  const trial = attempt(run);
  const failed: Unplaceable[] = [];
  for (const app of members) {
    yield { run: trial.run, app };
    failed.push(...(yield* settleApp(trial.run, app, fresh(app))).failed);
  }
  if (failed.length === 0) {
    trial.keep();
    return failed;
  }
  trial.undo();
  const { placed, told } = preemptGang(run, members, fresh);
  if (placed) return [];
  const hopes = [...told.values()].some(({ waits, why }) => waits !== undefined || why !== undefined);
  if (!hopes) keepGang(run, members, failed);
  return failed.map((one) => ({ ...one, ...preemptedText(one, told.get(one.replica) ?? {}) }));
}

/**
 * Places the replicas of a gang that have no place, all or none, then lets those move that must. Where one finds nothing the
 * others are asked as well, so that all is told at once.
 */
export function* settleGang(
  run: Run,
  members: readonly Member[],
  wishesOf: (app: string) => readonly Wish[],
): Generator<{ readonly run: Run; readonly app: Member }, ReadonlyMap<string, Settled>> {
  const fresh = (app: Member): readonly Wish[] => wishesOf(app.name).filter(({ from }) => !from);
  const failed = yield* settleTogether(run, members, fresh);
  const settled = new Map<string, Settled>();
  for (const app of members) {
    const { gang = '' } = app.spec;
    const alone = failed.length === 0 ? [] : fresh(app).map((wish) => held(gang, wish, app.name, failed));
    const moves = wishesOf(app.name).filter(({ from }) => from);
    const moved = yield* settleApp(run, asMover(app), moves);
    settled.set(app.name, { failed: [...alone, ...moved.failed], waiting: moved.waiting });
  }
  return settled;
}
