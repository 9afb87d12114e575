import { join } from 'node:path';
import { formatCpus, parseCpus, sameCpus } from '../../reconciler/model/cores.ts';
import { cfsOf } from './conversion.ts';
import { errnoOf } from '../../reconciler/model/errors.ts';
import { readText, type Files } from './files.ts';

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

/**
 * Raises the budget for rr and fifo of all that a v1 cgroup is in, from the top down, until it may have so many µs of its period: one may have no less
 * than those in it together. The root has what the kernel gives in all. Throws the kernel's errno.
 */
export function raiseRealtime(files: Files, root: string, path: string, micros: number): void {
  const parts = path.split('/').filter(Boolean);
  const runtime = (directory: string): number => Number(readText(files, directory, 'cpu.rt_runtime_us'));
  const before = runtime(join(root, path));
  for (let depth = 1; depth < parts.length; depth += 1) {
    const directory = join(root, ...parts.slice(0, depth));
    const inIt = files.folders(directory).reduce((sum, name) => sum + runtime(join(directory, name)), 0);
    // each on the way gains what the last one does
    const needed = inIt + Math.max(0, micros - before);
    if (runtime(directory) < needed) files.write(join(directory, 'cpu.rt_runtime_us'), String(needed));
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
