import { join } from 'node:path';
import { disk, type Files } from './files.ts';
import { hierarchy } from './hierarchy.ts';
import { OOM, SCHED, type Field } from './knob.ts';
import { FIELDS, KNOBS } from './knobs.ts';

/** So many cgroups of a controller are looked at, and so deep. */
const MOST = 200;
const DEEPEST = 4;

/** Names of the files of the cgroups below a directory; that itself may be a root, which has other files. */
function namesBelow(files: Files, directory: string): ReadonlySet<string> {
  const names = new Set<string>();
  let level: readonly string[] = [directory];
  let left = MOST;
  for (let depth = 0; depth < DEEPEST && level.length > 0 && left > 0; depth += 1) {
    level = level.flatMap((path) => files.folders(path).map((name) => join(path, name))).slice(0, left);
    left -= level.length;
    for (const path of level) for (const name of files.entries(path)) names.add(name);
  }
  return names;
}

/**
 * Limits of Apps for which this kernel has no file although it has the controller: an App that asks for one is `Unsupported` in it. Where there is no cgroup to look
 * at, nothing is known to be lacking.
 */
export function lackingLimits(root = '/sys/fs/cgroup', files: Files = disk): readonly Field[] {
  const { version } = hierarchy(root, files);
  const known = new Map<string, ReadonlySet<string>>();
  const namesOf = (controller: string): ReadonlySet<string> => {
    const directory = version === 'v2' ? root : join(root, controller);
    const names = known.get(directory) ?? namesBelow(files, directory);
    known.set(directory, names);
    return names;
  };
  const prefix = (controller: string): string => `${version === 'v2' && controller === 'blkio' ? 'io' : controller}.`;
  return FIELDS.filter((field) =>
    KNOBS.filter((knob) => knob.field === field).every(({ controller, files: all }) => {
      if (all.includes(OOM) || all.includes(SCHED)) return false;
      const names = namesOf(controller);
      const has = (file: string): boolean => names.has(file.replace('../', ''));
      return [...names].some((name) => name.startsWith(prefix(controller))) && !all.every(has);
    }),
  );
}
