import { join } from 'node:path';
import { errnoOf } from '../../reconciler/model/errors.ts';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import type { Files } from './files.ts';
import type { Hierarchy } from './hierarchy.ts';
import { DEVICES, EMPTYING, OOM, PAUSED, SCHED, SPARES_NOBODY, type Knob, type Wanted } from './knob.ts';
import { FIELDS, KNOBS, knobsIn } from './knobs.ts';
import { adjustmentOf, firstProcess } from './processes.ts';
import type { Raised } from './raised.ts';
import type { Classes, SetClass } from './scheduling.ts';

/** Descriptors that all containers of a provider may keep open together; files beyond are opened for each read. */
export interface Budget {
  left: number;
}

// one read at a time: reads are synchronous; limits of a hundred disks take some 6 kB
const buffer = Buffer.alloc(65_536);

interface OpenFile {
  readonly path: string;
  descriptor: number | undefined;
  /** Bytes of the last read; equal bytes make no new text. */
  bytes: Buffer;
  text: string;
}

/** One container's cgroup, its files held open. */
export interface Held {
  readonly id: string;
  /** Below the root of each hierarchy. */
  readonly path: string;
  readonly knobs: readonly Knob[];
  /** Absolute directories of its files. */
  readonly directories: readonly string[];
  directoryOf(controller: string): string;
  has(file: string): boolean;
  /** The absolute path of a knob's file. */
  pathOf(file: string): string;
  /**
   * What the kernel says; the same object while nothing changed; undefined when the cgroup is gone. `files`: of its processes it is what they
   * said last, as long as they have been asked once.
   */
  read(how?: 'all' | 'files'): CgroupState | undefined;
  /** Whether the cgroup is still there; cheaper than read. */
  alive(): boolean;
  close(): void;
}

/** Where cgroups are found. */
export interface Machine {
  readonly files: Files;
  readonly tree: Hierarchy;
  readonly budget: Budget;
  /** The block devices, as they were last looked at. */
  readonly devices: () => string;
  readonly procRoot: string;
  /** Whether this process may spare others from the OOM killer, as far as is known. */
  spares: boolean;
  readonly classes: Classes;
  readonly raised: Raised;
  readonly setClass: SetClass;
  /** Paths of cgroups that are being emptied. */
  readonly emptying: { has(path: string): boolean };
  /** Ids of containers that Docker calls paused. */
  readonly paused: Set<string>;
  /** Has Docker let a container stand still or go on. */
  readonly tellFrozen?: ((id: string, frozen: boolean, signal: AbortSignal) => Promise<void>) | undefined;
}

/** What its processes say, not files of the cgroup. */
const OF_PROCESSES: ReadonlySet<string> = new Set([OOM, SCHED]);

/** Opens the files of the cgroup at a path; undefined when it is gone. */
export function hold(machine: Machine, id: string, path: string): Held | undefined {
  const { files, tree, budget, devices, procRoot } = machine;
  const open = new Map<string, OpenFile>();
  for (const { controller, files: names } of KNOBS) {
    for (const name of names) {
      if (open.has(name) || OF_PROCESSES.has(name)) continue;
      const file = join(tree.directory(controller, path), name);
      const handle = openFile(files, file, budget);
      if (handle) open.set(name, handle);
    }
  }
  const knobs = knobsIn((name) => OF_PROCESSES.has(name) || open.has(name));
  if (open.size === 0) {
    for (const file of open.values()) closeFile(files, file, budget);
    return undefined;
  }
  const ofFiles = knobs.filter(({ files: names }) => names.every((name) => open.has(name)));
  const directories = [...new Set(ofFiles.map(({ controller }) => tree.directory(controller, path)))];
  const processesNow = (): Readonly<Record<string, string>> => {
    const [directory] = directories;
    if (directory === undefined) return {};
    const first = firstProcess(files, directory);
    if (first === undefined) return {};
    const all = [
      [OOM, adjustmentOf(files, procRoot, first)],
      [SCHED, machine.classes.of(id, directory, first)],
    ] as const;
    return Object.fromEntries(all.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])));
  };
  const fields = new Set(knobs.map(({ field }) => field));
  const unsupported = FIELDS.filter((field) => !fields.has(field));
  const needed = new Set(knobs.flatMap((knob) => knob.files));
  for (const [name, file] of open) {
    if (needed.has(name)) continue;
    closeFile(files, file, budget);
    open.delete(name);
  }
  let last: CgroupState | undefined;
  let there = '';
  let said: Readonly<Record<string, string>> | undefined;
  let told = '';
  let { spares: spared } = machine;
  let emptied = false;
  let paused = false;
  return {
    id,
    path,
    knobs,
    directories,
    directoryOf: (controller) => tree.directory(controller, path),
    has: (file) => open.has(file),
    pathOf: (file) => open.get(file)?.path ?? file,
    read(how = 'all') {
      let changed = last === undefined || there !== devices() || spared !== machine.spares;
      changed ||= emptied !== machine.emptying.has(path);
      emptied = machine.emptying.has(path);
      changed ||= paused !== machine.paused.has(id);
      paused = machine.paused.has(id);
      there = devices();
      spared = machine.spares;
      if (how === 'all' || said === undefined) said = processesNow();
      const words = Object.values(said).join('\n');
      changed ||= words !== told;
      told = words;
      for (const file of open.values()) {
        const news = readFile(files, file);
        if (news === undefined) return undefined;
        changed ||= news;
      }
      if (!changed) return last;
      const texts = [...open].map(([name, file]) => [name, file.text] as const);
      const raw = Object.fromEntries([
        ...texts,
        [DEVICES, there],
        ...Object.entries(said),
        ...(machine.spares ? [] : [[SPARES_NOBODY, ''] as const]),
        ...(emptied ? [[EMPTYING, ''] as const] : []),
        ...(paused ? [[PAUSED, ''] as const] : []),
      ]);
      const seen = knobs.filter((knob) => knob.files.every((name) => raw[name] !== undefined));
      const limits = seen.map((knob) => [knob.field, knob.decode(raw)] as const);
      last = { id, ...Object.fromEntries(limits.filter(isSet)), unsupported, raw };
      return last;
    },
    alive() {
      const [file] = open.values();
      return file !== undefined && readBytes(files, file) !== undefined;
    },
    close() {
      for (const file of open.values()) closeFile(files, file, budget);
      open.clear();
    },
  };
}

function isSet(entry: readonly [string, Wanted[keyof Wanted]]): boolean {
  return entry[1] !== undefined;
}

function openFile(files: Files, path: string, budget: Budget): OpenFile | undefined {
  const file: OpenFile = { path, descriptor: undefined, bytes: Buffer.alloc(0), text: '' };
  if (budget.left <= 0) return files.exists(path) ? file : undefined;
  try {
    file.descriptor = files.open(path);
    budget.left -= 1;
    return file;
  } catch (error) {
    if (!['EMFILE', 'ENFILE'].includes(errnoOf(error))) return undefined;
    budget.left = 0;
    return files.exists(path) ? file : undefined;
  }
}

function closeFile(files: Files, file: OpenFile, budget: Budget): void {
  if (file.descriptor === undefined) return;
  files.close(file.descriptor);
  file.descriptor = undefined;
  budget.left += 1;
}

/** Whether the text changed; undefined when the file is gone. */
function readFile(files: Files, file: OpenFile): boolean | undefined {
  const count = readBytes(files, file);
  if (count === undefined) return undefined;
  if (file.bytes.length === count && buffer.compare(file.bytes, 0, count, 0, count) === 0) return false;
  file.bytes = Buffer.from(buffer.subarray(0, count));
  file.text = file.bytes.toString('latin1').trim();
  return true;
}

/** Fills the buffer; undefined when the file is gone (ENODEV through a descriptor, ENOENT by path). */
function readBytes(files: Files, file: OpenFile): number | undefined {
  try {
    if (file.descriptor !== undefined) return files.read(file.descriptor, buffer);
    const descriptor = files.open(file.path);
    try {
      return files.read(descriptor, buffer);
    } finally {
      files.close(descriptor);
    }
  } catch (error) {
    if (['ENODEV', 'ENOENT'].includes(errnoOf(error))) return undefined;
    throw error;
  }
}
