import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../../reconciler/model/errors.ts';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import type { WeightFormula } from './conversion.ts';
import { readText, type Files } from './files.ts';
import type { Held, Machine } from './held.ts';
import { OOM, type Wanted, type Write } from './knob.ts';
import { writesFor } from './knobs.ts';
import { adjust, largest } from './processes.ts';

/** A write that the kernel did not take. */
export interface Refusal {
  readonly file: string;
  readonly value: string;
  readonly errno: string;
  readonly why: string;
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
 * as the kernel can give pages back without killing, unless it is asked to by force.
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
      const refusal = await writeOne(machine, held, write, want.force === true);
      if (refusal === undefined) did.push(`${write.file} ${raw[write.file] ?? '?'} -> ${write.value}`);
      else refused.push({ ...write, errno: 'EBUSY', why: refusal });
    } catch (error) {
      const errno = errnoOf(error);
      if (write.file === OOM && (errno === 'EACCES' || errno === 'EPERM')) {
        machine.spares = false;
        continue;
      }
      refused.push({ ...write, errno, why: whyOf(files, held, write, errno) });
    }
  }
  return { did, refused };
}

/** Undefined when written; else why not. */
async function writeOne(
  machine: Machine,
  held: Held,
  { file, value }: Write,
  force: boolean,
): Promise<string | undefined> {
  const { files, procRoot } = machine;
  if (file === OOM) {
    adjust(files, procRoot, held.directories[0] ?? '', Number(value));
    return undefined;
  }
  const path = held.pathOf(file);
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

/** v1 refuses where v2 kills: what takes most is killed here until the limit holds. */
async function settleByForce(machine: Machine, held: Held, path: string, value: string): Promise<void> {
  const { files, procRoot } = machine;
  for (let gone = false; !gone;) {
    try {
      await files.settle(path, value);
      return;
    } catch (error) {
      const pid = errnoOf(error) === 'EBUSY' ? largest(files, procRoot, held.directoryOf('memory')) : undefined;
      if (pid === undefined) throw error;
      files.kill(pid);
      for (let waited = 0; files.exists(`${procRoot}/${String(pid)}/statm`); waited += 10) {
        gone = waited >= DEATH;
        if (gone) throw error;
        await sleep(10);
      }
    }
  }
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
    if (errno === 'EBUSY' && usage !== undefined) return inUse(usage, value);
  } catch {
    return WHY['ENODEV'] ?? errno;
  }
  return WHY[errno] ?? errno;
}
