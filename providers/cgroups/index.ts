import type { Evidence, Known } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { createHints } from '../../reconciler/model/hints.ts';
import { diffByRef, type Context, type Provider } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf } from '../../reconciler/model/ref.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { UNANNOUNCED_AGE } from '../../reconciler/model/unannounced.ts';
import { createAlign, readBack, requireSettled, type Keepers } from './align.ts';
import { blockDevices } from './devices.ts';
import { diffCgroup } from './diff.ts';
import { createSweep, type Escape } from './escape.ts';
import { returnEscapes, suspectsOf } from './escape-return.ts';
import { disk, type Files } from './files.ts';
import type { Held, Machine } from './held.ts';
import { hierarchy } from './hierarchy.ts';
import { createMoments } from './moments.ts';
import { lowerRealtime } from './nested.ts';
import { budgetOf } from './open-files.ts';
import { raisedIn } from './raised.ts';
import { chrt, createClasses, type SetClass } from './scheduling.ts';
import { createScopes, scopeIn } from './scopes.ts';
import type { Systemd } from './systemd.ts';
import { createTracked } from './tracked.ts';

export interface CgroupsOptions {
  /** Where the cgroup trees are mounted. */
  readonly root?: string;
  readonly sysRoot?: string;
  readonly procRoot?: string;
  /** Tells Docker the limits, so that neither a restart of the container nor systemd puts old ones back. */
  readonly updateLimits?: Keepers['updateLimits'];
  /** Told, where it holds the cgroups, until it knows the limits as well. */
  readonly systemd?: Systemd;
  /** Puts the threads of a process into a scheduling class. */
  readonly setClass?: SetClass;
  /** Has Docker let a container stand still or go on, so that it knows. */
  readonly tellFrozen?: Machine['tellFrozen'];
  /** Which budgets for rr and fifo were raised. */
  readonly raised?: Machine['raised'];
  /** Paths of cgroups that the provider of memory is emptying. */
  readonly emptying?: Machine['emptying'];
  readonly files?: Files;
  /** Milliseconds from anywhere. */
  readonly clock?: () => number;
}

/** Descriptors kept open: the share of what this process may have, and the most; of files of cgroups, and of processes that are looked for outside of these. */
const OPEN_FILES = [0.25, 16_384] as const;
const OPEN_MEMBERS = [0.125, 2_048] as const;

/**
 * What the kernel holds running containers to, read from and written to their cgroups' files. A cgroup is found from the id of the
 * container that the world shows running; an observe without refs covers those that are wanted or were asked for before.
 */
export function cgroups(options: CgroupsOptions = {}): Provider<CgroupSpec, CgroupState> {
  const { root = '/sys/fs/cgroup', sysRoot = '/sys', procRoot = '/proc', updateLimits, files = disk } = options;
  const tree = hierarchy(root, files);
  const devices = blockDevices(sysRoot, files);
  const clock = options.clock ?? (() => performance.now());
  const machine: Machine = {
    files,
    tree,
    budget: budgetOf(files, procRoot, ...OPEN_FILES),
    devices: () => devices.last(),
    procRoot,
    spares: true,
    classes: createClasses(files, procRoot, clock),
    raised: options.raised ?? raisedIn(),
    setClass: options.setClass ?? chrt(),
    emptying: options.emptying ?? new Set(),
    paused: new Set(),
    moments: createMoments(),
    tellFrozen: options.tellFrozen,
  };
  /** What of each replica is outside its cgroup, as the last look at processes found it. */
  const escaped = new Map<string, readonly Escape[]>();
  const sweep = createSweep(machine, budgetOf(files, procRoot, ...OPEN_MEMBERS));
  /** When processes were last asked, beside the files of cgroups. */
  let askedAt = -Infinity;
  const { systemd } = options;
  const scopes = systemd && createScopes(systemd, clock);
  const tracked = createTracked(machine, { root, escaped, dropped });
  const align = createAlign(machine, tracked, { updateLimits, systemd, scopes });

  function dropped(held: Held): void {
    scopes?.forget(scopeIn(tree, held) ?? '');
    machine.classes.forget(held.id);
    machine.paused.delete(held.id);
    machine.moments.forget(held.id);
    if (machine.raised.size > 0) lowerRealtime(machine);
  }

  /** Asks processes where they are; whether something of a replica is, or was, outside its cgroup. */
  function lookForEscapes(ctx: Context): boolean {
    const before = escaped.size;
    const found = sweep.find(suspectsOf(tracked, ctx, tracked.items.keys()));
    escaped.clear();
    for (const [replica, escapes] of found) escaped.set(replica, escapes);
    return before + escaped.size > 0;
  }

  return {
    name: 'cgroups',
    kinds: ['cgroup'],
    looksAt: ['container', 'sandbox'],

    async observe(ctx, refs) {
      const wanted = (ctx.wanted ?? []).filter((ref) => kindOf(ref) === 'cgroup');
      if (!refs) devices.look();
      const asked = refs ?? [...new Set([...wanted, ...tracked.items.keys()])];
      const whole = refs !== undefined || escaped.size > 0 || clock() - askedAt >= UNANNOUNCED_AGE;
      let seen = tracked.observe(ctx, asked, refs ? 'all' : whole ? 'kept' : 'files');
      if (!refs && whole) {
        askedAt = clock();
        if (lookForEscapes(ctx)) seen = tracked.observe(ctx, asked, 'files');
        // also for an agent before, whose Apps left without it
        if (machine.raised.size > 0) lowerRealtime(machine);
      }
      const asking = new Set(asked);
      for (const [ref, { held }] of tracked.items) if (!asking.has(ref) && !held.alive()) tracked.drop(ref);
      seen = await machine.moments.settled(seen, (some) => tracked.observe(ctx, some, 'files'));
      if (!scopes || tree.version !== 'v2') return seen;
      return scopes.hear(seen, (ref) => scopeIn(tree, tracked.items.get(ref)?.held), ctx.signal);
    },
    diff: diffByRef(diffCgroup),
    async apply(change, ctx) {
      const { ref, want } = change;
      if (!want) throw new PlumbError('INTERNAL', `${ref}: a cgroup is never removed, its container is`);
      const [before] = tracked.observe(ctx, [ref]);
      const item = tracked.items.get(ref);
      // whichever container the replica has by now: the limits are the replica's
      if (before?.known !== true || !item)
        throw new PlumbError('CONFLICT', `the container of ${nameOf(ref)} does not run now; it is looked at again`);
      const { held } = item;
      item.refused = new Map();
      delete item.stays;
      // what is outside comes back, whatever becomes of the limits
      const { moved, refused } =
        want.escape === 'return'
          ? returnEscapes(machine, tracked, escaped, { ref, want, held }, ctx)
          : { moved: [], refused: [] };
      const { did, facts } = await align({ change, want, held, before: before.state }, ctx.signal);
      requireSettled(ref, held, refused, want);
      return evidence([...did, ...moved], tracked.told(ref, readBack(ref, held)), facts);
    },
    async *watch(ctx) {
      const hints = createHints(ctx.signal);
      const hush = tracked.listen(hints);
      try {
        yield* hints;
      } finally {
        hush();
      }
    },
  };
}

function evidence(
  did: readonly string[],
  observed: Known<CgroupState>,
  facts: NonNullable<Evidence['facts']>,
): Evidence {
  const words = did.length === 0 ? 'was right already' : did.join(', ');
  return { did: words, observed, ...(Object.keys(facts).length === 0 ? {} : { facts }) };
}
