import { formatDuration, parseBytes, parseDuration } from './units.ts';
import { beginsAt, type Slot } from './slots.ts';

/** What gave back memory last: when, milliseconds since 1970, and how many bytes. */
export interface Reclaimed {
  readonly at: number;
  readonly freed: number;
}

/** How memory is used, bytes. */
export interface MemoryUse {
  /** Anonymous memory (RSS) and shared memory: what nobody can take back. */
  readonly counted: number;
  /** What the kernel counts: page cache and its own memory as well; of a host, all that is not available. */
  readonly used: number;
  /** What there is: the limit of a replica, the memory of a host. */
  readonly total: number;
  readonly reclaimed?: Reclaimed;
}

/** From when on readings were no less than so many bytes. */
export interface Low {
  readonly at: number;
  readonly bytes: number;
}

/** When memory that only caches is given back. */
export interface ReclaimRule {
  /** Bytes, or a share of all there is as `20%`. */
  readonly above: number | string;
  /** Milliseconds for which it must have been above. */
  readonly window: number;
  /** Milliseconds from one time to the next. */
  readonly coolDown: number;
}

/** A rule of one host, or of one replica on it. */
export interface MemorySpec extends ReclaimRule {
  /** When the host may: no other host of its Zone does then. Without one it never does. */
  readonly slot?: Slot;
  /** Of the host: replicas with a rule of their own, of which memory is given back first. */
  readonly first?: readonly string[];
}

export interface MemoryState extends MemoryUse {
  /** Bytes that only cache: of a replica its page cache (and, on cgroup v2, reclaimable slab), of a host its reclaimable slab. */
  readonly spare: number;
  /** What `spare` was of late, in a form that tells since when it has been above any number: bytes rise, and times with them. */
  readonly lows: readonly Low[];
}

/** The name of a host's own memory, as replicas have theirs. */
export const HOST_MEMORY = 'memory/host';

/** The key of a Tuning's rule. */
export const RECLAIM_KEY = 'memory.reclaim';

/** A rule as one value of a knob: `above 20% for 5m, once in 1h`. */
export function ruleText({ above, window, coolDown }: ReclaimRule): string {
  return `above ${String(above)} for ${formatDuration(window)}, once in ${formatDuration(coolDown)}`;
}

/** The rule that such a text says; undefined where it says none. */
export function ruleOf(text: string): ReclaimRule | undefined {
  const [, above, window, coolDown] = /^above (\S+) for (\S+), once in (\S+)$/.exec(text) ?? [];
  if (above === undefined || window === undefined || coolDown === undefined) return undefined;
  return {
    above: above.endsWith('%') ? above : parseBytes(above),
    window: parseDuration(window),
    coolDown: parseDuration(coolDown),
  };
}

/** Bytes of a number or of a share of what there is. */
export function bytesOf(above: number | string, total: number): number {
  return typeof above === 'number' ? above : Math.floor((Number.parseFloat(above) / 100) * total);
}

/** Readings are told apart by 1/256 of what there is, smaller ones by a 16th of themselves, and kept for a day, the longest window. */
const STEPS = 256;
const SHARES = 4;
export const LONGEST_WINDOW = 86_400_000;

/** Bytes as readings are told apart. */
function grained(bytes: number, total: number): number {
  const own = 2 ** (Math.floor(Math.log2(Math.max(1, bytes))) - SHARES);
  const step = Math.max(1, Math.min(Math.floor(total / STEPS), own));
  return Math.floor(bytes / step) * step;
}

/** The lows after one more reading: what was higher before was not lasting. */
export function lowsAfter(lows: readonly Low[], at: number, spare: number, total: number): readonly Low[] {
  const bytes = grained(spare, total);
  // what seems to come was read before the clock was set back
  const read = lows.map((low) => (low.at > at ? { ...low, at } : low));
  const lasting = read.filter((low) => low.bytes < bytes);
  const since = read.find((low) => low.bytes >= bytes)?.at ?? at;
  // of those that are too old to matter one is enough: it tells that it is older
  const old = lasting.filter((low) => low.at <= at - LONGEST_WINDOW).length;
  return [...lasting.slice(Math.max(0, old - 1)), { at: since, bytes }];
}

/** Since when all readings were above a number of bytes, as far as they are told apart, milliseconds since 1970; undefined where the last was not. */
function overSince({ lows, total }: Pick<MemoryState, 'lows' | 'total'>, above: number | string): number | undefined {
  const least = grained(bytesOf(above, total), total);
  return lows.find(({ bytes }) => bytes >= least)?.at;
}

/** Whether a rule is about what there is now. */
export function isOver({ above }: ReclaimRule, { spare, total }: Pick<MemoryState, 'spare' | 'total'>): boolean {
  return spare > bytesOf(above, total);
}

/** Until when nothing is given back although there is more than the rule says, and why; undefined where it is time. */
export function waitOf(
  { above, window, coolDown, slot }: MemorySpec,
  state: MemoryState,
  now: number,
): { readonly at: number; readonly why: string } | undefined {
  const { spare, reclaimed } = state;
  const since = overSince(state, above) ?? now;
  const what = `${String(spare)} bytes only cache`;
  if (since + window > now)
    return { at: since + window, why: `${what}, and have to for ${formatDuration(window)} before they are given back` };
  // one that is yet to come by more was told by a clock that was wrong
  const last = reclaimed && reclaimed.at <= now + coolDown ? reclaimed.at : -Infinity;
  const rested = last + coolDown;
  if (rested > now)
    return { at: rested, why: `${what}; memory was given back less than ${formatDuration(coolDown)} ago` };
  if (!slot) return { at: Infinity, why: `${what}; its host was given no time to give them back in` };
  const at = beginsAt(slot, now);
  return at > now ? { at, why: `${what}; its host gives back memory at ${new Date(at).toISOString()}` } : undefined;
}
