import type { Change, Desired, Known, Plan } from '../model/change.ts';
import { CORES } from '../model/cores.ts';
import { fingerprint } from '../model/fingerprint.ts';
import type { Provider, World } from '../model/provider.ts';
import { byKind, kindOf, nameOf, refOf, type Ref } from '../model/ref.ts';
import type { ContainerState } from '../model/resources.ts';
import { hold, type HoldInput } from './hold.ts';
import { repairsIn } from './repairs.ts';
import { cascade, planOf } from './waves.ts';

/** The pure half of a provider. */
export type Differ = Pick<Provider, 'name' | 'kinds' | 'diff'>;

export interface HostPlanInput {
  readonly revision: string;
  readonly desired: ReadonlyMap<Ref, Desired>;
  readonly world: World & {
    all(): readonly (Known | { readonly known: false; readonly ref: Ref; readonly why: string })[];
  };
  readonly differs: readonly Differ[];
  /** Which refs may be planned now. */
  readonly inScope: (ref: Ref) => boolean;
  readonly now: number;
  readonly wall?: number;
  readonly keep: HoldInput['keep'];
  readonly underway: HoldInput['underway'];
  readonly pauses: HoldInput['pauses'];
  readonly restarts: HoldInput['restarts'];
  /** Replicas whose liveness probe failed: they are made anew. */
  readonly unhealthy: ReadonlySet<string>;
  /** Fingerprint of the spec that each ref was last converged to: tells a changed spec from drift. */
  readonly settled: Pick<ReadonlyMap<Ref, string>, 'get'>;
  /** The same as far as this process saw it, where that differs: one of another version may read the same manifest as another spec. */
  readonly reached?: Pick<ReadonlyMap<Ref, string>, 'get'>;
  /** Replicas that a repair may restart although they run; all if absent. */
  readonly repairable?: ReadonlySet<string>;
}

/** A plan, and what it leaves for later. */
export interface HostPlan {
  readonly plan: Plan;
  /** When a held change may go on. */
  readonly wakeAt?: number;
  /** Replicas that run and that a repair waits to restart. */
  readonly repairs: ReadonlySet<string>;
}

/** The changes that lead from what one host is to what it is to be. */
export function planHost(input: HostPlanInput): HostPlan {
  const { desired, world, differs, inScope } = input;
  const wanted = byKind([...desired.values()].filter(({ ref }) => inScope(ref)));
  const seen = byKind(world.all().filter(({ ref }) => inScope(ref)));
  const raw = differs.flatMap((differ) => {
    const mine = <Item>(all: ReadonlyMap<string, readonly Item[]>): readonly Item[] =>
      differ.kinds.flatMap((kind) => all.get(kind) ?? []);
    return differ.diff(mine(wanted), mine(seen));
  });
  const known = (ref: Ref): Known | undefined => {
    const item = world.get(ref);
    return item?.known === true ? item : undefined;
  };
  const providerOf = (ref: Ref): string => differs.find((differ) => differ.kinds.includes(kindOf(ref)))?.name ?? '';
  const explained = raw.map((change) => explain(change, input));
  const sick = [...input.unhealthy].map((replica) => remake(replica, input, known, providerOf));
  const all = new Map(
    [...sick, ...explained].filter((change) => change !== undefined).map((change) => [change.ref, change]),
  );
  const cascaded = cascade([...all.values()], desired, known, providerOf).filter(({ ref }) => inScope(ref));
  const { repairable, reached = input.settled } = input;
  const found = repairable ? [...repairsIn(cascaded, { desired, world, reached })] : [];
  const repairs = new Set(found.filter((replica) => repairable?.has(replica) !== true));
  const { go, held, wakeAt } = hold({ ...input, changes: cascaded, repairs });
  return { plan: planOf(input.revision, go, held), repairs, ...(wakeAt === undefined ? {} : { wakeAt }) };
}

/** Drift of a ref whose spec is not the one it was last converged to is no drift; and what was there as it is to be, and is gone, is nothing new. */
function explain(change: Change, { settled, desired }: HostPlanInput): Change {
  const before = settled.get(change.ref);
  if (before === undefined) return change;
  const same = before === fingerprint(desired.get(change.ref)?.spec);
  if (change.because === 'drift' && !same) return { ...change, because: 'spec changed' };
  return change.because === 'new' && change.verb === 'create' && same ? { ...change, because: 'recovery' } : change;
}

function remake(
  replica: string,
  { desired, inScope }: HostPlanInput,
  known: (ref: Ref) => Known | undefined,
  providerOf: (ref: Ref) => string,
): Change | undefined {
  const ref = refOf('container', replica);
  const have = known(ref);
  const want = desired.get(ref);
  if (!have || !want || !inScope(ref)) return undefined;
  // what stands still is not sick, and what it remembers is to be kept
  if ((have.state as Partial<ContainerState>).status === 'paused') return undefined;
  return {
    ref,
    provider: providerOf(ref),
    verb: 'replace',
    want: want.spec,
    have: have.state,
    fields: [{ path: '/health', have: 'unhealthy', want: 'healthy' }],
    disruption: 'recreate',
    because: 'unhealthy',
    ...(have.version === undefined ? {} : { guard: have.version }),
  };
}

/** The refs that must be looked at together when one of them may have changed. */
export function closure(ref: Ref, desired: ReadonlyMap<Ref, Desired>): readonly Ref[] {
  const name = nameOf(ref);
  if (name === '*') return [...desired.keys()].filter((other) => kindOf(other) === kindOf(ref));
  if (kindOf(ref) === 'sandbox') return [refOf('port', name), ...withImage(refOf('container', name), desired)];
  if (kindOf(ref) === 'container') return withImage(ref, desired);
  // it is looked for only for those that are about to be made of it
  if (kindOf(ref) === 'image')
    return [
      ref,
      ...[...desired.values()]
        .filter(({ dependsOn }) => dependsOn.includes(ref))
        .flatMap(({ ref: of }) => withImage(of, desired)),
    ];
  return [ref];
}

function withImage(container: Ref, desired: ReadonlyMap<Ref, Desired>): readonly Ref[] {
  const name = nameOf(container);
  const images = desired.get(container)?.dependsOn.filter((ref) => kindOf(ref) === 'image') ?? [];
  const cores = desired.has(CORES) ? [CORES] : [];
  return [container, ...images, ...cores, refOf('sandbox', name), refOf('cgroup', name)];
}
