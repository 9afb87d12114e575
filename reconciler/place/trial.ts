import { withoutBudgets } from '../model/disruption.ts';
import { addressKey } from '../model/addresses.ts';
import type { Book } from '../model/book.ts';
import type { AppSpec, Catalog, Resource } from '../model/catalog.ts';
import type { Delta } from '../model/reservations.ts';
import { finishRun } from './place.ts';
import { groundOver, inverse } from './ground.ts';
import { runOn, startRun } from './run.ts';
import type { Run, Unplaceable } from './run.ts';
import type { Survey } from './survey.ts';
import type { PlaceInput } from './input.ts';

/** A dry run of placing: nothing is committed. */
export interface Trial {
  /** The same question once all that was proposed is there: asked again, it proposes nothing. */
  readonly input: PlaceInput;
  readonly run: Run;
  readonly unplaceable: readonly Unplaceable[];
}

/** The catalog with other specs of some Apps. */
function withApps(catalog: Catalog, change: (app: Resource<AppSpec>) => Partial<AppSpec>): Catalog {
  const apps = [...catalog.apps].map(
    ([name, app]) => [name, { ...app, spec: { ...app.spec, ...change(app) } }] as const,
  );
  return { ...catalog, apps: new Map(apps) };
}

/** The catalog with other numbers of replicas. */
export function scaled(catalog: Catalog, replicas: ReadonlyMap<string, number>): Catalog {
  return withApps(catalog, ({ name, spec }) => ({ replicas: replicas.get(name) ?? spec.replicas }));
}

/**
 * Places as `place` does and foresees the end of it: no turn is waited for, and what nobody wants is gone. Nobody makes room for others, since
 * what is free is free, unless it is asked where that leads as well. Hosts are not asked, since what still runs on them says when, not whether.
 */
export function trial(asked: PlaceInput, preempts: NonNullable<PlaceInput['preempts']> = 'never'): Trial {
  const input: PlaceInput = { ...asked, preempts };
  const hurried = withApps(withoutBudgets(input.catalog), () => ({ maxUnavailable: Number.MAX_SAFE_INTEGER }));
  const run = startRun({ ...input, catalog: hurried, reports: [] });
  const unplaceable = finishRun(run);
  return { input: { ...input, snapshot: run.book, reports: [] }, run, unplaceable };
}

/** A change of the world that a trial foresaw. */
export interface Supposition {
  /** Hosts that are no more, with all that is on them. Their addresses are free. */
  readonly lost?: ReadonlySet<string>;
  /** Each finds a home for itself, though its gang may find none. */
  readonly alone?: boolean;
  /** App → replicas that want a home, by ordinal. */
  readonly wanted: ReadonlyMap<string, readonly string[]>;
}

/** The book, and how to take back what is applied to it from now on. */
function undoable(book: Book): { readonly book: Book; readonly undo: () => void } {
  const before: Delta[] = [];
  const apply = (deltas: readonly Delta[]): void => {
    for (const delta of deltas) {
      before.push(inverse(book, delta));
      book.apply([delta]);
    }
  };
  return { book: { ...book, apply }, undo: () => book.apply(before.reverse()) };
}

/** What makes a book forget hosts and what is on them. */
function lossOf(book: Book, lost: ReadonlySet<string>): readonly Delta[] {
  const gone = [...book.placements.values()].filter(({ host }) => lost.has(host));
  return [
    ...gone.flatMap(({ replica, network, address }): readonly Delta[] => [
      { type: 'placement', replica, placement: undefined },
      { type: 'address', key: addressKey(network, address), record: undefined },
    ]),
    ...[...lost].map((host): Delta => ({ type: 'host', host, record: undefined })),
  ];
}

function surveyOf({ run }: Trial, wanted: Supposition['wanted']): Survey {
  return {
    releases: [],
    leaving: [],
    kept: [],
    resizes: [],
    misplaced: [],
    outdated: [],
    wanted: new Map([...wanted].map(([app, wishes]) => [app, wishes.map((replica) => ({ replica }))])),
    apps: [...wanted.keys()],
    turns: new Map(),
    stuck: new Map(),
    yielding: new Set(),
    lost: run.survey.lost,
    disruption: run.survey.disruption,
    witness: run.survey.witness,
    health: run.survey.health,
  };
}

function withoutGang({ gang: _all, ...spec }: AppSpec): AppSpec {
  return spec;
}

/** Places what is wanted under a supposition, looks at the result, and takes all of it back. */
export function suppose<T>(at: Trial, { lost, wanted, alone }: Supposition, look: (after: Trial) => T): T {
  const { book, undo } = undoable(at.run.book);
  const single = ([name, app]: readonly [string, Resource<AppSpec>]): readonly [string, Resource<AppSpec>] =>
    alone && wanted.has(name) ? [name, { ...app, spec: withoutGang(app.spec) }] : [name, app];
  // all Apps, since others say whom one is to be near to and what comes first; looked at are those that want something
  const apps = new Map([...at.input.catalog.apps].map(single));
  const gangs = new Set(
    [...wanted.keys()].map((name) => apps.get(name)?.spec.gang).filter((gang) => gang !== undefined),
  );
  const mates = [...apps.values()].filter(({ spec }) => spec.gang !== undefined && gangs.has(spec.gang));
  const scope = { apps: new Set([...wanted.keys(), ...mates.map(({ name }) => name)]), hosts: new Set<string>() };
  const hosts = lost ? at.input.hosts.filter(({ record }) => !lost.has(record.host)) : at.input.hosts;
  const input = { ...at.input, catalog: { ...at.input.catalog, apps }, hosts, scope };
  try {
    if (lost) book.apply(lossOf(book, lost));
    const run = runOn(groundOver(input, book, { forGood: true }), input, surveyOf(at, wanted), at.run);
    const unplaceable = finishRun(run);
    return look({ input, run, unplaceable });
  } finally {
    undo();
  }
}

/** Why a replica of an App found no home; undefined when all did. */
export function refusal({ run, unplaceable }: Trial, app: string): Unplaceable | undefined {
  return unplaceable.find((one) => one.app === app && !run.book.placements.has(one.replica));
}

/** How many replicas of an App have a home. */
export function placedOf({ run }: Trial, app: string): number {
  let count = 0;
  for (const placement of run.book.placements.values()) if (placement.app === app) count += 1;
  return count;
}
