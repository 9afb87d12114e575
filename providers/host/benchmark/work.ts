/** Milliseconds of CPU that the two parts of the fixed work took. */
export interface Took {
  readonly integer: number;
  readonly memory: number;
}

const STEPS = 40_000_000;
/** Entries of four bytes: 32 MiB, more than a core has of its second cache. */
const ENTRIES = 2 ** 23;
const JUMPS = 1_500_000;

/** Shifts, multiplications and branches, each of which needs what the one before gave. */
function integers(): number {
  let [x, sum] = [0x9e3779b9 | 0, 0];
  for (let step = 0; step < STEPS; step += 1) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    sum = (sum + Math.imul(x, 0x85ebca6b)) | 0;
    if ((x & 7) === 0) sum ^= x;
  }
  return sum;
}

/** Each entry says where to go next: one round through all of them, in an order that no prefetcher guesses. */
function makeRound(): Int32Array {
  const round = new Int32Array(ENTRIES);
  // Hull and Dobell: an odd increment and a factor of 1 modulo 4 reach every number
  for (let at = 0; at < ENTRIES; at += 1) round[at] = (Math.imul(at, 1_664_525) + 1_013_904_223) & (ENTRIES - 1);
  return round;
}

/** Jumps that wait for memory, and then all of it in order. */
function jumps(round: Int32Array): number {
  let at = 0;
  for (let jump = 0; jump < JUMPS; jump += 1) at = round[at] ?? 0;
  let sum = at;
  for (let entry = 0; entry < ENTRIES; entry += 1) sum = (sum + (round[entry] ?? 0)) | 0;
  return sum;
}

/** Time on the CPU, not by the clock: what another program takes of it meanwhile does not count. */
function timed(work: () => number): number {
  const began = process.cpuUsage();
  // the result is used, so that the work is not left out
  if (work() === 0.5) return 0;
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}

/** Does the fixed work so many times, after one that does not count: the code is not compiled before. */
export function work(times: number): readonly Took[] {
  const round = makeRound();
  const once = (): Took => ({ integer: timed(integers), memory: timed(() => jumps(round)) });
  once();
  return Array.from({ length: times }, once);
}
