import fc from 'fast-check';
import { beginSchedule, type Schedule } from './schedule.ts';
import type { Bend } from './parts.ts';
import { setting, step, type Setting, type Step } from './steps.ts';
import type { MakeGround } from './store.ts';

/** One thing that happens, as a command of fast-check. */
class Happening implements fc.AsyncCommand<object, Schedule> {
  readonly #step: Step;

  constructor(one: Step) {
    this.#step = one;
  }

  check(): boolean {
    return true;
  }

  run(_model: object, schedule: Schedule): Promise<void> {
    return schedule.take(this.#step);
  }

  toString(): string {
    return JSON.stringify(this.#step);
  }
}

/** Plays given steps from a given beginning, to their end. */
export async function playSchedule(
  beginning: Setting,
  steps: readonly Step[],
  make: MakeGround,
  bend?: Bend,
): Promise<void> {
  const schedule = await beginSchedule(beginning, make, bend);
  try {
    for (const one of steps) await schedule.take(one);
    await schedule.finish();
  } finally {
    await schedule.close();
  }
}

/** No schedule is begun after this, milliseconds, nor a smaller one of one that failed looked for: of a file only so much time is a test's. */
const LONG = 200_000;

/**
 * Random schedules of a fleet over a store, of the seed that `bin/house/seed.mjs` sets; `PLUMB_RUNS` is for more of them, or fewer. With a seed of
 * its own it is the same ones each time, up to the first that fails, however long that takes.
 */
export async function randomSchedules(make: MakeGround, runs: number, seed?: number): Promise<void> {
  const { PLUMB_RUNS: more } = process.env;
  const commands = fc.commands([step.map((one) => new Happening(one))], { maxCommands: 25, size: 'max' });
  const end = seed === undefined ? Date.now() + LONG : Infinity;
  let begun = 0;
  const property = fc.asyncProperty(setting, commands, async (beginning, list) => {
    // the first is played to its end however slow the machine is: one that is cut off would say nothing
    if (begun > 0 && Date.now() > end) return;
    begun += 1;
    const schedule = await beginSchedule(beginning, make);
    try {
      await fc.asyncModelRun(() => ({ model: {}, real: schedule }), list);
      await schedule.finish();
    } finally {
      await schedule.close();
    }
  });
  await fc.assert(property, {
    numRuns: more === undefined || seed !== undefined ? runs : Number(more),
    ...(seed === undefined ? {} : { seed, endOnFailure: true }),
    includeErrorInReport: true,
  });
}
