/**
 * One in `of` slots of time is this host's. A slot lasts 30 s; slot number k begins k × 30 s after 1970, by the host's clock. A host has
 * slot k where k mod `of` is `index`. `of` is a power of two.
 */
export interface Slot {
  readonly index: number;
  readonly of: number;
}

/** Milliseconds of a slot, and within how many of them work begins: the rest is for what was begun, and for clocks that differ. */
export const SLOT = 30_000;
export const BEGINS_WITHIN = 10_000;
/** Work begins so much later at most, milliseconds: not all at the full minute, with everybody's timers. */
const JITTER = 6_000;
/** A host has at least one slot in so many: 90 days. */
const MOST = 2 ** 18;

/**
 * Whether two hosts ever have the same slot. Where m ≤ n are the powers of two in which they have one each, n is a multiple of m, so that
 * both have slot k for some k exactly if their indices leave the same modulo m.
 */
export function meet(a: Slot, b: Slot): boolean {
  const less = Math.min(a.of, b.of);
  return a.index % less === b.index % less;
}

/** The slots that were given in a Zone. */
export interface Slots {
  /**
   * Gives one more, which meets none of them: the lowest free index of the smallest power of two that is at least twice the number of hosts, and takes
   * at most a quarter of what is left. What was given to one never changes for another, so slots are disjoint at any time, whichever host has heard
   * of whom. Undefined where none is left within 90 days. What many cost together grows with their number only.
   */
  give(hosts: number): Slot | undefined;
}

/** Which indices of a power of two meet a slot that was given, and below which of them none is free. */
interface Indices {
  readonly busy: Uint8Array;
  from: number;
}

function take({ busy }: Indices, { index, of }: Slot): void {
  for (let at = index % busy.length; at < busy.length; at += Math.min(of, busy.length)) busy[at] = 1;
}

/** Those that were given before. */
export function slotsOf(given: Iterable<Slot>): Slots {
  const taken = [...given];
  const tables = new Map<number, Indices>();
  // the share of all slots that nobody has
  let left = taken.reduce((share, { of }) => share - 1 / of, 1);

  function indicesOf(of: number): Indices {
    const known = tables.get(of);
    if (known) return known;
    const made = { busy: new Uint8Array(of), from: 0 };
    for (const slot of taken) take(made, slot);
    tables.set(of, made);
    return made;
  }

  function firstFree(of: number): number | undefined {
    const indices = indicesOf(of);
    const index = indices.busy.indexOf(0, indices.from);
    indices.from = index < 0 ? of : index;
    return index < 0 ? undefined : index;
  }

  return {
    give: (hosts) => {
      const least = Math.max(2 * hosts, 4 / left);
      for (let of = 4; of <= MOST; of *= 2) {
        const index = of < least ? undefined : firstFree(of);
        if (index === undefined) continue;
        const slot = { index, of };
        taken.push(slot);
        left -= 1 / of;
        for (const indices of tables.values()) take(indices, slot);
        return slot;
      }
      return undefined;
    },
  };
}

/** How long after the beginning of slot k work begins, milliseconds: always the same for one slot, and unlike for its neighbours. */
function jitterOf(k: number): number {
  return (Math.imul(k, 2_654_435_761) >>> 0) % JITTER;
}

/** When work may begin, milliseconds since 1970: now, where it is the host's slot and not too late in it, else in its next one. */
export function beginsAt({ index, of }: Slot, now: number): number {
  const k = Math.floor(now / SLOT);
  const own = k + ((((index - k) % of) + of) % of);
  const at = own * SLOT + jitterOf(own);
  if (now < at) return at;
  if (now < own * SLOT + BEGINS_WITHIN) return now;
  const next = own + of;
  return next * SLOT + jitterOf(next);
}

/** When the slot ends that a time is in, milliseconds since 1970. */
export function endOfSlot(at: number): number {
  return (Math.floor(at / SLOT) + 1) * SLOT;
}
