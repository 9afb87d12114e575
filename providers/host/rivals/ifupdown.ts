import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { commandsIn } from './commands.ts';
import { matches, readOnce, type BootSetting, type Line } from './lines.ts';

const WHEN = 'when ifup brings the card up';

/** One option of a stanza `iface NAME …`. */
interface Option {
  /** Name of the card, or a pattern of names. */
  readonly card: string;
  readonly key: string;
  readonly value: string;
  readonly at: string;
}

/** Other files that one reads, as it names them: of a folder those with plain names. */
interface Source {
  readonly word: string;
  readonly folder: boolean;
}

interface Parsed {
  readonly options: readonly Option[];
  readonly sources: readonly Source[];
}

/** Words that begin a stanza, or stand alone. */
const STANZA = /^(iface|mapping|auto|allow-\S+|no-auto-down|no-scripts|source|source-directory|rename|template)$/;

/** Lines of which one that ends in a backslash goes on in the next. */
function joined(lines: readonly Line[]): readonly Line[] {
  const all: Line[] = [];
  let begun: Line | undefined;
  for (const { text, at } of lines) {
    const line: Line = { at: begun?.at ?? at, text: `${begun?.text ?? ''}${text.replace(/\\$/, ' ')}` };
    begun = text.endsWith('\\') ? line : undefined;
    if (!begun) all.push(line);
  }
  return all;
}

/** A file as interfaces(5) has it. */
function parse(lines: readonly Line[]): Parsed {
  const options: Option[] = [];
  const sources: Source[] = [];
  let card = '';
  for (const { text, at } of joined(lines)) {
    const [, key = '', value = ''] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
    if (key === 'iface') [card = ''] = value.split(/\s+/);
    else if (key === 'source' || key === 'source-directory') sources.push({ word: value, folder: key !== 'source' });
    else if (STANZA.test(key)) card = '';
    else if (card !== '') options.push({ card, key, value: value.trim(), at });
  }
  return { options, sources };
}

/** Options of the scripts that Debian's ethtool has in /etc/network/if-up.d (`offload-tso off`, `hardware-dma-ring-rx 4096`), by what they begin with. */
const BY_SCRIPTS: readonly (readonly [start: string, group: string])[] = [
  ['offload-', 'offloads'],
  ['hardware-dma-ring-', 'rings'],
  ['hardware-irq-coalesce-', 'coalescing'],
];

const COMMANDS = /^(pre-up|up|post-up)$/;

function settingsOf({ key, value, at }: Option, card: string): readonly BootSetting[] {
  if (key === 'mtu') return [{ path: `/sys/class/net/${card}/mtu`, value, at, when: WHEN }];
  if (COMMANDS.test(key)) {
    const cardOf = (word: string): string => (/^\$(IFACE|\{IFACE\})$/.test(word) ? card : word);
    return commandsIn(value, cardOf).map((written) => ({ ...written, at, when: WHEN }));
  }
  const [start = '', group] = BY_SCRIPTS.find(([one]) => key.startsWith(one)) ?? [];
  return group === undefined
    ? []
    : [{ path: `/nic/${card}/${group}/${key.slice(start.length)}`, value, at, when: WHEN }];
}

/** The files below a root that a source stands for, from the folder of the file that says so on; `*` and `?` in the last part of its path. */
function named(root: string, from: string, { word, folder }: Source): readonly string[] {
  const path = word.startsWith('/') ? word.slice(1) : join(dirname(from), word);
  const home = folder ? path : dirname(path);
  const pattern = folder ? '*' : basename(path);
  if (!/[*?]/.test(pattern)) return [path];
  try {
    const names = fs.readdirSync(join(root, home)).filter((name) => matches(pattern, name) && !name.startsWith('.'));
    return (folder ? names.filter((name) => /^[\w-]+$/.test(name)) : names).sort().map((name) => join(home, name));
  } catch {
    return [];
  }
}

/** Reads what ifupdown sets of these cards of a machine, by interfaces(5) and its commands; nothing where it is not installed. */
export function ifupdownReader(root: string): (cards: readonly string[]) => readonly BootSetting[] {
  const parsedOf = readOnce(root, parse);
  function all(path: string, seen: Set<string>): readonly Option[] {
    if (seen.has(path)) return [];
    seen.add(path);
    const { options, sources } = parsedOf(path);
    return [...options, ...sources.flatMap((source) => named(root, path, source)).flatMap((one) => all(one, seen))];
  }
  const isThere = (): boolean => ['sbin/ifup', 'usr/sbin/ifup'].some((path) => fs.existsSync(join(root, path)));
  return (cards) => {
    if (!isThere()) return [];
    /** Of cards that are there, or of none. */
    const counts = (path: string): boolean => {
      const card = /^\/(?:nic|sys\/class\/net)\/([^/]+)/.exec(path)?.[1];
      return card === undefined || cards.includes(card);
    };
    return all('etc/network/interfaces', new Set())
      .flatMap((option) => {
        const own = /[*?]/.test(option.card) ? cards.filter((card) => matches(option.card, card)) : [option.card];
        return own.flatMap((card) => settingsOf(option, card));
      })
      .filter(({ path }) => counts(path));
  };
}
