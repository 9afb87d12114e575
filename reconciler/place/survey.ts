import type { AppSpec } from '../model/catalog.ts';
import { disruptionOf } from '../model/disruption.ts';
import type { Disruption } from '../model/disruption.ts';
import { fateOf } from '../model/fate.ts';
import type { Placement } from '../model/replica.ts';
import type { Health } from '../model/rollout.ts';
import { ownerTold } from '../model/whereabouts.ts';
import { viewsByName } from './hosts.ts';
import type { PlaceInput } from './input.ts';
import { witness, lingers, standingOf, type Witness } from './witness.ts';
import { misfit, type Misplaced } from './misplaced.ts';
import { reserving, resized, type Resize } from './resizes.ts';
import { askedBy, type Wish } from './wishes.ts';

/** What there is to do, before anybody looks for a host. */
export interface Survey {
  /** Placements to give up. */
  readonly releases: readonly Placement[];
  /** Unwanted replicas of which something still runs: they keep host and address until it is gone. */
  readonly leaving: readonly Placement[];
  /** No longer asked for, but errors in the repository forbid to remove them. */
  readonly kept: readonly Placement[];
  readonly resizes: readonly Resize[];
  /** App → replicas that want a host, by ordinal. */
  readonly wanted: ReadonlyMap<string, readonly Wish[]>;
  /** The Apps of the catalog that were looked at, by name. */
  readonly apps: readonly string[];
  readonly misplaced: readonly Misplaced[];
  /** App → how many more of its replicas that serve may be moved now. */
  readonly turns: ReadonlyMap<string, number>;
  /** Replicas on hosts that are drained and that cannot be moved now wherever there is room, and why. */
  readonly stuck: ReadonlyMap<string, string>;
  /** Replicas whose place or address is no longer what Git says. */
  readonly outdated: readonly string[];
  /** What of each Zone may be taken away. */
  readonly disruption: Disruption;
  /** Wanted replicas that give their places to others. */
  readonly yielding: ReadonlySet<string>;
  /** Hosts that are not heard of. */
  readonly lost: ReadonlySet<string>;
  /** By whom all that was seen. */
  readonly witness: Witness;
  /** How a replica does that is placed there. */
  readonly health: (replica: string, placement: Placement | undefined) => Health;
}

const NOBODY: ReadonlySet<string> = new Set();

/** The Apps that are looked at, in order of name. */
function namesOf({ catalog, scope }: PlaceInput, { whereabouts }: Witness): readonly string[] {
  return scope ? [...scope.apps].sort() : [...new Set([...catalog.apps.keys(), ...whereabouts.apps()])].sort();
}

/** Compares what is wanted with what is placed. Placements that need not change are sticky. */
export function survey(input: PlaceInput): Survey {
  const { catalog } = input;
  const seen = witness(input);
  const views = viewsByName(input.hosts);
  const releases: Placement[] = [];
  const leaving: Placement[] = [];
  const kept: Placement[] = [];
  const resizes: Resize[] = [];
  const misplaced: Misplaced[] = [];
  const yielding = new Set<string>();
  const names = namesOf(input, seen);
  const apps = names.flatMap((name) => catalog.apps.get(name) ?? []);
  const lost = new Set(input.hosts.filter((view) => view.lost).map(({ record }) => record.host));
  const disruption = disruptionOf(catalog, seen.whereabouts, lost);
  const asked = apps.map((app) => [app.name, askedBy(input, seen, views, app, disruption)] as const);
  const wanted = new Map(asked.map(([app, { wishes }]) => [app, wishes]));
  const turns = new Map(asked.map(([app, { turns: left }]) => [app, left]));
  const stuck = new Map(asked.flatMap(([, one]) => one.stuck));
  const outdated = asked.flatMap(([, one]) => one.outdated);
  const owners = { get: (app: string) => ownerTold(seen.whereabouts, app) };
  const look = (
    placement: Placement,
    spec: AppSpec | undefined,
    moving: ReadonlySet<string>,
    isRight: ReturnType<typeof reserving> | undefined,
  ): void => {
    const { replica, app, host } = placement;
    const fate = fateOf(placement, catalog, owners);
    if (fate === 'kept') kept.push(placement);
    else if (fate === 'unwanted') (lingers(input, seen, placement) ? leaving : releases).push(placement);
    else if (placement.yields !== undefined) yielding.add(replica);
    if (fate !== 'wanted' || !spec || moving.has(replica)) return;
    const view = views.get(host);
    const on = view ?? { record: input.snapshot.hosts.get(host) };
    const resize = isRight?.(placement.demand) ? undefined : resized(seen, placement, spec, on);
    if (resize) resizes.push(resize);
    const why = misfit(input, spec, placement, view);
    if (why !== undefined) misplaced.push({ replica, app, host, why });
  };
  for (const name of names) {
    const wishes = wanted.get(name) ?? [];
    const moving = wishes.length === 0 ? NOBODY : new Set(wishes.map(({ replica }) => replica));
    const spec = catalog.apps.get(name)?.spec;
    const isRight = spec && reserving(spec);
    for (const placement of seen.whereabouts.placed(name).values()) look(placement, spec, moving, isRight);
  }
  const todo = { releases, leaving, kept, resizes, wanted, yielding, lost };
  const health: Survey['health'] = (replica, placement) => standingOf(seen, views, replica, placement);
  const looked = apps.map(({ name }) => name);
  return { ...todo, apps: looked, misplaced, turns, stuck, outdated, disruption, witness: seen, health };
}
