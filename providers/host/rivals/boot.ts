import { diskNames, nicNames } from '../inventory/devices.ts';
import { remembered, type Tree } from '../inventory/tree.ts';
import { pathOf } from '../key.ts';
import { ifcfgReader } from './ifcfg.ts';
import { ifupdownReader } from './ifupdown.ts';
import { confFiles, folders, matches, readOnce, type BootSetting, type Line } from './lines.ts';
import { linkReader } from './link.ts';
import { NETWORKD, networkdReader } from './networkd.ts';
import { NETWORK_MANAGER, networkManagerReader } from './keyfiles.ts';
import { udevReader } from './udev.ts';

/** `net.ipv4.conf.*.rp_filter` as the path that systemd-sysctl writes. */
function sysctlPath(key: string): string | undefined {
  const path = pathOf(key.replaceAll('?', '*'));
  return path === undefined ? undefined : `/proc/sys/${path}`;
}

/** What a file of sysctl.d(5) sets, in the order in which it is written. */
function sysctlsIn(lines: readonly Line[]): readonly BootSetting[] {
  return lines.flatMap(({ text, at }) => {
    const [, key = '', value] = /^-?([^=\s]+)\s*=\s*(.*)$/.exec(text) ?? [];
    const path = sysctlPath(key);
    return path === undefined || value === undefined ? [] : [{ path, value: value.trim(), at }];
  });
}

/** What one of tmpfiles.d(5) writes below /sys and /proc: `w /sys/kernel/mm/ksm/run - - - - 1`. */
function filesIn(lines: readonly Line[]): readonly BootSetting[] {
  return lines.flatMap(({ text, at }) => {
    const [kind = '', path = '', , , , , ...rest] = text.split(/\s+/);
    const written = /^w[+!-]*$/.test(kind) && /^\/(sys|proc)\//.test(path) && rest.length > 0;
    return written ? [{ path, value: rest.join(' '), at }] : [];
  });
}

/** Programs that set cards as their files say while they run, by what the kernel calls them. */
export const BRINGERS: readonly string[] = [NETWORKD, NETWORK_MANAGER];

/**
 * Reads all that is set when the machine boots, when udev sees a device, or when something brings a card up; `runs` tells which of the `BRINGERS` do. Of several settings of a path the last counts, and one
 * that names it before a pattern.
 */
export function bootReader(root: string): (sys: Tree, runs: (name: string) => boolean) => readonly BootSetting[] {
  const sysctls = readOnce(root, sysctlsIn);
  const files = readOnce(root, filesIn);
  const link = linkReader(root);
  const udev = udevReader(root);
  const networkd = networkdReader(root);
  const networkManager = networkManagerReader(root);
  const ifcfg = ifcfgReader(root);
  const ifupdown = ifupdownReader(root);
  return (sys, runs) => {
    const once = remembered(sys);
    const names = nicNames(once);
    const cards = names.map((name) => `class/net/${name}`);
    return [
      ...confFiles(root, folders('sysctl.d')).flatMap((path) => sysctls(path)),
      ...confFiles(root, folders('tmpfiles.d')).flatMap((path) => files(path)),
      ...link(once, cards),
      ...udev(once, [...diskNames(once).map((name) => `block/${name}`), ...cards]),
      ...(runs(NETWORKD) ? networkd(once, cards) : []),
      ...ifcfg(once, cards, runs(NETWORK_MANAGER)),
      ...(runs(NETWORK_MANAGER) ? networkManager(once, cards) : []),
      ...ifupdown(names),
    ];
  };
}

/** The setting that counts for a path. */
export function settingOf(settings: readonly BootSetting[], path: string): BootSetting | undefined {
  return (
    settings.findLast((setting) => setting.path === path) ?? settings.findLast((setting) => matches(setting.path, path))
  );
}
