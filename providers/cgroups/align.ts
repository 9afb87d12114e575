import type { Resources } from '../../reconciler/model/catalog.ts';
import type { Change, Evidence } from '../../reconciler/model/change.ts';
import { asPlumbError, PlumbError } from '../../reconciler/model/errors.ts';
import { nameOf, type Ref } from '../../reconciler/model/ref.ts';
import type { CgroupSpec, CgroupState } from '../../reconciler/model/resources.ts';
import { formulasFor, type WeightFormula } from './conversion.ts';
import { IDLE } from './cpu-knobs.ts';
import { drift } from './diff.ts';
import type { Held, Machine } from './held.ts';
import { scopeIn, type Scopes } from './scopes.ts';
import { claimsOf } from './seen.ts';
import { agree, type Systemd } from './systemd.ts';
import type { TrackedCgroups } from './tracked.ts';
import { writeLimits, type Refusal } from './write.ts';

/** Who keeps limits beside the kernel. */
export interface Keepers {
  /** Tells Docker the limits, so that neither a restart of the container nor systemd puts old ones back. */
  readonly updateLimits?: ((containerId: string, limits: Resources, signal: AbortSignal) => Promise<void>) | undefined;
  /** Told, where it holds the cgroups, until it knows the limits as well. */
  readonly systemd?: Systemd | undefined;
  /** What that said of scopes, while it has not been told. */
  readonly scopes?: Scopes | undefined;
}

/** A change of limits: what is wanted, of which cgroup, and how that was. */
export interface Alignment {
  readonly change: Change<CgroupSpec>;
  readonly want: CgroupSpec;
  readonly held: Held;
  readonly before: CgroupState;
}

/** What was done, and who could not be told. */
interface Aligned {
  readonly did: readonly string[];
  readonly facts: NonNullable<Evidence['facts']>;
}

/** How often a repair is made anew when another comes between. */
const TURNS = 3;

/**
 * Makes limits those of the kernel and of those who would write others one day: Docker at a restart of the container, systemd at a
 * daemon-reload. Neither keeps the kernel from being right: what comes back of it one day is seen then. Throws unless the kernel holds what is wanted.
 */
export function createAlign(
  machine: Machine,
  tracked: TrackedCgroups,
  { updateLimits, systemd, scopes }: Keepers,
): (alignment: Alignment, signal: AbortSignal) => Promise<Aligned> {
  const { files, tree } = machine;
  let formula: WeightFormula = 'quadratic';

  async function write({ change, want, held, before }: Alignment): Promise<readonly string[]> {
    const { did, refused } = await writeLimits(machine, held, want, before, formula);
    tracked.refuse(change.ref, want, refused);
    requireSettled(change.ref, held, refused, want);
    return did;
  }

  /** Has systemd know the limits, which it would write anew at a daemon-reload; gives what it was told, or why it does not. */
  async function tellSystemd(
    { want, held }: Alignment,
    have: CgroupState,
    signal: AbortSignal,
  ): Promise<{ readonly told?: readonly string[]; readonly why?: string }> {
    const scope = scopeIn(tree, held);
    if (scope === undefined || !systemd) return {};
    scopes?.settle(scope);
    try {
      return { told: await agree(systemd, scope, want, have, formula, signal) };
    } catch (error) {
      return { why: asPlumbError(error).message };
    }
  }

  return async (alignment, signal) => {
    const { change, want, held, before } = alignment;
    const did = await write(alignment);
    // an engine writes shares with all else, which an idle cgroup refuses: it is made idle again afterwards
    if (did.length > 0 && updateLimits && want.idle === true && held.has(IDLE)) files.write(held.pathOf(IDLE), '0');
    const dockerNotUpdated = did.length === 0 ? undefined : await failureOf(updateLimits?.(held.id, want, signal));
    // an engine may convert in its own way, or write what its record still says; and somebody else may have been at it
    const learnt = formulasFor(want.shares, Number(readBack(change.ref, held).raw?.['cpu.weight']));
    if (learnt.length > 0 && !learnt.includes(formula)) formula = learnt[0] ?? formula;
    let systemdNotTold: string | undefined;
    const told: string[] = [];
    // what it says of a new scope was heard by the look
    const heard = did.length === 0 && change.because === 'new' ? (change.have as CgroupState) : before;
    for (let turn = 0; turn < TURNS; turn += 1) {
      const end = await tellSystemd(alignment, turn === 0 ? heard : before, signal);
      systemdNotTold = end.why;
      told.push(...(end.told ?? []));
      const now = readBack(change.ref, held);
      if (drift(want, now).length === 0) break;
      await write({ ...alignment, before: now });
    }
    const item = tracked.items.get(change.ref);
    if (item) item.claims = claimsOf(change.ref, dockerNotUpdated, systemdNotTold);
    return {
      did: told.length === 0 ? did : [...did, `told systemd ${told.join(' ')}`],
      facts: {
        ...(dockerNotUpdated === undefined ? {} : { dockerNotUpdated }),
        ...(systemdNotTold === undefined ? {} : { systemdNotTold }),
      },
    };
  };
}

/** What the kernel says of a cgroup now; throws when its container has ended. */
export function readBack(ref: Ref, held: Held): CgroupState {
  const state = held.read();
  if (!state) throw new PlumbError('CONFLICT', `the container of ${nameOf(ref)} ended meanwhile`);
  return state;
}

/** Throws unless the kernel now holds what is wanted. */
export function requireSettled(ref: Ref, held: Held, all: readonly Refusal[], want: CgroupSpec): void {
  const refused = all.filter(({ final }) => final !== true);
  const state = readBack(ref, held);
  const left = drift(want, state);
  if (refused.length === 0 && left.length === 0) return;
  const words =
    refused.length > 0
      ? refused.map(({ file, value, errno, why }) => `${file} = ${value}: ${errno}, ${why}`)
      : left.map(({ path, have }) => `${path}: the kernel says ${String(have)}`);
  throw new PlumbError('KNOB_REFUSED', `limits of ${nameOf(ref)}: ${words.join('; ')}`, {
    ref,
    refused,
    have: state.raw,
  });
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
