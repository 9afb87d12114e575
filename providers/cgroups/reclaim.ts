import { join } from 'node:path';
import { errnoOf, PlumbError } from '../../reconciler/model/errors.ts';
import type { Files } from './files.ts';
import type { Hierarchy } from './hierarchy.ts';
import { readText } from './files.ts';
import { SWAPPINESS } from './memory-knobs.ts';
import { below, each } from './nested.ts';

/** So much is asked for at a time, bytes: between two the time is looked at. */
const STEP = 64 * 2 ** 20;

/** Paths of v1 cgroups that are being emptied, each with its end. Their swappiness is 0 meanwhile, whatever they are to have. */
export type Emptying = Map<string, Promise<void>>;

/** Where the kernel takes back memory. */
export interface Reclaiming {
  readonly files: Files;
  readonly tree: Hierarchy;
  readonly procRoot: string;
  readonly emptying: Emptying;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** Why the memory of a cgroup cannot be given back; undefined where it can. */
export function unableFor({ files, tree }: Reclaiming, path: string): string | undefined {
  const directory = tree.directory('memory', path);
  if (files.exists(join(directory, tree.version === 'v1' ? 'memory.force_empty' : 'memory.reclaim'))) return undefined;
  return tree.version === 'v1'
    ? 'the memory controller is off, or has no memory.force_empty'
    : 'it has no memory.reclaim, which Linux 5.19 brought';
}

/** Why the slab of the machine cannot be given back; undefined where it can. */
export function unableForHost({ files, procRoot }: Reclaiming): string | undefined {
  return files.exists(join(procRoot, 'sys/vm/drop_caches')) ? undefined : 'this kernel has no vm.drop_caches';
}

/** Has a write made; throws KNOB_REFUSED with the errno. */
async function told(files: Files, path: string, text: string): Promise<void> {
  try {
    await files.settle(path, text);
  } catch (error) {
    const errno = errnoOf(error);
    throw new PlumbError('KNOB_REFUSED', `${path} = ${text}: ${errno}`, { path, errno }, error);
  }
}

/** Has a v1 cgroup give back all it can, with a swappiness of 0, its own and that of those in it. */
async function emptyWithoutSwap({ files, emptying }: Reclaiming, path: string, directory: string): Promise<void> {
  const before = new Map<string, string>();
  try {
    each([directory, ...below(files, directory)], (one) => {
      const has = readText(files, one, SWAPPINESS);
      if (has === '0') return;
      files.write(join(one, SWAPPINESS), '0');
      before.set(one, has);
    });
    await told(files, join(directory, 'memory.force_empty'), '0');
  } finally {
    // one that is killed in between leaves a swappiness that is not as asked, which is put right as any other
    emptying.delete(path);
    each([...before.keys()], (one) => {
      files.write(join(one, SWAPPINESS), before.get(one) ?? '');
    });
  }
}

/** v1 gives back all it can. Who asks for a cgroup that is being emptied waits for that. */
function forceEmpty(where: Reclaiming, path: string, directory: string): Promise<void> {
  const { emptying } = where;
  const underway = emptying.get(path) ?? Promise.resolve().then(() => emptyWithoutSwap(where, path, directory));
  emptying.set(path, underway);
  return underway;
}

/** Whether v2 gave back so many bytes: without swapping where it can be told so (Linux 6.9), else as its vm.swappiness says. */
async function ask(files: Files, file: string, bytes: number): Promise<boolean> {
  for (const text of [`${String(bytes)} swappiness=0`, String(bytes)]) {
    try {
      await files.settle(file, text);
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN') return false;
      if (errno !== 'EINVAL') throw new PlumbError('KNOB_REFUSED', `${file} = ${text}: ${errno}`, { errno }, error);
    }
  }
  return false;
}

/** Has a cgroup give back page cache: on v2 so many bytes and no later than a time, on v1 all. */
export async function giveBack(where: Reclaiming, path: string, bytes: number, until: number): Promise<void> {
  const { files, tree, clock } = where;
  const directory = tree.directory('memory', path);
  if (tree.version === 'v1') return forceEmpty(where, path, directory);
  for (let left = bytes; left > 0 && clock() < until; left -= STEP)
    if (!(await ask(files, join(directory, 'memory.reclaim'), Math.min(left, STEP)))) return;
}

/** Has the machine drop names and inodes that nobody uses. What was read of files stays. */
export function dropSlab({ files, procRoot }: Reclaiming): Promise<void> {
  return told(files, join(procRoot, 'sys/vm/drop_caches'), '2');
}
