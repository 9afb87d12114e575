import { PlumbError } from '../../reconciler/model/errors.ts';
import { LEFT, systemExec, type Exec, type Finished } from '../exec/exec.ts';

/** What of a card is read and set together, as ethtool does. */
export type Group = 'offloads' | 'rings' | 'channels' | 'coalescing';

/** One setting of a card, as its driver says it. */
export interface Setting {
  /** `on` and `off`, or a number. */
  readonly value: string;
  /** The most that it takes, where the driver says so. */
  readonly max?: number;
  /** Its driver never changes it. */
  readonly fixed?: true;
  /** What it was last asked for, where the kernel keeps it at another value for now: of segmentation, while checksums are off. */
  readonly requested?: string;
}

/** By the name that ethtool sets it by: `tso`, `rx`, `combined`, `rx-usecs`. What the driver lacks is not among them. */
export type Settings = ReadonlyMap<string, Setting>;

/** Runs ethtool with these arguments. Throws TIMEOUT. */
export type Run = (args: readonly string[], signal: AbortSignal) => Promise<Finished>;

/** The kernel says that something of a group of a card was set. */
export interface Notice {
  readonly card: string;
  readonly group: Group;
}

/**
 * Tells of each change of a card, by whomever, until what tells it ends or the signal aborts; at first of none, once it listens. Resolves at
 * once where there is nothing that tells.
 */
export type Follow = (told: (notice?: Notice) => void, signal: AbortSignal) => Promise<void>;

/** The settings of this machine's cards. */
export interface Ethtool {
  readonly follow: Follow;
  /** Empty where the driver knows nothing of the group; in words, why none can be read. Throws TIMEOUT. */
  read(card: string, group: Group, signal: AbortSignal): Promise<Settings | string>;
  /** Sets some of a group at once. Why they were not taken, with the kernel's errno before it where one is known; undefined where they were. Throws TIMEOUT. */
  write(
    card: string,
    group: Group,
    settings: readonly (readonly [name: string, value: string])[],
    signal: AbortSignal,
  ): Promise<string | undefined>;
}

/** How the program is asked for a group, and told a setting of it. */
export const FLAGS: Readonly<Record<Group, readonly [show: string, set: string]>> = {
  offloads: ['-k', '-K'],
  rings: ['-g', '-G'],
  channels: ['-l', '-L'],
  coalescing: ['-c', '-C'],
};

/** Names that `ethtool -K` has for features beside those of the kernel. */
const SHORT: Readonly<Record<string, string>> = {
  'rx-checksumming': 'rx',
  'tx-checksumming': 'tx',
  'scatter-gather': 'sg',
  'tcp-segmentation-offload': 'tso',
  'generic-segmentation-offload': 'gso',
  'generic-receive-offload': 'gro',
  'large-receive-offload': 'lro',
  'rx-vlan-offload': 'rxvlan',
  'tx-vlan-offload': 'txvlan',
  'ntuple-filters': 'ntuple',
  'receive-hashing': 'rxhash',
};

/** What a feature is asked for; of one that stands for several, by theirs, where one of them is kept at another value. */
function requestedOf(value: string, own: string | undefined, members: readonly Setting[]): string | undefined {
  if (own !== undefined || members.every(({ requested }) => requested === undefined)) return own;
  const asked = members.some((one) => (one.requested ?? one.value) === 'on') ? 'on' : 'off';
  return asked === value ? undefined : asked;
}

/** `generic-segmentation-offload: off [requested on]`; the features that one stands for are below it, further in, each with its own. */
function offloads(text: string): Settings {
  const found = [...text.matchAll(/^([ \t]*)([\w-]+): (on|off)\b(?:.*\[requested (on|off)\])?.*$/gm)].map(
    ([line, indent = '', name = '', value = '', requested]) => ({
      inner: indent !== '',
      name: SHORT[name] ?? name,
      setting: {
        value,
        ...(line.includes('[fixed]') ? { fixed: true as const } : {}),
        ...(requested === undefined ? {} : { requested }),
      },
    }),
  );
  return new Map(
    found.map(({ inner, name, setting }, at): readonly [string, Setting] => {
      const rest = found.slice(at + 1);
      const end = rest.findIndex((one) => !one.inner);
      const members = inner ? [] : rest.slice(0, end < 0 ? undefined : end).map((one) => one.setting);
      const requested = requestedOf(setting.value, setting.requested, members);
      return [name, { ...setting, ...(requested === undefined ? {} : { requested }) }];
    }),
  );
}

/** `RX:  4096`, once under the most and once under what is. Programs of before netlink say 0 for what there is not, later ones n/a. */
function amounts(text: string): Settings {
  const [most = '', now = ''] = text.split(/^Current hardware settings:$/m);
  const numbers = (part: string): ReadonlyMap<string, number> =>
    new Map(
      [...part.matchAll(/^([A-Z][A-Za-z ]*):\s+(\d+)$/gm)].map(([, name = '', count]) => [
        name.toLowerCase().replaceAll(' ', '-'),
        Number(count),
      ]),
    );
  const maxima = numbers(most);
  return new Map(
    [...numbers(now)].flatMap(([name, count]): readonly (readonly [string, Setting])[] => {
      const max = maxima.get(name) ?? 0;
      return max > 0 ? [[name, { value: String(count), max }]] : [];
    }),
  );
}

/** `Adaptive RX: on  TX: off`, and `rx-usecs: 8` for each other. */
function coalescing(text: string): Settings {
  const [, rx = '', tx = ''] = /^Adaptive RX: (\S+)\s+TX: (\S+)/m.exec(text) ?? [];
  const adaptive = Object.entries({ 'adaptive-rx': rx, 'adaptive-tx': tx }).filter(([, word]) =>
    /^(on|off)$/.test(word),
  );
  const others = [...text.matchAll(/^([a-z-]+):\s*(\d+)\s*$/gm)].map(
    ([, name = '', value = '']) => [name, value] as const,
  );
  return new Map([...adaptive, ...others].map(([name, value]) => [name, { value }]));
}

const PARSERS: Readonly<Record<Group, (text: string) => Settings>> = {
  offloads,
  rings: amounts,
  channels: amounts,
  coalescing,
};

/** What ethtool shows of a group, as its manual page has it, of versions with and without netlink. */
export function parseSettings(group: Group, text: string): Settings {
  return PARSERS[group](text);
}

const ERRNOS: Readonly<Record<string, string>> = {
  'Operation not supported': 'EOPNOTSUPP',
  'Invalid argument': 'EINVAL',
  'Operation not permitted': 'EPERM',
  'Permission denied': 'EACCES',
  'Device or resource busy': 'EBUSY',
  'Input/output error': 'EIO',
  'Numerical result out of range': 'ERANGE',
  'No such device': 'ENODEV',
  'Cannot allocate memory': 'ENOMEM',
  'No space left on device': 'ENOSPC',
};

/** Its words: `EINVAL: requested ring size exceeds maximum`. */
export function refusalWords(stderr: string): string {
  const words = stderr
    .split('\n')
    .map((line) =>
      line
        .replace(/^netlink error: /, '')
        .replace(/ \(offset \d+\)$/, '')
        .trim(),
    )
    .filter(Boolean);
  const known = Object.keys(ERRNOS).find((text) => words.some((word) => word.endsWith(text)));
  const rest = words.filter((word) => word !== known).join('; ');
  return [known === undefined ? '' : (ERRNOS[known] ?? ''), rest].filter(Boolean).join(': ') || 'it says nothing';
}

/** How long a card is left alone that hung a program, at first and at most, milliseconds. */
const [FIRST_REST, LONGEST_REST] = [60_000, 64 * 60_000];

/**
 * Runs ethtool by what starts programs; each is given so many milliseconds. One that hangs in its driver is left behind, and its card is asked
 * again after pauses that double: each would be left behind as well. `clock`: milliseconds from anywhere.
 */
export function programOf(
  exec: Exec,
  limit: number,
  file = 'ethtool',
  clock: () => number = () => performance.now(),
): Run {
  const hung = new Map<string, { readonly until: number; readonly rest: number }>();
  return async (args, asked) => {
    const [, card = ''] = args;
    const before = hung.get(card);
    if (before && clock() < before.until)
      throw new PlumbError('TIMEOUT', `ethtool ${args.join(' ')} is not tried: one hangs at ${card}`);
    const signal = AbortSignal.any([asked, AbortSignal.timeout(limit)]);
    const finished = await exec.run(file, args, { signal });
    if (finished === LEFT) {
      const rest = Math.min(2 * (before?.rest ?? FIRST_REST / 2), LONGEST_REST);
      hung.set(card, { until: clock() + rest, rest });
    } else if (finished.status >= 0) hung.delete(card);
    if (finished.status === -1 && signal.aborted)
      throw new PlumbError('TIMEOUT', `ethtool ${args.join(' ')} was not done in time`);
    return finished;
  };
}

/** Milliseconds that a program is given. */
export const LIMIT = 10_000;

const MISSING = 'ethtool is not installed: apt-get install ethtool';

const deaf: Follow = () => Promise.resolve();

/** The settings of cards by the program ethtool, of any version. */
export function ethtool(run: Run = programOf(systemExec(), LIMIT), follow: Follow = deaf): Ethtool {
  const notRun = (stderr: string): string =>
    /ENOENT|No such file/.test(stderr) ? MISSING : `ethtool cannot be run: ${stderr || 'it was killed'}`;
  return {
    follow,
    async read(card, group, signal) {
      const { status, stdout, stderr } = await run([FLAGS[group][0], card], signal);
      if (status === 0) return parseSettings(group, stdout);
      if (status === -1) return notRun(stderr);
      const why = refusalWords(stderr);
      return why.startsWith('EOPNOTSUPP') ? new Map() : why;
    },
    async write(card, group, settings, signal) {
      const { status, stderr } = await run([FLAGS[group][1], card, ...settings.flat()], signal);
      if (status === 0) return undefined;
      if (status === -1) return notRun(stderr);
      return refusalWords(stderr);
    },
  };
}
