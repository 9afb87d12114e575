import { mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, PlumbError } from '../reconciler/model/errors.ts';

/** The machine's cgroup file systems: one on v2; on v1 one for each hierarchy. */
export interface CgroupLayout {
  readonly version: 1 | 2;
  /** Absolute directories. */
  readonly roots: readonly string[];
}

/** Controllers that a host of the lab hands to its containers on v2. */
const CONTROLLERS = ['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb'];

function readOr(path: string, absent: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return absent; // gone, or a file this kernel does not have
  }
}

/** The layout that /proc/self/mountinfo shows below `root`, or undefined where no cgroups are mounted. Format: proc(5). */
export function parseLayout(mountinfo: string, root = '/sys/fs/cgroup'): CgroupLayout | undefined {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const path = left?.split(' ')[4];
    const type = right?.split(' ')[0];
    return path !== undefined && type !== undefined && `${path}/`.startsWith(`${root}/`) ? [{ path, type }] : [];
  });
  if (mounts.findLast((mount) => mount.path === root)?.type === 'cgroup2') return { version: 2, roots: [root] };
  const roots = new Set(mounts.filter(({ type }) => type === 'cgroup' || type === 'cgroup2').map(({ path }) => path));
  return roots.size === 0 ? undefined : { version: 1, roots: [...roots].sort() };
}

/** The files a process writes 0 to in order to join `group`. */
export function joinFiles(layout: CgroupLayout, group: string): readonly string[] {
  return layout.roots.map((root) => join(root, group, 'cgroup.procs'));
}

/** `a/b/c` as `a`, `a/b`, `a/b/c`. */
function ancestry(group: string): readonly string[] {
  const parts = group.split('/');
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

function delegate(dir: string): void {
  const offered = readOr(join(dir, 'cgroup.controllers'), '').trim().split(/\s+/);
  const enabled = readOr(join(dir, 'cgroup.subtree_control'), '').trim().split(/\s+/);
  for (const controller of CONTROLLERS) {
    if (!offered.includes(controller) || enabled.includes(controller)) continue;
    try {
      writeFileSync(join(dir, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      // cpu is refused while realtime processes exist in the tree; the lab then lives without that one limit
      if (errnoOf(error) !== 'EINVAL' && errnoOf(error) !== 'EOPNOTSUPP') throw error;
    }
  }
}

function inheritCpus(dir: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const mine = readOr(join(dir, file), '-');
    if (mine.trim() === '') writeFileSync(join(dir, file), readFileSync(join(dirname(dir), file), 'utf8'));
  }
}

function makeIn(layout: CgroupLayout, root: string, group: string): void {
  let parent = root;
  for (const name of ancestry(group)) {
    const dir = join(root, name);
    if (layout.version === 2) delegate(parent);
    mkdirSync(dir, { recursive: true });
    if (layout.version === 1) inheritCpus(dir);
    parent = dir;
  }
}

/**
 * Makes `group` and its ancestors, with controllers delegated down to it (v2) and the parent's cpus copied (v1). Idempotent.
 * Throws LAB_FAILED where the tree cannot be written to or its root is a container's.
 */
export function makeGroup(layout: CgroupLayout, group: string): void {
  for (const root of layout.roots)
    try {
      makeIn(layout, root, group);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const hint = 'a lab needs a whole machine, or a container with a cgroup tree to write to';
      throw new PlumbError('LAB_FAILED', `cannot make cgroup ${group} in ${root}: ${text}; ${hint}`, {}, error);
    }
}

function below(dir: string): readonly string[] {
  try {
    const children = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...children.flatMap((entry) => below(join(dir, entry.name))), dir];
  } catch {
    return []; // vanished meanwhile
  }
}

/** Pids of the processes in `group` and everything below it, as this process sees them. */
export function members(layout: CgroupLayout, group: string): readonly number[] {
  const pids = new Set<number>();
  for (const root of layout.roots)
    for (const dir of below(join(root, group)))
      for (const line of readOr(join(dir, 'cgroup.procs'), '').split('\n'))
        if (Number(line) > 0) pids.add(Number(line));
  return [...pids];
}

/** Removes `group` and everything below it; false while the kernel still holds some of it. */
export function removeGroup(layout: CgroupLayout, group: string): boolean {
  let gone = true;
  for (const root of layout.roots)
    for (const dir of below(join(root, group))) {
      try {
        rmdirSync(dir);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') gone = false;
      }
    }
  return gone;
}

/** SIGKILL to every process in `group` and below it, and their pids. Throws LAB_FAILED when we are one of them. */
export function killGroup(layout: CgroupLayout, group: string): readonly number[] {
  const pids = members(layout, group);
  if (pids.includes(process.pid))
    throw new PlumbError('LAB_FAILED', 'this process runs inside the lab: run the command outside it');
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error;
    }
  }
  return pids;
}
