import { setTimeout as sleep } from 'node:timers/promises';
import { semaphore } from '../../../reconciler/model/semaphore.ts';
import type { Ethtool, Group, Setting, Settings } from '../ethtool.ts';
import type { Tree } from '../inventory/tree.ts';

/** Milliseconds between two looks whether there is something to be read in turn. */
const IDLE = 5000;
/** Milliseconds between two programs of a turn, at the least: each costs some of CPU. */
const LEAST = 1000;

/** A setting as it was last read, or in words why there is none. */
export type CardSaid = Setting | { readonly lacks: string; readonly errno: string };

/**
 * The settings of cards, by ids as `nic/eth0/rings/rx`. To read them costs a program for each group of a card, so that they are
 * read when they are first asked for, after each change of the card, and in turn.
 */
export interface Cards {
  /** Has read what is not known yet of the groups that these ids are of; whether it is of these devices says `now`. Throws TIMEOUT. */
  fill(ids: readonly string[], now: Tree, signal: AbortSignal): Promise<void>;
  /** As it was last read. */
  said(id: string): CardSaid;
  /** Sets it and reads it back; why it was not taken, undefined where it was. Throws TIMEOUT. */
  write(id: string, value: string, signal: AbortSignal): Promise<string | undefined>;
  /** Forgets all groups but those that these ids are of: they are not read in turn any more. */
  keep(ids: readonly string[]): void;
  /**
   * Reads all groups in turn, once in `round` milliseconds where a program each second is enough for that. Tells what all ids of a
   * group begin with that is another now. Ends when the signal aborts.
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

/** The settings of the cards of a machine, whose sysfs tells one device from the next of its name. */
export function cardsOf(sys: Tree, program: Ethtool): Cards {
  const known = new Map<string, Kept>();
  const slots = new Map<string, ReturnType<typeof semaphore>>();
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

  /** Reads the group again that was not read for the longest time. What all its ids begin with where it is another now. */
  async function turn(signal: AbortSignal): Promise<string | undefined> {
    const [first] = known;
    if (!first) return undefined;
    const [key] = first;
    const parts = partsOf(`nic/${key}`);
    return alone(parts.card, async () => {
      const before = known.get(key)?.said ?? '';
      await read(parts, signal);
      return same(before, known.get(key)?.said ?? '') ? undefined : `nic/${key}/`;
    });
  }

  return {
    async fill(ids, now, signal) {
      for (const id of ids) {
        const parts = partsOf(id);
        if (!isFresh(parts, now))
          await alone(parts.card, async () => (isFresh(parts, now) ? undefined : read(parts, signal)));
      }
    },
    said(id) {
      const { name, key } = partsOf(id);
      const said = known.get(key)?.said ?? 'it was not read yet';
      if (typeof said === 'string') return { lacks: said, errno: said.startsWith('ENODEV') ? 'ENODEV' : 'ENOEXEC' };
      return said.get(name) ?? { lacks: 'its driver has no such setting', errno: 'ENOENT' };
    },
    write(id, value, signal) {
      const parts = partsOf(id);
      return alone(parts.card, async () => {
        const why = await program.write(parts.card, parts.group, parts.name, value, signal);
        // one setting may change others of the card
        for (const [key, kept] of known) if (key.startsWith(`${parts.card}/`)) kept.stale = true;
        await read(parts, signal);
        return why;
      });
    },
    keep(ids) {
      const wanted = new Set(ids.map((id) => partsOf(id).key));
      for (const key of known.keys()) if (!wanted.has(key)) known.delete(key);
    },
    async turns(round, changed, signal) {
      while (!signal.aborted) {
        const pause = known.size === 0 ? Math.min(IDLE, round) : Math.max(Math.min(LEAST, round), round / known.size);
        await sleep(pause, undefined, { signal }).catch(() => undefined);
        const start = await turn(signal).catch(() => undefined);
        if (start !== undefined) changed(start);
      }
    },
  };
}
