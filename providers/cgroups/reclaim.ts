import { join } from 'node:path';
import { errnoOf, PlumbError } from '../../reconciler/model/errors.ts';
import type { Files } from './files.ts';
import type { Hierarchy } from './hierarchy.ts';
import { readText } from './files.ts';
import { SWAP, SWAPPINESS } from './memory-knobs.ts';
import { below, each } from './nested.ts';

/** So much is asked for at a time, bytes: between two the time is looked at. */
const STEP = 64 * 2 ** 20;

/**
 * Paths of cgroups that are being emptied, each with its end. Nothing of them is swapped meanwhile, whatever they are to have: on v1 their
 * swappiness is 0, on v2 before Linux 6.9 what they may swap.
 */
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

/** What v2 answers when it is asked for bytes: it gave them, has no more, or (before Linux 6.9) does not know the words. */
type Answer = 'gave' | 'no more' | 'no such words';

/** Asks v2 for bytes; `how` is said beside. */
async function ask(files: Files, directory: string, bytes: number, how: string): Promise<Answer> {
  const [file, text] = [join(directory, 'memory.reclaim'), `${String(bytes)}${how}`];
  try {
    await files.settle(file, text);
    return 'gave';
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EAGAIN') return 'no more';
    if (errno === 'EINVAL' && how !== '') return 'no such words';
    throw new PlumbError('KNOB_REFUSED', `${file} = ${text}: ${errno}`, { errno }, error);
  }
}

/** Asks v2 for bytes step by step, no later than a time. */
async function askFor(
  { files, clock }: Reclaiming,
  directory: string,
  bytes: number,
  until: number,
  how: string,
): Promise<Answer> {
  for (let left = bytes; left > 0 && clock() < until; left -= STEP) {
    const answer = await ask(files, directory, Math.min(left, STEP), how);
    if (answer !== 'gave') return answer;
  }
  return 'gave';
}

/** Whether the machine has swap that a cgroup could be swapped to. */
function hasSwap({ files, procRoot }: Reclaiming): boolean {
  return !/^SwapTotal:\s+0 kB$/m.test(readText(files, procRoot, 'meminfo'));
}

/**
 * Does something with a v2 cgroup that may swap nothing more meanwhile; what it has swapped stays. One that is killed in between leaves a
 * limit that is not as asked, which is put right as any other. Throws KNOB_REFUSED where it cannot be kept from swapping.
 */
async function withoutSwap(
  where: Reclaiming,
  path: string,
  directory: string,
  act: () => Promise<unknown>,
): Promise<void> {
  const { files, emptying } = where;
  if (!hasSwap(where)) {
    await act();
    return;
  }
  // who comes second must not take the first one's limit for the App's
  for (let other = emptying.get(path); other; other = emptying.get(path)) await other.catch(() => undefined);
  const file = join(directory, SWAP);
  const run = async (): Promise<void> => {
    if (!files.exists(file)) {
      const words = `${directory}: page cache cannot be asked for alone before Linux 6.9, and without ${SWAP} nothing keeps its memory from swap`;
      throw new PlumbError('KNOB_REFUSED', words, { file });
    }
    const before = readText(files, directory, SWAP);
    try {
      if (before !== '0') files.write(file, '0');
      await act();
    } finally {
      emptying.delete(path);
      if (before !== '0') each([file], () => files.write(file, before));
    }
  };
  const underway = Promise.resolve()
    .then(run)
    .finally(() => emptying.delete(path));
  emptying.set(path, underway);
  await underway;
}

/** Has a cgroup give back page cache, and swap nothing for it: on v2 so many bytes and no later than a time, on v1 all. */
export async function giveBack(where: Reclaiming, path: string, bytes: number, until: number): Promise<void> {
  const directory = where.tree.directory('memory', path);
  if (where.tree.version === 'v1') return forceEmpty(where, path, directory);
  if ((await askFor(where, directory, bytes, until, ' swappiness=0')) !== 'no such words') return;
  await withoutSwap(where, path, directory, () => askFor(where, directory, bytes, until, ''));
}

/** Has the machine drop names and inodes that nobody uses. What was read of files stays. */
export function dropSlab({ files, procRoot }: Reclaiming): Promise<void> {
  return told(files, join(procRoot, 'sys/vm/drop_caches'), '2');
}
