import { join } from 'node:path';
import { formatCpus, parseCpus, sameCpus } from '../../reconciler/model/cores.ts';
import { cfsOf } from './conversion.ts';
import { errnoOf } from '../../reconciler/model/errors.ts';
import { readText, type Files } from './files.ts';
import type { Machine } from './held.ts';

const DEEPEST = 8;

/** The cgroups below one, each before those in it; so many levels. */
export function below(files: Files, directory: string, depth = 0): readonly string[] {
  if (depth === DEEPEST) return [];
  return files.folders(directory).flatMap((name) => {
    const path = join(directory, name);
    return [path, ...below(files, path, depth + 1)];
  });
}

const gone = (error: unknown): boolean => ['ENOENT', 'ENODEV'].includes(errnoOf(error));

/** Reads and writes one of what is below, which may go at any time. */
export function each(directories: readonly string[], act: (directory: string) => void): void {
  for (const directory of directories) {
    try {
      act(directory);
    } catch (error) {
      if (!gone(error)) throw error;
    }
  }
}

/**
 * Lowers the quotas below a v1 cgroup to thousandths of a core, the deepest first: one below may have no more than what it is in, or
 * that is refused (EINVAL). Says which were lowered.
 */
export function lowerQuotas(files: Files, directory: string, milli: number): readonly string[] {
  const lowered: string[] = [];
  each(below(files, directory).toReversed(), (path) => {
    const quota = Number(readText(files, path, 'cpu.cfs_quota_us'));
    const period = Number(readText(files, path, 'cpu.cfs_period_us'));
    if (quota < 0 || quota * 1000 <= milli * period) return;
    const most = cfsOf(milli, period);
    // a longer period comes first: it only lowers the share
    if (most.period !== period) files.write(join(path, 'cpu.cfs_period_us'), String(most.period));
    files.write(join(path, 'cpu.cfs_quota_us'), String(most.quota));
    lowered.push(path);
  });
  return lowered;
}

/** Budgets of v1 for rr and fifo. */
type Budgets = Pick<Machine, 'files' | 'tree' | 'raised'>;

const RUNTIME = 'cpu.rt_runtime_us';
const runtimeOf = (files: Files, directory: string): number => Number(readText(files, directory, RUNTIME));

/** All that is in a cgroup together, µs. */
function runtimeIn(files: Files, directory: string): number {
  return files.folders(directory).reduce((sum, name) => sum + runtimeOf(files, join(directory, name)), 0);
}

/** All that a cgroup is in but the root, from the top down. */
function above({ tree }: Budgets, path: string): readonly string[] {
  const parts = path.split('/').filter(Boolean);
  return parts.slice(1).map((_, depth) => tree.directory('cpu', parts.slice(0, depth + 1).join('/')));
}

/**
 * Raises the budget for rr and fifo of all that a v1 cgroup is in, from the top down, until it may have so many µs of its period: one may have no less
 * than those in it together. The root has what the kernel gives in all. Throws the kernel's errno.
 */
export function raiseRealtime(budgets: Budgets, path: string, micros: number): void {
  const { files, tree, raised } = budgets;
  const before = runtimeOf(files, tree.directory('cpu', path));
  for (const directory of above(budgets, path)) {
    // each on the way gains what the last one does
    const needed = runtimeIn(files, directory) + Math.max(0, micros - before);
    const has = runtimeOf(files, directory);
    if (has >= needed) continue;
    // one that is killed in between has noted what it did not do, which does no harm
    raised.note(directory, has);
    files.write(join(directory, RUNTIME), String(needed));
  }
}

/**
 * Lowers all that was raised, from the bottom up, to what is still needed in it, and to no less than it had before. What the kernel does not take now,
 * as where a hand is at it, is tried again with the next look.
 */
export function lowerRealtime({ files, raised }: Pick<Budgets, 'files' | 'raised'>): void {
  for (const directory of raised.directories().toSorted((a, b) => b.length - a.length)) {
    try {
      if (!files.exists(join(directory, RUNTIME))) {
        raised.forget(directory);
        continue;
      }
      const before = raised.of(directory) ?? 0;
      const needed = Math.max(before, runtimeIn(files, directory));
      if (runtimeOf(files, directory) > needed) files.write(join(directory, RUNTIME), String(needed));
      if (needed === before) raised.forget(directory);
    } catch {
      // it has just gone, or is not to be lowered now
    }
  }
}

/**
 * Writes a cgroup's CPUs or memory nodes and those of what is below it, as v1 asks for it: nothing may have what that does not have in
 * which it is. First each gets what it is to have beside what it has, from the top down; then what it is to have alone, from the
 * bottom up. What had all of it has all again; else it keeps what is left of its own, or has all where that is nothing.
 */
export function writeNested(files: Files, directory: string, name: string, value: string): void {
  const had = readText(files, directory, name);
  const under = below(files, directory);
  if (under.length === 0) {
    files.write(join(directory, name), value);
    return;
  }
  const all = new Set(parseCpus(value));
  const targetOf = (has: string): string => {
    const kept = sameCpus(has, had) ? [] : parseCpus(has).filter((cpu) => all.has(cpu));
    return kept.length > 0 ? formatCpus(kept) : value;
  };
  const targets = new Map([[directory, value]]);
  each(under, (path) => {
    const has = readText(files, path, name);
    // one that was never given anything has what its parent has
    if (has !== '') targets.set(path, targetOf(has));
  });
  const put = (path: string, cpus: string): void => {
    if (!sameCpus(readText(files, path, name), cpus)) files.write(join(path, name), cpus);
  };
  each([...targets.keys()], (path) => {
    put(path, formatCpus(new Set([...parseCpus(readText(files, path, name)), ...parseCpus(targets.get(path) ?? '')])));
  });
  each([...targets.keys()].toReversed(), (path) => {
    put(path, targets.get(path) ?? value);
  });
}
