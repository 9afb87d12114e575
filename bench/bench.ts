import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** What a bench is run with. */
export interface BenchOptions {
  readonly signal: AbortSignal;
  /** Rounds of each measure; each bench knows its own usual number. */
  readonly rounds?: number;
  /** How long, and of how many hosts, where a bench knows such a thing. */
  readonly seconds?: number;
  readonly hosts?: number;
  /** Progress for a person. */
  readonly log: (line: string) => void;
}

/** One figure: of the samples the median, 10th and 90th percentile. */
export interface Measure {
  readonly name: string;
  /** ms, MB, calls … */
  readonly unit: string;
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
  /** p95 too, where a figure is promised for it. */
  readonly p95?: number;
  readonly samples: number;
  /** Against which yardstick of the same run, and how many times its median. */
  readonly yardstick?: string;
  readonly ratio?: number;
  /** Largest median that is promised, in the unit; or largest ratio. */
  readonly limit?: number;
  readonly ratioLimit?: number;
  /** Smallest median that is promised, in the unit; or smallest ratio: of what is better when it is more. */
  readonly least?: number;
  readonly ratioLeast?: number;
}

export interface BenchResult {
  readonly name: string;
  readonly measures: readonly Measure[];
  /** What one must know to read the figures. */
  readonly notes?: readonly string[];
}

/** The value below which a share (0 to 1) of the samples lies, between neighbours in proportion. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}

/** A figure from its samples; `more` adds yardstick and promises. The ratio is that of the medians. */
export function measure(
  name: string,
  unit: string,
  samples: readonly number[],
  more: {
    readonly limit?: number;
    readonly ratioLimit?: number;
    readonly least?: number;
    readonly ratioLeast?: number;
    readonly yardstick?: { readonly name: string; readonly samples: readonly number[] };
  } = {},
): Measure {
  const { yardstick, ...limits } = more;
  const median = quantile(samples, 0.5);
  return {
    name,
    unit,
    median,
    p10: quantile(samples, 0.1),
    p90: quantile(samples, 0.9),
    p95: quantile(samples, 0.95),
    samples: samples.length,
    ...(yardstick === undefined ? {} : { yardstick: yardstick.name, ratio: median / quantile(yardstick.samples, 0.5) }),
    ...limits,
  };
}

/** Whether a figure is within what is promised; undefined when nothing is. */
export function holds({ median, limit, least, ratio, ratioLimit, ratioLeast }: Measure): boolean | undefined {
  if ([limit, least, ratioLimit, ratioLeast].every((promise) => promise === undefined)) return undefined;
  return (
    median <= (limit ?? Infinity) &&
    median >= (least ?? -Infinity) &&
    (ratioLimit === undefined || (ratio ?? Infinity) <= ratioLimit) &&
    (ratioLeast === undefined || (ratio ?? -Infinity) >= ratioLeast)
  );
}

/** The machine that figures were taken on. */
export function machine(): Readonly<Record<string, string | number>> {
  return {
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}
