import { readFileSync } from 'node:fs';

/** Part of the time that passes by which a clock that was set anew is caught up with. */
const CATCH_UP = 0.1;
/** One that was set forward by more was wrong: catching up would take ten times as long. Milliseconds. */
const WRONG = 86_400_000;
/** A clock that is ahead by more all at once was set, or the machine slept: milliseconds. */
const AHEAD = 1_000;

/** Milliseconds since boot, those too in which the machine slept; NaN where nobody says. */
function sinceBoot(): number {
  try {
    return Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000;
  } catch {
    return Number.NaN;
  }
}

/** What a steady clock is made of, each in milliseconds. */
export interface Times {
  /** The time of day as the machine has it, since 1970. */
  readonly wall?: () => number;
  /** From anywhere; counts on whatever happens to the clock, but not while the machine sleeps. */
  readonly elapsed?: () => number;
  /** The same, also while it sleeps; seldom asked. */
  readonly whole?: () => number;
}

/**
 * The time of day for a process that reckons with it: milliseconds since 1970 that never jump nor go back. When somebody sets the clock of the
 * machine, it goes a tenth faster or slower until both agree again, so that what is due in ten seconds is due in nine to
 * eleven: no lease is believed for an hour longer, no pause lasts for one, and no change is given up because one seems to have passed.
 * Time in which the machine slept has passed, and counts at once. So does a step forward of more than a day: the clock was wrong when the process began,
 * and whatever was to wait until then is due. It never goes back, as what is due would have to wait for as long.
 */
export function steadyClock({
  wall = Date.now,
  elapsed = () => performance.now(),
  whole = sinceBoot,
}: Times = {}): () => number {
  let now = wall();
  let last = now;
  let at = elapsed();
  /** Of the time since boot that part in which it slept, and from anywhere. */
  let asleep = whole() - at;

  function slept(): number {
    const before = asleep;
    asleep = whole() - at;
    const more = asleep - before;
    // what is measured by two clocks differs by a little
    return more > AHEAD ? more : 0;
  }

  return () => {
    const passed = elapsed() - at;
    at += passed;
    now += passed;
    const seen = wall();
    if (seen - last - passed > AHEAD) now += Math.min(slept(), Math.max(0, seen - now));
    last = seen;
    const off = seen - now;
    const most = off > WRONG ? Infinity : passed * CATCH_UP;
    now += Math.min(most, Math.max(-most, off));
    return Math.floor(now);
  };
}
