import type { Resources } from '../../reconciler/model/catalog.ts';
import type { Change, Claim, Evidence, Known, Observed } from '../../reconciler/model/change.ts';
import { asPlumbError, PlumbError } from '../../reconciler/model/errors.ts';
import { createHints, type Hints } from '../../reconciler/model/hints.ts';
import { diffByRef, type Context, type Provider } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { CgroupSpec, CgroupState, SandboxState } from '../../reconciler/model/resources.ts';
import { UNANNOUNCED_AGE } from '../../reconciler/model/unannounced.ts';
import { formulasFor, type WeightFormula } from './conversion.ts';
import { blockDevices } from './devices.ts';
import { diffCgroup, drift } from './diff.ts';
import { bringBack, createSweep, escapeWords, findEscapes, type Escape, type Suspect } from './escape.ts';
import { disk, type Files } from './files.ts';
import { hold, type Held, type How, type Machine } from './held.ts';
import { hierarchy } from './hierarchy.ts';
import { fieldOf } from './knobs.ts';
import { createMoments } from './moments.ts';
import { lowerRealtime } from './nested.ts';
import { budgetOf } from './open-files.ts';
import { IDLE } from './cpu-knobs.ts';
import { raisedIn } from './raised.ts';
import { chrt, createClasses, type SetClass } from './scheduling.ts';
import { createScopes } from './scopes.ts';
import { claimsOf, known, runningContainer, type Notes, type Refused } from './seen.ts';
import { agree, scopeOf, type Systemd } from './systemd.ts';
import { writeLimits, type Refusal } from './write.ts';

export interface CgroupsOptions {
  /** Where the cgroup trees are mounted. */
  readonly root?: string;
  readonly sysRoot?: string;
  readonly procRoot?: string;
  /** Tells Docker the limits, so that neither a restart of the container nor systemd puts old ones back. */
  readonly updateLimits?: (containerId: string, limits: Resources, signal: AbortSignal) => Promise<void>;
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

/** One container's cgroup, watched while somebody listens. */
interface Tracked {
  readonly held: Held;
  refused: ReadonlyMap<string, Refused>;
  /** What of it the kernel did not let back, in words: it is tried again once that is another. */
  stays?: string;
  /** Who would write something else one day. */
  claims: readonly Claim[];
  unwatch: (() => void) | undefined;
}

/** How often a repair is made anew when another comes between. */
const TURNS = 3;

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
  const tracked = new Map<Ref, Tracked>();
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
  const sweep = createSweep(machine, budgetOf(files, procRoot, ...OPEN_MEMBERS));
  const listeners = new Set<Hints>();
  /** When processes were last asked, beside the files of cgroups. */
  let askedAt = -Infinity;
  /** As the last look at processes found them. */
  let escaped = new Map<string, readonly Escape[]>();
  let formula: WeightFormula = 'quadratic';
  const { systemd } = options;
  const scopes = systemd && createScopes(systemd, clock);

  function drop(ref: Ref): void {
    const item = tracked.get(ref);
    scopes?.forget(scopeIn(ref) ?? '');
    item?.unwatch?.();
    item?.held.close();
    tracked.delete(ref);
    if (!item) return;
    machine.classes.forget(item.held.id);
    machine.paused.delete(item.held.id);
    machine.moments.forget(item.held.id);
    if (machine.raised.size > 0) lowerRealtime(machine);
  }

  function watchOne(ref: Ref, item: Tracked): void {
    if (listeners.size === 0 || item.unwatch) return;
    const ends: (() => void)[] = [];
    item.unwatch = () => {
      for (const end of ends) end();
      item.unwatch = undefined;
    };
    for (const directory of item.held.directories) {
      try {
        ends.push(
          files.watch(directory, (file) => {
            if (file === null || item.held.has(file)) for (const hints of listeners) hints.add(ref);
          }),
        );
      } catch {
        // no inotify watch left, or just gone: the resync sees it
        return;
      }
    }
  }

  function track(ref: Ref, id: string, path: string): Tracked | undefined {
    const held = hold(machine, id, path);
    if (!held) return undefined;
    const item: Tracked = { held, unwatch: undefined, refused: new Map(), claims: [] };
    tracked.set(ref, item);
    watchOne(ref, item);
    return item;
  }

  /** Reads through what is held already; undefined if that is another container's or gone. */
  function readHeld(ref: Ref, id: string, how: How): Observed<CgroupState> | undefined {
    const item = tracked.get(ref);
    if (!item) return undefined;
    const state = item.held.id === id ? item.held.read(how) : undefined;
    if (state) return known(ref, state, notesOf(ref));
    drop(ref);
    return undefined;
  }

  function notesOf(ref: Ref): Notes {
    const escapes = escaped.get(nameOf(ref));
    const { refused = new Map<string, Refused>(), stays, claims = [] } = tracked.get(ref) ?? {};
    return {
      version: tree.version,
      refused,
      claims,
      ...(escapes ? { escapes } : {}),
      ...(stays === undefined ? {} : { stays }),
    };
  }

  /** The replicas of some refs whose sandbox runs. */
  function suspects(ctx: Context, refs: Iterable<Ref>): ReadonlyMap<string, Suspect> {
    const found = new Map<string, Suspect>();
    for (const ref of refs) {
      const held = tracked.get(ref)?.held;
      const sandbox = ctx.world.get(refOf('sandbox', nameOf(ref)));
      const { pid } = sandbox?.known === true ? (sandbox.state as Partial<SandboxState>) : {};
      if (held && pid !== undefined) found.set(nameOf(ref), { sandboxPid: pid, id: held.id, path: held.path });
    }
    return found;
  }

  function noteRefusals(ref: Ref, want: CgroupSpec, refused: readonly Refusal[]): void {
    const item = tracked.get(ref);
    if (item) item.refused = new Map([...item.refused, ...refusalsOf(want, refused)]);
  }

  /** Moves back what escaped of a replica; says what was done, and what the kernel did not let back. */
  function gather(ref: Ref, want: CgroupSpec, held: Held, ctx: Context) {
    const who = (escape: Escape): string => `${escape.name} ${String(escape.tid ?? escape.pid)}`;
    const look = (): readonly Escape[] => findEscapes(machine, suspects(ctx, [ref])).get(nameOf(ref)) ?? [];
    const all = look();
    const refused = all.flatMap((escape): readonly Refusal[] => {
      const errno = bringBack(machine, held.path, escape);
      const why = `it stays in ${escape.where}`;
      return errno === undefined ? [] : [{ file: 'cgroup.procs', value: who(escape), errno, why }];
    });
    const left = look();
    escaped.set(nameOf(ref), left);
    const item = tracked.get(ref);
    if (item && refused.length > 0) item.stays = escapeWords(left);
    noteRefusals(ref, want, refused);
    const gone = all.filter((escape) => !left.some(({ pid, tid }) => pid === escape.pid && tid === escape.tid));
    return { moved: gone.map((escape) => `${who(escape)} moved back from ${escape.where}`), refused };
  }

  function observeAll(ctx: Context, refs: readonly Ref[], how: How = 'all'): readonly Observed<CgroupState>[] {
    const seen: Observed<CgroupState>[] = [];
    const unheld: { readonly ref: Ref; readonly id: string }[] = [];
    for (const ref of refs) {
      const container = runningContainer(ctx, ref, machine.paused);
      if (typeof container === 'object') seen.push(container);
      else if (container === undefined) drop(ref);
      else {
        const item = readHeld(ref, container, how);
        if (item) seen.push(item);
        else unheld.push({ ref, id: container });
      }
    }
    if (unheld.length === 0) return seen;
    const paths = tree.find(unheld.map(({ id }) => id));
    for (const { ref, id } of unheld) {
      const path = paths.get(id);
      if (path !== undefined) track(ref, id, path);
      const item = readHeld(ref, id, how);
      seen.push(item ?? { known: false, ref, why: `no cgroup of container ${id.slice(0, 12)} below ${root}` });
    }
    return seen;
  }

  /** The scope that a replica's cgroup is to systemd; undefined where it holds none. */
  function scopeIn(ref: Ref): string | undefined {
    const held = tracked.get(ref)?.held;
    return held && tree.version === 'v2' ? scopeOf(held.directoryOf('memory')) : undefined;
  }

  /** Has systemd know the limits, which it would write anew at a daemon-reload; gives what it was told, or why it does not. */
  async function tellSystemd(ref: Ref, want: CgroupSpec, have: CgroupState, ctx: Context) {
    const scope = scopeIn(ref);
    if (scope === undefined || !systemd) return {};
    scopes?.settle(scope);
    try {
      return { told: await agree(systemd, scope, want, have, formula, ctx.signal) };
    } catch (error) {
      return { why: asPlumbError(error).message };
    }
  }

  /** Writes the limits; throws unless the kernel now holds them. */
  async function write(change: Change<CgroupSpec>, want: CgroupSpec, held: Held, have: CgroupState) {
    const { did, refused } = await writeLimits(machine, held, want, have, formula);
    noteRefusals(change.ref, want, refused);
    settled(change, held, refused, want);
    return did;
  }

  /**
   * Makes the limits those of the kernel and of those who would write others one day: Docker at a restart of the container, systemd at a
   * daemon-reload. Neither keeps the kernel from being right: what comes back of it one day is seen then.
   */
  async function align(change: Change<CgroupSpec>, want: CgroupSpec, held: Held, before: CgroupState, ctx: Context) {
    const did = await write(change, want, held, before);
    // an engine writes shares with all else, which an idle cgroup refuses: it is made idle again afterwards
    if (did.length > 0 && updateLimits && want.idle === true && held.has(IDLE)) files.write(held.pathOf(IDLE), '0');
    const dockerNotUpdated = did.length === 0 ? undefined : await failureOf(updateLimits?.(held.id, want, ctx.signal));
    // an engine may convert in its own way, or write what its record still says; and somebody else may have been at it
    const learnt = formulasFor(want.shares, Number(readBack(change.ref, held).raw?.['cpu.weight']));
    if (learnt.length > 0 && !learnt.includes(formula)) formula = learnt[0] ?? formula;
    let systemdNotTold: string | undefined;
    const told: string[] = [];
    // what it says of a new scope was heard by the look
    const heard = did.length === 0 && change.because === 'new' ? (change.have as CgroupState) : before;
    for (let turn = 0; turn < TURNS; turn += 1) {
      const end = await tellSystemd(change.ref, want, turn === 0 ? heard : before, ctx);
      systemdNotTold = end.why;
      told.push(...(end.told ?? []));
      const now = readBack(change.ref, held);
      if (drift(want, now).length === 0) break;
      await write(change, want, held, now);
    }
    const item = tracked.get(change.ref);
    if (item) item.claims = claimsOf(change.ref, dockerNotUpdated, systemdNotTold);
    return {
      did: told.length === 0 ? did : [...did, `told systemd ${told.join(' ')}`],
      facts: {
        ...(dockerNotUpdated === undefined ? {} : { dockerNotUpdated }),
        ...(systemdNotTold === undefined ? {} : { systemdNotTold }),
      },
    };
  }

  return {
    name: 'cgroups',
    kinds: ['cgroup'],
    looksAt: ['container', 'sandbox'],

    async observe(ctx, refs) {
      const wanted = (ctx.wanted ?? []).filter((ref) => kindOf(ref) === 'cgroup');
      if (!refs) devices.look();
      const asked = refs ?? [...new Set([...wanted, ...tracked.keys()])];
      const whole = refs !== undefined || escaped.size > 0 || clock() - askedAt >= UNANNOUNCED_AGE;
      let seen = observeAll(ctx, asked, refs ? 'all' : whole ? 'kept' : 'files');
      if (!refs && whole) {
        askedAt = clock();
        const before = escaped;
        escaped = new Map(sweep.find(suspects(ctx, tracked.keys())));
        if (before.size + escaped.size > 0) seen = observeAll(ctx, asked, 'files');
        // also for an agent before, whose Apps left without it
        if (machine.raised.size > 0) lowerRealtime(machine);
      }
      const asking = new Set(asked);
      for (const [ref, { held }] of tracked) if (!asking.has(ref) && !held.alive()) drop(ref);
      seen = await machine.moments.settled(seen, (some) => observeAll(ctx, some, 'files'));
      return scopes && tree.version === 'v2' ? scopes.hear(seen, scopeIn, ctx.signal) : seen;
    },
    diff: diffByRef(diffCgroup),
    async apply(change, ctx) {
      const { ref, want } = change;
      if (!want) throw new PlumbError('INTERNAL', `${ref}: a cgroup is never removed, its container is`);
      const [before] = observeAll(ctx, [ref]);
      const held = tracked.get(ref)?.held;
      // whichever container the replica has by now: the limits are the replica's
      if (before?.known !== true || !held)
        throw new PlumbError('CONFLICT', `the container of ${nameOf(ref)} does not run now; it is looked at again`);
      const item = tracked.get(ref);
      if (item) {
        item.refused = new Map();
        delete item.stays;
      }
      // what is outside comes back, whatever becomes of the limits
      const { moved, refused } = want.escape === 'return' ? gather(ref, want, held, ctx) : { moved: [], refused: [] };
      const { did, facts } = await align(change, want, held, before.state, ctx);
      settled(change, held, refused, want);
      return evidence(ref, [...did, ...moved], known(ref, readBack(ref, held), notesOf(ref)), facts);
    },
    async *watch(ctx) {
      const hints = createHints(ctx.signal);
      listeners.add(hints);
      for (const [ref, item] of tracked) watchOne(ref, item);
      try {
        yield* hints;
      } finally {
        listeners.delete(hints);
        if (listeners.size === 0) for (const item of tracked.values()) item.unwatch?.();
      }
    },
  };
}

function readBack(ref: Ref, held: Held): CgroupState {
  const state = held.read();
  if (!state) throw new PlumbError('CONFLICT', `the container of ${nameOf(ref)} ended meanwhile`);
  return state;
}

/** What was refused, by field. */
function refusalsOf(want: CgroupSpec, refused: readonly Refusal[]): ReadonlyMap<string, Refused> {
  return new Map(
    refused.map(({ file, value, errno, why }) => {
      const field = fieldOf(file) ?? 'escape';
      return [field, { want: want[field], errno, why: `${file} = ${value}: ${errno}, ${why}` }];
    }),
  );
}

/** Throws unless the kernel now holds what is wanted. */
function settled(change: Change<CgroupSpec>, held: Held, all: readonly Refusal[], want: CgroupSpec): void {
  const refused = all.filter(({ final }) => final !== true);
  const state = readBack(change.ref, held);
  const left = drift(want, state);
  if (refused.length === 0 && left.length === 0) return;
  const words =
    refused.length > 0
      ? refused.map(({ file, value, errno, why }) => `${file} = ${value}: ${errno}, ${why}`)
      : left.map(({ path, have }) => `${path}: the kernel says ${String(have)}`);
  throw new PlumbError('KNOB_REFUSED', `limits of ${nameOf(change.ref)}: ${words.join('; ')}`, {
    ref: change.ref,
    refused,
    have: state.raw,
  });
}

function evidence(
  ref: Ref,
  did: readonly string[],
  observed: Known<CgroupState>,
  facts: Evidence['facts'] = {},
): Evidence {
  const words = did.length === 0 ? 'was right already' : did.join(', ');
  return { did: words, observed, ...(Object.keys(facts).length === 0 ? {} : { facts }) };
}

/** What went wrong, in words; undefined when nothing did. */
async function failureOf(attempt: Promise<void> | undefined): Promise<string | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    return asPlumbError(error).message;
  }
}
