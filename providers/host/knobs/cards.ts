import { setTimeout as sleep } from 'node:timers/promises';
import { gathered } from '../../exec/gather.ts';
import { semaphore } from '../../../reconciler/model/semaphore.ts';
import type { Ethtool, Group, Notice, Setting, Settings } from '../ethtool.ts';
import type { Tree } from '../inventory/tree.ts';

/** Milliseconds between two looks whether there is something to be read in turn. */
const IDLE = 5000;
/** Milliseconds between two programs of a turn, at the least: each costs some of CPU. */
const LEAST = 1000;
/** So many times longer a round takes while the kernel tells of changes. */
const TOLD = 10;
/** Milliseconds until it is listened to again, at first and at most. */
const DEAF = 1000;
const DEAFEST = 600_000;

/** A setting as it was last read, or in words why there is none. */
export type CardSaid = Setting | { readonly lacks: string; readonly errno: string };

/**
 * The settings of cards, by ids as `nic/eth0/rings/rx`. To read them costs a program for each group of a card, so that they are
 * read when they are first asked for, after each change of the card, when the kernel tells of one, and in turn.
 */
export interface Cards {
  /**
   * Has read what is not known yet of the groups that these ids are of; whether it is of these devices says `now`, the machine at one look.
   * Throws TIMEOUT, for the rest of the look at once.
   */
  fill(ids: readonly string[], now: Tree, signal: AbortSignal): Promise<void>;
  /** As it was last read. */
  said(id: string): CardSaid;
  /** Sets it, together with what else of its group is asked for meanwhile, and reads it back; why it was not taken, undefined where it was. Throws TIMEOUT. */
  write(id: string, value: string, signal: AbortSignal): Promise<string | undefined>;
  /** Has the groups that these ids are of read again when they are asked for next. */
  doubt(ids: readonly string[]): void;
  /** Forgets all groups but those that these ids are of: they are not read in turn any more. */
  keep(ids: readonly string[]): void;
  /**
   * Reads a group when the kernel tells of a change of it, and all in turn: once in `round` milliseconds where a program each second is
   * enough for that, ten times as seldom while the kernel tells, and all once when it begins to. Calls back with what all ids of a group begin with that is another now. Ends when the
   * signal aborts.
   */
  turns(round: number, changed: (start: string) => void, signal: AbortSignal): Promise<void>;
}

interface Kept {
  /** Number of the device: another one may have come under the name. */
  readonly index: string | undefined;
  readonly said: Settings | string;
  /** Something of the card was changed since. */
  stale?: true;
}

/** Whether an id is a card's setting. */
export function isCardSetting(id: string): boolean {
  return id.startsWith('nic/');
}

interface Parts {
  readonly card: string;
  readonly group: Group;
  readonly name: string;
  readonly key: string;
}

function partsOf(id: string): Parts {
  const [, card = '', group = '', name = ''] = id.split('/');
  return { card, group: group as Group, name, key: `${card}/${group}` };
}

function same(a: Settings | string, b: Settings | string): boolean {
  const plain = (said: Settings | string): unknown => (typeof said === 'string' ? said : [...said]);
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b));
}

interface Asked {
  readonly name: string;
  readonly value: string;
  readonly signal: AbortSignal;
}

/**
 * The settings of the cards of a machine, whose sysfs tells one device from the next of its name. What is set of a group within `linger`
 * milliseconds is set by one program: each may take the link down for a while.
 */
export function cardsOf(sys: Tree, program: Ethtool, linger: number): Cards {
  const known = new Map<string, Kept>();
  const slots = new Map<string, ReturnType<typeof semaphore>>();
  const writers = new Map<string, (asked: Asked) => Promise<string | undefined>>();
  /** Cards that hung in a look: nothing more of them is read in it. */
  const hung = new WeakMap<Tree, Map<string, unknown>>();
  /** Groups that are read soon because the kernel told of a change. */
  const due = new Set<string>();
  let ear: Ear | undefined;
  const indexOf = (card: string, at = sys): string | undefined => at.text(`class/net/${card}/ifindex`);

  /** One program at a time for a card: what was read before a change never counts after it. */
  function alone<T>(card: string, work: () => Promise<T>): Promise<T> {
    const slot = slots.get(card) ?? semaphore(1);
    slots.set(card, slot);
    return slot(work);
  }

  async function read({ card, group, key }: Parts, signal: AbortSignal): Promise<void> {
    const index = indexOf(card);
    const said = await program.read(card, group, signal);
    // what was read last is the last in turn
    known.delete(key);
    known.set(key, { index, said });
  }

  function isFresh({ card, key }: Parts, now: Tree): boolean {
    const kept = known.get(key);
    return kept !== undefined && !kept.stale && kept.index === indexOf(card, now);
  }

  async function fillOne(parts: Parts, now: Tree, signal: AbortSignal): Promise<void> {
    if (isFresh(parts, now)) return;
    const { card } = parts;
    const before = hung.get(now) ?? new Map<string, unknown>();
    hung.set(now, before);
    if (before.has(card)) throw before.get(card);
    try {
      await alone(card, async () => (isFresh(parts, now) ? undefined : read(parts, signal)));
    } catch (error) {
      before.set(card, error);
      throw error;
    }
  }

  /** Reads a group again. What all its ids begin with where it is another now. */
  function again(parts: Parts, signal: AbortSignal): Promise<string | undefined> {
    return alone(parts.card, async () => {
      due.delete(parts.key);
      const before = known.get(parts.key);
      if (before === undefined) return undefined;
      await read(parts, signal);
      return same(before.said, known.get(parts.key)?.said ?? '') ? undefined : `nic/${parts.key}/`;
    });
  }

  /** Sets what was asked for of a group: by one program, and what did not come of that each by its own, which tells why. */
  async function writeAll(parts: Parts, asked: readonly Asked[]): Promise<readonly (string | undefined)[]> {
    const { card, group } = parts;
    const set = async (some: readonly Asked[]): Promise<string | undefined> => {
      const signal = AbortSignal.any(some.map((one) => one.signal));
      const settings = some.map(({ name, value }) => [name, value] as const);
      const why = await program.write(card, group, settings, signal);
      // one setting may change others of the card
      for (const [key, kept] of known) if (key.startsWith(`${card}/`)) kept.stale = true;
      await read(parts, signal);
      return why;
    };
    const isThere = ({ name, value }: Asked): boolean => {
      const said = known.get(parts.key)?.said;
      return said !== undefined && typeof said !== 'string' && said.get(name)?.value === value;
    };
    if (asked.length > 1) await set(asked);
    const whys: (string | undefined)[] = [];
    for (const one of asked) whys.push(asked.length > 1 && isThere(one) ? undefined : await set([one]));
    return whys;
  }

  function writerOf(parts: Parts): (asked: Asked) => Promise<string | undefined> {
    const made =
      writers.get(parts.key) ??
      gathered((asked: readonly Asked[]) => alone(parts.card, () => writeAll(parts, asked)), linger);
    writers.set(parts.key, made);
    return made;
  }

  return {
    async fill(ids, now, signal) {
      for (const id of ids) await fillOne(partsOf(id), now, signal);
    },
    said(id) {
      const { name, key } = partsOf(id);
      const said = known.get(key)?.said ?? 'it was not read yet';
      if (typeof said === 'string') return { lacks: said, errno: said.startsWith('ENODEV') ? 'ENODEV' : 'ENOEXEC' };
      return said.get(name) ?? { lacks: 'its driver has no such setting', errno: 'ENOENT' };
    },
    write(id, value, signal) {
      const parts = partsOf(id);
      return writerOf(parts)({ name: parts.name, value, signal });
    },
    doubt(ids) {
      for (const id of ids) {
        const kept = known.get(partsOf(id).key);
        if (kept) kept.stale = true;
      }
    },
    keep(ids) {
      const wanted = new Set(ids.map((id) => partsOf(id).key));
      for (const key of known.keys()) if (!wanted.has(key)) known.delete(key);
      if (known.size === 0) ear?.rest();
    },
    async turns(round, changed, signal) {
      const look = async (key: string): Promise<void> => {
        try {
          const start = await again(partsOf(`nic/${key}`), signal);
          if (start !== undefined) changed(start);
        } catch {
          // one that hangs is not the next again
          const kept = known.get(key);
          if (kept && known.delete(key)) known.set(key, kept);
        }
      };
      const told = (key: string): void => {
        if (!known.has(key) || due.has(key)) return;
        due.add(key);
        void look(key);
      };
      let wake = new AbortController();
      /** So many groups may have been changed while nothing was listened to. */
      let missed = 0;
      const anew = (): void => {
        missed = known.size;
        wake.abort();
      };
      const hears = listen(program, () => known.size > 0, { told, anew }, signal);
      ear = hears;
      while (!signal.aborted) {
        const whole = hears.isTold() ? round * TOLD : round;
        const least = Math.min(LEAST, round);
        const pause =
          known.size === 0 ? Math.min(IDLE, round) : missed > 0 ? least : Math.max(least, whole / known.size);
        wake = new AbortController();
        await sleep(pause, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined);
        missed = Math.max(0, missed - 1);
        // the one that was not read for the longest time
        const [first] = known.keys();
        if (first !== undefined) await look(first);
      }
    },
  };
}

interface Ear {
  /** Whether the kernel tells of changes just now. */
  isTold(): boolean;
  /** Listens no more, until something is wanted again. */
  rest(): void;
}

interface Hears {
  /** A group that was changed. */
  readonly told: (key: string) => void;
  /** It is listened to from now on: what was changed before that was not heard. */
  readonly anew: () => void;
}

/** Hears what the kernel says was changed, while something is wanted. Where nothing tells, that is tried again ever more seldom. */
function listen(program: Ethtool, wanted: () => boolean, { told, anew }: Hears, signal: AbortSignal): Ear {
  let isTold = false;
  let resting = new AbortController();
  const heard = (notice: Notice | undefined): void => {
    isTold = true;
    if (notice) told(`${notice.card}/${notice.group}`);
    else anew();
  };
  const forever = async (): Promise<void> => {
    let pause = DEAF;
    while (!signal.aborted) {
      if (wanted()) {
        resting = new AbortController();
        await program.follow(heard, AbortSignal.any([signal, resting.signal]));
        pause = isTold ? DEAF : Math.min(pause * 2, DEAFEST);
        isTold = false;
      }
      await sleep(wanted() ? pause : IDLE, undefined, { signal }).catch(() => undefined);
    }
  };
  void forever();
  return {
    isTold: () => isTold,
    rest: () => {
      resting.abort();
    },
  };
}
