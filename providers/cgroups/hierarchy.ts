import { join } from 'node:path';
import type { Files } from './files.ts';

/** Where containers' cgroups are, learnt from the tree itself: no daemon is asked. */
export interface Hierarchy {
  readonly version: 'v1' | 'v2';
  /** The directory of a v1 controller, or the one directory of v2, for a path that `find` gave. */
  directory(controller: string, path: string): string;
  /** The path below the root of each container's cgroup that there is. */
  find(ids: readonly string[]): ReadonlyMap<string, string>;
}

/** A place where containers were found: cgroupfs makes `PARENT/ID`, systemd `PARENT/docker-ID.scope`. */
interface Place {
  readonly parent: string;
  readonly prefix: string;
  readonly suffix: string;
}

const DEEPEST = 12;
const MOST_FOLDERS = 50_000;
const CONTAINER = /^(|.*-)([0-9a-f]{64})(|\.scope)$/;

/** Looks at the tree below the root. */
export function hierarchy(root: string, files: Files): Hierarchy {
  const version = files.exists(join(root, 'cgroup.controllers')) ? 'v2' : 'v1';
  const places: Place[] = [];
  const directory = (controller: string, path: string): string =>
    version === 'v2' ? join(root, path) : join(root, controller, path);
  // containers have the same path in every v1 hierarchy; this one is looked at
  const home = ['memory', 'pids', 'cpu', 'blkio'].find((each) => files.exists(join(root, each))) ?? 'memory';

  function derived(id: string): string | undefined {
    return places
      .map(({ parent, prefix, suffix }) => join(parent, `${prefix}${id}${suffix}`))
      .find((path) => files.exists(directory(home, path)));
  }

  function learn(ids: ReadonlySet<string>): Map<string, string> {
    const found = new Map<string, string>();
    let level = [''];
    let seen = 0;
    for (let depth = 0; depth < DEEPEST && level.length > 0 && found.size < ids.size; depth += 1) {
      const next: string[] = [];
      for (const parent of level) {
        for (const name of files.folders(directory(home, parent))) {
          seen += 1;
          if (seen > MOST_FOLDERS) return found;
          const [, prefix = '', id = '', suffix = ''] = CONTAINER.exec(name) ?? [];
          next.push(join(parent, name));
          if (!ids.has(id) || found.has(id)) continue;
          found.set(id, join(parent, name));
          if (!places.some((place) => place.parent === parent && place.prefix === prefix && place.suffix === suffix))
            places.push({ parent, prefix, suffix });
        }
      }
      level = next;
    }
    return found;
  }

  return {
    version,
    directory,
    find(ids) {
      const found = new Map<string, string>();
      const missing = new Set<string>();
      for (const id of ids) {
        const path = derived(id);
        if (path === undefined) missing.add(id);
        else found.set(id, path);
      }
      if (missing.size > 0) for (const [id, path] of learn(missing)) found.set(id, path);
      return found;
    },
  };
}
