import { pathOf } from '../key.ts';
import { remembered, type Tree } from '../inventory/tree.ts';
import { confFiles, folders, linesOf, matches, type BootSetting } from './lines.ts';
import { linkSettings } from './link.ts';
import { udevReader } from './udev.ts';

/** `net.ipv4.conf.*.rp_filter` as the path that systemd-sysctl writes. */
function sysctlPath(key: string): string | undefined {
  const path = pathOf(key.replaceAll('?', '*'));
  return path === undefined ? undefined : `/proc/sys/${path}`;
}

/** What sysctl.d(5) sets, in the order in which it is written. */
function bootSysctls(root: string): readonly BootSetting[] {
  return confFiles(root, folders('sysctl.d')).flatMap((file) =>
    linesOf(root, file).flatMap(({ text, at }) => {
      const [, key = '', value] = /^-?([^=\s]+)\s*=\s*(.*)$/.exec(text) ?? [];
      const path = sysctlPath(key);
      return path === undefined || value === undefined ? [] : [{ path, value: value.trim(), at }];
    }),
  );
}

/** What tmpfiles.d(5) writes below /sys and /proc: `w /sys/kernel/mm/ksm/run - - - - 1`. */
function bootFiles(root: string): readonly BootSetting[] {
  return confFiles(root, folders('tmpfiles.d')).flatMap((file) =>
    linesOf(root, file).flatMap(({ text, at }) => {
      const [kind = '', path = '', , , , , ...rest] = text.split(/\s+/);
      const written = /^w[+!-]*$/.test(kind) && /^\/(sys|proc)\//.test(path) && rest.length > 0;
      return written ? [{ path, value: rest.join(' '), at }] : [];
    }),
  );
}

/** Reads all that is set when the machine boots; of several settings of a path the last counts, and one that names it before a pattern. */
export function bootReader(root: string): (sys: Tree) => readonly BootSetting[] {
  const udev = udevReader(root);
  return (sys) => {
    const once = remembered(sys);
    return [...bootSysctls(root), ...bootFiles(root), ...linkSettings(root, once), ...udev(once)];
  };
}

/** The setting that counts for a path. */
export function settingOf(settings: readonly BootSetting[], path: string): BootSetting | undefined {
  return (
    settings.findLast((setting) => setting.path === path) ?? settings.findLast((setting) => matches(setting.path, path))
  );
}
