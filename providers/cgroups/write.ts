import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, PlumbError } from '../../reconciler/model/errors.ts';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import type { WeightFormula } from './conversion.ts';
import { readText, type Files } from './files.ts';
import { isFreezer, standsStill } from './freezer.ts';
import type { Held, Machine } from './held.ts';
import { REALTIME } from './cpu-knobs.ts';
import { OOM, SCHED, type Wanted, type Write } from './knob.ts';
import { writesFor } from './knobs.ts';
import { MOMENT } from './moments.ts';
import { lowerQuotas, lowerRealtime, raiseRealtime } from './nested.ts';
import { adjust, hasEnded, largest } from './processes.ts';
import { isRealtime, setClassIn, USUAL_CLASS } from './scheduling.ts';

/** A write that the kernel did not take. */
export interface Refusal {
  readonly file: string;
  readonly value: string;
  readonly errno: string;
  readonly why: string;
  /** All was done that can be: it is told, and not tried again. */
  readonly final?: true;
}

const WHY: Readonly<Record<string, string>> = {
  EPERM: 'not permitted; run as root, outside a read-only cgroup mount',
  EACCES: 'not permitted; run as root, outside a read-only cgroup mount',
  EROFS: 'the cgroup tree is mounted read-only',
  EINVAL: 'invalid here; a limit of a parent or child cgroup stands against it',
  ERANGE: 'outside the range of the kernel',
  EBUSY: 'in use',
  ENODEV: 'the cgroup is gone',
  ENOENT: 'the cgroup is gone',
};

/**
 * Writes what differs, each knob once, and goes on where one is refused. Memory limits are lowered below what is in use only as far
 * as the kernel can give pages back without killing, unless it is asked to by force. Throws CONFLICT.
 */
export async function writeLimits(
  machine: Machine,
  held: Held,
  want: Wanted,
  have: CgroupState,
  formula: WeightFormula,
): Promise<{ readonly did: readonly string[]; readonly refused: readonly Refusal[] }> {
  const { files } = machine;
  const did: string[] = [];
  const refused: Refusal[] = [];
  const raw = have.raw ?? {};
  for (const write of writesFor(want, raw, formula)) {
    try {
      if (write.file === OOM) {
        const unable = adjustAll(machine, held, write.value);
        if (unable) refused.push(unable);
        did.push(`${OOM} ${raw[OOM] ?? '?'} -> ${write.value}`);
        continue;
      }
      if (isFreezer(write.file)) {
        if (await setFrozen(machine, held, write, want.frozen === true))
          did.push(`${write.file} ${raw[write.file] ?? '?'} -> ${write.value}`);
        continue;
      }
      const refusal = await writeKnob(machine, held, write, want);
      if (typeof refusal === 'object') refused.push(refusal);
      else if (refusal === undefined) did.push(`${write.file} ${raw[write.file] ?? '?'} -> ${write.value}`);
      else refused.push({ ...write, errno: 'EBUSY', why: refusal });
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'CONFLICT') throw error;
      const errno = errnoOf(error);
      refused.push({ ...write, errno, why: whyOf(files, held, write, errno) });
    }
  }
  return { did, refused };
}

/** How long Docker may take to hear of it, milliseconds. */
const HEARS = 10_000;

/**
 * Has all in a cgroup stand still or go on: by Docker, which would else believe otherwise, and where a hand passed it by, by the file; whether there was anything to do. Throws
 * CONFLICT where Docker does not hear that it is to stand still: it may be about to stop it, and could not end what it takes for running.
 */
async function setFrozen(
  { files, moments, tellFrozen }: Pick<Machine, 'files' | 'moments' | 'tellFrozen'>,
  held: Held,
  { file, value }: Write,
  frozen: boolean,
): Promise<boolean> {
  const isSo = (): boolean => readText(files, held.directoryOf('freezer'), file) === value;
  // what began since the last look may be over in a moment
  if (!frozen && !isSo() && !moments.lasts(held.id)) await sleep(MOMENT);
  if (isSo()) return false;
  try {
    await tellFrozen?.(held.id, frozen, AbortSignal.timeout(HEARS));
  } catch (error) {
    // whatever it says, the kernel is looked at
    if (frozen && !isSo())
      throw new PlumbError('CONFLICT', 'it is frozen once Docker hears of it', { id: held.id }, error);
  }
  if (!isSo()) await files.settle(held.pathOf(file), value);
  return true;
}

/** Undefined when written; else why not. */
function writeKnob(machine: Machine, held: Held, write: Write, want: Wanted): Promise<Refusal | string | undefined> {
  if (write.file === SCHED) return classify(machine, held, write);
  return writeLevelled(machine, held, write, want);
}

/** Without the right to spare them, processes are no sooner ended than others; that is said then. */
function adjustAll(machine: Machine, held: Held, value: string): Refusal | undefined {
  const { files, procRoot } = machine;
  const [directory = ''] = held.directories;
  try {
    adjust(files, procRoot, directory, Number(value));
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if ((errno !== 'EACCES' && errno !== 'EPERM') || Number(value) >= 0) throw error;
    machine.spares = false;
    adjust(files, procRoot, directory, 0);
    const why = 'this process may not spare others from the OOM killer (CAP_SYS_RESOURCE)';
    return { file: OOM, value, errno, why, final: true };
  }
}

/** Why a process that may set a class can be refused one that runs before all others. */
const NO_BUDGET = {
  v1: 'the cgroup has no budget for it (cpu.rt_runtime_us)',
  v2: 'the kernel has budgets for it, which cgroup v2 gives to the root alone (CONFIG_RT_GROUP_SCHED)',
} as const;

/** Puts all threads into a class; what the kernel does not allow stays as it is, and is said. */
async function classify(machine: Machine, held: Held, { file, value }: Write): Promise<Refusal | undefined> {
  const { files, procRoot, classes, setClass } = machine;
  const [directory = ''] = held.directories;
  try {
    classes.note(held.id);
    const all = await setClassIn(files, procRoot, directory, value, setClass);
    // what its threads do from now on is the App's own affair
    if (all && value === USUAL_CLASS) classes.forget(held.id);
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    const budget = isRealtime(value) ? `, or ${NO_BUDGET[machine.tree.version]}` : '';
    const why =
      errno === 'EPERM'
        ? `this process may not set it (CAP_SYS_NICE)${budget}`
        : error instanceof Error
          ? error.message
          : errno;
    return { file, value, errno, why };
  }
}

/** Which of v1's files hold a share of CPU time that nothing below may exceed. */
const SHARES_TIME: ReadonlySet<string> = new Set(['cpu.cfs_quota_us', 'cpu.cfs_period_us']);

/** As writeOne. What is in the way below is lowered first: limits are tightened from the bottom up. */
async function writeLevelled(machine: Machine, held: Held, write: Write, want: Wanted): Promise<string | undefined> {
  const force = want.force === true;
  try {
    const refused = await writeOne(machine, held, write, force);
    if (write.file === REALTIME) lowerRealtime(machine);
    return refused;
  } catch (error) {
    if (errnoOf(error) === 'EINVAL' && write.file === REALTIME) {
      raiseRealtime(machine, held.path, Number(write.value));
      return await writeOne(machine, held, write, force);
    }
    if (errnoOf(error) !== 'EINVAL' || !SHARES_TIME.has(write.file) || want.quota === undefined) throw error;
    if (lowerQuotas(machine.files, held.directoryOf('cpu'), want.quota).length === 0) throw error;
    return await writeOne(machine, held, write, force);
  }
}

/** Undefined when written; else why not. */
async function writeOne(
  machine: Machine,
  held: Held,
  { file, value }: Write,
  force: boolean,
): Promise<string | undefined> {
  const { files } = machine;
  const path = held.pathOf(file);
  // the kernel gives back within the call what is above: that may take seconds
  if (file === 'memory.high') {
    await files.settle(path, value);
    return undefined;
  }
  const usage = usageFor(files, held, file);
  if (usage === undefined || value === 'max' || usage <= Number(value)) {
    files.write(path, value);
    return undefined;
  }
  // v2 would kill instead of refuse, so that pages are given back before the limit falls
  if (file === 'memory.max' && !(await reclaim(files, held, usage - Number(value))) && !force)
    return inUse(usageFor(files, held, file), value);
  if (force && file !== 'memory.max') await settleByForce(machine, held, path, value);
  else await files.settle(path, value);
  return undefined;
}

/** How long one that is killed may take to go, in milliseconds. */
const DEATH = 10_000;

/** v1 refuses where v2 kills: what takes most is killed here until the limit holds. Nothing dies while it stands still, but would at the thaw. */
async function settleByForce(machine: Machine, held: Held, path: string, value: string): Promise<void> {
  try {
    await machine.files.settle(path, value);
  } catch (error) {
    if (standsStill(held.read('files')?.raw)) throw error;
    if (errnoOf(error) !== 'EBUSY' || !(await killLargest(machine, held))) throw error;
    await settleByForce(machine, held, path, value);
  }
}

/** Whether there was one to kill, and it is gone; sooner, what it still had would cost the next one its life. */
async function killLargest({ files, procRoot }: Machine, held: Held): Promise<boolean> {
  const pid = largest(files, procRoot, held.directoryOf('memory'));
  if (pid === undefined) return false;
  files.kill(pid);
  for (let waited = 0; waited < DEATH; waited += 10) {
    if (hasEnded(files, procRoot, pid)) return true;
    await sleep(10);
  }
  return false;
}

/** Bytes in use that the file limits, where lowering it below them is a question. */
function usageFor(files: Files, held: Held, file: string): number | undefined {
  const counter = {
    'memory.limit_in_bytes': 'memory.usage_in_bytes',
    'memory.memsw.limit_in_bytes': 'memory.memsw.usage_in_bytes',
    'memory.max': 'memory.current',
  }[file];
  return counter === undefined ? undefined : Number(readText(files, held.directoryOf('memory'), counter));
}

/** Asks a v2 kernel (5.19 and later) to give back bytes; whether it did, all of them. */
async function reclaim(files: Files, held: Held, bytes: number): Promise<boolean> {
  try {
    await files.settle(`${held.directoryOf('memory')}/memory.reclaim`, String(bytes));
    return true;
  } catch {
    return false;
  }
}

function inUse(usage: number | undefined, value: string): string {
  return `${String(usage)} bytes are in use and cannot all be reclaimed, ${value} are wanted`;
}

function whyOf(files: Files, held: Held, { file, value }: Write, errno: string): string {
  try {
    const usage = usageFor(files, held, file);
    if (errno === 'EBUSY' && usage !== undefined) {
      const frozen = standsStill(held.read('files')?.raw) ? '; what is frozen is not killed for it' : '';
      return `${inUse(usage, value)}${frozen}`;
    }
  } catch {
    return WHY['ENODEV'] ?? errno;
  }
  return WHY[errno] ?? errno;
}
