import { performance, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** How V8 is to treat the heap. */
export type Manner = 'rest' | 'work' | 'tidy';

/** What was seen so far, a look each second. */
export interface Pace {
  readonly manner: Manner;
  /** CPU time of the looks in a row at which the process was busy all the time, milliseconds; of much work, less what it waited since. */
  readonly busy: number;
  /** Looks since the heap was last tidied up; below zero where that takes longer. */
  readonly since: number;
}

/**
 * At rest, and under the changes of a usual day, the heap may grow by a tenth beyond what is alive before it is collected, where V8 would let it grow up to
 * fourfold.
 */
const REST = ['--heap-growing-percent=10', '--no-optimize-for-size'];
/**
 * Much work at once (150,000 replicas that want a place) makes new things all the time: collected after each tenth, it took 70 % more CPU than as V8
 * would have it, which took three times the memory.
 */
const WORK = ['--heap-growing-percent=40', '--no-optimize-for-size'];
/**
 * Pages are emptied of which a fifth is free, where V8 waits for more than half: each commit replaces a little of what is kept, here and there, and what
 * is free between the rest would grow to half of the heap. A collection stops the process for as long as it takes then, so that this is done seldom.
 */
const TIDY = ['--heap-growing-percent=10', '--optimize-for-size'];
/** The flags of V8 for each. */
export const MANNERS: Readonly<Record<Manner, readonly string[]>> = { rest: REST, work: WORK, tidy: TIDY };

const LOOK = 1_000;
/** Part of a second from which it was busy all the time. */
const BUSY = 0.9;
/** Part of a second from which much work goes on, although it waits for the store now and then. */
const HALF = 0.5;
/**
 * So much CPU time of busy seconds in a row is much work, milliseconds. One that is less than half busy ends it, and each that is less than busy takes one
 * back, of a few: what comes behind it for a long time is no longer it. An audit takes half of it; by the clock it
 * takes as long as others on the machine let it.
 */
const MUCH = 4_000;
const MOST = 20_000;
/** Seconds from one time of tidying to the next, and for how long. */
const EVERY = 60;
const FOR = 5;
/**
 * For how long after much work: a process at rest makes too little that is new for a collection to come of that, but V8 begins one by itself when nothing
 * much was made for 8 s. If it is to move things then, the pages that the work has filled go back.
 */
export const AFTER_WORK = 15;

/**
 * Both halves of the space for what is new, bytes: V8 begins with 2 MiB, which is full, and looked through, many times while one revision of thousands of Apps is
 * compiled, and lets it grow to 32 MiB.
 */
const YOUNG = 8 * 2 ** 20;

/** By how much that space may grow with the next collection, where it is of so many bytes. */
export function growthOfYoung(manner: Manner, size: number): string {
  return `--semi-space-growth-factor=${manner === 'work' || size < YOUNG ? '2' : '1'}`;
}

/** How large it is now, bytes. */
export function young(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? YOUNG;
}

/** As nothing was seen yet. */
export const START: Pace = { manner: 'rest', busy: 0, since: 0 };

/** What follows from a look: for which part of the last second the process was busy, and the CPU time that it had, milliseconds. */
export function pace({ manner, busy, since }: Pace, utilization: number, cpu: number): Pace {
  const isBusy = utilization >= BUSY;
  const goesOn = manner === 'work' && utilization >= HALF;
  const next = isBusy ? Math.min(busy + cpu, MOST) : goesOn ? busy - LOOK : 0;
  if (next >= MUCH) return { manner: 'work', busy: next, since: EVERY };
  if (isBusy) return { manner: manner === 'tidy' && since >= FOR ? 'rest' : manner, busy: next, since: since + 1 };
  if (since >= EVERY) return { manner: 'tidy', busy: 0, since: manner === 'work' ? FOR - AFTER_WORK : 0 };
  return { manner: manner === 'tidy' && since < FOR ? 'tidy' : 'rest', busy: 0, since: since + 1 };
}

/** Keeps the heap of this process as small as its work lets it, until the process ends. */
export function keepHeapSmall(): void {
  let now = START;
  const grow = (): void => setFlagsFromString(growthOfYoung(now.manner, young()));
  const tell = (): void => {
    for (const flag of MANNERS[now.manner]) setFlagsFromString(flag);
    grow();
  };
  tell();
  // from one second to the next it would grow several times
  new PerformanceObserver(grow).observe({ entryTypes: ['gc'] });
  let seen = performance.eventLoopUtilization();
  let used = process.cpuUsage();
  setInterval(() => {
    const before = seen;
    seen = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(seen, before);
    const { user, system } = process.cpuUsage(used);
    used = process.cpuUsage();
    now = pace(now, utilization, (user + system) / 1_000);
    tell();
  }, LOOK).unref();
}
