import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseCpus } from '../../../reconciler/model/cores.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';
import { treeAt } from '../inventory/tree.ts';
import type { Took } from './work.ts';

const run = promisify(execFile);
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

/** What the work takes on the machine of which a core counts as 1: milliseconds of CPU, medians of twenty runs on each of its cores. */
export const REFERENCE: Took & { readonly machine: string } = {
  integer: 222,
  memory: 215,
  machine: 'Intel(R) Xeon(R) Processor, a virtual machine with 2 CPUs, Linux 6.18, Node 20.20.2',
};

/** What a core of this machine does. */
export interface Performance {
  /** In cores of the reference machine, to hundredths. */
  readonly factor: number;
  /** Of integer work and of memory work alone. */
  readonly integer: number;
  readonly memory: number;
  /** Between the runs: from the 10th to the 90th percentile, as a share of the median. */
  readonly spread: number;
  readonly runs: number;
  /** By CPU, the median of its runs. */
  readonly cpus: Readonly<Record<string, number>>;
  /** False where nothing can keep a process on one CPU (no taskset): then the CPUs are those that the kernel chose. */
  readonly kept: boolean;
}

export interface BenchmarkOptions {
  readonly procRoot?: string;
  readonly sysRoot?: string;
  /** How long it may take, milliseconds; a round that has begun is ended. */
  readonly ms: number;
  readonly signal: AbortSignal;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
  /** Does the work so many times on a CPU; rejects with ENOENT where nothing can keep it there. */
  readonly workOn?: (cpu: number | undefined, times: number, signal: AbortSignal) => Promise<readonly Took[]>;
}

/** So many cores are measured, spread over the machine; so often in a row on one. */
const CORES = 8;
const TIMES = 3;

async function workOn(cpu: number | undefined, times: number, signal: AbortSignal): Promise<readonly Took[]> {
  const node = [process.execPath, WORKER, String(times)];
  const [program = '', ...args] = cpu === undefined ? node : ['taskset', '-c', String(cpu), ...node];
  const { stdout } = await run(program, args, { signal, timeout: 60_000 });
  return JSON.parse(stdout) as readonly Took[];
}

/** The CPUs that are measured: the first of each core that this process may run on, some of them where there are many. */
function chosenCpus(procRoot: string, sysRoot: string): readonly number[] {
  const allowed = /^Cpus_allowed_list:\s+(\S+)$/m.exec(treeAt(procRoot).text('self/status') ?? '')?.[1] ?? '0';
  const sys = treeAt(sysRoot);
  const cores = new Map<string, number>();
  for (const cpu of parseCpus(allowed)) {
    const core = sys.text(`devices/system/cpu/cpu${String(cpu)}/topology/thread_siblings_list`) ?? String(cpu);
    if (!cores.has(core)) cores.set(core, cpu);
  }
  const all = [...cores.values()];
  if (all.length <= CORES) return all;
  return Array.from({ length: CORES }, (_, at) => all[Math.floor((at * all.length) / CORES)] ?? 0);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);
const rounded = (value: number): number => Math.round(value * 100) / 100;

/** Integer and memory work count alike. */
function factorOf({ integer, memory }: Took): number {
  return Math.sqrt((REFERENCE.integer / integer) * (REFERENCE.memory / memory));
}

/** The figure of all runs, by CPU. */
function performanceOf(took: ReadonlyMap<number, readonly Took[]>, kept: boolean): Performance {
  const all = [...took.values()].flat();
  const factors = all.map(factorOf);
  return {
    factor: rounded(median(factors)),
    integer: rounded(REFERENCE.integer / median(all.map(({ integer }) => integer))),
    memory: rounded(REFERENCE.memory / median(all.map(({ memory }) => memory))),
    spread: rounded((quantile(factors, 0.9) - quantile(factors, 0.1)) / median(factors)),
    runs: all.length,
    cpus: Object.fromEntries([...took].map(([cpu, some]) => [String(cpu), rounded(median(some.map(factorOf)))])),
    kept,
  };
}

/** Measures one core at a time, in rounds over several, until the time is over; at least one round. */
export async function measurePerformance(options: BenchmarkOptions): Promise<Performance> {
  const { procRoot = '/proc', sysRoot = '/sys', ms, signal, now = () => performance.now() } = options;
  const does = options.workOn ?? workOn;
  const cpus = chosenCpus(procRoot, sysRoot);
  const took = new Map<number, readonly Took[]>();
  let kept = true;
  const end = now() + ms;
  do {
    for (const cpu of cpus) {
      const on = (): number | undefined => (kept ? cpu : undefined);
      const some = await does(on(), TIMES, signal).catch((error: unknown) => {
        if ((error as { readonly code?: unknown }).code !== 'ENOENT' || !kept) throw error;
        kept = false;
        return does(undefined, TIMES, signal);
      });
      took.set(cpu, [...(took.get(cpu) ?? []), ...some]);
    }
  } while (now() < end && !signal.aborted);
  if (signal.aborted) throw new PlumbError('CANCELLED', 'it was interrupted before all runs were done');
  return performanceOf(took, kept);
}
