import { join } from 'node:path';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import type { Files } from './files.ts';
import { firstProcess } from './first.ts';
import type { Hierarchy } from './hierarchy.ts';
import { DEVICES, EMPTYING, OOM, PAUSED, SCHED, SPARES_NOBODY, type Knob, type Wanted } from './knob.ts';
import { FIELDS, KNOBS, knobsIn } from './knobs.ts';
import type { Moments } from './moments.ts';
import { openFile, type Budget, type OpenFile } from './open-files.ts';
import type { Raised } from './raised.ts';
import type { Classes, SetClass } from './scheduling.ts';

/** How much is read, and how new it is. */
export type How = 'all' | 'kept' | 'files';

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
   * What the kernel says; the same object while nothing changed; undefined when the cgroup is gone. `kept`: its processes are asked through the
   * descriptors that are open, which is cheaper and may be a second old; `files`: of its processes it is what they said last, as long as they
   * have been asked once.
   */
  read(how?: How): CgroupState | undefined;
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
  /** Which of those that stand still without Docker's word do so for longer than a moment. */
  readonly moments: Moments;
  /** Has Docker let a container stand still or go on. */
  readonly tellFrozen?: ((id: string, frozen: boolean, signal: AbortSignal) => Promise<void>) | undefined;
}

/** What its processes say, not files of the cgroup. */
const OF_PROCESSES: ReadonlySet<string> = new Set([OOM, SCHED]);

/** Opens the files of the cgroup at a path; undefined when it is gone. */
export function hold(machine: Machine, id: string, path: string): Held | undefined {
  const { files, tree, budget, devices } = machine;
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
  if (open.size === 0) return undefined;
  const ofFiles = knobs.filter(({ files: names }) => names.every((name) => open.has(name)));
  const directories = [...new Set(ofFiles.map(({ controller }) => tree.directory(controller, path)))];
  const [home] = directories;
  const first = home === undefined ? undefined : firstProcess(machine, id, home);
  const fields = new Set(knobs.map(({ field }) => field));
  const unsupported = FIELDS.filter((field) => !fields.has(field));
  const needed = new Set(knobs.flatMap((knob) => knob.files));
  for (const [name, file] of open) {
    if (needed.has(name)) continue;
    file.close();
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
      if (how !== 'files' || said === undefined) said = first?.read(how === 'all') ?? {};
      const words = Object.values(said).join('\n');
      changed ||= words !== told;
      told = words;
      for (const file of open.values()) {
        const news = file.read();
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
      return file?.alive() ?? false;
    },
    close() {
      for (const file of open.values()) file.close();
      open.clear();
      first?.close();
    },
  };
}

function isSet(entry: readonly [string, Wanted[keyof Wanted]]): boolean {
  return entry[1] !== undefined;
}
