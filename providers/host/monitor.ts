import { follow } from '../exec/follow.ts';
import type { Follow, Group, Notice } from './ethtool.ts';

/** What ethtool calls each group in the first line of a notice. */
const HEADS: Readonly<Record<string, Group>> = {
  Features: 'offloads',
  'Ring parameters': 'rings',
  'Channel parameters': 'channels',
  'Coalesce parameters': 'coalescing',
};

/** Which group of which card a line says was changed: `Ring parameters for eth0:`; undefined for what follows it. */
export function noticeOf(line: string): Notice | undefined {
  const [, head = '', card = ''] = /^(\w[\w ]*) for (\S+):$/.exec(line) ?? [];
  const group = HEADS[head];
  return group === undefined ? undefined : { card, group };
}

/** By `ethtool --monitor`, which versions since 5.8 have and kernels since 5.6. Into a pipe it would keep what it prints until that is 4 KiB. */
export const monitor: Follow = (told, signal) =>
  follow(
    'stdbuf',
    ['-oL', 'ethtool', '--monitor'],
    (line) => {
      const notice = noticeOf(line);
      if (notice || line === 'listening...') told(notice);
    },
    signal,
  );
