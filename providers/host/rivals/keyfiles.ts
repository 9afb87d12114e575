import type { Tree } from '../inventory/tree.ts';
import { CARD_SETTINGS } from '../knobs/settings.ts';
import type { Group } from '../ethtool.ts';
import { confFiles, matches, ofEach, readOnce, type BootSetting, type Line } from './lines.ts';

/** What the kernel calls its process. */
export const NETWORK_MANAGER = 'NetworkManager';
const WHEN = 'when NetworkManager brings the card up';
const HOMES = ['etc', 'run', 'usr/lib'].map((home) => `${home}/NetworkManager/system-connections`);

interface Entry {
  readonly value: string;
  readonly at: string;
}

/** A profile of nm-settings-keyfile(5), by `section.key`. */
type Profile = ReadonlyMap<string, Entry>;

/** Names that sections have beside those of today. */
const SECTIONS: Readonly<Record<string, string>> = { '802-3-ethernet': 'ethernet' };

function parse(lines: readonly Line[]): Profile {
  const profile = new Map<string, Entry>();
  let section = '';
  for (const { text, at } of lines) {
    const head = /^\[(.+)\]$/.exec(text)?.[1];
    if (head !== undefined) section = SECTIONS[head] ?? head;
    const [, key, value = ''] = /^([\w.-]+)\s*=\s*(.*)$/.exec(text) ?? [];
    if (key !== undefined) profile.set(`${section}.${key}`, { value, at });
  }
  return profile;
}

/** Whether a text is as a list of patterns says (`eth*;!eth1;`): as one of them, and none with an exclamation mark. */
function isIn(list: string, text: string): boolean {
  const words = list.split(/[;,\s]+/).filter(Boolean);
  const [not, some] = [words.filter((word) => /^[!&]*!/.test(word)), words.filter((word) => !/^[!&]*!/.test(word))];
  const bare = (word: string): string => word.replace(/^[!&|]+/, '');
  return (
    !not.some((word) => matches(bare(word), text)) &&
    (some.length === 0 || some.some((word) => matches(bare(word), text)))
  );
}

/** Whether a profile may be brought up on a card. One that names none is for any. */
function fits(sys: Tree, card: string, profile: Profile): boolean {
  const said = (key: string): string => profile.get(key)?.value ?? '';
  const at = `class/net/${card}`;
  if (!['ethernet', '802-3-ethernet'].includes(said('connection.type'))) return false;
  const name = said('connection.interface-name');
  if (name !== '' && name !== card) return false;
  const mac = said('ethernet.mac-address').toLowerCase();
  if (mac !== '' && mac !== sys.text(`${at}/address`)?.toLowerCase()) return false;
  const driver = said('match.driver');
  if (driver !== '' && !isIn(driver, sys.target(`${at}/device/driver`) ?? 'unknown')) return false;
  return isIn(said('match.interface-name'), card);
}

/** How its settings begin, by the groups of ethtool that they are of: `ring-rx`, `feature-tso`. */
const STARTS: Readonly<Record<Group, string>> = {
  rings: 'ring-',
  channels: 'channels-',
  coalescing: 'coalesce-',
  offloads: 'feature-',
};

const WORDS: Readonly<Record<string, string>> = { true: 'on', false: 'off', yes: 'on', no: 'off' };

function settingsFor(card: string, profile: Profile): readonly BootSetting[] {
  const mtu = profile.get('ethernet.mtu');
  // 0 leaves it as it is
  const own = mtu && mtu.value !== '0' ? [{ path: `/sys/class/net/${card}/mtu`, ...mtu, when: WHEN }] : [];
  const groups = Object.entries(CARD_SETTINGS) as readonly [Group, readonly string[]][];
  const others = groups.flatMap(([group, names]) =>
    names.flatMap((name): readonly BootSetting[] => {
      const entry = profile.get(`ethtool.${STARTS[group]}${name}`);
      if (!entry) return [];
      const switches = group === 'offloads' || name.startsWith('adaptive-');
      const numbered = entry.value === '1' ? 'on' : 'off';
      const value = switches ? (WORDS[entry.value] ?? numbered) : entry.value;
      return [{ path: `/nic/${card}/${group}/${name}`, value, at: entry.at, when: WHEN }];
    }),
  );
  return [...own, ...others];
}

/** Reads what profiles of NetworkManager (nm-settings-keyfile(5)) set of the cards of a machine; of several the one with the higher autoconnect-priority counts. */
export function networkManagerReader(root: string): (sys: Tree, devices: readonly string[]) => readonly BootSetting[] {
  const profileOf = readOnce(root, parse);
  const priority = (profile: Profile): number => Number(profile.get('connection.autoconnect-priority')?.value ?? 0);
  const each = ofEach<Profile>((profiles, device, sys) => {
    const card = device.slice('class/net/'.length);
    return profiles
      .filter((profile) => fits(sys, card, profile))
      .toSorted((a, b) => priority(a) - priority(b))
      .flatMap((profile) => settingsFor(card, profile));
  });
  return (sys, devices) =>
    each(
      confFiles(root, HOMES, '.nmconnection').map((path) => profileOf(path)),
      devices,
      sys,
    );
}
