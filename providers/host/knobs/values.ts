import { join } from 'node:path';
import { errnoOf } from '../../../reconciler/model/errors.ts';
import type { Setting } from '../ethtool.ts';
import type { Files } from '../files.ts';
import type { Tree } from '../inventory/tree.ts';
import { isCardSetting, type Cards } from './cards.ts';
import { choicesOf } from './choices.ts';
import type { Place } from './places.ts';
import { meaningOf } from './rules.ts';

/** What a file says, for a card's setting with what its driver says of it; or why it cannot be read. */
export type Said =
  | { readonly text: string; readonly driver?: Omit<Setting, 'requested'>; readonly requested?: string }
  | { readonly errno: string; readonly lacks?: string };

/** What a file was last told, where that is known to be another thing than it says. */
export function askedOf({ text, requested = text }: Extract<Said, { readonly text: string }>): string {
  return requested;
}

/** Whether a file says, or was told to say, what it said before it was first written. */
export function isBack(said: Said, original: string): boolean {
  return 'text' in said && askedOf(said) === original;
}

/** What a file of a knob is called in what is kept of it: `sys/block/sda/queue/scheduler`, `nic/eth0/rings/rx`. */
export function idOf({ root, path }: Pick<Place, 'root' | 'path'>): string {
  return `${root}/${path}`;
}

/** What a text of a knob's file is in a form that can be compared. */
export function shown(key: string, text: string): string {
  return meaningOf(key)?.shown(text) ?? text.trim();
}

/** What the files of knobs, and the settings of cards, say, and how one is told another thing. */
export interface Values {
  /** The absolute path of a file. */
  readonly pathOf: (id: string) => string;
  readonly read: (id: string) => Said;
  /**
   * Has a file of a knob say `target`, by writing `text`, and reads it back. Why it does not: the errno with what it takes, where that is known, or what it says instead; undefined where it does.
   * Throws TIMEOUT.
   */
  write(key: string, id: string, target: string, signal: AbortSignal, text?: string): Promise<string | undefined>;
}

export interface ValuesOptions {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly files: Files;
  readonly sys: Tree;
  readonly cards: Cards;
  /** A setting of a card was written for a knob: others of it may be others now. */
  readonly changed: (key: string) => void;
}

/** Those of a machine. */
export function valuesOf({ procRoot, sysRoot, files, sys, cards, changed }: ValuesOptions): Values {
  const pathOf = (id: string): string =>
    id.startsWith('proc/') ? join(procRoot, id.slice('proc/'.length)) : join(sysRoot, id.slice('sys/'.length));

  function read(id: string): Said {
    if (isCardSetting(id)) {
      const said = cards.said(id);
      if ('lacks' in said) return said;
      const { requested = said.value, ...driver } = said;
      return { text: said.value, driver, requested };
    }
    try {
      return { text: files.read(pathOf(id)) };
    } catch (error) {
      return { errno: errnoOf(error) };
    }
  }

  async function tellCard(
    key: string,
    id: string,
    target: string,
    signal: AbortSignal,
    text: string,
  ): Promise<string | undefined> {
    const before = read(id);
    const max = 'text' in before ? before.driver?.max : undefined;
    if (max !== undefined && Number(text) > max) return `${text} is more than ${String(max)}, the most that it takes`;
    const why = await cards.write(id, text, signal);
    changed(key);
    // a program may end with an error because there was nothing left to change
    const now = read(id);
    return 'text' in now && shown(key, now.text) === target ? undefined : why;
  }

  function tellFile(id: string, text: string): string | undefined {
    try {
      files.write(pathOf(id), text);
      return undefined;
    } catch (error) {
      const errno = errnoOf(error);
      const takes = errno === 'EINVAL' && id.startsWith('sys/') ? choicesOf(sys, id.slice('sys/'.length)) : undefined;
      return takes === undefined ? errno : `${errno}: it takes ${takes}`;
    }
  }

  return {
    pathOf,
    read,
    async write(key, id, target, signal, text = target) {
      const why = isCardSetting(id) ? await tellCard(key, id, target, signal, text) : tellFile(id, text);
      if (why !== undefined) return why;
      const said = read(id);
      if (!('text' in said)) return said.errno;
      const now = shown(key, said.text);
      return now === target ? undefined : `it took ${target} and says ${now}`;
    },
  };
}
