import { measure, quantile, type Measure } from './bench.ts';

/** Shorter runs say nothing of growth: what is new in them is warm-up. Seconds. */
export const LONG = 300;
/** Of so many parts of a run the least is taken: what is left in memory after garbage was collected. */
const PARTS = 30;
/** What is told first of what is beginning is no state of rest: so much of a run is left out. */
const WARM_UP = 0.1;

/** The least of each part of the samples, in their order; of few samples all. */
export function troughs(samples: readonly number[], parts: number = PARTS): readonly number[] {
  const size = Math.max(1, Math.floor(samples.length / parts));
  const starts = Array.from({ length: Math.ceil(samples.length / size) }, (_, at) => at * size);
  return starts.map((start) => Math.min(...samples.slice(start, start + size)));
}

/**
 * How much something is at the end of a run in which the same was asked for all the time, beside its beginning: the last and the first third of what is left without the
 * warm-up. More than `ratioLimit` times as much is growth; that is promised of runs of five minutes and more.
 */
export function growth(
  name: string,
  unit: string,
  samples: readonly number[],
  { ratioLimit, seconds }: { readonly ratioLimit: number; readonly seconds: number },
): Measure {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const third = Math.max(1, Math.floor(warm.length / 3));
  return measure(`${name}, at the end`, unit, warm.slice(-third), {
    yardstick: { name: 'at the beginning', samples: warm.slice(0, third) },
    ...(seconds < LONG ? {} : { ratioLimit }),
  });
}

/** By how much the medians of the first and the last third differ, in an hour at that pace. */
export function hourly(samples: readonly number[], seconds: number): number {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const third = Math.max(1, Math.floor(warm.length / 3));
  const more = quantile(warm.slice(-third), 0.5) - quantile(warm.slice(0, third), 0.5);
  return (more / (seconds * (1 - WARM_UP) * (2 / 3))) * 3600;
}
