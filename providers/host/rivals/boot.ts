import { pathOf } from '../key.ts';
import { confFiles, linesOf, matches } from './lines.ts';

/** What a file of the machine sets when it boots: the path of what it writes, absolute, and the value. */
export interface BootSetting {
  /** A path, or a pattern of paths. */
  readonly path: string;
  readonly value: string;
  /** File and line that say it. */
  readonly at: string;
}

const folders = (name: string): readonly string[] =>
  ['etc', 'run', 'usr/local/lib', 'usr/lib', 'lib'].map((folder) => `${folder}/${name}`);

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

/** All that is set when the machine boots; of several settings of a path the last counts, and one that names it before a pattern. */
export function bootSettings(root: string): readonly BootSetting[] {
  return [...bootSysctls(root), ...bootFiles(root)];
}

/** The setting that counts for a path. */
export function settingOf(settings: readonly BootSetting[], path: string): BootSetting | undefined {
  return (
    settings.findLast((setting) => setting.path === path) ?? settings.findLast((setting) => matches(setting.path, path))
  );
}
