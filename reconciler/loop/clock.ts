/** Part of the time that passes by which a clock that was set anew is caught up with. */
const CATCH_UP = 0.1;

/**
 * The time of day for a process that reckons with it: milliseconds since 1970 that never jump nor go back. When somebody sets the clock of the
 * machine (`wall`), it goes a tenth faster or slower until both agree again, so that what is due in ten seconds is due in nine to
 * eleven: no lease is believed for an hour longer, no pause lasts for one, and no change is given up because one seems to have passed.
 * `elapsed` is in milliseconds from anywhere and counts on whatever happens to the clock.
 */
export function steadyClock(
  wall: () => number = Date.now,
  elapsed: () => number = () => performance.now(),
): () => number {
  let now = wall();
  let at = elapsed();
  return () => {
    const passed = elapsed() - at;
    at += passed;
    now += passed;
    const most = passed * CATCH_UP;
    now += Math.min(most, Math.max(-most, wall() - now));
    return Math.floor(now);
  };
}
