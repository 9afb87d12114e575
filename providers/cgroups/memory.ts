import type { Change, Evidence, Known, Observed } from '../../reconciler/model/change.ts';
import { asPlumbError, PlumbError } from '../../reconciler/model/errors.ts';
import {
  bytesOf,
  HOST_MEMORY,
  isOver,
  lowsAfter,
  type Low,
  type MemorySpec,
  type MemoryState,
} from '../../reconciler/model/memory.ts';
import { diffByRef, type Context, type DiffRule, type Provider } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { ContainerState } from '../../reconciler/model/resources.ts';
import { beginsAt, endOfSlot, SLOT } from '../../reconciler/model/slots.ts';
import { disk, type Files } from './files.ts';
import { hierarchy } from './hierarchy.ts';
import { dropSlab, giveBack, unableFor, unableForHost, type Emptying, type Reclaiming } from './reclaim.ts';
import { reclaimedIn } from './reclaimed.ts';
import { cgroupMemory, machineMemory, type Reading } from './usage.ts';

export interface MemoryOptions {
  readonly root?: string;
  readonly procRoot?: string;
  /** The file that keeps when memory was last given back. */
  readonly keptFile: string;
  /** Told which cgroups are being emptied. */
  readonly emptying?: Emptying;
  readonly files?: Files;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

/**
 * A slot is left alone for its last part, milliseconds: what was asked for takes a while. v1 empties a cgroup as a whole, however long
 * that takes, and begins none in the second half.
 */
const SPARED = { v1: SLOT / 2, v2: 5_000 } as const;

/** In a look at everything, a replica without a rule is read again once this has passed, milliseconds: that costs as much as all its limits. */
const READ_AGAIN = 60_000;

/** Something is done where more only caches than its rule says; when, is for the plan to say, which knows the time. */
export const diffMemory: DiffRule<MemorySpec, MemoryState> = (want, have) => {
  if (!want || !have || have.limitations || !isOver(want.spec, have.state)) return undefined;
  const { spare, total } = have.state;
  return {
    ref: want.ref,
    provider: 'memory',
    verb: 'update',
    want: want.spec,
    have: have.state,
    fields: [{ path: '/spare', have: spare, want: `at most ${String(bytesOf(want.spec.above, total))}` }],
    disruption: 'none',
    because: 'pressure',
  };
};

/**
 * How the memory of the machine and of the containers that run is used, and giving back what of it only caches. An observe without refs
 * covers the machine and the replicas that are wanted.
 */
export function memory(options: MemoryOptions): Provider<MemorySpec, MemoryState> {
  const { root = '/sys/fs/cgroup', procRoot = '/proc', keptFile, files = disk, clock = Date.now } = options;
  const { emptying = new Map<string, Promise<void>>() } = options;
  const where: Reclaiming = { files, tree: hierarchy(root, files), procRoot, emptying, clock };
  const kept = reclaimedIn(keptFile);
  const lows = new Map<Ref, { readonly of: string; readonly lows: readonly Low[] }>();
  /** What was read of replicas, of which container and when. */
  const read = new Map<Ref, { readonly of: string; readonly at: number; readonly item: Observed<MemoryState> }>();

  function stateOf(ref: Ref, of: string, reading: Reading): MemoryState {
    const before = lows.get(ref);
    const now = lowsAfter(before?.of === of ? before.lows : [], clock(), reading.spare, reading.total);
    lows.set(ref, { of, lows: now });
    const reclaimed = kept.of(ref);
    return { ...reading, lows: now, ...(reclaimed ? { reclaimed } : {}) };
  }

  function known(ref: Ref, of: string, reading: Reading, unable: string | undefined): Known<MemoryState> {
    const state = stateOf(ref, of, reading);
    const limitations = [{ ref, path: '/above', state: 'Unsupported', why: unable ?? '' } as const];
    return { known: true, ref, owned: true, state, ...(unable === undefined ? {} : { limitations }) };
  }

  /** Undefined where nothing of it runs. */
  function observeOne(
    ref: Ref,
    path: string | undefined,
    of: string,
    machine: () => Reading,
  ): Observed<MemoryState> | undefined {
    try {
      if (ref === HOST_MEMORY) return known(ref, of, machine(), unableForHost(where));
      if (path === undefined) return undefined;
      const item = known(ref, of, cgroupMemory(files, where.tree, path, machine().total), unableFor(where, path));
      read.set(ref, { of, at: clock(), item });
      return item;
    } catch (error) {
      return { known: false, ref, why: asPlumbError(error).message };
    }
  }

  function observeAll(
    ctx: Context,
    refs: readonly Ref[],
    last: (ref: Ref, of: string) => Observed<MemoryState> | undefined = () => undefined,
  ): readonly Observed<MemoryState>[] {
    const ids = new Map(refs.flatMap((ref) => idOf(ctx, ref).map((id) => [ref, id] as const)));
    const items = new Map(refs.map((ref) => [ref, last(ref, ids.get(ref) ?? '')]));
    const paths = where.tree.find([...ids].flatMap(([ref, id]) => (items.get(ref) ? [] : [id])));
    let whole: Reading | undefined;
    const machine = (): Reading => (whole ??= machineMemory(files, procRoot));
    return refs.flatMap((ref) => {
      const id = ids.get(ref) ?? '';
      return items.get(ref) ?? observeOne(ref, paths.get(id), id, machine) ?? [];
    });
  }

  /** Gives back what only caches of one replica, down to half of what its rule says; gives the bytes, and none where it does not run. */
  async function relieve(
    ctx: Context,
    name: string,
    most: (reading: Reading) => number,
    until: number,
  ): Promise<number> {
    const [id] = idOf(ctx, refOf('memory', name));
    const path = id === undefined ? undefined : where.tree.find([id]).get(id);
    if (path === undefined || unableFor(where, path) !== undefined) return 0;
    const now = (): Reading => cgroupMemory(files, where.tree, path, machineMemory(files, procRoot).total);
    const before = now();
    await giveBack(where, path, before.spare - most(before), until);
    return Math.max(0, before.used - now().used);
  }

  /** First what replicas with a rule of their own cache; where that does not help, names and inodes of the whole machine. */
  async function relieveHost(ctx: Context, want: MemorySpec, until: number): Promise<readonly [number, string]> {
    const { total, spare: before } = machineMemory(files, procRoot);
    let freed = 0;
    for (const name of want.first ?? []) if (clock() < until) freed += await relieve(ctx, name, () => 0, until);
    const of = freed === 0 ? '' : `${String(freed)} bytes of page cache of replicas, `;
    const still = machineMemory(files, procRoot).spare;
    if (still <= bytesOf(want.above, total)) return [freed + Math.max(0, before - still), `${of}which was enough`];
    if (clock() >= until) return [freed, `${of}and none of the slab, as the time was over`];
    await dropSlab(where);
    const slab = Math.max(0, before - machineMemory(files, procRoot).spare);
    return [freed + slab, `${of}${String(slab)} bytes of slab (drop_caches=2)`];
  }

  async function reclaim(change: Change<MemorySpec>, want: MemorySpec, ctx: Context): Promise<Evidence> {
    const { ref } = change;
    const now = clock();
    if (!want.slot || beginsAt(want.slot, now) > now)
      throw new PlumbError('CONFLICT', `${ref}: the time is over in which no other host gives back memory`);
    const until = endOfSlot(now) - SPARED[where.tree.version];
    const goal = ({ total }: Reading): number => Math.floor(bytesOf(want.above, total) / 2);
    let freed = 0;
    let what = '';
    try {
      if (ref === HOST_MEMORY) [freed, what] = await relieveHost(ctx, want, until);
      else {
        freed = await relieve(ctx, nameOf(ref), goal, until);
        what = `${String(freed)} bytes`;
      }
    } finally {
      // one that failed half-way is not tried again in each slot
      kept.put(ref, { at: now, freed });
    }
    const took = clock() - now;
    const late = clock() > endOfSlot(now) ? ', longer than the time that it has for itself' : '';
    const [observed] = observeAll(ctx, [ref]);
    return {
      did: `gave back ${what} in ${String(took)} ms${late}`,
      facts: { freed },
      ...(observed ? { observed } : {}),
    };
  }

  return {
    name: 'memory',
    kinds: ['memory'],
    looksAt: ['container'],
    observe(ctx, refs) {
      if (refs) return Promise.resolve(observeAll(ctx, refs));
      const replicas = (ctx.wanted ?? [])
        .filter((ref) => kindOf(ref) === 'cgroup')
        .map((ref) => refOf('memory', nameOf(ref)));
      const asked = new Set<Ref>([HOST_MEMORY, ...replicas]);
      for (const notes of [lows, read]) for (const ref of notes.keys()) if (!asked.has(ref)) notes.delete(ref);
      const ruled = new Set(ctx.wanted?.filter((ref) => kindOf(ref) === 'memory'));
      const last = (ref: Ref, of: string): Observed<MemoryState> | undefined => {
        const before = ruled.has(ref) ? undefined : read.get(ref);
        return before?.of === of && Math.abs(clock() - before.at) < READ_AGAIN ? before.item : undefined;
      };
      return Promise.resolve(observeAll(ctx, [...asked], last));
    },
    diff: diffByRef(diffMemory),
    apply(change, ctx) {
      const { ref, want } = change;
      if (!want) return Promise.reject(new PlumbError('INTERNAL', `${ref}: memory is never removed`));
      return reclaim(change, want, ctx);
    },
  };
}

/** The id of the container of a replica that runs; none where none does. */
function idOf({ world }: Context, ref: Ref): readonly string[] {
  const item = ref === HOST_MEMORY ? undefined : world.get(refOf('container', nameOf(ref)));
  if (item?.known !== true) return [];
  const { id, status } = item.state as ContainerState;
  return status === 'running' || status === 'paused' ? [id] : [];
}
